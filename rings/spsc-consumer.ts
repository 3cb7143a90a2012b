/** The consuming end of an SPSC ring; its steps and what its death leaves are told in spsc-ring.ts. */
import { CONSUMER_SIDE, attach, detach, superseded } from './attachment.ts';
import { checkKind, pollPending } from './claim.ts';
import * as layout from './layout.ts';
import { RELEASED, advance, repair } from './ledger.ts';
import {
  LENGTH_MASK,
  PADDING_KIND,
  RECORD_HEADER_BYTES,
  REDELIVERIES_SHIFT,
  recordBytes,
  redelivered,
} from './record.ts';
import { ABORT, BREAK, COMMIT, CONTINUE, RingError, type RecordHandler, type ReleasingConsumer } from './ring.ts';
import { SpscEnd } from './spsc-memory.ts';

/** The receiving end. One thread at a time. */
export class SpscConsumer extends SpscEnd implements ReleasingConsumer {
  readonly incarnation: number;
  #head: number;
  #tailCache: number;
  #consumed: number;
  #busy = false;

  /**
   * Attaches to the consuming side; a successor of a dead consumer continues at the released position.
   * @throws RingError `bad_buffer`, `bad_header`, `side_taken`
   */
  constructor(buffer: SharedArrayBuffer, options: { readonly successorOf?: number } = {}) {
    super(buffer);
    this.incarnation = attach(this.words, CONSUMER_SIDE, options.successorOf ?? 0);
    this.#head = Atomics.load(this.words, layout.HEAD_WORD);
    this.#tailCache = Atomics.load(this.words, layout.TAIL_WORD);
    this.#consumed = repair(this.words, RELEASED);
    this.#countRedeliveries();
  }

