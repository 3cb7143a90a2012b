/**
 * A ring for exactly one producing and one consuming thread.
 *
 * Roles. One thread calls `tryClaim`, `commit`, `abort` and `offer`; one thread calls `poll`. Either
 * may call `close` and read positions, levels and counters, and so may any third thread; what a
 * third thread reads may be one record old.
 *
 * Layout. See layout.ts for the header and record.ts for a record. Positions count bytes since the
 * ring was made, modulo 2^32; a position's place in memory is `position & (capacity - 1)`.
 *
 * Publishing, steps of the producer:
 *   1. if its own copy of the head says there is no room, load HEAD anew;
 *   2. if the record would straddle the end, write a padding header there (plain store);
 *   3. write record header and payload (plain stores: no consumer reads beyond TAIL);
 *   4. one `Atomics.store` to TAIL publishes padding and record together.
 * Consuming, steps of the consumer:
 *   1. if its own copy of the tail is used up, load TAIL anew;
 *   2. read headers and payloads up to that tail (plain loads: nobody writes there until HEAD moves);
 *   3. one `Atomics.store` to HEAD gives the room back.
 *
 * Death. A producer that dies before step 4 has published nothing: its successor continues at TAIL
 * and overwrites the half-written bytes. A producer that dies after step 4 may not have rung the
 * bell: its successor rings anew when it attaches. A consumer that dies before its step 3 has
 * consumed nothing: its successor gets the same records again. No position ever needs undoing; the
 * counts of records, which move beside the positions, are put right by the successor (see ledger.ts).
 *
 * Source of the algorithm: Lamport's single-producer queue with the cached positions of
 * FastForward/Rigtorp's SPSCQueue and the record framing of Agrona's OneToOneRingBuffer.
 */
import { Doorbell } from './doorbell.ts';
import * as layout from './layout.ts';
import { PUBLISHED, RELEASED, advance, repairCount } from './ledger.ts';
import { PADDING_KIND, RECORD_HEADER_BYTES, recordBytes } from './record.ts';
import { ABORT, BACK_PRESSURED, CLOSED, COMMIT, CONTINUE, RingError, TOO_LONG, type RecordHandler } from './ring.ts';
import { SpscEnd } from './spsc-memory.ts';

export interface SpscAttachOptions {
  /** The consumer thread's bell, when one bell serves several rings. Default: the ring's own. */
  readonly doorbell?: Doorbell;
}

const NO_CLAIM = -1;

/** The sending end. One thread at a time. */
export class SpscProducer extends SpscEnd {
  readonly #doorbell: Doorbell;
  readonly #highMark: number;
  readonly #lowMark: number;
  /** Own copies of shared words that only this side writes, or that may lag behind without harm. */
  #tail: number;
  #headCache: number;
  #offered: number;
  #peak: number;
  #pressured: boolean;
  /** Position of the claimed record's header, or NO_CLAIM. */
  #claimPlace = NO_CLAIM;
  #claimEnd = 0;

  /**
   * Attaches to the producing side; a successor of a dead producer continues at its published position.
   * @throws RingError `bad_buffer`, `bad_header`
   */
  constructor(buffer: SharedArrayBuffer, options: SpscAttachOptions = {}) {
    super(buffer);
    this.#doorbell = options.doorbell ?? new Doorbell(this.words, layout.DOORBELL_WORD);
    this.#highMark = this.words[layout.HIGH_MARK_WORD]!;
    this.#lowMark = this.words[layout.LOW_MARK_WORD]!;
    this.#tail = Atomics.load(this.words, layout.TAIL_WORD);
    this.#headCache = Atomics.load(this.words, layout.HEAD_WORD);
    this.#offered = repairCount(this.words, PUBLISHED);
    this.#peak = Atomics.load(this.words, layout.PEAK_WORD);
    this.#pressured = Atomics.load(this.words, layout.PRESSURE_WORD) === 1;
    Atomics.add(this.words, layout.PRODUCER_INCARNATION_WORD, 1);
    // A predecessor may have died between publishing and ringing.
    this.#doorbell.ringAnew();
  }

  override close(): void {
    super.close();
    this.#doorbell.ring();
  }

