/**
 * Finds threads that are held: it looks at what every thread shows of itself, from the guardian's thread, so
 * it sees an endless loop as well. It names who holds the thread; it ends nobody itself.
 *
 * A thread shows in which turn of its loop it is, whose handler runs, and which entry into a handler that is.
 * Two looks that find the same of all three have seen one call of one handler, however many messages the
 * actor is sent; a handler that is entered anew is never taken for one that does not return. A thread that
 * stands still while no handler runs is held by a timer, by what a handler does after it has awaited, or by
 * code that is not the kernel's. Since an idle thread turns only so often, that is told somewhat later.
 */
import { addressOf, formatAddress } from './address.ts';
import type { Board } from './board.ts';
import type { Clock } from './clock.ts';
import { nameAt } from './inspect.ts';
import type { Log } from './log.ts';
import type { ThreadBlock, ThreadState } from './thread-block.ts';
import { IDLE_MS } from './thread-loop.ts';

/** A thread as the watchdog needs to know it. */
export interface WatchedThread {
  readonly id: number;
  readonly name: string;
  readonly board: Board;
  readonly block: ThreadBlock;
  /** How long one handler may hold it before it is to be ended; without it, that is only told. */
  readonly hungAfterMs?: number;
}

export interface WatchdogOptions {
  /** The threads that there are now. */
  threads(): Iterable<WatchedThread>;
  readonly clock: Clock;
  after(delayMs: number, run: () => void): void;
  log(actor: string): Log;
  /** How long one handler may hold its thread. */
  readonly hungAfterMs: number;
  /** A thread that has a limit of its own is held for longer. @param message says by whom, and since when */
  onHung?(thread: WatchedThread, message: string): void;
}

export const DEFAULT_HUNG_AFTER_MS = 5_000;
/** Fewer, and the looks would be further apart than what they look for is long. */
export const MIN_HUNG_AFTER_MS = 100;
const LOOK_MS = 100;
/** Looks that are further apart mean that the whole process stood still, which says nothing of any one thread. */
const LATE_MS = 1_000;

interface Seen {
  readonly incarnation: number;
  readonly turns: number;
  readonly handling: number;
  sinceMs: number;
  /** Who was told to hold the thread. */
  told: string | undefined;
}

export class Watchdog {
  readonly #options: WatchdogOptions;
  #seen = new Map<number, Seen>();
  #lookedMs: number;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#lookedMs = options.clock.monotonicMs();
  }

  /** Looks again and again from now on. */
  start(): void {
    this.#options.after(Math.min(LOOK_MS, this.#options.hungAfterMs / 2), () => {
      this.look();
      this.start();
    });
  }

  look(): void {
    const nowMs = this.#options.clock.monotonicMs();
    const isLate = nowMs - this.#lookedMs > LATE_MS;
    this.#lookedMs = nowMs;
    const seen = new Map<number, Seen>();
    for (const thread of this.#options.threads()) seen.set(thread.id, this.#lookAt(thread, nowMs, isLate));
    this.#seen = seen;
  }

  #lookAt(thread: WatchedThread, nowMs: number, isLate: boolean): Seen {
    const { block } = thread;
    const { incarnation, turns, handlingWord: handling, state } = block;
    const former = this.#seen.get(thread.id);
    if (former === undefined) return { incarnation, turns, handling, sinceMs: nowMs, told: undefined };
    const isSame = former.incarnation === incarnation && former.turns === turns && former.handling === handling && isAlive(state);
    if (!isSame) {
      block.clearHeld();
      if (former.told !== undefined) this.#tellEnd(thread, former, former.told, nowMs);
      return { incarnation, turns, handling, sinceMs: nowMs, told: undefined };
    }
    if (isLate && former.told === undefined) former.sinceMs = nowMs;
    const limitMs = this.#limitMs(thread, handling, state);
    const isHung = nowMs - former.sinceMs > limitMs;
    if (handling !== 0 || isHung) block.showHeld(turns, handling, former.sinceMs);
    if (isHung && former.told === undefined) this.#tell(thread, former, nowMs);
    return former;
  }

  #limitMs(thread: WatchedThread, handling: number, state: ThreadState): number {
    const hungAfterMs = thread.hungAfterMs ?? this.#options.hungAfterMs;
    if (handling !== 0) return hungAfterMs;
    // While it starts or stops, a thread loads and releases what takes its time; deadlines of their own watch over both.
    return state === 'running' ? hungAfterMs + IDLE_MS : Infinity;
  }

  #tell(thread: WatchedThread, seen: Seen, nowMs: number): void {
    const { block, id, name } = thread;
    block.countHang();
    const slot = block.handling;
    seen.told = nameAt(thread, slot);
    const forMs = Math.round(nowMs - seen.sinceMs);
    const log = this.#options.log(seen.told);
    if (slot === 0) log.warn('the thread stands still outside of any handler', { thread: name, forMs });
    else log.warn('a handler holds its thread', { thread: name, address: formatAddress(addressOf(id, slot)), forMs });
    if (thread.hungAfterMs !== undefined) this.#options.onHung?.(thread, `${slot === 0 ? 'its thread has stood still' : `a handler of ${seen.told} has held its thread`} for ${forMs} ms`);
  }

  #tellEnd({ name, block }: WatchedThread, { sinceMs, incarnation }: Seen, told: string, nowMs: number): void {
    const hasEnded = block.incarnation !== incarnation || !isAlive(block.state);
    const forMs = Math.round(nowMs - sinceMs);
    this.#options.log(told).warn(hasEnded ? 'the thread that was held has ended' : 'the thread is no longer held', { thread: name, forMs });
  }
}

function isAlive(state: ThreadState): boolean {
  return state === 'starting' || state === 'running' || state === 'stopping';
}
