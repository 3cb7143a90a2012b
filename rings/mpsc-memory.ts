/**
 * The memory of an MPSC ring: making it, what anyone who has it may read, and telling it of a death.
 *
 *     byte    0  header as in layout.ts
 *     byte  768  slots     one line of 128 bytes for each producer that may be attached at a time
 *                records   `capacity` bytes
 *
 * A slot holds who has it (an incarnation, negative once it was declared dead), its counts, and what
 * is needed to settle its death: the claim it means to make and the last one it is known to have made.
 */
import { Doorbell } from './doorbell.ts';
import * as layout from './layout.ts';
import { RECORD_ALIGNMENT_BYTES, maxPayloadBytes } from './record.ts';
import { RingError } from './ring.ts';
import { RingEnd, createRing, checkInitialPosition, type RingCounters, type RingOptions } from './ring-memory.ts';

export interface MpscRingOptions extends RingOptions {
  /** How many producers may be attached at a time, from 1 to 255. Default 16. */
  readonly maxProducers?: number;
  /** Where positions begin, a multiple of 8 below 2^32. Default 0. */
  readonly initialPosition?: number;
}

const MAX_PRODUCERS = 255;
const DEFAULT_PRODUCERS = 16;
/** Lengths take 29 bits, and an abandoned claim may be padding before the wrap and half a ring behind it. */
const MAX_CAPACITY_BYTES = 2 ** 29;
const SLOT_BYTES = layout.LINE_WORDS * 4;
/** Low bits of TAIL_CELL that name the slot of the producer which moved the tail there. */
const OWNER_BITS = 8n;
const OWNER_MASK = (1n << OWNER_BITS) - 1n;

/** The tail cell for a position in bytes and the number (from 1) of the slot that moves it there. */
export function tailCell(position: number, owner: number): bigint {
  return (BigInt(position / RECORD_ALIGNMENT_BYTES) << OWNER_BITS) | BigInt(owner);
}

/** The position in bytes that a tail cell holds; exact up to 2^53, a hundred days at a gigabyte a second. */
export function tailPosition(cell: bigint): number {
  return Number(cell >> OWNER_BITS) * RECORD_ALIGNMENT_BYTES;
}

/** The number (from 1) of the slot that moved the tail there, 0 for the creator. */
export function tailOwner(cell: bigint): number {
  return Number(cell & OWNER_MASK);
}

/** The header word of a finished record: the length plus one, so that it is never 0. */
export function stampOf(payloadBytes: number): number {
  return payloadBytes + 1;
}

/**
 * Allocates and initializes the shared memory of a ring. Pass the buffer to all threads.
 * @throws RingError `bad_capacity`, `bad_marks`, `bad_position`, `bad_slots`
 */
export function createMpscRing(options: MpscRingOptions): SharedArrayBuffer {
  const slots = options.maxProducers ?? DEFAULT_PRODUCERS;
  if (!Number.isInteger(slots) || slots < 1 || slots > MAX_PRODUCERS) {
    throw new RingError('bad_slots', `A ring has slots for 1 to ${MAX_PRODUCERS} producers; got ${slots}.`);
  }
  const position = checkInitialPosition(options.initialPosition ?? 0, 2 ** 32 - RECORD_ALIGNMENT_BYTES);
  return createRing(options, {
    kind: 'mpsc',
    maxCapacityBytes: MAX_CAPACITY_BYTES,
    extraBytes: slots * SLOT_BYTES,
    slots,
    begin: (buffer, words) => {
      const cells = new BigInt64Array(buffer);
      cells[layout.TAIL_CELL] = tailCell(position, 0);
      cells[layout.HEAD_CELL] = cells[layout.NEXT_HEAD_CELL] = BigInt(position);
      words[layout.START_WORD] = position;
      words[layout.DELIVERED_WORD] = position;
    },
  });
}

/**
 * What every end of an MPSC ring knows and anyone may read. Counts may lag behind by what each side is
 * just doing, and by what a dead producer left uncounted until the consumer has settled its death.
 */
export abstract class MpscEnd extends RingEnd {
  readonly maxPayloadBytes: number;
  protected readonly mask: number;
  /** The same memory as 64-bit cells, for positions that never wrap. */
  protected readonly cells: BigInt64Array;
  protected readonly slots: number;
  /** Byte at which the records begin. */
  protected readonly recordsOffset: number;

  protected constructor(buffer: SharedArrayBuffer) {
    super(buffer, 'mpsc', (slots) => slots * SLOT_BYTES);
    this.maxPayloadBytes = maxPayloadBytes(this.capacityBytes);
    this.mask = this.capacityBytes - 1;
    this.cells = new BigInt64Array(buffer);
    this.slots = this.words[layout.SLOTS_WORD]!;
    this.recordsOffset = layout.HEADER_BYTES + this.slots * SLOT_BYTES;
  }

