/**
 * A thread's end of a block pool: acquiring, releasing and handing over. See block-pool.ts for the
 * steps, and for what each leaves behind when the thread dies.
 *
 * No call waits for another thread. A compare-exchange that fails means that another thread got on.
 *
 * Looking for a free block walks the words of one class, once around, over those blocks only that were
 * ever in use; when it finds all of these in use, one more block comes into play. So their number is
 * the high-water mark, the same few blocks stay in the caches, and memory that was never needed is
 * never paged in. The walk begins at the block that this owner released last, or behind the one that
 * it acquired last, and is short unless nearly all blocks are in use.
 */
import { cancel, complete, intend } from './block-ledger.ts';
import {
  ACQUIRED_LEDGER,
  HANDED,
  HOLDER_MASK,
  NOT_OWNED_WORD,
  REFUSED_WORD,
  RELEASED_LEDGER,
  TOUCHED_WORDS,
  type PlacedClass,
} from './block-pool-layout.ts';
import { BlockPool } from './block-pool.ts';
import { BACK_PRESSURED, NOT_OWNED, RingError, TOO_LONG } from './ring.ts';

/** An owner of blocks. One thread at a time under each number. */
export class BlockOwner extends BlockPool {
  readonly owner: number;
  /** Indices of this owner's ledgers. */
  readonly #acquired: number;
  readonly #released: number;
  /** For each class, which of its blocks to look at first. */
  readonly #hints: Int32Array;

  /**
   * Attaches as owner number `owner`, from 1 to the number of owners of the pool.
   * @throws RingError `bad_buffer`, `bad_header`, `bad_owner`, `owner_taken`
   */
  constructor(buffer: SharedArrayBuffer, owner: number) {
    super(buffer);
    this.checkOwner(owner);
    this.owner = owner;
    this.#acquired = this.lineWord(owner, ACQUIRED_LEDGER);
    this.#released = this.lineWord(owner, RELEASED_LEDGER);
    this.#hints = new Int32Array(this.classes.length);
    this.attachAs(owner);
  }

  /**
   * Takes a free block of `bytes` bytes or more, of the smallest class that has such blocks: a flood of
   * small payloads leaves the large blocks alone. Its bytes are as its last owner left them.
   * @returns the block's handle, an integer from 0 to 2^31 - 1, or BACK_PRESSURED or TOO_LONG
   * @throws RingError `bad_length`
   */
  acquire(bytes: number): number {
    if (!(bytes >= 0)) throw new RingError('bad_length', `A block is acquired for a count of bytes; got ${bytes}.`);
    const { classes } = this;
    for (let index = 0; index < classes.length; index++) {
      if (bytes > classes[index]!.blockBytes) continue;
      const handle = this.#acquireOf(index, classes[index]!);
      if (handle < 0) this.#countOne(REFUSED_WORD);
      return handle;
    }
    this.#countOne(REFUSED_WORD);
    return TOO_LONG;
  }

