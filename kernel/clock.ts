/**
 * Time as the runtime sees it. Injected everywhere, so that tests may turn the hands themselves.
 */
export interface Clock {
  /** Milliseconds from an arbitrary start that all threads of the machine share; never goes back. */
  monotonicMs(): number;
  /** Milliseconds since 1970 by the machine's clock, which people may set. For display only. */
  wallMs(): number;
}

/**
 * `performance.now()`, which is several times faster than `process.hrtime()` but has another zero on every
 * thread, while deadlines cross threads. Both read the same clock of the machine, so one difference, taken
 * when the thread starts, makes one of the other.
 */
export const systemClock: Clock = {
  monotonicMs: () => performance.now() + ORIGIN_MS,
  wallMs: () => Date.now(),
};

const ORIGIN_MS = originMs();

/** The smallest of several differences: it was delayed the least between its two looks. */
function originMs(): number {
  let leastMs = Infinity;
  for (let look = 0; look < 16; look++) {
    const nowMs = performance.now();
    const [seconds, nanoseconds] = process.hrtime();
    leastMs = Math.min(leastMs, seconds * 1_000 + nanoseconds / 1_000_000 - nowMs);
  }
  return leastMs;
}
