// Tests load sources the way Node does (no bundler in between), so a worker started by a test and
// the test itself run the same files.
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

// Where CI wants the result as JSON, to count it.
const report = process.env['TEST_REPORT'];

/** Takes minutes, and of the cores what the others leave: it begins first, so that they run beside it. */
const LONGEST = /soak\.test\.ts$/;

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return [...sorted.filter(({ moduleId }) => LONGEST.test(moduleId)), ...sorted.filter(({ moduleId }) => !LONGEST.test(moduleId))];
  }
}

export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  resolve: { conditions: ['spillway-src'] },
  ssr: { resolve: { conditions: ['spillway-src'] } },
  test: {
    include: ['tests/**/*.test.ts'],
    pool: 'forks',
    execArgv: ['--conditions=spillway-src'],
    experimental: { viteModuleRunner: false },
    // Threads and commands that tests start compile the same modules over and over otherwise.
    env: { NODE_COMPILE_CACHE: join(tmpdir(), 'spillway-compile-cache') },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two for two cores, and one that the longest has for itself at first.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
});
