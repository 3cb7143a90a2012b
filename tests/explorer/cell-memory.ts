/**
 * Shared memory as cells of 32 bits, with a journal to go back by and a hash that is always up to date.
 *
 * The hash is a sum over cells of a mix of place and content (after Zobrist), so a write changes it in
 * a few instructions, whatever the size of the memory. Its two halves are independent of each other.
 */
import * as op from './operation.ts';

/** The finalizer of MurmurHash3: every bit of the input reaches every bit of the output. */
export function mixed(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

const LOW_STEP = 0x9e3779b1;
const HIGH_STEP = 0x7feb352d;
const HIGH_SEED = 0x3c6ef372;

export class CellMemory {
  readonly cells: Int32Array;
  hashLow = 0;
  hashHigh = 0;
  /** What the last operation answered, low half first; 0 where there is no answer. */
  low = 0;
  high = 0;
  #journal = new Int32Array(64);
  #length = 0;

  constructor(cellCount: number) {
    this.cells = new Int32Array(cellCount);
  }

  /** A place in the journal to go back to. */
  get mark(): number {
    return this.#length;
  }

  copyFrom(other: CellMemory): void {
    this.cells.set(other.cells);
    this.hashLow = other.hashLow;
    this.hashHigh = other.hashHigh;
    this.#length = 0;
  }

  set(cell: number, value: number): void {
    const before = this.cells[cell]!;
    if (before === value) return;
    if (this.#length + 2 > this.#journal.length) this.#grow();
    this.#journal[this.#length++] = cell;
    this.#journal[this.#length++] = before;
    this.#put(cell, before, value);
  }

  undo(mark: number): void {
    while (this.#length > mark) {
      const before = this.#journal[--this.#length]!;
      const cell = this.#journal[--this.#length]!;
      this.#put(cell, this.cells[cell]!, before);
    }
  }

  execute(kind: number, cell: number, mask: number, a: number, b: number, c: number, d: number): void {
    const { cells } = this;
    if ((kind & op.WIDE) !== 0) {
      this.#executeWide(kind, cell, a, b, c, d);
      return;
    }
    const found = cells[cell]!;
    this.high = 0;
    switch (kind) {
      case op.READ:
        this.low = found & mask;
        return;
      case op.WRITE:
        this.low = 0;
        this.set(cell, (found & ~mask) | a);
        return;
      case op.STORE:
        this.low = 0;
        this.set(cell, a);
        return;
      case op.LOAD:
        break;
      case op.ADD:
        this.set(cell, (found + a) | 0);
        break;
      case op.AND:
        this.set(cell, found & a);
        break;
      case op.OR:
        this.set(cell, found | a);
        break;
      case op.XOR:
        this.set(cell, found ^ a);
        break;
      case op.EXCHANGE:
        this.set(cell, a);
        break;
      case op.COMPARE_EXCHANGE:
        if (found === a) this.set(cell, b);
        break;
      default:
        throw new Error(`Memory cannot ${op.operationName(kind)}.`);
    }
    this.low = found;
  }

  #executeWide(kind: number, cell: number, a: number, b: number, c: number, d: number): void {
    const low = this.cells[cell]!;
    const high = this.cells[cell + 1]!;
    switch (kind & ~op.WIDE) {
      case op.LOAD:
        break;
      case op.STORE:
        this.#setPair(cell, a, b);
        this.low = this.high = 0;
        return;
      case op.ADD: {
        const sum = (low >>> 0) + (a >>> 0);
        this.#setPair(cell, sum | 0, (high + b + (sum > 0xffff_ffff ? 1 : 0)) | 0);
        break;
      }
      case op.AND:
        this.#setPair(cell, low & a, high & b);
        break;
      case op.OR:
        this.#setPair(cell, low | a, high | b);
        break;
      case op.XOR:
        this.#setPair(cell, low ^ a, high ^ b);
        break;
      case op.EXCHANGE:
        this.#setPair(cell, a, b);
        break;
      case op.COMPARE_EXCHANGE:
        if (low === a && high === b) this.#setPair(cell, c, d);
        break;
      default:
        throw new Error(`Memory cannot ${op.operationName(kind)} a pair of cells.`);
    }
    this.low = low;
    this.high = high;
  }

  #setPair(cell: number, low: number, high: number): void {
    this.set(cell, low);
    this.set(cell + 1, high);
  }

  #put(cell: number, before: number, value: number): void {
    this.cells[cell] = value;
    const lowSeed = Math.imul(cell + 1, LOW_STEP);
    const highSeed = Math.imul(cell + 1, HIGH_STEP) ^ HIGH_SEED;
    this.hashLow = (this.hashLow + mixed(value ^ lowSeed) - mixed(before ^ lowSeed)) | 0;
    this.hashHigh = (this.hashHigh + mixed(Math.imul(value, LOW_STEP) ^ highSeed) - mixed(Math.imul(before, LOW_STEP) ^ highSeed)) | 0;
  }

  #grow(): void {
    const larger = new Int32Array(this.#journal.length * 2);
    larger.set(this.#journal);
    this.#journal = larger;
  }
}
