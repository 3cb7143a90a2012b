/** A reading end of a broadcast ring; its steps are told in broadcast-ring.ts. */
import { BroadcastEnd } from './broadcast-memory.ts';
import { pollPending } from './claim.ts';
import * as layout from './layout.ts';
import { LENGTH_MASK, RECORD_HEADER_BYTES, recordBytes } from './record.ts';
import { ABORT, BREAK, type RecordHandler, type RingConsumer } from './ring.ts';
import { SharedMemory } from './shared-memory.ts';

export interface ReaderOptions {
  /** Where to begin: with the records that are still there, or with the next one. Default 'newest'. */
  readonly from?: 'oldest' | 'newest';
}

/** A reading end. Each is used by one thread at a time; there may be any number of them. */
export class BroadcastReader extends BroadcastEnd implements RingConsumer {
  readonly incarnation: number;
  /** The reader's own memory, into which records are copied: offsets that handlers get are of this. */
  declare readonly memory: SharedMemory;
  readonly #ring: SharedMemory;
  /** The number of the next record to read. */
  #next: number;
  #lost = 0;
  #busy = false;

  /** @throws RingError `bad_buffer`, `bad_header` */
  constructor(buffer: SharedArrayBuffer, options: ReaderOptions = {}) {
    super(buffer);
    this.#ring = this.memory;
    this.memory = new SharedMemory(new SharedArrayBuffer(recordBytes(this.maxPayloadBytes)));
    this.incarnation = Atomics.add(this.words, layout.CONSUMER_INCARNATION_WORD, 1) + 1;
    this.#next = options.from === 'oldest' ? this.oldest : this.published;
  }

  get hasRecord(): boolean {
    return this.#next < this.published;
  }

  /** Records that this reader has missed because they were overwritten before it came to them. */
  get lost(): number {
    return this.#lost;
  }

  /** The number of the next record that this reader will read. */
  get position(): number {
    return this.#next;
  }

  detach(): void {
    // The writer does not know its readers, so there is nothing to give back.
    if (this.#busy) throw pollPending();
  }

  beat(timeMs: number): void {
    Atomics.store(this.words, layout.CONSUMER_BEAT_WORD, timeMs);
  }

  /** As in the contract; an aborted record is delivered again unless it is overwritten before. */
  poll(handler: RecordHandler, limit: number): number {
    if (this.#busy) throw pollPending();
    this.#busy = true;
    let handled = 0;
    try {
      while (handled < limit && this.hasRecord) {
        const length = this.#copy();
        if (length < 0) continue;
        const kind = this.memory.i32[0]!;
        this.#next++;
        handled++;
        const action = handler(kind, RECORD_HEADER_BYTES, length, 0);
        if (action === ABORT) {
          this.#next--;
          handled--;
        }
        if (action === ABORT || action === BREAK) break;
      }
    } finally {
      this.#busy = false;
    }
    return handled;
  }

  /** Copies the next record, its kind first; returns its length, or -1 when it was overwritten meanwhile. */
  #copy(): number {
    // Plain loads of what may be overwritten at this moment: nothing is believed before `#isOvertaken` says no.
    const place = this.words[this.indexWord + (this.#next & this.indexMask)]!;
    const word = (this.recordsOffset + place) >> 2;
    const length = this.words[word]! & LENGTH_MASK;
    const kind = this.words[word + 1]!;
    // Only a torn header can say so; the copy must stay within both memories all the same.
    const isSound = length <= this.maxPayloadBytes && place >= 0 && place + recordBytes(length) <= this.capacityBytes;
    if (isSound) {
      const start = this.recordsOffset + place + RECORD_HEADER_BYTES;
      this.memory.u8.set(this.#ring.u8.subarray(start, start + length), RECORD_HEADER_BYTES);
      this.memory.i32[0] = kind;
    }
    return this.#isOvertaken() || !isSound ? -1 : length;
  }

  /** Whether the record at hand is no longer whole; if so, goes on in the middle of what is left. */
  #isOvertaken(): boolean {
    // An addition of nothing, not a load: the plain reads before it must not be made after it.
    const oldest = Number(Atomics.add(this.cells, layout.OLDEST_CELL, 0n));
    if (this.#next >= oldest) return false;
    // Neither the oldest record, which would be overwritten at once again, nor the newest, which would lose the rest.
    const next = oldest + Math.floor((this.published - oldest) / 2);
    this.#lost += next - this.#next;
    Atomics.add(this.cells, layout.LOST_CELL, BigInt(next - this.#next));
    this.#next = next;
    return true;
  }
}
