/** A soak as a command in a process of its own, as a user runs it. */
import { execFile } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

const RUN_FILE = fileURLToPath(new URL('./run.ts', import.meta.url));
const OUTPUT_BYTES_MAX = 2 ** 28;

/** What it reported. It must have found nothing. */
export async function soakedFor<Report extends { readonly seed: number; readonly violations: readonly string[] }>(what: 'run' | 'inference', seconds: number, limitMs: number): Promise<Report> {
  const { exitCode, stdout, stderr } = await new Promise<{ exitCode: number; stdout: string; stderr: string }>((resolve) => {
    const args = ['--expose-gc', '--conditions=spillway-src', RUN_FILE, what, '--minutes', String(seconds / 60), '--json'];
    const child = execFile(process.execPath, args, { timeout: limitMs, killSignal: 'SIGKILL', maxBuffer: OUTPUT_BYTES_MAX }, (_, out, errors) => resolve({ exitCode: child.exitCode ?? -1, stdout: out, stderr: errors }));
    // Full load is what the tests beside it leave. Without a process there is none, and the callback says so.
    if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL);
  });
  expect(stdout, stderr.slice(-4_000)).not.toBe('');
  const report = JSON.parse(stdout) as Report;
  expect(report.violations, `with seed ${report.seed}`).toEqual([]);
  expect(exitCode).toBe(0);
  return report;
}
