/**
 * Stateless work (hashing, chunking, unpacking) on piscina's worker threads, with the kernel's promises:
 * the queue is bounded, each task has a deadline, ends exactly once and is counted under how it ended.
 *
 *     run ── admission ── queue (bounded, here) ── places (one for each worker) ── piscina ── function
 *
 * Piscina makes and ends the threads and carries the values. The queue is ours because piscina's own has no
 * bound for tasks that can be aborted (they go to a second queue that `maxQueue` does not count), and it does
 * not tell when a task begins. So piscina is given no more tasks than it may have workers, each worker has
 * one task, and whoever terminates a worker hits nobody else.
 *
 * A cancel, or a deadline, ends the promise at once. A queued task leaves the queue. A running one is told
 * through shared memory (work-places.ts) and keeps its place until its function returns; only after
 * `killAfterMs` its worker is terminated. It is not terminated at once, as piscina would, because a cancel
 * is common and a new thread is dear.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Piscina } from 'piscina';
import { SpillwayError } from '../errors.ts';
import { siblingModule } from '../thread-boot.ts';
import type { WorkAnswer, WorkContext, WorkRequest, WorkerSetup } from './work-messages.ts';
import { WorkPlaces } from './work-places.ts';
import { requireDeadline, workPoolSettings, type WorkOptions, type WorkPoolOptions, type WorkPoolSettings } from './work-pool-options.ts';
import { WorkTask, type WorkLease } from './work-task.ts';

/** Any names, for a pool whose module has no type. */
type AnyFunctions = Record<string, (input: unknown, context: WorkContext) => unknown>;
type InputOf<Run> = Run extends (input: infer Input, ...rest: never) => unknown ? Input : never;
type OutputOf<Run> = Run extends (...args: never) => infer Output ? Awaited<Output> : never;

/** How tasks ended; at all times `accepted` = these six + queued + running. */
const OUTCOMES = ['completed', 'failed', 'crashed', 'cancelled', 'expired', 'closed'] as const;
type Outcome = (typeof OUTCOMES)[number];

export interface WorkPoolStats extends Readonly<Record<Outcome, number>> {
  readonly accepted: number;
  /** Not accepted: no room, not admitted, or closed. */
  readonly refused: number;
  readonly queued: number;
  /** Out with a worker, and awaited. */
  readonly running: number;
  /** Out with a worker, and no longer awaited: functions that have not yet noticed their cancel. */
  readonly lingering: number;
  readonly threads: number;
  /** Workers terminated because their function went on too long after its task had ended. */
  readonly killed: number;
  /** Workers that died while they had no task: of a start that failed, or of what a former task had left behind. */
  readonly lost: number;
}

/** A worker that has not begun its task that long after it was given up does not start any more. */
const BEGIN_MS_MAX = 10_000;
/** How long `close` waits for terminated threads; one that sits in a native call may not end at all. */
const TERMINATION_MS_MAX = 2_000;

/** @throws TypeError for an option out of its range */
export function createWorkPool<Functions extends object = AnyFunctions>(options: WorkPoolOptions): WorkPool<Functions> {
  return new WorkPool(workPoolSettings(options));
}

/** `Functions` is the type of the pool's module, as `typeof import('./work.ts')`. */
export class WorkPool<Functions extends object = AnyFunctions> {
  readonly #settings: WorkPoolSettings;
  readonly #memory: SharedArrayBuffer;
  readonly #places: WorkPlaces;
  readonly #freePlaces: number[];
  /** In order of arrival; a set, so that a cancelled task leaves it in constant time. */
  readonly #queue = new Set<WorkTask>();
  /** Out with a worker. */
  readonly #placed = new Set<WorkTask>();
  readonly #counts = { accepted: 0, refused: 0, completed: 0, failed: 0, crashed: 0, cancelled: 0, expired: 0, closed: 0, killed: 0, lost: 0 };
  #piscina: Piscina<WorkRequest, WorkAnswer> | undefined;
  /** What the last worker died of that had no task, such as one that could not start. */
  #workerError: unknown;
  #closing: Promise<boolean> | undefined;
  #onDrained: (() => void) | undefined;

  /** `createWorkPool` checks the settings. */
  constructor(settings: WorkPoolSettings) {
    this.#settings = settings;
    this.#memory = WorkPlaces.createMemory(settings.maxThreads);
    this.#places = new WorkPlaces(this.#memory);
    this.#freePlaces = Array.from({ length: settings.maxThreads }, (_, place) => place);
  }

  /** Tasks that wait for a worker. */
  get level(): number {
    return this.#queue.size;
  }

