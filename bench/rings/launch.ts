/** Starts pairs of threads, each pair in a process of its own. */
import { execFile, execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { FlowReport, Scenario, TripReport } from './task.ts';

export const PLACEMENTS = ['one core', 'as placed'] as const;
/** Both threads on one core, or each where the system puts it. */
export type Placement = (typeof PLACEMENTS)[number];

export async function pair<R extends FlowReport | TripReport>(scenario: Scenario, placement: Placement = 'as placed'): Promise<R> {
  const script = fileURLToPath(new URL('./pair.ts', import.meta.url));
  const command = [process.execPath, '--conditions=spillway-src', script, JSON.stringify(scenario)];
  const [file, ...args] = placement === 'one core' ? ['taskset', '-c', '0', ...command] : command;
  const { stdout } = await promisify(execFile)(file!, args, { maxBuffer: 64 * 1024 * 1024 });
  return JSON.parse(stdout) as R;
}

/** The placements that this system can bring about. */
export function placements(): Placement[] {
  try {
    execFileSync('taskset', ['-c', '0', 'true'], { stdio: 'ignore' });
    return [...PLACEMENTS];
  } catch {
    return ['as placed'];
  }
}
