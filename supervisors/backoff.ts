/**
 * How long a child waits before it is started again: `min * 2^n`, at most `max`, times a random factor,
 * so that children that fail together do not come back together. A child that has lived for the mean
 * of `min` and `max`, or as long as its flags say, begins anew at `min`, as in Pekko's `restartWithBackoff`.
 */
import type { BackoffFlags } from './child-spec.ts';

/** More would make the power infinite at last, and no number of it times a `minMs` of zero. */
const MOST_DOUBLINGS = 52;

export class Backoff {
  readonly #flags: BackoffFlags;
  readonly #random: () => number;
  #failures = 0;

  /** @param random uniform in [0, 1) */
  constructor(flags: BackoffFlags, random: () => number) {
    this.#flags = flags;
    this.#random = random;
  }

  /** @param livedMs how long the child's last life was */
  nextDelayMs(livedMs: number): number {
    const { minMs, maxMs, jitter, resetMs = (minMs + maxMs) / 2 } = this.#flags;
    if (livedMs >= resetMs) this.#failures = 0;
    const delayMs = Math.min(maxMs, minMs * 2 ** this.#failures);
    this.#failures = Math.min(MOST_DOUBLINGS, this.#failures + 1);
    return delayMs * (1 - jitter + 2 * jitter * this.#random());
  }
}
