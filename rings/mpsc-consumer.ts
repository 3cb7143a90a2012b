/** The consuming end of an MPSC ring; its steps and what its death leaves are told in mpsc-ring.ts. */
import { CONSUMER_SIDE, attach, detach } from './attachment.ts';
import { checkKind, pollPending } from './claim.ts';
import * as layout from './layout.ts';
import { SettlingEnd } from './mpsc-settlement.ts';
import {
  LENGTH_MASK,
  PADDING_KIND,
  RECORD_HEADER_BYTES,
  REDELIVERIES_SHIFT,
  recordBytes,
  redelivered,
} from './record.ts';
import { ABORT, BREAK, COMMIT, CONTINUE, RingError, type RecordHandler, type ReleasingConsumer } from './ring.ts';

/** The receiving end. One thread at a time. */
export class MpscConsumer extends SettlingEnd implements ReleasingConsumer {
  readonly incarnation: number;
  #head: number;
  #consumed: number;
  #busy = false;

  /**
   * Attaches to the consuming side; a successor of a dead consumer continues at the released position.
   * @throws RingError `bad_buffer`, `bad_header`, `side_taken`
   */
  constructor(buffer: SharedArrayBuffer, options: { readonly successorOf?: number } = {}) {
    super(buffer);
    this.incarnation = attach(this.words, CONSUMER_SIDE, options.successorOf ?? 0);
    if (this.words[layout.RELEASING_WORD] === 1) this.#finishRelease();
    this.#head = this.consumerPosition;
    this.#consumed = this.words[layout.CONSUMED_WORD]!;
    this.#countRedeliveries();
    // A predecessor may have died between taking note of a death and settling it.
    Atomics.store(this.words, layout.DEATHS_WORD, 1);
  }

