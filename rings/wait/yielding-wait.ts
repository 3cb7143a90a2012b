/**
 * Waits by looking for some microseconds, then napping, then looking again: for what nobody rings a bell
 * for, such as room in a full ring, and for threads that must not burn a core.
 *
 * JavaScript cannot give up a time slice and stay runnable. What it has is a sleep of a set time at a
 * word that nobody rings. In V8 a sleep of less than a microsecond returns at once, without a system
 * call, and lets nobody else run. One of a microsecond does sleep, and for much longer than that: as long
 * as the system's timers are coarse and a core takes to wake. That bounds how late work is found, and is
 * why little of a core is used between the bursts.
 *
 * No wake-up is lost, because there is none: every nap ends by its own time, and the looks after it find
 * whatever was published during it.
 */
import { spin } from './spin.ts';
import type { WaitClockOptions, WaitStrategy } from './wait-strategy.ts';

/** Looks between two naps: about what it takes another core to finish a record that it is writing. */
const SPINS_PER_NAP = 100;
/** The shortest sleep that is one. */
const NAP_MS = 0.001;
const NOBODY_RINGS = 0;

export class YieldingWait implements WaitStrategy {
  readonly #nowMs: () => number;
  readonly #pillow = new Int32Array(new SharedArrayBuffer(4));

  constructor(options: WaitClockOptions = {}) {
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  wait(hasWork: () => boolean, timeoutMs: number): boolean {
    if (hasWork()) return true;
    if (!(timeoutMs > 0)) return false;
    const deadlineMs = this.#nowMs() + timeoutMs;
    while (!spin(hasWork, SPINS_PER_NAP)) {
      if (this.#nowMs() >= deadlineMs) return false;
      Atomics.wait(this.#pillow, 0, NOBODY_RINGS, NAP_MS);
    }
    return true;
  }
}
