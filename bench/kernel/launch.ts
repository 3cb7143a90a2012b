/** Starts each way of each scenario in a process of its own, and reads its report. */
import { execFile, execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Reports, Row, ScenarioNamed } from './task.ts';

export const PLACEMENTS = ['one core', 'as placed'] as const;
/** All threads on one core, or each where the system puts it. */
export type Placement = (typeof PLACEMENTS)[number];

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url));
/** What a process may take for starting, warming up and ending, besides what its scenario asks for. */
const SPARE_MS = 60_000;

export async function inChild<N extends Row>(scenario: ScenarioNamed<N>, placement: Placement = 'as placed'): Promise<Reports[N]> {
  const seconds = 'seconds' in scenario ? scenario.seconds : 0;
  const stdout = await output([process.execPath, '--conditions=spillway-src', CHILD, JSON.stringify(scenario)], placement, seconds);
  return JSON.parse(stdout) as Reports[N];
}

/** What a command writes. @throws Error with what it complained of */
export async function output(command: readonly string[], placement: Placement, seconds = 0): Promise<string> {
  const [file, ...args] = placement === 'one core' ? ['taskset', '-c', '0', ...command] : command;
  const { stdout } = await promisify(execFile)(file!, args, {
    maxBuffer: 64 * 1024 * 1024,
    timeout: seconds * 1_000 + SPARE_MS,
    killSignal: 'SIGKILL',
  });
  return stdout;
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
