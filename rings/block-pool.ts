/**
 * Blocks of shared memory for payloads that are too large to be copied through a ring: a thread fills
 * a block in place, and only its handle, a number, goes through a ring.
 *
 * Roles. Each thread is one *owner* of the pool (block-owner.ts), under a number that is its alone. It
 * acquires free blocks, releases those it holds, hands blocks over and takes over what was handed to
 * it. Whoever is told that a thread has ended reclaims what it held (this file).
 *
 * Handing over, as numbered steps of the sender (1 to 4) and the receiver (5, 6):
 *   1. `acquire` a block and fill it, at `offsetOf(handle)`;
 *   2. claim a record in the ring and write the handle into it;
 *   3. `handOver(handle)`: the block's word says "handed over by the sender", who must not touch it now;
 *   4. `commit` the record;
 *   5. `takeOver(handle)` in the record's handler: the block's word says "held by the receiver", under
 *      the new handle that this returns;
 *   6. `release` that when done with the block, or hand it on.
 * Each step on a block is one compare-exchange of the one word that is the truth about it (see
 * block-pool-layout.ts): a block never has two owners, and never one that is not known.
 *
 * Death of an owner, told by its thread's `exit` event, and what becomes of its block:
 *
 *     the owner dies                the block is             and comes back by
 *     before acquiring it           free                     -
 *     after that, before step 3     held by the sender       reclaim(sender), at once
 *     between steps 3 and 4         handed over, unsaid      reclaimUnpublished(sender), in the end
 *     after step 4, before step 5   handed over, in a record the receiver, who notices nothing
 *     after step 5, before step 6   held by the receiver     reclaim(receiver), at once
 *     after releasing it            free                     -
 *
 * Only the dead one knew whether a block that it had handed over is named in a published record. But
 * after its `exit` no more are published: once all that were have been polled, a block that is still
 * handed over is in none of them, and `reclaimUnpublished` returns it.
 *
 * A handle is good for one taking. When a receiver dies and its record is delivered again, the block is
 * as it was if the dead one had not taken it, and refused (NOT_OWNED) if it had, whatever has become of
 * it since: taking is the moment from which a block is not delivered again. Who wants it again after a
 * death reads it in place, where `offsetOf` finds it by the handle in the record, and takes it over last.
 *
 * A stale handle is known by its generation, and passes only if its block has become free or was taken
 * over a multiple of 2^23 times since (2^17 in the largest pool).
 *
 * Source: a lock word that names its owner, so that somebody else can clear up after a death, is that
 * of robust futexes; the handle of index and generation is that of slot maps. A free list (Treiber's
 * stack) would be quicker in a large pool that is nearly full, but a thread that dies between unlinking
 * a block and saying that it has it leaves a block that nobody names.
 */
import { cancel, complete, intend, intendedHandle } from './block-ledger.ts';
import {
  ACQUIRED_LEDGER,
  ATTACHED,
  DEPARTED,
  HANDED,
  HOLDER_MASK,
  RECLAIMED_LEDGER,
  RELEASED_LEDGER,
  STATE_WORD,
  VACANT,
} from './block-pool-layout.ts';
import { BlockPoolMemory } from './block-pool-memory.ts';
import { RingError } from './ring.ts';

/** A pool as any thread sees it that has the buffer: it reads the counts, and reclaims what the dead leave. */
export class BlockPool extends BlockPoolMemory {
  /** @throws RingError `bad_buffer`, `bad_header` */
  // oxlint-disable-next-line no-useless-constructor -- makes the protected constructor public
  constructor(buffer: SharedArrayBuffer) {
    super(buffer);
  }

