/**
 * Waits by looking, without ever giving the core away: nothing answers faster, and the price is a core
 * that does nothing else. Where threads outnumber cores it takes the core from the very thread it waits
 * for, until the system's scheduler takes it back.
 *
 * No wake-up is lost, because there is none: nobody has to ring. Work that is published and stays until
 * it is taken is found by the next look.
 */
import { spin } from './spin.ts';
import type { WaitClockOptions, WaitStrategy } from './wait-strategy.ts';

/** Looks between two readings of the clock, which cost as much as a look. */
const SPINS_PER_READING = 64;

export class BusySpinWait implements WaitStrategy {
  readonly #nowMs: () => number;

  constructor(options: WaitClockOptions = {}) {
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  wait(hasWork: () => boolean, timeoutMs: number): boolean {
    if (hasWork()) return true;
    if (!(timeoutMs > 0)) return false;
    const deadlineMs = this.#nowMs() + timeoutMs;
    do {
      if (spin(hasWork, SPINS_PER_READING)) return true;
    } while (this.#nowMs() < deadlineMs);
    return false;
  }
}
