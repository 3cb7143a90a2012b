/**
 * Starts a TypeScript file of this folder as a process of its own and reads its lines.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface Ending {
  readonly lines: string[];
  readonly signal: string | null;
  readonly code: number | null;
}

export function startChild(file: string, ...parameters: string[]): ChildProcess {
  const path = fileURLToPath(new URL(file, import.meta.url));
  return spawn(process.execPath, ['--conditions=spillway-src', path, ...parameters], { stdio: ['pipe', 'pipe', 'inherit'] });
}

/** Collects the child's lines until it ends; sends SIGKILL as soon as `isTime` says so of the lines that came. */
export async function killWhen(child: ChildProcess, isTime: (lines: readonly string[]) => boolean): Promise<Ending> {
  const lines: string[] = [];
  const closed = once(child, 'close');
  for await (const line of createInterface({ input: child.stdout! })) {
    lines.push(line);
    if (isTime(lines)) child.kill('SIGKILL');
  }
  const [code, signal] = (await closed) as [number | null, string | null];
  return { lines, signal, code };
}