  stats(): WorkPoolStats {
    const lingering = [...this.#placed].filter((task) => task.ended).length;
    return {
      ...this.#counts,
      queued: this.#queue.size,
      running: this.#placed.size - lingering,
      lingering,
      threads: this.#piscina?.threads.length ?? 0,
    };
  }

  /**
   * Calls the function `name` of the pool's module with a copy of `input` on some worker. The copy is made
   * when the task leaves the queue, so do not change `input` before the promise ends.
   *
   * Rejects with a SpillwayError whose `details.mayHaveBeenHandled` says whether the function may have run:
   * `work_refused` (the queue is full, or the key is over its quota: come again, after `details.retryAfterMs`
   * if that is given), `work_deadline`, `work_cancelled`, `work_failed` (it threw, which is the cause; or the
   * input or result cannot be copied), `work_unknown` (no such function), `work_crashed` (its worker died),
   * `system_closed`.
   * @throws TypeError without a deadline, or without a key where the pool has admission
   */
  run<Name extends keyof Functions & string>(name: Name, input: InputOf<Functions[Name]>, options: WorkOptions): Promise<OutputOf<Functions[Name]>> {
    const { deadlineMs, signal } = options;
    requireDeadline('Work', deadlineMs);
    const admitted = this.#admit(name, options);
    if (admitted instanceof SpillwayError) {
      this.#counts.refused++;
      return Promise.reject(admitted);
    }
    this.#counts.accepted++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const task = new WorkTask(name, input, admitted.lease, { resolve, reject });
    this.#queue.add(task);
    const onAbort = (): void => this.#abandon(task, 'cancelled');
    if (signal?.aborted === true) {
      onAbort();
    } else {
      signal?.addEventListener('abort', onAbort, { once: true });
      task.unlisten = () => signal?.removeEventListener('abort', onAbort);
      task.deadline = this.#settings.after(deadlineMs, () => this.#abandon(task, 'expired'));
      this.#fillPlaces();
    }
    return promise as Promise<OutputOf<Functions[Name]>>;
  }

  /**
   * Takes no more tasks and waits for those it has. At the deadline the rest end with `system_closed` and
   * the workers are terminated, whatever they do.
   * @returns whether all functions had returned by then
   */
  close(deadlineMs: number): Promise<boolean> {
    requireDeadline('Closing a work pool', deadlineMs);
    this.#closing ??= this.#drain(deadlineMs);
    return this.#closing;
  }

  #admit(name: string, { key }: WorkOptions): { lease: WorkLease | undefined } | SpillwayError {
    const { admission, queueCapacity, clock } = this.#settings;
    if (admission !== undefined && key === undefined) {
      throw new TypeError(`Work ${name} needs a key, because the pool admits by quota and would not know whose.`);
    }
    if (this.#closing !== undefined) return new SpillwayError('system_closed', `Work ${name} was not accepted: the pool is closed.`, { details: { name, mayHaveBeenHandled: false } });
    // Places may be free only if nobody waits, so a full queue means that all workers are busy too.
    if (this.#queue.size >= queueCapacity) {
      return refusal(name, `${queueCapacity} tasks wait already; try again later.`, { reason: 'queue_full' });
    }
    if (admission === undefined) return { lease: undefined };
    const decision = admission.decide(key!, 1, clock.monotonicMs());
    if (decision.decision === 'accept') return { lease: decision.lease };
    if (decision.decision === 'reject') return refusal(name, `admission says ${decision.reason}.`, { reason: decision.reason });
    const { retryAfterMs } = decision;
    return refusal(name, `its key is over its rate; try again in ${retryAfterMs} ms.`, { reason: 'deferred', retryAfterMs });
  }

  #fillPlaces(): void {
    for (const task of this.#queue) {
      const place = this.#freePlaces.pop();
      if (place === undefined) return;
      this.#queue.delete(task);
      void this.#execute(task, place);
    }
  }

  async #execute(task: WorkTask, place: number): Promise<void> {
    task.place = place;
    this.#placed.add(task);
    this.#places.clear(place);
    try {
      this.#take(task, await this.#post(task, place));
    } catch (error) {
      const lost = task.lost(error, this.#places.hasBegun(place));
      this.#end(task, lost.code === 'work_failed' ? 'failed' : 'crashed', () => task.reject(lost));
    } finally {
      this.#placed.delete(task);
      this.#freePlaces.push(place);
      task.release();
      this.#fillPlaces();
      this.#tellIfDrained();
    }
  }

