/**
 * One shared word by which a sleeping consumer is woken, and only a sleeping one.
 *
 * Waking costs a system call, so a producer looks at the word first and rings only when somebody
 * has said that he sleeps. A doorbell may serve one ring or all rings into one thread.
 *
 *     AWAKE (0)   the consumer is polling; a ring of the bell is not needed
 *     PARKED (1)  the consumer sleeps, or is about to and will look once more before it does
 *
 * No wake-up is lost. The consumer (1) stores PARKED, (2) looks at its rings again, (3) sleeps only
 * if the word is still PARKED. The producer (a) publishes its record, (b) loads the word. JS atomics
 * are sequentially consistent, so either (b) comes after (1) and the producer rings, or (1) comes
 * after (b) and hence after (a), and the look in (2) finds the record. `Atomics.wait` compares and
 * sleeps in one step, so a ring between (2) and (3) ends the wait at once. A producer that dies
 * between (a) and (b) leaves the consumer asleep; its successor rings anew when it attaches.
 *
 * The word knows one sleeper: one wait at a time, be it blocking or not.
 */

const AWAKE = 0;
const PARKED = 1;

export class Doorbell {
  readonly #words: Int32Array;
  readonly #index: number;

  /** @param words shared 32-bit words; @param index the word that is this bell */
  constructor(words: Int32Array, index: number) {
    this.#words = words;
    this.#index = index;
  }

  /** Producer side, after publishing: wakes the consumer if it sleeps. Returns whether it did. */
  ring(): boolean {
    // Sees the consumer's store of PARKED in `arm`; see the argument above.
    if (Atomics.load(this.#words, this.#index) === AWAKE) return false;
    // Several producers may race here; only the one that turns the word back pays for the call.
    if (Atomics.compareExchange(this.#words, this.#index, PARKED, AWAKE) !== PARKED) return false;
    Atomics.notify(this.#words, this.#index, 1);
    return true;
  }

  /**
   * Producer side, for the successor of a dead ringer: wakes whoever sleeps, whatever the word says. The
   * dead one may have published without ringing, or turned the word without waking.
   */
  ringAnew(): void {
    Atomics.store(this.#words, this.#index, AWAKE);
    Atomics.notify(this.#words, this.#index);
  }

  /** Consumer side, step (1): says that it is about to sleep. It must look once more before it does. */
  arm(): void {
    Atomics.store(this.#words, this.#index, PARKED);
  }

  /** Consumer side: takes back `arm`, because there was work after all or the sleep is over. */
  disarm(): void {
    Atomics.store(this.#words, this.#index, AWAKE);
  }

  /** Consumer side, step (3): sleeps until the bell rings or `timeoutMs` have passed. */
  park(timeoutMs: number): void {
    Atomics.wait(this.#words, this.#index, PARKED, timeoutMs);
  }

  /**
   * As `park`, for a thread that must go on serving its event loop. The promise does not hold the
   * event loop open (nodejs/node#44729): whoever waits keeps a referenced handle meanwhile.
   * Returns undefined when the bell rang before the wait began.
   */
  parkAsync(timeoutMs: number): Promise<unknown> | undefined {
    const result = Atomics.waitAsync(this.#words, this.#index, PARKED, timeoutMs);
    return result.async ? result.value : undefined;
  }
}
