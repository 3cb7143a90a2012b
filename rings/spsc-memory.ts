/**
 * The memory of an SPSC ring: making it, and what anyone who has it may read. Who may write which word
 * stands in layout.ts, how the two ends use them in spsc-ring.ts.
 */
import * as layout from './layout.ts';
import { PUBLISHED, RELEASED, begin, widePosition } from './ledger.ts';
import { RECORD_ALIGNMENT_BYTES, maxPayloadBytes } from './record.ts';
import { RingEnd, checkInitialPosition, createRing, type RingCounters, type RingOptions } from './ring-memory.ts';

export interface SpscRingOptions extends RingOptions {
  /** Where positions begin, a multiple of 8; tests start just below the wrap at 2^32. Default 0. */
  readonly initialPosition?: number;
}

/**
 * Allocates and initializes the shared memory of a ring. Pass the buffer to the two threads.
 * @throws RingError `bad_capacity`, `bad_marks`, `bad_position`
 */
export function createSpscRing(options: SpscRingOptions): SharedArrayBuffer {
  const position = checkInitialPosition(options.initialPosition ?? 0, 2 ** 32 - RECORD_ALIGNMENT_BYTES);
  return createRing(options, {
    kind: 'spsc',
    maxCapacityBytes: layout.MAX_CAPACITY_BYTES,
    extraBytes: 0,
    slots: 1,
    begin: (_buffer, words) => {
      words[layout.START_WORD] = position;
      words[layout.DELIVERED_WORD] = position;
      begin(words, PUBLISHED, position);
      begin(words, RELEASED, position);
    },
  });
}

/**
 * What both ends of an SPSC ring know and anyone may read. A level is an estimate from above, as the
 * consumer may have moved on; counts may lag behind by what either side is just publishing or
 * releasing, and by what a dead side left uncounted until its successor attaches.
 */
export abstract class SpscEnd extends RingEnd {
  readonly maxPayloadBytes: number;
  protected readonly mask: number;

  protected constructor(buffer: SharedArrayBuffer) {
    super(buffer, 'spsc', () => 0);
    this.maxPayloadBytes = maxPayloadBytes(this.capacityBytes);
    this.mask = this.capacityBytes - 1;
  }

  /** Position behind the last published record, modulo 2^32. */
  get producerPosition(): number {
    return Atomics.load(this.words, layout.TAIL_WORD) >>> 0;
  }

  /** Position of the first record that is not yet consumed, modulo 2^32. */
  get consumerPosition(): number {
    return Atomics.load(this.words, layout.HEAD_WORD) >>> 0;
  }

  get levelBytes(): number {
    // HEAD first: read the other way round, a head that moved in between would give a level below zero.
    const head = Atomics.load(this.words, layout.HEAD_WORD);
    // A third thread may be held up between the two loads while both ends go on.
    return Math.min((Atomics.load(this.words, layout.TAIL_WORD) - head) >>> 0, this.capacityBytes);
  }

  get depth(): number {
    const consumed = Atomics.load(this.words, layout.CONSUMED_WORD);
    // The consumer may count a record as consumed before the producer has counted it as offered.
    return Math.max(0, (Atomics.load(this.words, layout.OFFERED_WORD) - consumed) | 0);
  }

  get counters(): RingCounters {
    const { words } = this;
    return {
      offered: Atomics.load(words, layout.OFFERED_WORD) >>> 0,
      consumed: Atomics.load(words, layout.CONSUMED_WORD) >>> 0,
      refused: Atomics.load(words, layout.REFUSED_WORD) >>> 0,
      shed: Atomics.load(words, layout.SHED_WORD) >>> 0,
      overwritten: 0,
      lost: 0,
      abandoned: 0,
      bytes: widePosition(words, PUBLISHED) - (words[layout.START_WORD]! >>> 0),
      peakBytes: Atomics.load(words, layout.PEAK_WORD) >>> 0,
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
}

/** A view for a thread that is neither end: it reads positions, levels and counters, and may close. */
export class SpscObserver extends SpscEnd {
  /** @throws RingError `bad_buffer`, `bad_header` */
  // oxlint-disable-next-line no-useless-constructor -- makes the protected constructor public
  constructor(buffer: SharedArrayBuffer) {
    super(buffer);
  }
}
