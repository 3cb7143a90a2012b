/**
 * What one may ask of a thread beside its actors: how its processor, memory and event loop are used. Both
 * sides check what is asked against the same bounds.
 */
import type { Profiler } from 'node:inspector';
import { isAbsolute } from 'node:path';
import type { HeapInfo } from 'node:v8';

export interface MeasureOptions {
  /** For how long to measure: a whole number from 1 to 60,000 ms. */
  readonly durationMs: number;
}

export interface SnapshotOptions {
  /** Absolute path of the file to write; it must not exist. */
  readonly path: string;
}

export interface SnapshotFile {
  readonly path: string;
  readonly sizeBytes: number;
}

/** By how much the event loop was late, in ms. All are 0 if `samples` is, which only a duration of a few ms may bring. */
export interface EventLoopDelay {
  readonly min: number;
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly samples: number;
}

export interface ThreadMemory {
  /** `rss`, and only that, is of the whole process. */
  readonly usage: NodeJS.MemoryUsage;
  readonly heap: HeapInfo;
}

/** The calls, with their parameters and results. */
export interface AdminCalls {
  cpuProfile: [options: MeasureOptions, profile: Profiler.Profile];
  heapSnapshot: [options: SnapshotOptions, file: SnapshotFile];
  eventLoopDelay: [options: MeasureOptions, delay: EventLoopDelay];
  memory: [options: undefined, memory: ThreadMemory];
}

/** Codes of what a thread answers instead of a result. */
export type AdminFailureCode = 'admin_failed' | 'admin_file_exists' | 'admin_busy';

/** An answer of a thread. A failure is a value, because comlink carries of an error neither code nor details. */
export type AdminAnswer<Result> =
  | { readonly ok: true; readonly value: Result }
  | { readonly ok: false; readonly code: AdminFailureCode; readonly message: string };

/** The served object, as comlink calls it. */
export type ThreadAdmin = { [Name in keyof AdminCalls]: (options: AdminCalls[Name][0]) => Promise<AdminAnswer<AdminCalls[Name][1]>> };

/** A profile takes a sample each millisecond, so this also bounds its size. */
const DURATION_MS_MAX = 60_000;

/** @throws TypeError if it is not a whole number of ms within bounds */
export function requireDuration({ durationMs }: MeasureOptions): number {
  if (Number.isInteger(durationMs) && durationMs >= 1 && durationMs <= DURATION_MS_MAX) return durationMs;
  throw new TypeError(`durationMs must be a whole number from 1 to ${DURATION_MS_MAX}, since a thread is not measured without end; got ${durationMs}.`);
}

/** @throws TypeError if the path is not absolute */
export function requireAbsolutePath({ path }: SnapshotOptions): string {
  if (typeof path === 'string' && isAbsolute(path)) return path;
  throw new TypeError(`path must be the absolute path of a new file; got ${path}.`);
}
