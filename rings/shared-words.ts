/**
 * Blocks of 32-bit words and 64-bit counters in shared memory, lent to whoever needs to publish a
 * state or a count without a message: any thread reads them, even while their owner hangs.
 *
 * `Atomics` is used in this package only; these two classes are how the rest of the house shares a
 * word. A block is as many words as its names, and every block starts on cache lines of its own.
 */

const LINE_BYTES = 128;

/** Bytes one block of `count` words of `wordBytes` occupies, rounded up to whole cache-line pairs. */
function blockBytes(count: number, wordBytes: number): number {
  return Math.ceil((count * wordBytes) / LINE_BYTES) * LINE_BYTES;
}

/** Named 32-bit words, such as a thread's state and incarnation. Values are signed. */
export class SharedWords<Name extends string> {
  readonly #words: Int32Array;
  readonly #index: ReadonlyMap<Name, number>;

  static bytes(names: readonly string[]): number {
    return blockBytes(names.length, 4);
  }

  constructor(buffer: SharedArrayBuffer, byteOffset: number, names: readonly Name[]) {
    this.#words = new Int32Array(buffer, byteOffset, names.length);
    this.#index = new Map(names.map((name, index) => [name, index]));
  }

  load(name: Name): number {
    return Atomics.load(this.#words, this.#index.get(name)!);
  }

  /** Publishes a value: whoever loads it also sees what the storing thread wrote before. */
  store(name: Name, value: number): void {
    Atomics.store(this.#words, this.#index.get(name)!, value);
  }

  /** Adds and returns the value before. */
  add(name: Name, delta: number): number {
    return Atomics.add(this.#words, this.#index.get(name)!, delta);
  }

  /** The underlying words and the place of one of them, for a Doorbell. */
  place(name: Name): [words: Int32Array, index: number] {
    return [this.#words, this.#index.get(name)!];
  }
}

/** Named monotonic 64-bit counters. Any thread may add; sums stay exact up to 2^53. */
export class SharedCounters<Name extends string> {
  readonly names: readonly Name[];
  readonly #cells: BigInt64Array;
  readonly #index: ReadonlyMap<Name, number>;

  static bytes(names: readonly string[]): number {
    return blockBytes(names.length, 8);
  }

  constructor(buffer: SharedArrayBuffer, byteOffset: number, names: readonly Name[]) {
    this.names = names;
    this.#cells = new BigInt64Array(buffer, byteOffset, names.length);
    this.#index = new Map(names.map((name, index) => [name, index]));
  }

  add(name: Name, delta = 1): void {
    Atomics.add(this.#cells, this.#index.get(name)!, BigInt(delta));
  }

  read(name: Name): number {
    return Number(Atomics.load(this.#cells, this.#index.get(name)!));
  }

  /** All counters at about one moment: each is exact, but they are read one after the other. */
  snapshot(): Record<Name, number> {
    return Object.fromEntries(this.names.map((name) => [name, this.read(name)])) as Record<Name, number>;
  }
}

/**
 * Named counters that one thread alone adds to, and any thread reads. An addition is a plain load and
 * store, some twenty times cheaper than an atomic one; hence for what is counted with every message.
 *
 * Why plain accesses are safe: there is one writer, so nothing is added to a stale value; an aligned
 * 64-bit store is one instruction on the 64-bit machines that Node runs on, so no reader sees half of
 * one. A reader may see a count a moment late. Sums stay exact up to 2^53.
 */
export class SharedTallies<Name extends string> {
  readonly names: readonly Name[];
  readonly #cells: Float64Array;
  readonly #index: ReadonlyMap<Name, number>;

  static bytes(names: readonly string[]): number {
    return blockBytes(names.length, 8);
  }

  constructor(buffer: SharedArrayBuffer, byteOffset: number, names: readonly Name[]) {
    this.names = names;
    this.#cells = new Float64Array(buffer, byteOffset, names.length);
    this.#index = new Map(names.map((name, index) => [name, index]));
  }

  /** For the one writer. */
  add(name: Name, delta = 1): void {
    this.#cells[this.#index.get(name)!]! += delta;
  }

  /** Where a counter stands, for `addAt`. */
  indexOf(name: Name): number {
    return this.#index.get(name)!;
  }

  /** `add` without looking up the name. */
  addAt(index: number, delta = 1): void {
    this.#cells[index]! += delta;
  }

  read(name: Name): number {
    return this.#cells[this.#index.get(name)!]!;
  }

  /** All counters at about one moment. */
  snapshot(): Record<Name, number> {
    return Object.fromEntries(this.names.map((name) => [name, this.read(name)])) as Record<Name, number>;
  }
}