  /** Position behind the last claim, committed or not. */
  get producerPosition(): number {
    return tailPosition(Atomics.load(this.cells, layout.TAIL_CELL));
  }

  /** Position of the first record that is not yet consumed. */
  get consumerPosition(): number {
    return Number(Atomics.load(this.cells, layout.HEAD_CELL));
  }

  /** Bytes claimed and not yet consumed, padding included; an estimate from above while both sides work. */
  get levelBytes(): number {
    // The head first: read the other way round, a head that moved in between would give a level below zero.
    const head = this.consumerPosition;
    return Math.min(this.producerPosition - head, this.capacityBytes);
  }

  get depth(): number {
    const consumed = Atomics.load(this.words, layout.CONSUMED_WORD);
    return Math.max(0, (this.#sum(layout.SLOT_OFFERED) - consumed) | 0);
  }

  get counters(): RingCounters {
    const { words } = this;
    return {
      offered: this.#sum(layout.SLOT_OFFERED),
      consumed: Atomics.load(words, layout.CONSUMED_WORD) >>> 0,
      refused: this.#sum(layout.SLOT_REFUSED),
      shed: this.#sum(layout.SLOT_SHED),
      overwritten: 0,
      lost: 0,
      abandoned: Atomics.load(words, layout.ABANDONED_WORD) >>> 0,
      bytes: this.producerPosition - (words[layout.START_WORD]! >>> 0),
      peakBytes: Atomics.load(words, layout.PEAK_WORD) >>> 0,
    };
  }

  /** The incarnations that are attached as producers, those included that died undeclared. */
  get producerIncarnations(): readonly number[] {
    const owners: number[] = [];
    for (let slot = 0; slot < this.slots; slot++) {
      const owner = Atomics.load(this.words, this.slotWord(slot, layout.SLOT_OWNER));
      if (owner > 0) owners.push(owner);
    }
    return owners;
  }

  /** When this producer last gave a sign of life by `beat`, in its clock's milliseconds modulo 2^32; 0 for never. */
  producerBeatMs(incarnation: number): number {
    const slot = this.#slotOf(incarnation);
    return slot < 0 ? 0 : Atomics.load(this.words, this.slotWord(slot, layout.SLOT_BEAT)) >>> 0;
  }

  /**
   * Tells the ring that the thread of this producer has ended, by whoever got its `exit` event. The
   * consumer turns a claim that the dead one left into padding with its next poll, for which it is woken.
   * @param doorbell the bell of the consumer's thread, if it is not the ring's own
   * @returns whether this incarnation was attached
   */
  declareDead(incarnation: number, doorbell: Doorbell = this.doorbell): boolean {
    const slot = this.#slotOf(incarnation);
    if (slot < 0) return false;
    // From here on the slot is the consumer's. A declarer that dies now may be followed by another.
    Atomics.compareExchange(this.words, this.slotWord(slot, layout.SLOT_OWNER), incarnation, -incarnation);
    Atomics.store(this.words, layout.DEATHS_WORD, 1);
    // Anew, as the dead one may have published without ringing.
    doorbell.ringAnew();
    return true;
  }

  /** The word in which the header of the record at this position or place begins. */
  protected headerWord(position: number): number {
    return (this.recordsOffset + (position & this.mask)) >> 2;
  }

  protected slotWord(slot: number, word: number): number {
    return layout.HEADER_BYTES / 4 + slot * layout.LINE_WORDS + word;
  }

  protected slotCell(slot: number, cell: number): number {
    return layout.HEADER_BYTES / 8 + slot * layout.LINE_CELLS + cell;
  }

  #slotOf(incarnation: number): number {
    if (incarnation <= 0) return -1;
    for (let slot = 0; slot < this.slots; slot++) {
      if (Math.abs(Atomics.load(this.words, this.slotWord(slot, layout.SLOT_OWNER))) === incarnation) return slot;
    }
    return -1;
  }

  #sum(word: number): number {
    let sum = 0;
    for (let slot = 0; slot < this.slots; slot++) sum += Atomics.load(this.words, this.slotWord(slot, word));
    return sum >>> 0;
  }
}

/** A view for a thread that is no end: it reads positions, levels and counters, declares deaths, and may close. */
export class MpscObserver extends MpscEnd {
  /** @throws RingError `bad_buffer`, `bad_header` */
  // oxlint-disable-next-line no-useless-constructor -- makes the protected constructor public
  constructor(buffer: SharedArrayBuffer) {
    super(buffer);
  }
}
