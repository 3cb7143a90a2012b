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

/** Node's timers can let go of the event loop and hold it again; a browser's page lives anyway. */
type LoopTimer = ReturnType<typeof setTimeout> & { ref?(): void; unref?(): void };

/**
 * One timer serves many waits: a wait that is woken leaves it running, without holding the event loop, and
 * the next one takes it up if it ends soon enough. Making a timer for each costs as much as the wait itself.
 */
export class EventLoopWait {
  readonly #doorbell: Doorbell;
  /** Ends the pending wait, if there is one. */
  #end: (() => void) | undefined;
  #timer: LoopTimer | undefined;
  #timerAtMs = Infinity;

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

  /** Ends a pending wait, and lets go of the event loop. A strategy that was disposed can wait again. */
  dispose(): void {
    this.#end?.();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #park(timeoutMs: number): Promise<void> {
    const rung = this.#doorbell.parkAsync(Infinity);
    if (rung === undefined) return;
    this.#holdLoop(Math.min(Math.ceil(timeoutMs), MAX_DELAY_MS));
    await new Promise<unknown>((resolve) => {
      this.#end = () => {
        // Takes the wait back from the engine, which would keep it until the next ring.
        this.#doorbell.ringAnew();
        resolve(undefined);
      };
      void rung.then(resolve);
    });
    this.#end = undefined;
    this.#timer?.unref?.();
  }

  /** A timer that holds the event loop and ends the wait after `delayMs`, or somewhat before: whoever waits looks again. */
  #holdLoop(delayMs: number): void {
    const nowMs = performance.now();
    if (this.#timer !== undefined && this.#timerAtMs > nowMs && this.#timerAtMs <= nowMs + delayMs) {
      this.#timer.ref?.();
      return;
    }
    clearTimeout(this.#timer);
    this.#timerAtMs = nowMs + delayMs;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#end?.();
    }, delayMs);
  }
}
