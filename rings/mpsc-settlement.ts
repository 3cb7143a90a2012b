/**
 * What the consumer of an MPSC ring does about producers that were declared dead; why it can know what
 * they left is told in mpsc-ring.ts.
 *
 * It is the consumer who does this and nobody else: only he knows which records he has handled and is
 * clearing at this moment, so that a header word of 0 means "not finished" to him and not "cleared".
 * What he was in the middle of when he dies himself, his successor does again to the same end.
 */
import * as layout from './layout.ts';
import { MpscEnd, stampOf, tailPosition } from './mpsc-memory.ts';
import { PADDING_KIND, RECORD_HEADER_BYTES } from './record.ts';

export abstract class SettlingEnd extends MpscEnd {
  /**
   * Settles what producers that were declared dead have left, if there are any: an unfinished claim
   * becomes padding, the count of published records is put right, and the slot is free again.
   * @param head position up to which this consumer has read
   * @returns whether a claim was turned into padding, so that there may be more to read
   */
  protected settleDeaths(head: number): boolean {
    // Taken back before the slots are looked at, so that a declaration during the look is not forgotten.
    if (Atomics.load(this.words, layout.DEATHS_WORD) === 0) return false;
    Atomics.store(this.words, layout.DEATHS_WORD, 0);
    let padded = false;
    for (let slot = 0; slot < this.slots; slot++) {
      const owner = this.slotWord(slot, layout.SLOT_OWNER);
      if (Atomics.load(this.words, owner) >= 0) continue;
      if (this.#settle(slot, head)) padded = true;
      this.cells[this.slotCell(slot, layout.SLOT_INTENT)] = 0n;
      // Frees the slot: pairs with the compare-and-exchange of the next producer that attaches.
      Atomics.store(this.words, owner, 0);
    }
    return padded;
  }

  #settle(slot: number, head: number): boolean {
    const intent = this.cells[this.slotCell(slot, layout.SLOT_INTENT)]!;
    if (intent === 0n) return false;
    // The tail first: who moves it on has left word before.
    const isLast = Atomics.load(this.cells, layout.TAIL_CELL) === intent;
    const wasMade = isLast || Atomics.load(this.cells, this.slotCell(slot, layout.SLOT_EVIDENCE)) >= intent;
    if (!wasMade) return false;
    const end = tailPosition(intent);
    const start = end - this.words[this.slotWord(slot, layout.SLOT_INTENT_BYTES)]!;
    const offered = this.slotWord(slot, layout.SLOT_OFFERED);
    const nextOffered = this.slotWord(slot, layout.SLOT_NEXT_OFFERED);
    if (start < head || Atomics.load(this.words, this.headerWord(start)) !== 0) {
      this.words[offered] = this.words[nextOffered]!;
      return false;
    }
    // Should this thread die between here and the end, its successor finds a finished claim without records.
    this.words[nextOffered] = this.words[offered]!;
    this.words[layout.ABANDONED_WORD] = (this.words[layout.ABANDONED_WORD]! + 1) | 0;
    const place = start & this.mask;
    const behind = place + (end - start) - this.capacityBytes;
    if (behind > 0) this.#writePadding(0, behind);
    this.#writePadding(place, behind > 0 ? this.capacityBytes - place : end - start);
    return true;
  }

  #writePadding(place: number, bytes: number): void {
    const word = this.headerWord(place);
    this.words[word + 1] = PADDING_KIND;
    Atomics.store(this.words, word, stampOf(bytes - RECORD_HEADER_BYTES));
  }
}
