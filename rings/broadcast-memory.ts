/**
 * The memory of a broadcast ring: making it, and what anyone who has it may read.
 *
 *     byte    0  header as in layout.ts
 *     byte  768  index     the place of each of the last `maxRecords` records, 4 bytes each
 *                records   `capacity` bytes
 *
 * Records are numbered from 0 by 64-bit numbers that never wrap. PUBLISHED is the number of the next
 * record, OLDEST that of the oldest one which is still whole; record n lies where index[n mod maxRecords]
 * says. The ring is always full of the past, so it has no level and its marks never change.
 */
import { Doorbell } from './doorbell.ts';
import * as layout from './layout.ts';
import { RECORD_HEADER_BYTES } from './record.ts';
import { RingError } from './ring.ts';
import { RingEnd, checkCapacity, createRing, type RingCounters, type RingOptions } from './ring-memory.ts';

export interface BroadcastRingOptions extends Pick<RingOptions, 'capacityBytes'> {
  /** How many records the ring remembers at most: a power of two from 8 to 2^24. Default: capacity / 32, within that. */
  readonly maxRecords?: number;
}

const MIN_RECORDS = 8;
const MAX_RECORDS = 2 ** 24;
const DEFAULT_RECORD_BYTES = 32;
/** A record may take this part of the ring, so that a reader has time to copy one while others are written. */
const LARGEST_SHARE = 8;

/**
 * Allocates and initializes the shared memory of a ring. Pass the buffer to all threads.
 * @throws RingError `bad_capacity`, `bad_slots`
 */
export function createBroadcastRing(options: BroadcastRingOptions): SharedArrayBuffer {
  checkCapacity(options.capacityBytes, layout.MAX_CAPACITY_BYTES);
  const usual = options.capacityBytes / DEFAULT_RECORD_BYTES;
  const records = options.maxRecords ?? Math.min(Math.max(usual, MIN_RECORDS), MAX_RECORDS);
  if (!Number.isInteger(records) || (records & (records - 1)) !== 0 || records < MIN_RECORDS || records > MAX_RECORDS) {
    throw new RingError('bad_slots', `maxRecords must be a power of two from ${MIN_RECORDS} to ${MAX_RECORDS}; got ${records}.`);
  }
  return createRing(options, {
    kind: 'broadcast',
    maxCapacityBytes: layout.MAX_CAPACITY_BYTES,
    extraBytes: records * 4,
    slots: records,
    // Numbers and places begin at 0.
    begin: () => {},
  });
}

/** What both ends of a broadcast ring know and anyone may read. */
export abstract class BroadcastEnd extends RingEnd {
  readonly maxPayloadBytes: number;
  /** The same memory as 64-bit cells, for numbers that never wrap. */
  protected readonly cells: BigInt64Array;
  /** The first word of the index, and the mask that makes a place in it of a record's number. */
  protected readonly indexWord = layout.HEADER_BYTES / 4;
  protected readonly indexMask: number;
  /** Byte at which the records begin. */
  protected readonly recordsOffset: number;

  protected constructor(buffer: SharedArrayBuffer) {
    super(buffer, 'broadcast', (slots) => slots * 4);
    const records = this.words[layout.SLOTS_WORD]!;
    this.maxPayloadBytes = Math.max(this.capacityBytes / LARGEST_SHARE - RECORD_HEADER_BYTES, RECORD_HEADER_BYTES);
    this.cells = new BigInt64Array(buffer);
    this.indexMask = records - 1;
    this.recordsOffset = layout.HEADER_BYTES + records * 4;
  }

  /** How many records were published: the number of the next one. */
  get published(): number {
    return Number(Atomics.load(this.cells, layout.PUBLISHED_CELL));
  }

  /** The number of the oldest record that can still be read. */
  get oldest(): number {
    return Number(Atomics.load(this.cells, layout.OLDEST_CELL));
  }

  /** Records that can still be read. */
  get depth(): number {
    const { oldest } = this;
    return Math.max(0, this.published - oldest);
  }

  /** Always 0: nobody's progress frees room here, and nobody waits for it. */
  get levelBytes(): number {
    return 0;
  }

  get counters(): RingCounters {
    return {
      offered: this.published,
      consumed: 0,
      refused: 0,
      shed: Atomics.load(this.words, layout.SHED_WORD) >>> 0,
      overwritten: this.oldest,
      lost: Number(Atomics.load(this.cells, layout.LOST_CELL)),
      abandoned: 0,
      bytes: 0,
      peakBytes: 0,
    };
  }

  /** The incarnation that is attached as producer, 0 if none is. A dead one stays until its successor comes. */
  get producerIncarnation(): number {
    return Atomics.load(this.words, layout.PRODUCER_OWNER_WORD);
  }

  /** When the producer last gave a sign of life by `beat`, in its clock's milliseconds modulo 2^32; 0 for never. */
  get producerBeatMs(): number {
    return Atomics.load(this.words, layout.PRODUCER_BEAT_WORD) >>> 0;
  }

  /** The bell at which all readers of this ring may sleep. */
  override get doorbell(): Doorbell {
    return new Doorbell(this.words, layout.DOORBELL_WORD, { manySleepers: true });
  }
}

/** A view for a thread that is no end: it reads numbers and counters, and may close. */
export class BroadcastObserver extends BroadcastEnd {
  /** @throws RingError `bad_buffer`, `bad_header` */
  // oxlint-disable-next-line no-useless-constructor -- makes the protected constructor public
  constructor(buffer: SharedArrayBuffer) {
    super(buffer);
  }
}
