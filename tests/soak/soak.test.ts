/** The soak in short: a system at full load with a fault every second, in a process of its own. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { SoakReport } from './soak.ts';

/** `SOAK_SECONDS` says otherwise. A developer who waits for his tests gets less of it. */
const DEFAULT_SECONDS = process.env['CI'] === undefined ? 20 : 300;
const seconds = Number(process.env['SOAK_SECONDS'] ?? DEFAULT_SECONDS);
/** A quiet moment may take its time, and so may the start and the end, on a machine that has much else to do. */
const LIMIT_MS = seconds * 2_000 + 180_000;

const runFile = fileURLToPath(new URL('./run.ts', import.meta.url));

function runSoak(): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const options = ['run', '--minutes', String(seconds / 60), '--json'];
    const child = execFile(process.execPath, ['--expose-gc', '--conditions=spillway-src', runFile, ...options], { timeout: LIMIT_MS, killSignal: 'SIGKILL', maxBuffer: 2 ** 28 }, (_, stdout, stderr) =>
      resolve({ exitCode: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

describe('a system at full load with a fault every second', () => {
  it(
    'ends every ask, accounts for every message, restarts what fails and keeps nothing',
    async () => {
      const { exitCode, stdout, stderr } = await runSoak();
      expect(stdout, stderr.slice(-4_000)).not.toBe('');
      const report = JSON.parse(stdout) as SoakReport;
      expect(report.violations, `with seed ${report.seed}`).toEqual([]);
      expect(report.restarts).toBeGreaterThan(0);
      expect(report.quietMoments).toBeGreaterThan(1);
      expect(exitCode).toBe(0);
    },
    LIMIT_MS + 10_000,
  );
});
