/**
 * Waits asleep at a doorbell: no time of a core is used, and the answer comes after the wake-up, some
 * microseconds on the same core and many times that where an idle core has to be woken.
 *
 * No wake-up is lost. The wait (1) arms the bell, (2) looks again, (3) sleeps only if the bell is still
 * armed. A publication before (2) is found by that look; one after it sees the bell armed and rings it,
 * before the sleep, which then does not begin, or during it. `doorbell.ts` has the argument with its
 * loads and stores, and with the death of whoever should have rung.
 */
import type { Doorbell } from '../doorbell.ts';
import type { WaitStrategy } from './wait-strategy.ts';

export class ParkingWait implements WaitStrategy {
  readonly #doorbell: Doorbell;

  constructor(doorbell: Doorbell) {
    this.#doorbell = doorbell;
  }

  wait(hasWork: () => boolean, timeoutMs: number): boolean {
    if (hasWork()) return true;
    if (!(timeoutMs > 0)) return false;
    this.#doorbell.arm();
    try {
      if (!hasWork()) this.#doorbell.park(timeoutMs);
    } finally {
      this.#doorbell.disarm();
    }
    return hasWork();
  }
}