  /**
   * Reserves room for one record and writes its header. The caller writes the payload at the returned
   * byte offset of `memory`, then calls `commit` or `abort`. One claim at a time.
   * @returns the payload's byte offset (8-byte aligned), or BACK_PRESSURED, CLOSED or TOO_LONG
   * @throws RingError `claim_pending`, `bad_kind`, `bad_length`
   */
  tryClaim(kind: number, payloadBytes: number): number {
    if (this.#claimPlace !== NO_CLAIM) throw new RingError('claim_pending', 'Commit or abort the former claim first.');
    // The header keeps 31 bits of a kind: 2^32 - 1, say, would be stored as the kind of a padding record.
    if (kind < 0 || (kind | 0) !== kind) {
      throw new RingError('bad_kind', `Record kinds are integers from 0 to 2^31 - 1; got ${kind}.`);
    }
    if (payloadBytes > this.maxPayloadBytes) return TOO_LONG;
    if (payloadBytes < 0 || (payloadBytes | 0) !== payloadBytes) {
      throw new RingError('bad_length', `A payload's length is a count of bytes; got ${payloadBytes}.`);
    }
    if (Atomics.load(this.words, layout.CLOSED_WORD) === 1) return CLOSED;
    const total = recordBytes(payloadBytes);
    const place = this.#tail & this.mask;
    const toEnd = this.capacityBytes - place;
    const padding = total > toEnd ? toEnd : 0;
    if (!this.#hasRoom(padding + total)) {
      Atomics.add(this.words, layout.REFUSED_WORD, 1);
      return BACK_PRESSURED;
    }
    const recordPlace = padding === 0 ? place : 0;
    // Plain stores: no consumer looks beyond TAIL, which still lies before these bytes.
    if (padding !== 0) this.#writeHeader(place, padding - RECORD_HEADER_BYTES, PADDING_KIND);
    this.#writeHeader(recordPlace, payloadBytes, kind);
    this.#claimPlace = recordPlace;
    this.#claimEnd = (this.#tail + padding + total) | 0;
    return layout.HEADER_BYTES + recordPlace + RECORD_HEADER_BYTES;
  }

  /** Publishes the claimed record and wakes the consumer if it sleeps. @throws RingError `no_claim` */
  commit(): void {
    if (this.#claimPlace === NO_CLAIM) throw new RingError('no_claim', 'There is no claim to commit.');
    this.#claimPlace = NO_CLAIM;
    this.#updateMarks(this.#claimEnd);
    this.#tail = this.#claimEnd;
    this.#offered = (this.#offered + 1) | 0;
    // The store of TAIL publishes the record: it pairs with the consumer's load of TAIL in `poll`.
    advance(this.words, PUBLISHED, this.#tail, this.#offered);
    this.#doorbell.ring();
  }

  /** Gives the claim back; nothing was ever visible. @throws RingError `no_claim` */
  abort(): void {
    if (this.#claimPlace === NO_CLAIM) throw new RingError('no_claim', 'There is no claim to abort.');
    this.#claimPlace = NO_CLAIM;
  }

  /** Claims, copies `payload` and commits. @returns 0, or BACK_PRESSURED, CLOSED or TOO_LONG */
  offer(kind: number, payload: Uint8Array): number {
    const offset = this.tryClaim(kind, payload.byteLength);
    if (offset < 0) return offset;
    this.memory.u8.set(payload, offset);
    this.commit();
    return 0;
  }

  #hasRoom(bytes: number): boolean {
    if (this.capacityBytes - ((this.#tail - this.#headCache) >>> 0) >= bytes) return true;
    // Sees the consumer's releasing store of HEAD: the bytes before it are ours to overwrite.
    this.#headCache = Atomics.load(this.words, layout.HEAD_WORD);
    return this.capacityBytes - ((this.#tail - this.#headCache) >>> 0) >= bytes;
  }

  #writeHeader(place: number, length: number, kind: number): void {
    const word = (layout.HEADER_BYTES + place) >> 2;
    this.words[word] = length;
    this.words[word + 1] = kind;
  }

  /** Keeps the peak and the pressure flag for a tail that moves to `end`. */
  #updateMarks(end: number): void {
    let level = (end - this.#headCache) >>> 0;
    // The head copy may lag, so this level is an estimate from above, and good enough where it changes nothing.
    if (level <= this.#peak && level < this.#highMark && !this.#pressured) return;
    this.#headCache = Atomics.load(this.words, layout.HEAD_WORD);
    level = (end - this.#headCache) >>> 0;
    if (level > this.#peak) {
      this.#peak = level;
      this.words[layout.PEAK_WORD] = level;
    }
    // The level before this record is the lowest since the last one: had it passed the low mark, the pressure
    // was over then, and this record alone does not bring it back.
    const lowest = (this.#tail - this.#headCache) >>> 0;
    const pressured = level >= this.#highMark || (this.#pressured && lowest >= this.#lowMark);
    if (pressured !== this.#pressured) {
      this.#pressured = pressured;
      Atomics.store(this.words, layout.PRESSURE_WORD, pressured ? 1 : 0);
    }
  }
}

/** The receiving end. One thread at a time. */
export class SpscConsumer extends SpscEnd {
  #head: number;
  #tailCache: number;
  #consumed: number;
  #polling = false;

  /**
   * Attaches to the consuming side; a successor of a dead consumer continues at the released position.
   * @throws RingError `bad_buffer`, `bad_header`
   */
  constructor(buffer: SharedArrayBuffer) {
    super(buffer);
    this.#head = Atomics.load(this.words, layout.HEAD_WORD);
    this.#tailCache = Atomics.load(this.words, layout.TAIL_WORD);
    this.#consumed = repairCount(this.words, RELEASED);
    Atomics.add(this.words, layout.CONSUMER_INCARNATION_WORD, 1);
  }

  /** The bell that comes with this ring, for a consumer that waits on this ring alone. */
  get doorbell(): Doorbell {
    return new Doorbell(this.words, layout.DOORBELL_WORD);
  }

  /** Whether a record waits. Never wrong towards "yes"; "no" may be overtaken by the next publication. */
  get hasRecord(): boolean {
    if (this.#tailCache !== this.#head) return true;
    this.#tailCache = Atomics.load(this.words, layout.TAIL_WORD);
    return this.#tailCache !== this.#head;
  }

  /**
   * Hands up to `limit` records to `handler`, oldest first.
   *
   * A handler that throws has consumed its record: the position moves past it, the ring stays usable
   * and the error goes to the caller.
   * @returns the number of records consumed
   * @throws RingError `poll_pending`
   */
  poll(handler: RecordHandler, limit: number): number {
    // The outer poll would set the head back behind records that the inner one has released.
    if (this.#polling) throw new RingError('poll_pending', 'A handler must not poll the ring whose record it holds.');
    this.#polling = true;
    let handled = 0;
    let released = 0;
    let head = this.#head;
    try {
      while (handled < limit) {
        if (head === this.#tailCache) {
          // Pairs with the producer's publishing store: records up to this tail are complete.
          this.#tailCache = Atomics.load(this.words, layout.TAIL_WORD);
          if (head === this.#tailCache) break;
        }
        const place = head & this.mask;
        const word = (layout.HEADER_BYTES + place) >> 2;
        const length = this.words[word]!;
        const kind = this.words[word + 1]!;
        const next = (head + recordBytes(length)) | 0;
        if (kind === PADDING_KIND) {
          head = next;
          continue;
        }
        const start = head;
        // Before the call, so that a handler that throws leaves its record consumed.
        head = next;
        handled++;
        const action = handler(kind, layout.HEADER_BYTES + place + RECORD_HEADER_BYTES, length);
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
      this.#polling = false;
    }
    return handled;
  }

  /** Gives everything before `head`, `records` of them new, back to the producer. */
  #release(head: number, records: number): void {
    if (head === this.#head) return;
    this.#head = head;
    this.#consumed = (this.#consumed + records) | 0;
    // The store of HEAD releases the room: it pairs with the producer's load of HEAD in `#hasRoom`.
    advance(this.words, RELEASED, head, this.#consumed);
  }
}
