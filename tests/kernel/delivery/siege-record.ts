/** What became of each message of a siege, in shared memory: one writer at a time, the present life of the worker. */
const WORDS = 2;
/** In front of them: how many lives there were, and how many messages they have begun. */
const HEAD = 2;
const AGAIN = 1 << 8;
const ENDED = 1 << 16;

export class SiegeRecord {
  readonly #words: Int32Array;

  static create(messages: number): SharedArrayBuffer {
    return new SharedArrayBuffer((HEAD + messages * WORDS) * Int32Array.BYTES_PER_ELEMENT);
  }

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  get capacity(): number {
    return (this.#words.length - HEAD) / WORDS;
  }

  get lives(): number {
    return Atomics.load(this.#words, 0);
  }

  set lives(count: number) {
    Atomics.store(this.#words, 0, count);
  }

  get begun(): number {
    return Atomics.load(this.#words, 1);
  }

  /** @param isAgain as the message says of itself */
  began(id: number, isAgain: boolean): void {
    Atomics.add(this.#words, HEAD + id * WORDS, isAgain ? AGAIN : 1);
    Atomics.add(this.#words, 1, 1);
  }

  ended(id: number): void {
    Atomics.add(this.#words, HEAD + id * WORDS, ENDED);
  }

  of(id: number): { readonly first: number; readonly again: number; readonly ended: number } {
    const word = Atomics.load(this.#words, HEAD + id * WORDS);
    return { first: word & (AGAIN - 1), again: (word & (ENDED - 1)) >> 8, ended: word >> 16 };
  }
}