  /** Gives back a block that this owner holds. @returns 0 or NOT_OWNED */
  release(handle: number): number {
    const held = this.#heldHere(handle);
    if (held === 0) return this.#refuse();
    intend(this.words, this.#released, handle);
    // Pairs with the load in `acquire`: the next owner comes after all that was done with the block here.
    if (!this.#exchange(handle, held, this.nextGeneration(held))) {
      // Somebody reclaimed from this owner at this moment, though it is alive.
      cancel(this.words, this.#released);
      return this.#refuse();
    }
    complete(this.words, this.#released);
    const block = handle & this.indexMask;
    const index = this.#classOf(block);
    this.#hints[index] = block - this.classes[index]!.firstBlock;
    return 0;
  }

  /**
   * Passes on a block that this owner holds, to whoever takes it over by its handle. To be called when
   * the handle is written into a claimed record, just before that is committed.
   * @returns 0 or NOT_OWNED
   */
  handOver(handle: number): number {
    const held = this.#heldHere(handle);
    // Publishes the block's bytes: pairs with the compare-exchange in `takeOver` and the load in `offsetOf`.
    return held !== 0 && this.#exchange(handle, held, held | HANDED) ? 0 : this.#refuse();
  }

  /**
   * Takes back a block that this owner handed over, because its record will not be published.
   * @returns 0, or NOT_OWNED when the block was taken over
   */
  takeBack(handle: number): number {
    if (!this.isHandle(handle)) return this.#refuse();
    const held = this.wordOf(handle, this.owner);
    return this.#exchange(handle, held | HANDED, held) ? 0 : this.#refuse();
  }

  /**
   * Takes over a block that was handed over.
   * @returns the handle by which this owner holds it from now on, or NOT_OWNED
   */
  takeOver(handle: number): number {
    if (!this.isHandle(handle)) return this.#refuse();
    const block = handle & this.indexMask;
    // A plain load, as the compare-exchange decides.
    const word = this.words[this.blockWord(block)]!;
    const isHanded = (word & HANDED) !== 0 && word === this.wordOf(handle, word & HOLDER_MASK);
    const taken = this.nextGeneration(word) | this.owner;
    if (!isHanded || !this.#exchange(handle, word, taken)) return this.#refuse();
    return this.handleOf(taken, block);
  }

  /**
   * Where a block begins in `memory`, a multiple of 64: one that this owner holds, or one that another
   * has handed over, which may be read in place before it is taken.
   * @returns the byte offset, or NOT_OWNED
   */
  offsetOf(handle: number): number {
    if (!this.isHandle(handle)) return this.#refuse();
    const word = Atomics.load(this.words, this.blockWord(handle & this.indexMask));
    const holder = word & HOLDER_MASK;
    const isOpen = holder === this.owner || ((holder & HANDED) !== 0 && holder !== (this.owner | HANDED));
    if (!isOpen || word !== this.wordOf(handle, holder)) return this.#refuse();
    return this.#placeOf(handle & this.indexMask);
  }

  /** How many bytes the handle's block has, or NOT_OWNED if it is no handle of this pool. */
  blockBytesOf(handle: number): number {
    if (!this.isHandle(handle)) return this.#refuse();
    return this.classes[this.#classOf(handle & this.indexMask)]!.blockBytes;
  }

  #acquireOf(index: number, { firstBlock, count }: PlacedClass): number {
    const { words } = this;
    const touchedWord = TOUCHED_WORDS + index;
    let at = this.#hints[index]!;
    // A plain load, as an older and thus smaller number only means that the compare-exchange below fails.
    let touched = withinCount(words[touchedWord]!, count);
    for (;;) {
      for (let looks = 0; looks < touched; looks++) {
        if (at >= touched) at = 0;
        const block = firstBlock + at;
        at++;
        // A plain load is enough for a look. The compare-exchange decides, and pairs with the one that
        // released the block: what its last owner did comes before what this one will do.
        const word = words[this.blockWord(block)]!;
        if ((word & HOLDER_MASK) !== 0) continue;
        const handle = this.handleOf(word, block);
        intend(words, this.#acquired, handle);
        if (!this.#exchange(handle, word, this.wordOf(handle, this.owner))) continue;
        complete(words, this.#acquired);
        this.#hints[index] = at;
        return handle;
      }
      if (touched === count) break;
      // One more block comes into play, by whoever is first.
      const found = Atomics.compareExchange(words, touchedWord, touched, touched + 1);
      at = touched;
      touched = found === touched ? touched + 1 : withinCount(found, count);
    }
    cancel(words, this.#acquired);
    return BACK_PRESSURED;
  }

  /**
   * The block's word if this owner holds it by this very handle, or else 0, which is no such word. A plain
   * load, as it is this owner's own last store that says that it holds the block.
   */
  #heldHere(handle: number): number {
    if (!this.isHandle(handle)) return 0;
    const held = this.wordOf(handle, this.owner);
    return this.words[this.blockWord(handle & this.indexMask)] === held ? held : 0;
  }

  /** The one step by which a block changes hands. */
  #exchange(handle: number, from: number, to: number): boolean {
    return Atomics.compareExchange(this.words, this.blockWord(handle & this.indexMask), from, to) === from;
  }

  #classOf(block: number): number {
    const { classes } = this;
    let index = 0;
    while (block >= classes[index]!.firstBlock + classes[index]!.count) index++;
    return index;
  }

  #placeOf(block: number): number {
    const { firstBlock, firstByte, blockBytes } = this.classes[this.#classOf(block)]!;
    return firstByte + (block - firstBlock) * blockBytes;
  }

  #refuse(): typeof NOT_OWNED {
    this.#countOne(NOT_OWNED_WORD);
    return NOT_OWNED;
  }

  /** Counts on this owner's line, in a plain store, as nobody else writes there. */
  #countOne(word: number): void {
    const at = this.lineWord(this.owner, word);
    this.words[at] = (this.words[at]! + 1) | 0;
  }
}

/** How many blocks of a class have been in use; a number out of range was damaged, and then all may have been. */
function withinCount(touched: number, count: number): number {
  return touched >>> 0 <= count ? touched : count;
}