  /** As in the contract. Passes over padding at the head and gives its room back on the way. */
  get hasRecord(): boolean {
    if (this.#busy) return this.#headerAt(this.#head) !== 0;
    let head = this.#head;
    for (;;) {
      const header = this.#headerAt(head);
      if (header === 0) {
        if (this.settleDeaths(head)) continue;
        this.#release(head, 0);
        return false;
      }
      if (this.words[this.headerWord(head) + 1] !== PADDING_KIND) {
        this.#release(head, 0);
        return true;
      }
      head += this.#bytesAt(head);
    }
  }

  detach(): void {
    this.#checkIdle();
    detach(this.words, CONSUMER_SIDE, this.incarnation);
  }

  beat(timeMs: number): void {
    Atomics.store(this.words, layout.CONSUMER_BEAT_WORD, timeMs);
  }

  poll(handler: RecordHandler, limit: number): number {
    this.#checkIdle();
    this.#busy = true;
    let handled = 0;
    let released = 0;
    let head = this.#head;
    try {
      while (handled < limit) {
        const place = head & this.mask;
        const word = this.headerWord(head);
        const header = this.#headerAt(head);
        if (header === 0) {
          if (this.settleDeaths(head)) continue;
          break;
        }
        const length = (header & LENGTH_MASK) - 1;
        const kind = this.words[word + 1]!;
        const start = head;
        head += recordBytes(length);
        if (kind === PADDING_KIND) continue;
        // Before the call, so that a handler whose thread dies leaves its record marked as delivered.
        this.words[layout.DELIVERED_WORD] = head;
        handled++;
        const action = handler(kind, this.recordsOffset + place + RECORD_HEADER_BYTES, length, header >>> REDELIVERIES_SHIFT);
        if (action === undefined || action === CONTINUE) continue;
        if (action === COMMIT) {
          this.#release(head, handled - released);
          released = handled;
          continue;
        }
        if (action === ABORT) {
          head = start;
          handled--;
        }
        break;
      }
    } finally {
      this.#release(head, handled - released);
      this.#busy = false;
    }
    return handled;
  }

  peek(handler: RecordHandler, limit: number, from: number = this.#head): number {
    this.#checkIdle();
    if (!(from >= this.#head && from <= this.producerPosition && from % 8 === 0)) throw this.#noRecordAt(from);
    let position = from;
    this.#busy = true;
    try {
      for (let handed = 0; handed < limit; ) {
        const header = this.#headerAt(position);
        if (header === 0) {
          if (this.settleDeaths(position)) continue;
          break;
        }
        const length = (header & LENGTH_MASK) - 1;
        const kind = this.words[this.headerWord(position) + 1]!;
        const next = position + recordBytes(length);
        if (kind !== PADDING_KIND) {
          this.#markDelivered(next);
          const offset = this.recordsOffset + (position & this.mask) + RECORD_HEADER_BYTES;
          const action = handler(kind, offset, length, header >>> REDELIVERIES_SHIFT);
          if (action === ABORT) break;
          handed++;
          if (action === BREAK) limit = 0;
        }
        position = next;
      }
    } finally {
      this.#busy = false;
    }
    return position;
  }

  release(position: number): number {
    this.#checkIdle();
    let records = 0;
    let walked = this.#head;
    while (walked !== position) {
      if (this.#headerAt(walked) === 0 || !(walked < position)) throw this.#noRecordAt(position);
      if (this.words[this.headerWord(walked) + 1] !== PADDING_KIND) records++;
      walked += this.#bytesAt(walked);
    }
    this.#release(position, records);
    return records;
  }

  relabel(offset: number, kind: number): void {
    checkKind(kind);
    // Plain, as the record is published and not yet released: only this thread reads and writes it.
    this.words[(offset >> 2) - 1] = kind;
  }

  #checkIdle(): void {
    // The outer call would set the head back behind records that the inner one has released.
    if (this.#busy) throw pollPending();
  }

  #noRecordAt(position: number): RingError {
    const range = `${this.#head} and ${this.producerPosition}`;
    return new RingError('bad_position', `Expected a position that peek returned, between ${range}; got ${position}.`);
  }

  /** The header word at a position from the head on; 0 if no finished record begins there. */
  #headerAt(position: number): number {
    // A whole turn ahead lies what is handled and not yet cleared.
    if (position - this.#head >= this.capacityBytes) return 0;
    // Pairs with the producer's publishing store of this word: the record behind it is complete.
    return Atomics.load(this.words, this.headerWord(position));
  }

  /** Bytes that the published record at this position takes up. */
  #bytesAt(position: number): number {
    return recordBytes((this.words[this.headerWord(position)]! & LENGTH_MASK) - 1);
  }

  /** Gives everything before `head`, `records` of them new, back to the producers. */
  #release(head: number, records: number): void {
    if (head === this.#head) {
      // What a handler gave back in this life is not counted as redelivered in the next.
      this.words[layout.DELIVERED_WORD] = head;
      return;
    }
    this.#head = head;
    this.#consumed = (this.#consumed + records) | 0;
    // Plain stores: only a successor reads them. The flag last, as it makes the other two count.
    this.cells[layout.NEXT_HEAD_CELL] = BigInt(head);
    this.words[layout.NEXT_CONSUMED_WORD] = this.#consumed;
    this.words[layout.RELEASING_WORD] = 1;
    this.#finishRelease();
  }

  /** From clearing the consumed records on; done once more by the successor of one that died in here. */
  #finishRelease(): void {
    const from = this.consumerPosition & this.mask;
    const next = this.cells[layout.NEXT_HEAD_CELL]!;
    const bytes = Number(next) - this.consumerPosition;
    const firstWord = this.recordsOffset >> 2;
    const end = Math.min(from + bytes, this.capacityBytes);
    // Plain stores: no producer writes here before HEAD has moved.
    this.words.fill(0, firstWord + (from >> 2), firstWord + (end >> 2));
    this.words.fill(0, firstWord, firstWord + ((from + bytes - end) >> 2));
    // Releases the room: pairs with the producers' load of HEAD in `#hasRoom`.
    Atomics.store(this.cells, layout.HEAD_CELL, next);
    this.words[layout.CONSUMED_WORD] = this.words[layout.NEXT_CONSUMED_WORD]!;
    this.words[layout.DELIVERED_WORD] = Number(next);
    this.words[layout.RELEASING_WORD] = 0;
  }

  #markDelivered(position: number): void {
    const marked = this.words[layout.DELIVERED_WORD]!;
    if (position - this.#head > (marked - this.#head) >>> 0) this.words[layout.DELIVERED_WORD] = position;
  }

  /** Counts one more delivery for each record that a dead predecessor may have had in hand; see spsc-consumer.ts. */
  #countRedeliveries(): void {
    const delivered = (this.words[layout.DELIVERED_WORD]! - this.#head) >>> 0;
    if (delivered <= this.capacityBytes) {
      for (let position = this.#head; position < this.#head + delivered; ) {
        const word = this.headerWord(position);
        const bytes = this.#bytesAt(position);
        this.words[word] = redelivered(this.words[word]!);
        position += bytes;
      }
    }
    this.words[layout.DELIVERED_WORD] = this.#head;
  }
}
