/** A producing end of an MPSC ring; its steps and what its death leaves are told in mpsc-ring.ts. */
import type { AttachOptions } from './attachment.ts';
import { checkBatch, checkKind, checkLength, claimPending, noClaim } from './claim.ts';
import type { Doorbell } from './doorbell.ts';
import * as layout from './layout.ts';
import { Marks } from './marks.ts';
import { MpscEnd, stampOf, tailCell, tailOwner, tailPosition } from './mpsc-memory.ts';
import { PADDING_KIND, RECORD_HEADER_BYTES, recordBytes } from './record.ts';
import { ADMIN_ACTION, BACK_PRESSURED, CLOSED, NOT_CONNECTED, RingError, TOO_LONG, type RingProducer } from './ring.ts';

const NONE = 0;
const RECORD = 1;
const BATCH = 2;
/** So often a claim may lose the race for the tail before it answers ADMIN_ACTION. */
const RACES_MAX = 64;

/** One of the sending ends. Each is used by one thread at a time. */
export class MpscProducer extends MpscEnd implements RingProducer {
  readonly incarnation: number;
  readonly #doorbell: Doorbell;
  readonly #marks: Marks;
  readonly #needsConsumer: boolean;
  readonly #slot: number;
  #headCache: number;
  #offered: number;
  #claim = NONE;
  #claimRecords = 0;
  /** Place and stamp of the first header of the claim, which publishes all of it. */
  #firstPlace = 0;
  #firstStamp = 0;
  /** Places between which records may be laid. */
  #place = 0;
  #placeEnd = 0;
  /** Positions between which the claim lies, padding included. */
  #claimStart = 0;
  #claimEnd = 0;

