/**
 * One shared word by which a sleeping consumer is woken, and only a sleeping one.
 *
 * Waking costs a system call, so a producer looks at the word first and rings only when somebody
 * has said that he sleeps. A doorbell may serve one ring or all rings into one thread.
 *
 *     bit 0       PARKED: the consumer sleeps, or is about to and will look once more before it does;
 *                 clear while it is polling, and a ring of the bell is not needed
 *     bits 1..31  how often the bell was rung, modulo 2^31
 *
 * No wake-up is lost. The consumer (1) sets PARKED and keeps the word, (2) looks at its rings again,
 * (3) sleeps only if the word is still the same. The producer (a) publishes its record, (b) loads the
 * word. JS atomics are sequentially consistent, so either (b) comes after (1) and the producer rings, or
 * (1) comes after (b) and hence after (a), and the look in (2) finds the record. `Atomics.wait` compares
 * and sleeps in one step, so a ring between (2) and (3) ends the wait at once. A producer that dies
 * between (a) and (b) leaves the consumer asleep; its successor rings anew when it attaches.
 *
 * A bell has one sleeper: one wait at a time, be it blocking or not. A bell made for many sleepers, the
 * readers of a broadcast ring, stays PARKED when one of them is done waiting, as another may still sleep;
 * the next ring then wakes all of them, once in a while for nothing. They are why rings are counted: a
 * sleeper that was rung for between its (2) and (3) would else find the word PARKED again, by another's
 * (1), and sleep.
 */

const PARKED = 1;
const ONE_RING = 2;

export class Doorbell {
  readonly #words: Int32Array;
  readonly #index: number;
  readonly #manySleepers: boolean;
  /** The word as this sleeper left it in `arm`. */
  #armed = PARKED;

  /**
   * @param words shared 32-bit words
   * @param index the word that is this bell
   * @param options `manySleepers` where several threads sleep at it, each with a Doorbell of its own
   */
  constructor(words: Int32Array, index: number, options: { readonly manySleepers?: boolean } = {}) {
    this.#words = words;
    this.#index = index;
    this.#manySleepers = options.manySleepers === true;
  }

  /** Producer side, after publishing: wakes the consumer if it sleeps. Returns whether it did. */
  ring(): boolean {
    // Sees the consumer's PARKED of `arm`; see the argument above.
    const word = Atomics.load(this.#words, this.#index);
    if ((word & PARKED) === 0) return false;
    // Adding one clears PARKED and counts the ring. Several producers may race here; only the one that turns
    // the word pays for the call. If it was turned since, whoever has armed it again comes after (a) and looks.
    if (Atomics.compareExchange(this.#words, this.#index, word, (word + 1) | 0) !== word) return false;
    Atomics.notify(this.#words, this.#index);
    return true;
  }

  /**
   * Producer side, for the successor of a dead ringer: wakes whoever sleeps, whatever the word says. The
   * dead one may have published without ringing, or turned the word without waking.
   */
  ringAnew(): void {
    // Counted before PARKED is cleared, so that whoever arms the bell in between either has another word by
    // the time it would sleep, or sleeps before the call and is woken by it.
    Atomics.add(this.#words, this.#index, ONE_RING);
    Atomics.and(this.#words, this.#index, ~PARKED);
    Atomics.notify(this.#words, this.#index);
  }

  /** Consumer side, step (1): says that it is about to sleep. It must look once more before it does. */
  arm(): void {
    this.#armed = Atomics.or(this.#words, this.#index, PARKED) | PARKED;
  }

  /** Consumer side: takes back `arm`, because there was work after all or the sleep is over. */
  disarm(): void {
    if (this.#manySleepers) return;
    Atomics.and(this.#words, this.#index, ~PARKED);
  }

  /** Consumer side, step (3): sleeps until the bell rings or `timeoutMs` have passed. */
  park(timeoutMs: number): void {
    Atomics.wait(this.#words, this.#index, this.#armed, timeoutMs);
  }

  /**
   * As `park`, for a thread that must go on serving its event loop. The promise does not hold the
   * event loop open (nodejs/node#44729): whoever waits keeps a referenced handle meanwhile.
   * Returns undefined when the bell rang before the wait began.
   */
  parkAsync(timeoutMs: number): Promise<unknown> | undefined {
    const result = Atomics.waitAsync(this.#words, this.#index, this.#armed, timeoutMs);
    return result.async ? result.value : undefined;
  }
}
