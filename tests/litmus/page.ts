/**
 * The script of the litmus page: runs test files in the window and posts what became of each test.
 *
 * It is vitest's own runner, the one of its browser mode, so `it`, `expect` and `vi` mean what they mean
 * in Node. Of vitest's configuration it gets only what that runner reads.
 */
import { startTests } from 'vitest/internal/browser';
import { browser } from './browser-globals.ts';
import { PAGE_FILES } from './page-files.ts';
import type { PageReport, PageTest } from './page-report.ts';

type Runner = Parameters<typeof startTests>[1];
type Task = Awaited<ReturnType<typeof startTests>>[number]['tasks'][number];

/** When so many tests wait in vain that this is over, the rest is left out, and the page still tells which they were. */
const PATIENCE_MS = 30_000;

const config = {
  root: '/',
  name: 'litmus page',
  sequence: { hooks: 'stack', concurrent: false, shuffle: false },
  setupFiles: [],
  tags: [],
  allowOnly: false,
  maxConcurrency: 8,
  retry: 0,
  testTimeout: 10_000,
  hookTimeout: 10_000,
  expect: {},
};

const runner = {
  config,
  importFile: (name: string) => PAGE_FILES[name]!.load(),
  onBeforeRunTask: (test: Task) => {
    // Goes to the log of the browser, where the name of a test that never ends is the last one.
    console.info(test.fullName);
    if (performance.now() > PATIENCE_MS) test.mode = 'skip';
  },
};

function testsOf(file: string, task: Task): PageTest[] {
  const errors = (task.result?.errors ?? []).map(({ message, diff }) => (diff === undefined ? message : `${message}\n${diff}`));
  const state = task.result?.state;
  if (task.type === 'suite') {
    const own: PageTest[] = errors.length > 0 ? [{ file, name: task.fullName, state: 'fail', errors }] : [];
    return [...own, ...task.tasks.flatMap((child) => testsOf(file, child))];
  }
  return [{ file, name: task.fullTestName, state: state === 'pass' || state === 'fail' ? state : 'skip', errors }];
}

async function run(): Promise<PageTest[]> {
  if (!browser.crossOriginIsolated) throw new Error('The page is not cross-origin isolated, so there is no shared memory to test.');
  Object.assign(globalThis, { ['__vitest_worker__']: { config, ctx: {} } });
  const files = await startTests(Object.keys(PAGE_FILES), runner as unknown as Runner);
  return files.flatMap((file) => testsOf(file.name, file));
}

async function reported(): Promise<PageReport> {
  const { crossOriginIsolated, navigator } = browser;
  const here = { crossOriginIsolated, userAgent: navigator.userAgent };
  try {
    return { ...here, tests: await run() };
  } catch (error) {
    return { ...here, tests: [], failure: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

await fetch('report', { method: 'POST', body: JSON.stringify(await reported()) });
