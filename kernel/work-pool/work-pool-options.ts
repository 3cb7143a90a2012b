/** What a work pool may be told, what holds if it is not, and how both are checked before anything starts. */
import { availableParallelism } from 'node:os';
import { systemClock, type Clock } from '../clock.ts';
import type { Admission, QuotaKey } from '../flow/admission.ts';
import type { HeapLimits } from '../worker.ts';
import type { Timer } from '../time/timer-wheel.ts';

export interface WorkPoolOptions {
  /** URL of the module whose exported functions are the work, as `import.meta.resolve` gives it. */
  readonly module: string;
  /** Workers at most, and so tasks that run at once. Default: as many as the machine runs in parallel. */
  readonly maxThreads?: number;
  /** Tasks that wait for a worker at most; one more is refused. Default: 64. */
  readonly queueCapacity?: number;
  /** After how long without a task a worker is let go. Default: 10,000 ms. */
  readonly idleTimeoutMs?: number;
  /**
   * How long a function may go on after its task was cancelled or has expired; then its worker, which has no
   * other task, is terminated. Default: 10,000 ms. `Infinity` for functions that make native calls, because
   * terminating their thread aborts the process; one that never returns then keeps its worker until `close`.
   */
  readonly killAfterMs?: number;
  /** Bounds of each worker's heap; one that exceeds them ends as a crash does. */
  readonly resourceLimits?: HeapLimits;
  /** Asked before a task is queued; its lease is released when the task's worker is free again. */
  readonly admission?: Pick<Admission, 'decide'>;
  readonly clock?: Clock;
  /** Runs something later. Default: `setTimeout`. */
  readonly after?: (delayMs: number, run: () => void) => Timer;
}

export interface WorkOptions {
  /** From the call to the result, time in the queue included. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
  /** Whose quota the task uses; required by a pool with `admission`. */
  readonly key?: QuotaKey;
}

export type WorkPoolSettings = Required<Omit<WorkPoolOptions, 'admission' | 'resourceLimits'>> &
  Pick<WorkPoolOptions, 'admission' | 'resourceLimits'>;

/** Longest time that `setTimeout` knows; it takes a longer one for 1 ms. */
const TIMER_MS_MAX = 2 ** 31 - 1;
const THREADS_MAX = 256;
const QUEUE_CAPACITY_MAX = 1_000_000;

const DEFAULTS = { queueCapacity: 64, idleTimeoutMs: 10_000, killAfterMs: 10_000, clock: systemClock, after: afterTimeout };

/** @throws TypeError for what is no setting, or out of its range */
export function workPoolSettings(options: WorkPoolOptions): WorkPoolSettings {
  const settings = { ...DEFAULTS, maxThreads: Math.min(availableParallelism(), THREADS_MAX), ...options };
  if (!URL.canParse(settings.module)) {
    throw new TypeError(`A work pool needs the URL of its module, as import.meta.resolve gives it; got ${settings.module}.`);
  }
  requireWithin('maxThreads', settings.maxThreads, 1, THREADS_MAX);
  requireWithin('queueCapacity', settings.queueCapacity, 1, QUEUE_CAPACITY_MAX);
  requireWithin('idleTimeoutMs', settings.idleTimeoutMs, 0, TIMER_MS_MAX);
  if (settings.killAfterMs !== Infinity) requireWithin('killAfterMs', settings.killAfterMs, 0, TIMER_MS_MAX);
  return settings;
}

/** @throws TypeError if there is no deadline, or none that a timer could keep */
export function requireDeadline(what: string, deadlineMs: number): void {
  if (deadlineMs > 0 && deadlineMs <= TIMER_MS_MAX) return;
  throw new TypeError(`${what} needs a deadlineMs above zero and up to ${TIMER_MS_MAX}, since nothing waits forever; got ${deadlineMs}.`);
}

function requireWithin(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new TypeError(`${name} of a work pool must be a whole number from ${min} to ${max}; got ${value}.`);
}

function afterTimeout(delayMs: number, run: () => void): Timer {
  const timeout = setTimeout(run, delayMs);
  return { cancel: () => clearTimeout(timeout) };
}
