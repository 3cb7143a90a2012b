/** Restarts by the hundred, each placement in a process of its own so that nothing else is measured with it. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { RestartsReport } from './restarts.ts';

const LIMIT_MS = 240_000;
const runFile = fileURLToPath(new URL('./run.ts', import.meta.url));

/** Exit code and what was printed; standard error has a line for each life that ended. */
function run(...options: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, ['--expose-gc', '--conditions=spillway-src', runFile, ...options], { timeout: LIMIT_MS, killSignal: 'SIGKILL', maxBuffer: 2 ** 28 }, (_, stdout, stderr) =>
      resolve({ exitCode: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

describe('restarts', () => {
  it.each([
    ['inline', 5_000],
    ['pool', 2_000],
    ['thread', 60],
    ['process', 12],
  ] as const)('of an actor placed %s leave nothing behind, %i times', async (placement, count) => {
    const { exitCode, stdout, stderr } = await run('restarts', '--placement', placement, '--count', String(count), '--json');
    expect(stdout, stderr.slice(-4_000)).not.toBe('');
    const report = JSON.parse(stdout) as RestartsReport;
    expect(report).toMatchObject({ placement, restarts: count, failures: [] });
    expect(exitCode).toBe(0);
  }, LIMIT_MS + 10_000);
});

describe('the command', () => {
  it.each([
    [['walk'], "There is no soak 'walk'"],
    [['--minutes', '0'], '--minutes takes a number above zero'],
    [['restarts', '--count', '1.5'], '--count takes a positive integer'],
    [['restarts', '--placement', 'cloud'], '--placement takes one of inline, pool, thread, process, bare, all'],
  ])('refuses %j with exit code 2', async (options, message) => {
    const { exitCode, stderr } = await run(...options);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(message);
  });
});
