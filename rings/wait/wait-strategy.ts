/**
 * How a thread waits until there is work: the contract of the strategies in this folder, one of which
 * suits each place.
 *
 *   BusySpinWait    looks again and again, and gives nothing away: a core of its own, answers fastest
 *   YieldingWait    looks for some microseconds, naps, looks again: for what nobody rings a bell for
 *   ParkingWait     sleeps at a doorbell: no cores to spare, or work is rare
 *   PhasedWait      spins where spinning has paid of late, else sleeps at a doorbell: when in doubt, this
 *   EventLoopWait   sleeps at a doorbell while its thread's event loop goes on; its `wait` is a promise
 *
 * What holds for all of them: a wait without work ends when its time is over, later by what one spin
 * and one wake-up take and no more; a wait of no time, or of NaN, looks once and does not sleep; a wait
 * may end early without work, since a bell may ring for something else, so callers wait in a loop.
 */

export interface WaitStrategy {
  /**
   * Blocks the thread until `hasWork` answers true, the bell rings or `timeoutMs` have passed.
   * @param hasWork called any number of times, until it answers true or time is over; what it throws ends
   *   the wait and goes to the caller
   * @param timeoutMs milliseconds, with fractions; Infinity sets no end
   * @returns whether there is work
   */
  wait(hasWork: () => boolean, timeoutMs: number): boolean;
}

/** For the strategies that have no sleep with a time of its own, and so look at a clock. */
export interface WaitClockOptions {
  /** Milliseconds from any start, never going back. Default `performance.now`, which all platforms have. */
  readonly nowMs?: () => number;
}