  /**
   * Whether a thread may attach as this owner: nobody is, and no block that a former one handed over is
   * on its way. A thread that was given the number but has not attached yet does not show.
   * @throws RingError `bad_owner`
   */
  isVacant(owner: number): boolean {
    this.checkOwner(owner);
    const state = Atomics.load(this.words, this.lineWord(owner, STATE_WORD));
    return state === VACANT || (state === DEPARTED && !this.#hasHanded(owner));
  }

  /**
   * Returns to the pool what a dead owner held. To be called by one thread, after the `exit` event of the
   * owner's, or by the owner itself as its last act. It may be called again, as long as nobody attaches
   * as this owner: so what a reclaimer left that died itself is done.
   * @returns the number of blocks
   * @throws RingError `bad_owner`
   */
  reclaim(owner: number): number {
    this.checkOwner(owner);
    const state = this.lineWord(owner, STATE_WORD);
    if (Atomics.load(this.words, state) === VACANT) return 0;
    this.#settle(owner, ACQUIRED_LEDGER, true);
    this.#settle(owner, RELEASED_LEDGER, false);
    const returned = this.#return(owner, owner);
    // Publishes that all is settled: pairs with the compare-exchange by which the next one attaches.
    Atomics.store(this.words, state, this.#hasHanded(owner) ? DEPARTED : VACANT);
    return returned;
  }

  /**
   * Returns to the pool what a dead owner, reclaimed already, had handed over in records that were never
   * published. To be called by the thread that called `reclaim`, once every record that the dead one
   * did publish has been polled (or never will be: a block of it would be taken from under its receiver).
   * @returns the number of blocks
   * @throws RingError `bad_owner`, `owner_taken` when `reclaim` was not called before
   */
  reclaimUnpublished(owner: number): number {
    this.checkOwner(owner);
    const state = this.lineWord(owner, STATE_WORD);
    const found = Atomics.load(this.words, state);
    if (found === VACANT) return 0;
    if (found === ATTACHED) {
      throw new RingError('owner_taken', `Owner ${owner} is attached. Call reclaim(${owner}) first, after the exit event of its thread.`);
    }
    const returned = this.#return(owner, owner | HANDED);
    Atomics.store(this.words, state, VACANT);
    return returned;
  }

  /** Takes the owner's number for this thread. @throws RingError `owner_taken` */
  protected attachAs(owner: number): void {
    const state = this.lineWord(owner, STATE_WORD);
    if (Atomics.compareExchange(this.words, state, VACANT, ATTACHED) === VACANT) return;
    // Nobody adds to what a departed owner has on its way, so none now is none later.
    if (!this.#hasHanded(owner) && Atomics.compareExchange(this.words, state, DEPARTED, ATTACHED) === DEPARTED) return;
    const isAttached = Atomics.load(this.words, state) === ATTACHED;
    throw new RingError(
      'owner_taken',
      isAttached
        ? `Owner ${owner} is attached. Call reclaim(${owner}) once the exit event of its thread has come, or take another number.`
        : `Blocks that the former owner ${owner} handed over are on their way. Poll what it published, then call reclaimUnpublished(${owner}), or take another number.`,
    );
  }

  /** Whether a block that this owner handed over has not been taken. */
  #hasHanded(owner: number): boolean {
    for (let block = 0; block < this.blocks; block++) {
      if ((Atomics.load(this.words, this.blockWord(block)) & HOLDER_MASK) === (owner | HANDED)) return true;
    }
    return false;
  }

  /** Gives every block back whose holder is `holder`, counted on the owner's line. */
  #return(owner: number, holder: number): number {
    // A former reclaimer may have died here.
    this.#settle(owner, RECLAIMED_LEDGER, false);
    const ledger = this.lineWord(owner, RECLAIMED_LEDGER);
    let returned = 0;
    for (let block = 0; block < this.blocks; block++) {
      const word = Atomics.load(this.words, this.blockWord(block));
      if ((word & HOLDER_MASK) !== holder) continue;
      intend(this.words, ledger, this.handleOf(word, block));
      // Pairs with the load in `acquire`: the next owner comes after all that the dead one wrote to the block.
      const found = Atomics.compareExchange(this.words, this.blockWord(block), word, this.nextGeneration(word));
      if (found === word) {
        complete(this.words, ledger);
        returned++;
      } else {
        // A receiver took the block at this moment.
        cancel(this.words, ledger);
      }
    }
    return returned;
  }

  /**
   * Brings a count of the dead up to what was done.
   * @param heldIfDone whether the last intent, once carried out, had left its block with the owner
   */
  #settle(owner: number, words: number, heldIfDone: boolean): void {
    const ledger = this.lineWord(owner, words);
    const handle = intendedHandle(this.words, ledger);
    const word = this.isHandle(handle) ? Atomics.load(this.words, this.blockWord(handle & this.indexMask)) : 0;
    const isHeld = (word & ~HANDED) === this.wordOf(handle, owner);
    if (isHeld === heldIfDone) complete(this.words, ledger);
    else cancel(this.words, ledger);
  }
}