  get hasRecord(): boolean {
    if (this.#tailCache !== this.#head) return true;
    this.#tailCache = Atomics.load(this.words, layout.TAIL_WORD);
    return this.#tailCache !== this.#head;
  }

  /**
   * `hasRecord` by a plain load, for a loop that looks before every message and looks again anyway. It may
   * miss a record that was published this moment; before a wait only `hasRecord` will do.
   */
  get mayHaveRecord(): boolean {
    // An aligned word is never torn, and what is found is only taken after the atomic load in `poll`.
    return this.#tailCache !== this.#head || this.words[layout.TAIL_WORD] !== this.#head;
  }

  detach(): void {
    this.#checkIdle();
    detach(this.words, CONSUMER_SIDE, this.incarnation);
  }

  beat(timeMs: number): void {
    Atomics.store(this.words, layout.CONSUMER_BEAT_WORD, timeMs);
  }

  poll(handler: RecordHandler, limit: number): number {
    this.#checkUsable();
    this.#busy = true;
    // V8 loads an imported constant anew at each use, and a field anew after each call: the loop works on locals.
    const { words, mask } = this;
    const [lengthMask, shift, padding] = [LENGTH_MASK, REDELIVERIES_SHIFT, PADDING_KIND];
    const [records, headerBytes, delivered] = [layout.HEADER_BYTES, RECORD_HEADER_BYTES, layout.DELIVERED_WORD];
    let tail = this.#tailCache;
    let handled = 0;
    let released = 0;
    let head = this.#head;
    try {
      while (handled < limit) {
        if (head === tail) {
          // Pairs with the producer's publishing store: records up to this tail are complete.
          tail = this.#tailCache = Atomics.load(words, layout.TAIL_WORD);
          if (head === tail) break;
        }
        const place = head & mask;
        const word = (records + place) >> 2;
        const header = words[word]!;
        const kind = words[word + 1]!;
        const length = header & lengthMask;
        const start = head;
        // Before the call, so that a handler that throws leaves its record consumed, and one whose thread
        // dies leaves it marked as delivered.
        head = (head + recordBytes(length)) | 0;
        if (kind === padding) continue;
        words[delivered] = head;
        handled++;
        const offset = records + place + headerBytes;
        const action = handler(kind, offset, length, header >>> shift);
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

  peek(handler: RecordHandler, limit: number, from: number = this.consumerPosition): number {
    this.#checkUsable();
    let position = this.#checked(from);
    this.#busy = true;
    try {
      for (let handed = 0; handed < limit && position !== this.#tailCache; ) {
        const place = position & this.mask;
        const word = (layout.HEADER_BYTES + place) >> 2;
        const header = this.words[word]!;
        const kind = this.words[word + 1]!;
        const next = (position + recordBytes(header & LENGTH_MASK)) | 0;
        if (kind !== PADDING_KIND) {
          this.#markDelivered(next);
          const offset = layout.HEADER_BYTES + place + RECORD_HEADER_BYTES;
          const action = handler(kind, offset, header & LENGTH_MASK, header >>> REDELIVERIES_SHIFT);
          if (action === ABORT) break;
          handed++;
          if (action === BREAK) limit = 0;
        }
        position = next;
      }
    } finally {
      this.#busy = false;
    }
    return position >>> 0;
  }

  release(position: number): number {
    this.#checkUsable();
    const end = this.#checked(position);
    let records = 0;
    let walked = this.#head;
    while (walked !== end) {
      const word = (layout.HEADER_BYTES + (walked & this.mask)) >> 2;
      if (this.words[word + 1] !== PADDING_KIND) records++;
      walked = (walked + recordBytes(this.words[word]! & LENGTH_MASK)) | 0;
      if ((walked - this.#head) >>> 0 > (end - this.#head) >>> 0) throw this.#noRecordAt(position);
    }
    this.#release(end, records);
    return records;
  }

  relabel(offset: number, kind: number): void {
    checkKind(kind);
    // Plain, as the record lies between HEAD and TAIL, where only this thread reads and writes.
    this.words[(offset >> 2) - 1] = kind;
  }

  #checkIdle(): void {
    // The outer call would set the head back behind records that the inner one has released.
    if (this.#busy) throw pollPending();
  }

  #checkUsable(): void {
    this.#checkIdle();
    // It says no more than that a successor was there a moment ago; see attachment.ts.
    if (Atomics.load(this.words, layout.CONSUMER_OWNER_WORD) !== this.incarnation) throw superseded('consumer', this.incarnation);
  }

  /** A position that lies between HEAD and TAIL, as this end keeps it. */
  #checked(position: number): number {
    this.#tailCache = Atomics.load(this.words, layout.TAIL_WORD);
    const isWithin = (position - this.#head) >>> 0 <= (this.#tailCache - this.#head) >>> 0;
    if (isWithin && position >>> 0 === position && position % 8 === 0) return position | 0;
    throw this.#noRecordAt(position);
  }

  #noRecordAt(position: number): RingError {
    const range = `${this.consumerPosition} and ${this.producerPosition}`;
    return new RingError('bad_position', `Expected a position that peek returned, between ${range}; got ${position}.`);
  }

  /** Gives everything before `head`, `records` of them new, back to the producer. */
  #release(head: number, records: number): void {
    if (head !== this.#head) {
      this.#head = head;
      this.#consumed = (this.#consumed + records) | 0;
      // The store of HEAD releases the room: it pairs with the producer's load of HEAD in `#hasRoom`.
      advance(this.words, RELEASED, head, this.#consumed);
    }
    // What a handler gave back in this life is not counted as redelivered in the next.
    this.words[layout.DELIVERED_WORD] = head;
  }

  #markDelivered(position: number): void {
    const marked = this.words[layout.DELIVERED_WORD]!;
    if ((position - this.#head) >>> 0 > (marked - this.#head) >>> 0) this.words[layout.DELIVERED_WORD] = position;
  }

  /**
   * Counts one more delivery for each record that a dead predecessor may have had in hand. A successor
   * that dies in the middle of this may have the records before it counted once too often, never too rarely.
   */
  #countRedeliveries(): void {
    const delivered = this.words[layout.DELIVERED_WORD]!;
    // A predecessor may have died after its store of HEAD and before it took the mark along.
    const marked = (delivered - this.#head) >>> 0;
    if (marked <= this.capacityBytes) {
      for (let position = this.#head; position !== delivered; ) {
        const word = (layout.HEADER_BYTES + (position & this.mask)) >> 2;
        const header = this.words[word]!;
        this.words[word] = redelivered(header);
        position = (position + recordBytes(header & LENGTH_MASK)) | 0;
      }
    }
    this.words[layout.DELIVERED_WORD] = this.#head;
  }
}
