/**
 * Time as the runtime sees it. Injected everywhere, so that tests may turn the hands themselves.
 */
export interface Clock {
  /** Milliseconds from an arbitrary start that all threads of the machine share; never goes back. */
  monotonicMs(): number;
  /** Milliseconds since 1970 by the machine's clock, which people may set. For display only. */
  wallMs(): number;
}

/** hrtime and not performance.now(): the latter has another zero on every thread, and deadlines cross threads. */
export const systemClock: Clock = {
  monotonicMs(): number {
    const [seconds, nanoseconds] = process.hrtime();
    return seconds * 1_000 + nanoseconds / 1_000_000;
  },
  wallMs: () => Date.now(),
};
