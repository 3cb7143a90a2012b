/**
 * A clock whose hands a test turns. Nothing runs by itself when they move: what has the timers looks at the
 * clock the next time it is driven, as it would after a sleep.
 */
import type { Clock } from '../clock.ts';

/** Not zero, so that what takes "no time" for the time 0 is found out: midnight, 1 January 2000, UTC. */
const DEFAULT_WALL_MS = 946_684_800_000;

export interface ManualClockOptions {
  /** First monotonic reading in ms; 0 unless given. */
  readonly startMs?: number;
  /** First wall reading in ms since 1970; midnight at the beginning of 2000 UTC unless given. */
  readonly wallMs?: number;
}

export class ManualClock implements Clock {
  #monotonicMs: number;
  #wallMs: number;

  /** @throws TypeError if a reading is not finite */
  constructor({ startMs = 0, wallMs = DEFAULT_WALL_MS }: ManualClockOptions = {}) {
    this.#monotonicMs = finite('startMs', startMs);
    this.#wallMs = finite('wallMs', wallMs);
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  wallMs(): number {
    return this.#wallMs;
  }

  /**
   * Lets time pass on both hands; fractions of a millisecond are kept.
   * @throws TypeError if `ms` is negative or not finite, because monotonic time never goes back
   */
  advance(ms: number): void {
    if (!(ms >= 0 && ms < Infinity)) throw new TypeError(`A clock advances by a finite number of ms, 0 or more; got ${ms}.`);
    this.#monotonicMs += ms;
    this.#wallMs += ms;
  }

  /**
   * Sets the wall hand alone, forward or back, as people and time servers set a machine's clock.
   * @throws TypeError if `wallMs` is not finite
   */
  setWall(wallMs: number): void {
    this.#wallMs = finite('wallMs', wallMs);
  }
}

function finite(name: string, ms: number): number {
  if (!Number.isFinite(ms)) throw new TypeError(`${name} of a manual clock is a finite number of ms; got ${ms}.`);
  return ms;
}
