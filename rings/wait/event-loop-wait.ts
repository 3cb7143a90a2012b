/**
 * Waits at a doorbell while the event loop of its thread goes on, for threads that serve ports, timers
 * and native calls beside their rings, and for the main thread of a browser, which may not block.
 *
 * `Atomics.waitAsync` has two traps, and one timer avoids both. Its promise does not hold the event loop,
 * so that a process may end under the waiting code (nodejs/node#44729): the timer does. And a wait with a
 * timeout that is woken before leaves its timeout behind in the engine until it is over
 * (nodejs/node#44409), one for each wait: so the wait has none, and the timer ends it.
 *
 * No wake-up is lost, by the argument of ParkingWait: arm, look again, and wait only if the bell is still
 * armed; comparing and beginning to wait is one step of `waitAsync`. The timer does not rely on the word
 * nor on the engine's promise, so the wait also ends when whoever rang died after turning the word and
 * before waking.
 */
import type { Doorbell } from '../doorbell.ts';

/** The longest delay of a timer. */
const MAX_DELAY_MS = 2 ** 31 - 1;

export class EventLoopWait {
  readonly #doorbell: Doorbell;
  /** Ends the pending wait, if there is one. */
  #end: (() => void) | undefined;

  constructor(doorbell: Doorbell) {
    this.#doorbell = doorbell;
  }

  /**
   * As the `wait` of a WaitStrategy, without blocking. The next wait begins when this one has ended: the
   * bell knows one sleeper.
   * @param timeoutMs milliseconds, rounded up to whole ones; 25 days at the most
   * @returns whether there is work
   */
  async wait(hasWork: () => boolean, timeoutMs: number): Promise<boolean> {
    if (hasWork()) return true;
    if (!(timeoutMs > 0)) return false;
    this.#doorbell.arm();
    try {
      if (!hasWork()) await this.#park(timeoutMs);
    } finally {
      this.#doorbell.disarm();
    }
    return hasWork();
  }

  /** Ends a pending wait, which lets go of the event loop. A strategy that was disposed can wait again. */
  dispose(): void {
    this.#end?.();
  }

  async #park(timeoutMs: number): Promise<void> {
    const rung = this.#doorbell.parkAsync(Infinity);
    if (rung === undefined) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<unknown>((resolve) => {
      this.#end = () => {
        // Takes the wait back from the engine, which would keep it until the next ring.
        this.#doorbell.ringAnew();
        resolve(undefined);
      };
      timer = setTimeout(this.#end, Math.min(Math.ceil(timeoutMs), MAX_DELAY_MS));
      void rung.then(resolve);
    });
    this.#end = undefined;
    clearTimeout(timer);
  }
}