  /** Asynchronous, so that what is thrown at once also comes after `#fillPlaces` is through, and not within it. */
  async #post(task: WorkTask, place: number): Promise<WorkAnswer> {
    this.#piscina ??= this.#createPiscina();
    return this.#piscina.run({ place, name: task.name, input: task.takeInput() }, { signal: task.kill.signal });
  }

  #take(task: WorkTask, answer: WorkAnswer): void {
    this.#workerError = undefined;
    if (answer.outcome === 'done') return this.#end(task, 'completed', () => task.resolve(answer.value));
    // The task has ended by its cancel or deadline, which is why it was skipped.
    if (answer.outcome === 'skipped') return;
    if (answer.outcome === 'threw') {
      const begun = this.#places.hasBegun(task.place!);
      return this.#end(task, 'failed', () => task.reject(task.threw(answer.error, begun)));
    }
    const message = `The pool's module exports no function ${task.name}; it has: ${answer.known.join(', ')}.`;
    this.#end(task, 'failed', () => task.reject(new SpillwayError('work_unknown', message, { details: { name: task.name, mayHaveBeenHandled: false } })));
  }

  /** Ends the task without its result, wherever it is. */
  #abandon(task: WorkTask, outcome: 'cancelled' | 'expired' | 'closed'): void {
    if (task.ended) return;
    const queued = this.#queue.delete(task);
    const begun = !queued && this.#places.abandon(task.place!);
    const details = { name: task.name, mayHaveBeenHandled: begun };
    const where = begun ? 'while it ran' : 'before it began';
    // A worker that cannot start says so to nobody but the pool; whoever waits for one should know.
    const cause = begun ? undefined : this.#workerError;
    this.#end(task, outcome, () => {
      if (outcome === 'cancelled') task.reject(new SpillwayError('work_cancelled', `Work ${task.name} was cancelled ${where}.`, { details }));
      else if (outcome === 'expired') task.reject(new SpillwayError('work_deadline', `The deadline of work ${task.name} passed ${where}.`, { cause, details }));
      else task.reject(new SpillwayError('system_closed', `The pool was closed ${where}: work ${task.name}.`, { details }));
    });
    if (queued) {
      task.release();
      this.#tellIfDrained();
      return;
    }
    const killAfterMs = begun ? this.#settings.killAfterMs : Math.min(this.#settings.killAfterMs, BEGIN_MS_MAX);
    if (killAfterMs < Infinity) task.killTimer = this.#settings.after(killAfterMs, () => this.#kill(task));
  }

  #kill(task: WorkTask): void {
    this.#counts.killed++;
    task.kill.abort();
  }

  #end(task: WorkTask, outcome: Outcome, settle: () => void): void {
    if (task.ended) return;
    task.end();
    this.#counts[outcome]++;
    settle();
  }

  async #drain(deadlineMs: number): Promise<boolean> {
    const drained = await this.#within(deadlineMs, new Promise<void>((resolve) => {
      this.#onDrained = resolve;
      this.#tellIfDrained();
    }));
    for (const task of [...this.#queue, ...this.#placed]) this.#abandon(task, 'closed');
    for (const task of this.#placed) this.#kill(task);
    if (this.#piscina !== undefined) await this.#within(TERMINATION_MS_MAX, this.#piscina.destroy());
    return drained;
  }

  #tellIfDrained(): void {
    if (this.#queue.size + this.#placed.size === 0) this.#onDrained?.();
  }

  async #within(limitMs: number, event: Promise<void>): Promise<boolean> {
    const { promise: passed, resolve } = Promise.withResolvers<boolean>();
    const timer = this.#settings.after(limitMs, () => resolve(false));
    const happened = await Promise.race([event.then(() => true), passed]);
    timer.cancel();
    return happened;
  }

  /** Piscina is loaded with the first task, because most threads that have a pool in reach use none. */
  #createPiscina(): Piscina<WorkRequest, WorkAnswer> {
    const { module, maxThreads, idleTimeoutMs, resourceLimits } = this.#settings;
    const { Piscina: Pool } = createRequire(import.meta.url)('piscina') as typeof import('piscina');
    const setup: WorkerSetup = { module, places: this.#memory };
    const pool = new Pool<WorkRequest, WorkAnswer>({
      filename: fileURLToPath(siblingModule('work-entry', import.meta.url)),
      name: 'runWork',
      workerData: setup,
      minThreads: 0,
      maxThreads,
      // Never used up, since there are no more places than threads.
      maxQueue: maxThreads,
      concurrentTasksPerWorker: 1,
      idleTimeout: idleTimeoutMs,
      // The other modes stop the worker's event loop between tasks: timers, inspector and exporters with it.
      atomics: 'disabled',
      recordTiming: false,
      ...(resourceLimits !== undefined && { resourceLimits }),
    });
    // Without a listener, a worker that dies between two tasks would end the process.
    pool.on('error', (error: unknown) => {
      this.#workerError = error;
      this.#counts.lost++;
    });
    return pool;
  }
}

function refusal(name: string, because: string, details: { reason: string; retryAfterMs?: number }): SpillwayError {
  return new SpillwayError('work_refused', `Work ${name} was not accepted: ${because}`, { details: { name, mayHaveBeenHandled: false, ...details } });
}
