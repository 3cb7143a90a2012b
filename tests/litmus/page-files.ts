/**
 * The test files that run in the page, with the least number of tests that pass in each: fewer would
 * mean that a suite did not run. Whatever runs here imports nothing of Node and does not block, as the
 * window's own thread may not.
 */

interface PageFile {
  readonly load: () => Promise<unknown>;
  readonly passMin: number;
}

export const PAGE_FILES: Readonly<Record<string, PageFile>> = {
  'rings/spsc-ring.test.ts': { load: () => import('../rings/spsc-ring.test.ts'), passMin: 200 },
  'rings/mpsc-ring.test.ts': { load: () => import('../rings/mpsc-ring.test.ts'), passMin: 280 },
  'rings/broadcast-ring.test.ts': { load: () => import('../rings/broadcast-ring.test.ts'), passMin: 50 },
  'rings/spsc-death.test.ts': { load: () => import('../rings/spsc-death.test.ts'), passMin: 6 },
  'rings/fragments.test.ts': { load: () => import('../rings/fragments.test.ts'), passMin: 10 },
  'rings/block-pool.test.ts': { load: () => import('../rings/block-pool.test.ts'), passMin: 10 },
  'rings/wait-phased.test.ts': { load: () => import('../rings/wait-phased.test.ts'), passMin: 6 },
  'litmus/window.cases.ts': { load: () => import('./window.cases.ts'), passMin: 5 },
  'litmus/threads.cases.ts': { load: () => import('./threads.cases.ts'), passMin: 9 },
  'litmus/codec.cases.ts': { load: () => import('./codec.cases.ts'), passMin: 60 },
};
