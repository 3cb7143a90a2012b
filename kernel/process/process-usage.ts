/**
 * What a process and those that it has started take of the machine, as /proc shows it. The kernel has no limit
 * for resident memory, and one for address space is useless for a JavaScript engine, which reserves far more
 * than it uses; so both limits are looked at from time to time, and a process may go over them between two looks.
 */
import { readFileSync } from 'node:fs';

export interface ProcessUsage {
  readonly rssBytes: number;
  readonly cpuSeconds: number;
  /** Whether the process itself is stopped, by SIGSTOP or a debugger. */
  readonly isStopped: boolean;
}

/** Processes that are looked at: the sandbox's own and Node's, with room for what an actor starts. */
const PROCESSES_MAX = 64;
/** `sysconf(_SC_CLK_TCK)`, the same on all machines that Node runs on. */
const TICKS_PER_SECOND = 100;
/** Fields of /proc/pid/stat, counted from the one behind the name. */
const STATE = 0;
const USER_TICKS = 11;
const SYSTEM_TICKS = 12;

/** Undefined where there is no /proc, or no such process any more. */
export function usageOf(pid: number): ProcessUsage | undefined {
  let [rssBytes, cpuSeconds, isStopped] = [0, 0, false];
  const waiting = [pid];
  for (let looked = 0; waiting.length > 0 && looked < PROCESSES_MAX; looked++) {
    const next = waiting.pop()!;
    try {
      const fields = statFields(next);
      cpuSeconds += (Number(fields[USER_TICKS]) + Number(fields[SYSTEM_TICKS])) / TICKS_PER_SECOND;
      isStopped ||= /^[Tt]$/.test(fields[STATE]!);
      rssBytes += rssOf(next);
      waiting.push(...childrenOf(next));
    } catch {
      if (next === pid) return undefined;
      // A child that has just ended.
    }
  }
  return { rssBytes, cpuSeconds, isStopped };
}

function statFields(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The name may hold anything, also blanks and brackets.
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

function rssOf(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0;
  return Number(kibibytes) * 1024;
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
  } catch {
    // Not every kernel lists them.
    return [];
  }
}
