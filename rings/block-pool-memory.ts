/**
 * What anyone may read of a block pool, and how handles and the words of blocks are made of each other.
 */
import {
  ACQUIRED_LEDGER,
  GENERATION_SHIFT,
  HANDED,
  HOLDER_MASK,
  LINE_WORDS,
  NOT_OWNED_WORD,
  OWNER_LINES,
  RECLAIMED_LEDGER,
  REFUSED_WORD,
  RELEASED_LEDGER,
  TOUCHED_WORDS,
  isCount,
  readLayout,
  type BlockClass,
  type PlacedClass,
} from './block-pool-layout.ts';
import { RingError } from './ring.ts';
import { SharedMemory } from './shared-memory.ts';

/** A handle is a number that codecs write as an int32 or uint32 alike. */
const HANDLE_BITS = 31;

/** Counts since `create`, modulo 2^32. Always acquired = released + reclaimed + inUse, see `counters`. */
export interface BlockPoolCounters {
  readonly acquired: number;
  readonly released: number;
  /** Blocks that dead owners held, or had handed over in records that were never published. */
  readonly reclaimed: number;
  /** Acquisitions refused, with BACK_PRESSURED or TOO_LONG. */
  readonly refused: number;
  /** Handles refused with NOT_OWNED. */
  readonly notOwned: number;
  /** Blocks that are not free now. */
  readonly inUse: number;
  /** Of these, blocks that were handed over and not yet taken. */
  readonly handed: number;
  readonly classes: readonly BlockClassUsage[];
}

export interface BlockClassUsage extends BlockClass {
  readonly inUse: number;
  /**
   * The most blocks that were ever in use at once: exact for a pool with one owner, and otherwise an
   * estimate from above, as an owner sees the blocks in use one after the other and not all at once.
   */
  readonly highWater: number;
}

/** What every owner and every observer of a pool knows: the blocks' places, and the counts. */
export abstract class BlockPoolMemory {
  /** The whole pool through views of several widths, for codecs and views in place. */
  readonly memory: SharedMemory;
  /** How many owners there may be, numbered from 1. */
  readonly owners: number;
  protected readonly words: Int32Array;
  /** Own copies of the layout: what anyone writes to the header later cannot lead out of the buffer. */
  protected readonly classes: readonly PlacedClass[];
  protected readonly blocks: number;
  /** The bits of a handle that say which block it is; those above are its generation. */
  protected readonly indexMask: number;
  readonly #blockWords: number;
  readonly #indexBits: number;
  readonly #handleMax: number;
  /** The bits of a block's word that are its generation. */
  readonly #generationMask: number;

  protected constructor(buffer: SharedArrayBuffer) {
    const layout = readLayout(buffer);
    this.memory = new SharedMemory(buffer);
    this.words = new Int32Array(buffer);
    this.owners = layout.owners;
    this.classes = layout.classes;
    this.blocks = layout.blocks;
    this.#blockWords = layout.blockWords;
    this.#indexBits = 32 - Math.clz32(layout.blocks - 1);
    const generationBits = Math.min(32 - GENERATION_SHIFT, HANDLE_BITS - this.#indexBits);
    this.indexMask = 2 ** this.#indexBits - 1;
    this.#handleMax = 2 ** (generationBits + this.#indexBits) - 1;
    this.#generationMask = (2 ** generationBits - 1) << GENERATION_SHIFT;
  }

  /**
   * Exact while no owner is within a call and every dead one is reclaimed: then acquired = released +
   * reclaimed + inUse. Otherwise off by what is just being done, and by one for a dead owner.
   */
  get counters(): BlockPoolCounters {
    const sums = { acquired: 0, released: 0, reclaimed: 0, refused: 0, notOwned: 0 };
    for (let owner = 1; owner <= this.owners; owner++) {
      sums.acquired += this.#count(owner, ACQUIRED_LEDGER);
      sums.released += this.#count(owner, RELEASED_LEDGER);
      sums.reclaimed += this.#count(owner, RECLAIMED_LEDGER);
      sums.refused += this.#count(owner, REFUSED_WORD);
      sums.notOwned += this.#count(owner, NOT_OWNED_WORD);
    }
    let handed = 0;
    const classes = this.classes.map(({ blockBytes, count, firstBlock }, index): BlockClassUsage => {
      let inUse = 0;
      for (let block = firstBlock; block < firstBlock + count; block++) {
        const word = Atomics.load(this.words, this.blockWord(block));
        if ((word & HOLDER_MASK) !== 0) inUse++;
        if ((word & HANDED) !== 0) handed++;
      }
      return { blockBytes, count, inUse, highWater: Atomics.load(this.words, TOUCHED_WORDS + index) };
    });
    return {
      acquired: sums.acquired >>> 0,
      released: sums.released >>> 0,
      reclaimed: sums.reclaimed >>> 0,
      refused: sums.refused >>> 0,
      notOwned: sums.notOwned >>> 0,
      inUse: classes.reduce((sum, { inUse }) => sum + inUse, 0),
      handed,
      classes,
    };
  }

  /** @throws RingError `bad_owner` */
  protected checkOwner(owner: number): void {
    if (isCount(owner, this.owners)) return;
    throw new RingError('bad_owner', `The owners of this pool are numbered from 1 to ${this.owners}; got ${owner}.`);
  }

  /** Index of a word of an owner's line. */
  protected lineWord(owner: number, word: number): number {
    return OWNER_LINES + (owner - 1) * LINE_WORDS + word;
  }

  /** Index of the word of a block. */
  protected blockWord(block: number): number {
    return this.#blockWords + block;
  }

  /** Whether a number may be a handle of this pool, stale or not. What passes leads to a block. */
  protected isHandle(handle: number): boolean {
    return (handle | 0) === handle && handle >= 0 && handle <= this.#handleMax && (handle & this.indexMask) < this.blocks;
  }

  protected handleOf(word: number, block: number): number {
    return (((word & this.#generationMask) >>> GENERATION_SHIFT) << this.#indexBits) | block;
  }

  /** What the word of the handle's block is while `holder` has it by this very handle. */
  protected wordOf(handle: number, holder: number): number {
    return ((handle >>> this.#indexBits) << GENERATION_SHIFT) | holder;
  }

  /** A block's word in the next generation, in nobody's hands. */
  protected nextGeneration(word: number): number {
    return ((word & this.#generationMask) + (1 << GENERATION_SHIFT)) & this.#generationMask;
  }

  #count(owner: number, word: number): number {
    return Atomics.load(this.words, this.lineWord(owner, word)) >>> 0;
  }
}
