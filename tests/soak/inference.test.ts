/** The soak of inference in short, in a process of its own: mixed load on models that are swapped, unloaded and killed. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { InferenceSoakReport } from './inference.ts';

/** `SOAK_SECONDS` says otherwise. */
const seconds = Number(process.env['SOAK_SECONDS'] ?? 25);
/** A change of models, a quiet moment, the start and the end may take their time on a machine that has much else to do. */
const LIMIT_MS = seconds * 2_000 + 300_000;

const runFile = fileURLToPath(new URL('./run.ts', import.meta.url));

function runSoak(): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const options = ['inference', '--minutes', String(seconds / 60), '--json'];
    const child = execFile(process.execPath, ['--expose-gc', '--conditions=spillway-src', runFile, ...options], { timeout: LIMIT_MS, killSignal: 'SIGKILL', maxBuffer: 2 ** 28 }, (_, stdout, stderr) =>
      resolve({ exitCode: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

describe('a host of models under mixed load', () => {
  it(
    'answers every text with the vector of the model it names, through swaps and killed processes, and keeps nothing',
    async () => {
      const { exitCode, stdout, stderr } = await runSoak();
      expect(stdout, stderr.slice(-4_000)).not.toBe('');
      const report = JSON.parse(stdout) as InferenceSoakReport;
      expect(report.violations, `with seed ${report.seed}`).toEqual([]);
      expect(report.compared).toBeGreaterThan(0);
      expect(report.loadsMs.length).toBeGreaterThan(3);
      expect(report.quietMoments).toBeGreaterThan(3);
      expect(exitCode).toBe(0);
    },
    LIMIT_MS + 10_000,
  );
});
