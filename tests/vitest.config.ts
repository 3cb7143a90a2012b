import { defineConfig } from 'vitest/config';

// Tests load sources the way Node does (no bundler in between), so a worker started by a test and
// the test itself run the same files.
export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  resolve: { conditions: ['spillway-src'] },
  ssr: { resolve: { conditions: ['spillway-src'] } },
  test: {
    include: ['tests/**/*.test.ts'],
    pool: 'forks',
    execArgv: ['--conditions=spillway-src'],
    experimental: { viteModuleRunner: false },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
