/** The writing end of a broadcast ring; its steps and what its death leaves are told in broadcast-ring.ts. */
import { PRODUCER_SIDE, attach, detach } from './attachment.ts';
import { BroadcastEnd } from './broadcast-memory.ts';
import { checkBatch, checkKind, checkLength, claimPending, noClaim } from './claim.ts';
import type { Doorbell } from './doorbell.ts';
import * as layout from './layout.ts';
import { RECORD_HEADER_BYTES, recordBytes } from './record.ts';
import { CLOSED, TOO_LONG, type RingProducer } from './ring.ts';
import type { AttachOptions } from './attachment.ts';

const NONE = 0;
const RECORD = 1;
const BATCH = 2;

/** The writing end. One thread at a time. Its offers are never refused for lack of room. */
export class BroadcastProducer extends BroadcastEnd implements RingProducer {
  readonly incarnation: number;
  readonly #doorbell: Doorbell;
  /** Own copies of words that only this side writes. */
  #published: number;
  #oldest: number;
  /** Place behind the last published record. */
  #place: number;
  #claim = NONE;
  #claimRecords = 0;
  #claimPlace = 0;
  #batchEnd = 0;

  /**
   * Attaches to the writing side; a successor of a dead writer continues behind the last published record.
   * @throws RingError `bad_buffer`, `bad_header`, `side_taken`
   */
  constructor(buffer: SharedArrayBuffer, options: AttachOptions = {}) {
    super(buffer);
    this.incarnation = attach(this.words, PRODUCER_SIDE, options.successorOf ?? 0);
    this.#doorbell = options.doorbell ?? super.doorbell;
    this.#published = this.published;
    this.#oldest = this.oldest;
    this.#place = this.#published === 0 ? 0 : this.#endOf(this.#published - 1);
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
    const refusal = this.#reserve(recordBytes(payloadBytes));
    if (refusal < 0) return refusal;
    this.#claim = RECORD;
    return this.#lay(kind, payloadBytes);
  }

  tryClaimBatch(bytes: number): number {
    if (this.#claim !== NONE) throw claimPending();
    if (bytes > this.maxPayloadBytes + RECORD_HEADER_BYTES) return TOO_LONG;
    checkBatch(bytes);
    const refusal = this.#reserve(bytes);
    if (refusal < 0) return refusal;
    this.#claim = BATCH;
    return bytes;
  }

  append(kind: number, payloadBytes: number): number {
    if (this.#claim !== BATCH) throw noClaim('append');
    checkKind(kind);
    const isTooLong = payloadBytes > this.maxPayloadBytes || recordBytes(payloadBytes) > this.#batchEnd - this.#claimPlace;
    // A batch must leave the index room for the records that readers may be reading.
    if (isTooLong || this.#claimRecords > this.indexMask >> 1) return TOO_LONG;
    checkLength(payloadBytes);
    return this.#lay(kind, payloadBytes);
  }

  commit(): void {
    if (this.#claim === NONE) throw noClaim('commit');
    this.#claim = NONE;
    if (this.#claimRecords === 0) return;
    this.#place = this.#claimPlace;
    this.#published += this.#claimRecords;
    // Shows the records: pairs with the readers' load of PUBLISHED in `poll`.
    Atomics.store(this.cells, layout.PUBLISHED_CELL, BigInt(this.#published));
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

  /** Gives up what lies where `bytes` will be written, and sets the place for them. @returns 0 or a refusal */
  #reserve(bytes: number): number {
    if (Atomics.load(this.words, layout.CLOSED_WORD) === 1) return CLOSED;
    const wraps = this.#place + bytes > this.capacityBytes;
    const place = wraps ? 0 : this.#place;
    let oldest = this.#oldest;
    // What lies behind the last record is older than what lies at the start, so it is given up first.
    if (wraps) while (oldest < this.#published && this.#placeOf(oldest) >= this.#place) oldest++;
    while (oldest < this.#published && this.#overlaps(oldest, place, place + bytes)) oldest++;
    this.#giveUpTo(oldest);
    this.#claimRecords = 0;
    this.#claimPlace = place;
    this.#batchEnd = place + bytes;
    return 0;
  }

  #overlaps(number: number, place: number, placeEnd: number): boolean {
    return this.#placeOf(number) < placeEnd && this.#endOf(number) > place;
  }

  /** Makes `oldest` the oldest record, before anything of the ones before it is overwritten. */
  #giveUpTo(oldest: number): void {
    if (oldest === this.#oldest) return;
    this.#oldest = oldest;
    // An exchange, not a store: the plain writes that follow must not be seen before it.
    Atomics.exchange(this.cells, layout.OLDEST_CELL, BigInt(oldest));
  }

  #lay(kind: number, payloadBytes: number): number {
    const place = this.#claimPlace;
    const number = this.#published + this.#claimRecords;
    // The index names this many records and no more.
    if (number - this.#oldest > this.indexMask) this.#giveUpTo(number - this.indexMask);
    const word = (this.recordsOffset + place) >> 2;
    // Plain stores: a reader that sees them early throws away what it read, by OLDEST.
    this.words[word] = payloadBytes;
    this.words[word + 1] = kind;
    this.words[this.indexWord + (number & this.indexMask)] = place;
    this.#claimRecords++;
    this.#claimPlace = place + recordBytes(payloadBytes);
    return this.recordsOffset + place + RECORD_HEADER_BYTES;
  }

  #placeOf(number: number): number {
    return this.words[this.indexWord + (number & this.indexMask)]!;
  }

  #endOf(number: number): number {
    const place = this.#placeOf(number);
    return place + recordBytes(this.words[(this.recordsOffset + place) >> 2]!);
  }
}
