/** The producing end of an SPSC ring; its steps and what its death leaves are told in spsc-ring.ts. */
import type { AttachOptions } from './attachment.ts';
import { PRODUCER_SIDE, attach, detach, superseded } from './attachment.ts';
import { checkBatch, checkKind, checkLength, claimPending, noClaim } from './claim.ts';
import type { Doorbell } from './doorbell.ts';
import * as layout from './layout.ts';
import { PUBLISHED, advance, repair } from './ledger.ts';
import { Marks } from './marks.ts';
import { PADDING_KIND, RECORD_HEADER_BYTES, recordBytes } from './record.ts';
import { BACK_PRESSURED, CLOSED, NOT_CONNECTED, TOO_LONG, type RingProducer } from './ring.ts';
import { SpscEnd } from './spsc-memory.ts';

const NONE = 0;
const RECORD = 1;
const BATCH = 2;

/** The sending end. One thread at a time. */
export class SpscProducer extends SpscEnd implements RingProducer {
  readonly incarnation: number;
  readonly #doorbell: Doorbell;
  readonly #marks: Marks;
  readonly #needsConsumer: boolean;
  /** Own copies of shared words that only this side writes, or that may lag behind without harm. */
  #tail: number;
  #headCache: number;
  #offered: number;
  /** What is claimed: nothing, one record, or room for a batch that ends at #batchEnd. */
  #claim = NONE;
  #claimRecords = 0;
  #claimEnd = 0;
  #batchEnd = 0;

  /**
   * Attaches to the producing side; a successor of a dead producer continues at its published position.
   * @throws RingError `bad_buffer`, `bad_header`, `side_taken`
   */
  constructor(buffer: SharedArrayBuffer, options: AttachOptions = {}) {
    super(buffer);
    this.incarnation = attach(this.words, PRODUCER_SIDE, options.successorOf ?? 0);
    this.#doorbell = options.doorbell ?? super.doorbell;
    this.#marks = new Marks(this.words);
    this.#needsConsumer = this.words[layout.NEEDS_CONSUMER_WORD] === 1;
    this.#tail = Atomics.load(this.words, layout.TAIL_WORD);
    this.#headCache = Atomics.load(this.words, layout.HEAD_WORD);
    this.#offered = repair(this.words, PUBLISHED);
    // A predecessor may have died between publishing and ringing.
    this.#doorbell.ringAnew();
  }

  override close(): void {
    super.close();
    this.#doorbell.ring();
  }