  /**
   * Attaches as one more producer. `successorOf` declares a former one dead.
   * @throws RingError `bad_buffer`, `bad_header`, `no_slot`
   */
  constructor(buffer: SharedArrayBuffer, options: AttachOptions = {}) {
    super(buffer);
    this.#doorbell = options.doorbell ?? super.doorbell;
    if (options.successorOf !== undefined) this.declareDead(options.successorOf, this.#doorbell);
    this.incarnation = Atomics.add(this.words, layout.PRODUCER_INCARNATION_WORD, 1) + 1;
    this.#slot = this.#takeSlot();
    this.#marks = new Marks(this.words);
    this.#needsConsumer = this.words[layout.NEEDS_CONSUMER_WORD] === 1;
    this.#headCache = this.consumerPosition;
    this.#offered = this.words[this.slotWord(this.#slot, layout.SLOT_OFFERED)]!;
  }

  override close(): void {
    super.close();
    this.#doorbell.ring();
  }

  detach(): void {
    if (this.#claim !== NONE) throw claimPending();
    Atomics.compareExchange(this.words, this.slotWord(this.#slot, layout.SLOT_OWNER), this.incarnation, 0);
  }

  beat(timeMs: number): void {
    Atomics.store(this.words, this.slotWord(this.#slot, layout.SLOT_BEAT), timeMs);
  }

  countShed(records = 1): void {
    Atomics.add(this.words, this.slotWord(this.#slot, layout.SLOT_SHED), records);
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
    if (payloadBytes > this.maxPayloadBytes || recordBytes(payloadBytes) > this.#placeEnd - this.#place) return TOO_LONG;
    checkLength(payloadBytes);
    return this.#lay(kind, payloadBytes);
  }

  commit(): void {
    if (this.#claim === NONE) throw noClaim('commit');
    if (this.#claimRecords === 0) {
      this.abort();
      return;
    }
    // What is left of a batch. Plain stores, here and in `#lay`: nobody looks behind a first header of 0.
    if (this.#place < this.#placeEnd) this.#writePadding(this.#place, this.#placeEnd);
    this.#publish(this.#claimRecords);
  }

  abort(): void {
    if (this.#claim === NONE) throw noClaim('abort');
    const padding = this.#claimEnd - this.#claimStart;
    const isSplit = this.#firstPlace + padding > this.capacityBytes;
    // Others may have claimed behind this, so the room cannot be given back before the consumer passes it.
    if (isSplit) this.#writePadding(0, this.#placeEnd);
    else this.#firstStamp = stampOf(padding - RECORD_HEADER_BYTES);
    this.words[this.headerWord(this.#firstPlace) + 1] = PADDING_KIND;
    this.#publish(0);
  }

  offer(kind: number, payload: Uint8Array): number {
    const offset = this.tryClaim(kind, payload.byteLength);
    if (offset < 0) return offset;
    this.memory.u8.set(payload, offset);
    this.commit();
    return 0;
  }

  /** Claims `bytes` in one piece, and the padding before the wrap where needed. @returns 0 or a refusal */
  #reserve(bytes: number): number {
    if (Atomics.load(this.words, layout.CLOSED_WORD) === 1) return CLOSED;
    if (this.#needsConsumer && this.consumerIncarnation === 0) return NOT_CONNECTED;
    for (let race = 0; race < RACES_MAX; race++) {
      const tail = Atomics.load(this.cells, layout.TAIL_CELL);
      const start = tailPosition(tail);
      const place = start & this.mask;
      const toEnd = this.capacityBytes - place;
      const padding = bytes > toEnd ? toEnd : 0;
      const end = start + padding + bytes;
      if (!this.#hasRoom(end)) {
        Atomics.add(this.words, this.slotWord(this.#slot, layout.SLOT_REFUSED), 1);
        return BACK_PRESSURED;
      }
      const next = tailCell(end, this.#slot + 1);
      // Plain stores: they are read only after this thread has ended. The size first, as the intent makes it count.
      this.words[this.slotWord(this.#slot, layout.SLOT_INTENT_BYTES)] = padding + bytes;
      this.cells[this.slotCell(this.#slot, layout.SLOT_INTENT)] = next;
      this.#testifyTo(tail);
      if (Atomics.compareExchange(this.cells, layout.TAIL_CELL, tail, next) !== tail) continue;
      this.#claimRecords = 0;
      this.#claimStart = start;
      this.#claimEnd = end;
      this.#firstPlace = place;
      this.#firstStamp = 0;
      this.#place = padding === 0 ? place : 0;
      this.#placeEnd = this.#place + bytes;
      if (padding !== 0) {
        this.#firstStamp = stampOf(padding - RECORD_HEADER_BYTES);
        this.words[this.headerWord(place) + 1] = PADDING_KIND;
      }
      return 0;
    }
    return ADMIN_ACTION;
  }

  #hasRoom(end: number): boolean {
    if (end - this.#headCache <= this.capacityBytes) return true;
    // Sees the consumer's releasing store of HEAD: the bytes before it are cleared and free.
    this.#headCache = this.consumerPosition;
    return end - this.#headCache <= this.capacityBytes;
  }

  /** Leaves word with the producer that made this tail, before it can be moved on: "your claim was made". */
  #testifyTo(tail: bigint): void {
    const owner = tailOwner(tail);
    if (owner === 0 || owner === this.#slot + 1) return;
    const cell = this.slotCell(owner - 1, layout.SLOT_EVIDENCE);
    let known = Atomics.load(this.cells, cell);
    // It only grows: one who is late must not take back what others have testified meanwhile.
    while (known < tail) {
      const found = Atomics.compareExchange(this.cells, cell, known, tail);
      if (found === known) return;
      known = found;
    }
  }

  /** Lays a record into the claim; returns where its payload goes. */
  #lay(kind: number, payloadBytes: number): number {
    const place = this.#place;
    const word = this.headerWord(place);
    // The first header of the claim stays 0 until `#publish`.
    if (this.#firstStamp === 0) this.#firstStamp = stampOf(payloadBytes);
    else this.words[word] = stampOf(payloadBytes);
    this.words[word + 1] = kind;
    this.#claimRecords++;
    this.#place = place + recordBytes(payloadBytes);
    return this.recordsOffset + place + RECORD_HEADER_BYTES;
  }

  #writePadding(place: number, placeEnd: number): void {
    const word = this.headerWord(place);
    this.words[word] = stampOf(placeEnd - place - RECORD_HEADER_BYTES);
    this.words[word + 1] = PADDING_KIND;
  }

  #publish(records: number): void {
    this.#claim = NONE;
    this.#noteLevel();
    this.#offered = (this.#offered + records) | 0;
    // Beforehand, so that whoever settles a death in here knows the count that goes with the claim.
    this.words[this.slotWord(this.#slot, layout.SLOT_NEXT_OFFERED)] = this.#offered;
    // Publishes all of the claim: pairs with the consumer's load of the header word at its head.
    Atomics.store(this.words, this.headerWord(this.#firstPlace), this.#firstStamp);
    this.words[this.slotWord(this.#slot, layout.SLOT_OFFERED)] = this.#offered;
    this.cells[this.slotCell(this.#slot, layout.SLOT_INTENT)] = 0n;
    this.#doorbell.ring();
  }

  #noteLevel(): void {
    // The head copy may lag, so this level is an estimate from above, and good enough where it changes nothing.
    if (this.#marks.areQuietAt(this.#claimEnd - this.#headCache)) return;
    this.#headCache = this.consumerPosition;
    this.#marks.note(Math.max(0, this.#claimStart - this.#headCache), Math.max(0, this.#claimEnd - this.#headCache));
  }

  #takeSlot(): number {
    for (let slot = 0; slot < this.slots; slot++) {
      const owner = this.slotWord(slot, layout.SLOT_OWNER);
      if (Atomics.compareExchange(this.words, owner, 0, this.incarnation) === 0) return slot;
    }
    throw new RingError(
      'no_slot',
      `All ${this.slots} producer slots are taken by incarnations ${this.producerIncarnations.join(', ')}, or by dead ones that the ` +
        'consumer has not settled yet. Detach one, let the consumer poll, or create the ring with a larger maxProducers.',
    );
  }

}
