/**
 * Stands between those who want texts embedded and the inference actors of one loaded model.
 *
 *   embed() ─▶ Room, Quota ─▶ JobBoard ─▶ FairQueue × 3 ─▶ UnitBuilder ─▶ Desks, Dispatcher ─▶ workers
 *              accepted?      cached?      by key           which, how     whose      │
 *                             known?                        much           turn       ▼
 *   results ◀───────────────  JobBoard ◀──────────────────────────────────────  answer or remedy
 *
 * It lives on its caller's thread and has none of its own: everything happens in calls, in answers of workers and in
 * timers, and the same calls, times and answers lead to the same decisions. Nothing waits for more to come while a
 * worker has nothing to do.
 */
import { SpillwayError, type AdmissionSpec, type Clock } from '../../../kernel/index.ts';
import { Desks } from './desks.ts';
import { Dispatcher } from './dispatcher.ts';
import { PRIORITIES, type EmbedRequest, type EmbedWorker, type EmbeddedText, type Priority, type ScheduledModel } from './embed-request.ts';
import { JobBoard } from './job-board.ts';
import { OPEN_TEXTS_MAX } from './lane.ts';
import { Quota } from './quota.ts';
import { RoomWaiters } from './room-waiters.ts';
import { Room } from './room.ts';
import { completeLimits, type SchedulerLimits } from './scheduler-limits.ts';
import { snapshot, type SchedulerStats } from './scheduler-stats.ts';
import { systemTimers, type Timers } from './timers.ts';
import { Ticket } from './ticket.ts';
import { TokenScale } from './token-scale.ts';
import { UnitBuilder } from './unit-builder.ts';
import { VectorCache } from './vector-cache.ts';

export interface SchedulerOptions {
  /** At least one. */
  readonly workers: readonly EmbedWorker[];
  readonly model: ScheduledModel;
  readonly clock: Clock;
  /** Default: the event loop's. */
  readonly timers?: Timers;
  readonly limits?: SchedulerLimits;
  /** Bytes for vectors of texts embedded before; 0 for none. Default 64 MiB. */
  readonly cacheBytes?: number;
  /** What each key may ask for; a request costs its estimated tokens. Default: no quotas. */
  readonly quota?: AdmissionSpec;
}

export interface RoomRequest {
  /** Default: normal. */
  readonly priority?: Priority;
  /** Default: the empty string. */
  readonly key?: string;
  /** Texts of the request that is to come. Default 1. */
  readonly texts?: number;
  /** How long the caller waits. Default 120,000. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

const ROOM_DEADLINE_MS_DEFAULT = 120_000;
const CACHE_BYTES_DEFAULT = 64 * 1024 * 1024;

export class EmbedScheduler {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #desks: Desks;
  readonly #board: JobBoard;
  readonly #dispatcher: Dispatcher;
  readonly #cache: VectorCache;
  readonly #scale = new TokenScale();
  readonly #room: Room;
  readonly #roomWaiters: RoomWaiters;
  readonly #quota: Quota | undefined;
  #closeError: unknown;
  #idleWaiters: (() => void)[] = [];

  /** @throws SpillwayError `admission_invalid`; TypeError for a limit that is none, or without workers */
  constructor({ workers, model, clock, timers = systemTimers, limits, cacheBytes = CACHE_BYTES_DEFAULT, quota }: SchedulerOptions) {
    if (workers.length === 0) throw new TypeError('A scheduler needs at least one worker.');
    if (!(cacheBytes >= 0)) throw new TypeError(`cacheBytes is a number of bytes, 0 for no cache; got ${cacheBytes}.`);
    const complete = completeLimits(limits);
    this.#clock = clock;
    this.#timers = timers;
    this.#desks = new Desks(workers);
    this.#cache = new VectorCache(cacheBytes, model.dimensions);
    this.#board = new JobBoard({ cache: this.#cache, scale: this.#scale, tokensMax: model.tokensMax });
    const { queues } = this.#board;
    const scale = this.#scale;
    const builder = new UnitBuilder({ ...queues, model, workers: workers.length, unitMs: complete.unitMs, scale, cost: (job) => this.#board.cost(job) });
    this.#room = new Room({ queues, limits: complete, desks: this.#desks, scale });
    this.#roomWaiters = new RoomWaiters((priority, key) => this.#room.texts(priority, key), timers);
    this.#dispatcher = new Dispatcher({
      board: this.#board,
      desks: this.#desks,
      builder,
      scale,
      model,
      clock,
      timers,
      onTurn: () => {
        this.#roomWaiters.serve();
        this.#wakeIdle();
      },
      onGone: (error) => void this.close(error),
    });
    this.#quota = quota === undefined ? undefined : new Quota(quota);
  }