  detach(): void {
    if (this.#claim !== NONE) throw claimPending();
    detach(this.words, PRODUCER_SIDE, this.incarnation);
  }

  beat(timeMs: number): void {
    Atomics.store(this.words, layout.PRODUCER_BEAT_WORD, timeMs);
  }

  countShed(records = 1): void {
    Atomics.add(this.words, layout.SHED_WORD, records);
  }

  tryClaim(kind: number, payloadBytes: number): number {
    if (this.#claim !== NONE) throw claimPending();
    checkKind(kind);
    if (payloadBytes > this.maxPayloadBytes) return TOO_LONG;
    checkLength(payloadBytes);
    const bytes = recordBytes(payloadBytes);
    const start = this.#reserve(bytes);
    if (start < 0) return start;
    this.#claim = RECORD;
    this.#claimRecords = 1;
    return this.#lay(start, kind, payloadBytes, bytes);
  }

  tryClaimBatch(bytes: number): number {
    if (this.#claim !== NONE) throw claimPending();
    if (bytes > this.maxPayloadBytes + RECORD_HEADER_BYTES) return TOO_LONG;
    checkBatch(bytes);
    const start = this.#reserve(bytes);
    if (start < 0) return start;
    this.#claim = BATCH;
    this.#claimRecords = 0;
    this.#batchEnd = (this.#claimEnd + bytes) | 0;
    return bytes;
  }

  append(kind: number, payloadBytes: number): number {
    if (this.#claim !== BATCH) throw noClaim('append');
    checkKind(kind);
    const bytes = recordBytes(payloadBytes);
    if (payloadBytes > this.maxPayloadBytes || bytes > (this.#batchEnd - this.#claimEnd) >>> 0) return TOO_LONG;
    checkLength(payloadBytes);
    this.#claimRecords++;
    return this.#lay(this.#claimEnd & this.mask, kind, payloadBytes, bytes);
  }

  commit(): void {
    if (this.#claim === NONE) throw noClaim('commit');
    this.#claim = NONE;
    // A batch into which nothing was laid.
    if (this.#claimRecords === 0) return;
    const end = this.#claimEnd;
    if (Atomics.load(this.words, layout.PRODUCER_OWNER_WORD) !== this.incarnation) throw superseded('producer', this.incarnation);
    // The head copy may lag, so this level is an estimate from above, and good enough where it changes nothing.
    if (!this.#marks.areQuietAt((end - this.#headCache) >>> 0)) {
      this.#headCache = Atomics.load(this.words, layout.HEAD_WORD);
      this.#marks.note((this.#tail - this.#headCache) >>> 0, (end - this.#headCache) >>> 0);
    }
    this.#tail = end;
    this.#offered = (this.#offered + this.#claimRecords) | 0;
    // The store of TAIL publishes the records: it pairs with the consumer's load of TAIL in `poll`.
    advance(this.words, PUBLISHED, end, this.#offered);
    this.#doorbell.ring();
  }

  abort(): void {
    if (this.#claim === NONE) throw noClaim('abort');
    this.#claim = NONE;
  }

  offer(kind: number, payload: Uint8Array): number {
    const offset = this.tryClaim(kind, payload.byteLength);
    if (offset < 0) return offset;
    this.memory.u8.set(payload, offset);
    this.commit();
    return 0;
  }

  /** Finds `bytes` of contiguous room, with padding before the wrap where needed; returns their place or a refusal. */
  #reserve(bytes: number): number {
    if (Atomics.load(this.words, layout.CLOSED_WORD) === 1) return CLOSED;
    // On the line that was just read. It says no more than that a successor was there a moment ago.
    if (Atomics.load(this.words, layout.PRODUCER_OWNER_WORD) !== this.incarnation) return CLOSED;
    if (this.#needsConsumer && this.consumerIncarnation === 0) return NOT_CONNECTED;
    const place = this.#tail & this.mask;
    const toEnd = this.capacityBytes - place;
    const padding = bytes > toEnd ? toEnd : 0;
    if (!this.#hasRoom(padding + bytes)) {
      Atomics.add(this.words, layout.REFUSED_WORD, 1);
      return BACK_PRESSURED;
    }
    this.#claimEnd = (this.#tail + padding) | 0;
    if (padding === 0) return place;
    this.#writeHeader(place, padding - RECORD_HEADER_BYTES, PADDING_KIND);
    return 0;
  }

  #hasRoom(bytes: number): boolean {
    if (this.capacityBytes - ((this.#tail - this.#headCache) >>> 0) >= bytes) return true;
    // Sees the consumer's releasing store of HEAD: the bytes before it are ours to overwrite.
    this.#headCache = Atomics.load(this.words, layout.HEAD_WORD);
    return this.capacityBytes - ((this.#tail - this.#headCache) >>> 0) >= bytes;
  }

  /** Lays a record's header into reserved room; returns where its payload goes. */
  #lay(place: number, kind: number, payloadBytes: number, bytes: number): number {
    this.#claimEnd = (this.#claimEnd + bytes) | 0;
    return this.#writeHeader(place, payloadBytes, kind);
  }

  /** Returns where the payload behind the header begins. */
  #writeHeader(place: number, length: number, kind: number): number {
    // Plain stores: no consumer looks beyond TAIL, which still lies before these bytes.
    const { words } = this;
    const offset = layout.HEADER_BYTES + place;
    const word = offset >> 2;
    words[word] = length;
    words[word + 1] = kind;
    return offset + RECORD_HEADER_BYTES;
  }
}
