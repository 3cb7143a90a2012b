/** Runs something later. Handed in like the clock, so that tests turn the hands. */
export interface Timers {
  /** @param delayMs 0 for the next turn of the event loop @returns takes it back; has no effect once it has run */
  after(delayMs: number, run: () => void): () => void;
}

/** A longer delay would overflow and run at once. */
const DELAY_MS_MAX = 2 ** 31 - 1;

/** The event loop's. It may run early, by the part of a millisecond, or for a delay of more than 24 days. */
export const systemTimers: Timers = {
  after(delayMs, run) {
    if (delayMs === 0) {
      const immediate = setImmediate(run);
      return () => clearImmediate(immediate);
    }
    const timeout = setTimeout(run, Math.min(delayMs, DELAY_MS_MAX));
    return () => clearTimeout(timeout);
  },
};