  get stats(): SchedulerStats {
    return snapshot(this.#board, this.#desks, this.#cache, this.#scale, this.#roomWaiters);
  }

  /**
   * One result for each text, in order; each has exactly one outcome, and one text's never depends on another's.
   * @throws SpillwayError, all of them before anything was done for the request: `embed_overloaded` with
   *   `details: { retryAfterMs, waitingTexts, estimatedWaitMs }`, `embed_request_too_large`, `embed_quota_exceeded`; or what
   *   the scheduler was closed with, `embed_closed` by default
   */
  embed(request: EmbedRequest): Promise<EmbeddedText[]> {
    return new Promise((resolve, reject) => {
      this.#assertOpen();
      this.#accept(request, resolve, reject);
    });
  }

  /** Texts that a request of this class and key may have now. */
  room(priority: Priority = 'normal', key = ''): number {
    return this.#closeError === undefined ? this.#room.texts(priority, key) : 0;
  }

  /**
   * Resolves when there is room for a request, in the order of the calls of each class and key. Nothing is kept free for
   * the caller, so it sends its request in the same turn, and comes again if that is refused.
   * @throws SpillwayError `embed_cancelled`, `embed_deadline`, `embed_request_too_large`, `embed_overloaded` if too many
   *   wait already, or what the scheduler is closed with
   */
  async whenRoom({ priority = 'normal', key = '', texts = 1, deadlineMs = ROOM_DEADLINE_MS_DEFAULT, signal }: RoomRequest = {}): Promise<void> {
    this.#assertOpen();
    const fault = this.#room.tooLarge({ priority, key, texts, units: 0 });
    if (fault !== undefined) throw fault;
    await this.#roomWaiters.wait({ priority, key, texts, deadlineMs, signal });
  }

  /** Milliseconds until the first text of a request of this class and key would be sent; 0 as long as no speed is known. */
  estimatedWaitMs(priority: Priority = 'normal', key = ''): number {
    return this.#room.estimatedWaitMs(priority, key);
  }

  /** Resolves once nothing waits and nothing is on its way. */
  idle(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /**
   * Refuses further requests, ends those of which something still waits, and lets the others end.
   * @param error what requests are refused and ended with
   * @returns a promise that resolves once nothing is on its way
   */
  close(error: unknown = new SpillwayError('embed_closed', 'The scheduler is closed; load the model again.')): Promise<void> {
    if (this.#closeError === undefined) {
      this.#closeError = error;
      this.#dispatcher.end(error);
      this.#board.rejectWaiting(error);
      this.#roomWaiters.rejectAll(error);
      this.#wakeIdle();
    }
    return this.idle();
  }

  get #isIdle(): boolean {
    return this.#board.requests === 0 && this.#desks.unitsInHand === 0;
  }

  #assertOpen(): void {
    if (this.#closeError !== undefined) throw this.#closeError as Error;
  }

  #accept(request: EmbedRequest, resolve: (results: EmbeddedText[]) => void, reject: (error: unknown) => void): void {
    const { texts, priority = 'normal', key = '', truncate, deadlineMs, signal, cache = true } = request;
    if (!PRIORITIES.includes(priority)) throw new TypeError(`priority is one of ${PRIORITIES.join(', ')}; got ${priority}.`);
    if (deadlineMs !== undefined && !(deadlineMs > 0)) throw new TypeError(`deadlineMs is a number of milliseconds above zero; got ${deadlineMs}.`);
    if (texts.length === 0) return resolve([]);
    const units = unitsOf(texts);
    const nowMs = this.#clock.monotonicMs();
    const lease = this.#admit(request, { priority, key, texts: texts.length, units }, nowMs);
    const deadlineAtMs = deadlineMs === undefined ? Infinity : nowMs + deadlineMs;
    const lane = this.#board.queues[priority].lane(key);
    const ticket = new Ticket({ texts, lane, truncate, deadlineAtMs, usesCache: cache, resolve, reject });
    if (lease !== undefined) ticket.onEnd(() => lease.release());
    this.#board.accept(ticket, units);
    if (signal?.aborted === true) return this.#board.giveUp(ticket, 'cancelled');
    this.#board.open(lane, OPEN_TEXTS_MAX);
    if (ticket.hasEnded) return;
    if (deadlineAtMs < Infinity) this.#giveUpAt(ticket);
    if (signal !== undefined) {
      const onAbort = (): void => {
        this.#board.giveUp(ticket, 'cancelled');
        this.#dispatcher.turnSoon();
      };
      signal.addEventListener('abort', onAbort, { once: true });
      ticket.onEnd(() => signal.removeEventListener('abort', onAbort));
    }
    this.#dispatcher.turnSoon();
  }

  /** @throws SpillwayError why the request is refused */
  #admit({ texts, truncate, cache = true }: EmbedRequest, demand: { priority: Priority; key: string; texts: number; units: number }, nowMs: number): { release(): boolean } | undefined {
    try {
      const refusal = this.#room.refusal(demand);
      // What needs no worker is answered however much there is to do, as long as finding that out is cheap.
      const isFree = refusal?.code === 'embed_overloaded' && cache && texts.length <= OPEN_TEXTS_MAX && this.#board.hasCached(texts, truncate);
      if (refusal !== undefined && !isFree) throw refusal;
      return this.#quota?.admit(demand.key, this.#scale.tokensOf(demand.texts, demand.units), nowMs);
    } catch (error) {
      this.#board.ledger.refusedRequests++;
      this.#board.ledger.refusedTexts += demand.texts;
      throw error;
    }
  }

  #giveUpAt(ticket: Ticket): void {
    let cancel: () => void;
    const arm = (): void => {
      const leftMs = ticket.deadlineAtMs - this.#clock.monotonicMs();
      if (leftMs > 0) cancel = this.#timers.after(leftMs, arm);
      else {
        this.#board.giveUp(ticket, 'deadline');
        this.#dispatcher.turnSoon();
      }
    };
    arm();
    ticket.onEnd(() => cancel());
  }

  #wakeIdle(): void {
    if (this.#idleWaiters.length === 0 || !this.#isIdle) return;
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const wake of waiters) wake();
  }
}

/** @throws TypeError if one is no string */
function unitsOf(texts: readonly string[]): number {
  let units = 0;
  for (const text of texts) {
    if (typeof text !== 'string') throw new TypeError(`texts is an array of strings; it has a ${typeof text}.`);
    units += text.length;
  }
  return units;
}
