/**
 * Threads that stand by, so that a restart costs a hand-over and not a start: what their actor needs is loaded
 * and prepared before its life ends; see standby-thread.ts for what they do.
 *
 * A place whose spec wants `standby: n` has up to n of them. The next life takes one, also one that still
 * prepares: it will be up sooner than a thread that only begins, and no second model is loaded beside its
 * own. A new one is made a moment later, when the life that has just begun no longer needs the core. One
 * that fails or dies is replaced after a delay that doubles each time, until a life has taken one.
 *
 * They count for nothing in the supervision tree. They end with their place, or with the guardian, which
 * waits for that: they are asked, so that they give back what they have prepared, and terminated when they
 * do not end in time. One with native calls is never terminated.
 */
import type { Log } from './log.ts';
import type { StandbyNews, StandbyOrder } from './standby-thread.ts';
import type { ThreadBoot } from './thread-boot.ts';
import type { ThreadSpec } from './thread-spec.ts';
import type { Timer } from './time/timer-wheel.ts';
import { describe, type ThreadWorker } from './worker.ts';

/** How long after a life was handed over its successor is made ready. */
export const FILL_DELAY_MS = 100;
/** The same after a life that had to load everything itself. */
export const COLD_FILL_DELAY_MS = 500;
/** After a failure; doubles with each. */
export const RETRY_MIN_MS = 500;
export const RETRY_MAX_MS = 60_000;
/** How long one without native calls may take to give back what it has prepared. */
export const END_MS = 5_000;

/** The part of a worker thread that is used while it stands by. */
export interface StandbyWorker extends ThreadWorker {
  on(event: 'error', listener: (error: unknown) => void): unknown;
  on(event: 'exit', listener: (exitCode: number) => void): unknown;
  on(event: 'message', listener: (news: StandbyNews) => void): unknown;
  removeAllListeners(event: 'error' | 'exit' | 'message'): unknown;
  postMessage(order: StandbyOrder, transfer?: readonly ThreadBoot['port'][]): void;
}

export interface StandbysOptions {
  /** Makes a thread that begins at once. */
  newWorker(boot: ThreadBoot, spec: ThreadSpec): ThreadWorker;
  /** Makes one that stands by. @throws SpillwayError `actor_start_failed` */
  newStandby(spec: ThreadSpec): StandbyWorker;
  after(delayMs: number, run: () => void): Timer;
  log(actor: string): Log;
}

interface Standby {
  readonly worker: StandbyWorker;
  isReady: boolean;
  readonly ended: Promise<void>;
}

/** Those of one place. */
interface Reserve {
  readonly spec: ThreadSpec;
  readonly standbys: Set<Standby>;
  /** In a row. */
  failures: number;
  /** When the next ones are made. */
  timer: Timer | undefined;
}

export class Standbys {
  readonly #options: StandbysOptions;
  readonly #reserves = new Map<ThreadSpec, Reserve>();
  /** Of those that were asked to end. */
  readonly #ending = new Set<Promise<void>>();
  #isClosed = false;

  constructor(options: StandbysOptions) {
    this.#options = options;
  }

  /** Makes the thread of a life, from one that stands by if there is one. @throws SpillwayError `actor_start_failed` */
  newWorker(boot: ThreadBoot, spec: ThreadSpec): ThreadWorker {
    if ((spec.standby ?? 0) === 0 || spec.process !== undefined) return this.#options.newWorker(boot, spec);
    const reserve = this.#reserveOf(spec);
    const standby = firstOf(reserve);
    this.#fillAfter(reserve, standby === undefined ? COLD_FILL_DELAY_MS : FILL_DELAY_MS);
    if (standby === undefined) return this.#options.newWorker(boot, spec);
    reserve.standbys.delete(standby);
    reserve.failures = 0;
    // From now on it is the thread of this life, and its end is that life's.
    for (const event of ['error', 'exit', 'message'] as const) standby.worker.removeAllListeners(event);
    standby.worker.postMessage({ order: 'begin', boot }, [boot.port]);
    return standby.worker;
  }

  /** Whether the place's next life could begin at once. */
  isReady(spec: ThreadSpec): boolean {
    return [...(this.#reserves.get(spec)?.standbys ?? [])].some((standby) => standby.isReady);
  }

  /** The place is given up. */
  remove(spec: ThreadSpec): void {
    const reserve = this.#reserves.get(spec);
    if (reserve === undefined) return;
    this.#reserves.delete(spec);
    reserve.timer?.cancel();
    for (const standby of reserve.standbys) this.#end(standby, spec);
    reserve.standbys.clear();
  }

  /** Ends them all. Resolves when they have ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const spec of this.#reserves.keys()) this.remove(spec);
    await Promise.all(this.#ending);
  }

  #reserveOf(spec: ThreadSpec): Reserve {
    let reserve = this.#reserves.get(spec);
    if (reserve === undefined) this.#reserves.set(spec, (reserve = { spec, standbys: new Set(), failures: 0, timer: undefined }));
    return reserve;
  }

  /** A time that is set already stays: lives that follow each other closely would else never have a successor. */
  #fillAfter(reserve: Reserve, delayMs: number): void {
    if (this.#isClosed || reserve.timer !== undefined) return;
    reserve.timer = this.#options.after(delayMs, () => {
      reserve.timer = undefined;
      this.#fill(reserve);
    });
  }

  #fill(reserve: Reserve): void {
    while (reserve.standbys.size < (reserve.spec.standby ?? 0)) {
      try {
        this.#add(reserve);
      } catch (error) {
        this.#failed(reserve, describe(error));
        return;
      }
    }
  }

  #add(reserve: Reserve): void {
    const { spec, standbys } = reserve;
    const worker = this.#options.newStandby(spec);
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const standby: Standby = { worker, isReady: false, ended };
    standbys.add(standby);
    worker.on('message', (news) => {
      if (news.news === 'ready') standby.isReady = true;
      else if (standbys.delete(standby)) {
        this.#failed(reserve, news);
        this.#end(standby, spec);
      }
    });
    worker.on('error', (error) => {
      if (standbys.delete(standby)) this.#failed(reserve, describe(error));
    });
    worker.on('exit', (exitCode) => {
      resolve();
      // One that was asked to end is not missed.
      if (standbys.delete(standby)) this.#failed(reserve, { message: `its thread ended with exit code ${exitCode}`, stack: '' });
    });
  }

  #failed(reserve: Reserve, reason: { readonly message: string; readonly stack: string }): void {
    const delayMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** reserve.failures++);
    this.#options.log(reserve.spec.name).error('a thread that stood by has failed', { reason: reason.message, stack: reason.stack, retryMs: delayMs });
    this.#fillAfter(reserve, delayMs);
  }

  #end({ worker, ended }: Standby, spec: ThreadSpec): void {
    this.#ending.add(ended);
    worker.postMessage({ order: 'end' });
    const timer = spec.native === true ? undefined : this.#options.after(END_MS, () => void worker.terminate());
    worker.on('exit', () => {
      timer?.cancel();
      this.#ending.delete(ended);
    });
  }
}

/** A ready one if there is any. */
function firstOf({ standbys }: Reserve): Standby | undefined {
  const all = [...standbys];
  return all.find((standby) => standby.isReady) ?? all[0];
}
