/**
 * What this process holds of its machine, counted before and after: what a drill has not given back is a
 * leak. Read from /proc, so only on Linux; elsewhere there is only what Node itself tells.
 */
import { readFileSync, readdirSync, readlinkSync, realpathSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export interface Resources {
  /** Undefined where the system does not tell. */
  readonly threads: number | undefined;
  /** Children, and theirs. */
  readonly processes: number | undefined;
  readonly descriptors: number | undefined;
  /** Of array buffers, shared ones included, and of mapped shared files; after a collection. */
  readonly sharedMemoryBytes: number;
}

export const RESOURCE_NAMES = ['threads', 'processes', 'descriptors', 'sharedMemoryBytes'] as const satisfies (keyof Resources)[];

/** Buffers come and go in a process that does anything; a system that is kept is megabytes. */
const SHARED_TOLERANCE_BYTES = 512 * 1024;
const SETTLE_MS = 3_000;
const PROGRAM = realpathSync(process.execPath);
const LOOK_MS = 50;

export function resourcesNow(): Resources {
  collect();
  return {
    threads: tellsOf(() => readdirSync('/proc/self/task').length),
    processes: tellsOf(() => descendants(process.pid).length),
    descriptors: tellsOf(() => openDescriptors().length),
    sharedMemoryBytes: process.memoryUsage().arrayBuffers + (tellsOf(mappedSharedBytes) ?? 0),
  };
}

/** What there is once nothing changes any more. */
export async function settledResources(): Promise<Resources> {
  let former = resourcesNow();
  for (let waitedMs = 0; waitedMs < SETTLE_MS; waitedMs += LOOK_MS) {
    await pause(LOOK_MS);
    const now = resourcesNow();
    if (RESOURCE_NAMES.every((name) => now[name] === former[name])) return now;
    former = now;
  }
  return former;
}

/** What there is more of than before, once what ends has had the time to. */
export async function leakedSince(before: Resources): Promise<{ readonly after: Resources; readonly leaked: Partial<Resources> }> {
  for (let waitedMs = 0; ; waitedMs += LOOK_MS) {
    const after = resourcesNow();
    const leaked = Object.fromEntries(RESOURCE_NAMES.flatMap((name) => (growth(before, after, name) > 0 ? [[name, growth(before, after, name)]] : [])));
    if (Object.keys(leaked).length === 0 || waitedMs >= SETTLE_MS) return { after, leaked };
    await pause(LOOK_MS);
  }
}

function growth(before: Resources, after: Resources, name: keyof Resources): number {
  const more = (after[name] ?? 0) - (before[name] ?? 0);
  return name === 'sharedMemoryBytes' && more <= SHARED_TOLERANCE_BYTES ? 0 : more;
}

let collector: (() => void) | undefined;

function collect(): void {
  if (collector === undefined) {
    setFlagsFromString('--expose-gc');
    collector = runInNewContext('gc') as () => void;
  }
  collector();
}

/** Undefined where the system has no such file. */
function tellsOf<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/**
 * What each open descriptor leads to. The listing itself has one open, which is gone when it is to be read.
 * Those of the program file are not counted: Node opens it once for each thread that it makes, also for a bare
 * Worker, and on a busy machine one stays open now and then. Why is not known; nothing here opens it.
 */
function openDescriptors(): string[] {
  const targets = readdirSync('/proc/self/fd').flatMap((descriptor) => tellsOf(() => [readlinkSync(`/proc/self/fd/${descriptor}`)]) ?? []);
  return targets.filter((target) => target !== PROGRAM);
}

/** Kinds of descriptors, without the numbers that make each unlike all others. Empty where the system does not tell. */
export function descriptorKinds(): readonly string[] {
  return (tellsOf(openDescriptors) ?? []).map((target) => target.replace(/:\[\d+\]$/, ''));
}

/** Of the kinds in `after` those that there are more of than in `before`. */
export function moreKinds(before: readonly string[], after: readonly string[]): string[] {
  const left = [...before];
  return after.filter((kind) => {
    const place = left.indexOf(kind);
    if (place >= 0) left.splice(place, 1);
    return place < 0;
  });
}

/** Process ids below one. */
export function descendants(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    const parent = /^\d+$/.test(entry) ? tellsOf(() => parentOf(entry)) : undefined;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const below = (of: number): number[] => (children.get(of) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(pid);
}

/** The name of the program, in parentheses, may hold anything; the parent comes second behind it. */
function parentOf(pid: string): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

function mappedSharedBytes(): number {
  let bytes = 0;
  for (const line of readFileSync('/proc/self/maps', 'utf8').split('\n')) {
    const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) .*(?:\/dev\/shm\/|\/memfd:)/.exec(line) ?? [];
    if (from !== undefined && to !== undefined) bytes += Number.parseInt(to, 16) - Number.parseInt(from, 16);
  }
  return bytes;
}
