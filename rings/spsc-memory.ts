/**
 * The memory of an SPSC ring: making it, and what anyone who has it may read. Who may write which word
 * stands in layout.ts, how the two ends use them in spsc-ring.ts.
 */
import { Doorbell } from './doorbell.ts';
import * as layout from './layout.ts';
import { RECORD_ALIGNMENT_BYTES, maxPayloadBytes } from './record.ts';
import { RingError } from './ring.ts';
import { SharedMemory } from './shared-memory.ts';

export interface SpscRingOptions {
  /** Bytes of record space: a power of two from 64 to 2^30. */
  readonly capacityBytes: number;
  /** Level in bytes from which on `pressured` is true. Default: 3/4 of the capacity. */
  readonly highMarkBytes?: number;
  /** Level in bytes below which `pressured` turns false. Default: 1/4 of the capacity. */
  readonly lowMarkBytes?: number;
  /** Where positions begin, a multiple of 8; tests start just below the wrap at 2^32. Default 0. */
  readonly initialPosition?: number;
}

/** Shared bytes that a ring of this capacity occupies, header included. */
function bufferBytes(capacityBytes: number): number {
  return layout.HEADER_BYTES + capacityBytes;
}

/**
 * Allocates and initializes the shared memory of a ring. Pass the buffer to the two threads.
 * @throws RingError `bad_capacity`, `bad_marks`, `bad_position`
 */
export function createSpscRing(options: SpscRingOptions): SharedArrayBuffer {
  const { capacityBytes } = options;
  if (
    !Number.isInteger(capacityBytes) ||
    (capacityBytes & (capacityBytes - 1)) !== 0 ||
    capacityBytes < layout.MIN_CAPACITY_BYTES ||
    capacityBytes > layout.MAX_CAPACITY_BYTES
  ) {
    throw new RingError(
      'bad_capacity',
      `A ring's capacity must be a power of two from ${layout.MIN_CAPACITY_BYTES} to ${layout.MAX_CAPACITY_BYTES} bytes; got ${capacityBytes}.`,
    );
  }
  const highMark = options.highMarkBytes ?? (capacityBytes / 4) * 3;
  const lowMark = options.lowMarkBytes ?? Math.min(capacityBytes / 4, highMark);
  const inOrder = lowMark > 0 && lowMark <= highMark && highMark <= capacityBytes;
  if (!inOrder || !Number.isInteger(lowMark) || !Number.isInteger(highMark)) {
    throw new RingError(
      'bad_marks',
      `Marks must be whole bytes with 0 < low <= high <= capacity (${capacityBytes}); got low ${lowMark}, high ${highMark}.`,
    );
  }
  const position = options.initialPosition ?? 0;
  if (position >>> 0 !== position || position % RECORD_ALIGNMENT_BYTES !== 0) {
    throw new RingError(
      'bad_position',
      `An initial position must be a multiple of ${RECORD_ALIGNMENT_BYTES} from 0 to 2^32 - ${RECORD_ALIGNMENT_BYTES}; got ${position}.`,
    );
  }
  const buffer = new SharedArrayBuffer(bufferBytes(capacityBytes));
  const words = new Int32Array(buffer);
  words[layout.VERSION_WORD] = layout.LAYOUT_VERSION;
  words[layout.CAPACITY_WORD] = capacityBytes;
  words[layout.HIGH_MARK_WORD] = highMark;
  words[layout.LOW_MARK_WORD] = lowMark;
  words[layout.HEAD_WORD] = words[layout.TAIL_WORD] = position;
  words[layout.NEXT_HEAD_WORD] = words[layout.NEXT_TAIL_WORD] = position;
  // Publishes the header: whoever loads MAGIC in `attach` sees the plain stores above.
  Atomics.store(words, layout.MAGIC_WORD, layout.MAGIC);
  return buffer;
}

/**
 * What both ends of a ring know and anyone may read. A level is an estimate from above, as the consumer
 * may have moved on; counts may lag behind by what either side is just publishing or releasing, and by
 * what a dead side left uncounted until its successor attaches.
 */
export abstract class SpscEnd {
  /** The whole shared buffer through views of several widths, for codecs that write in place. */
  readonly memory: SharedMemory;
  readonly capacityBytes: number;
  readonly maxPayloadBytes: number;
  protected readonly words: Int32Array;
  protected readonly mask: number;

  protected constructor(buffer: SharedArrayBuffer) {
    const isShared = buffer instanceof SharedArrayBuffer;
    if (!isShared || buffer.byteLength < layout.HEADER_BYTES || buffer.byteLength % RECORD_ALIGNMENT_BYTES !== 0) {
      throw new RingError('bad_buffer', 'A ring attaches to the SharedArrayBuffer that createSpscRing returned.');
    }
    const words = new Int32Array(buffer);
    // Sees the creator's store of MAGIC, and with it the finished header.
    const magic = Atomics.load(words, layout.MAGIC_WORD);
    const version = words[layout.VERSION_WORD];
    if (magic !== layout.MAGIC || version !== layout.LAYOUT_VERSION) {
      throw new RingError(
        'bad_header',
        `Expected a ring header of version ${layout.LAYOUT_VERSION}; found magic 0x${(magic >>> 0).toString(16)}, version ${version}.`,
      );
    }
    const capacity = words[layout.CAPACITY_WORD]!;
    if (buffer.byteLength !== bufferBytes(capacity)) {
      throw new RingError(
        'bad_buffer',
        `The header says ${capacity} bytes of capacity, which needs a buffer of ${bufferBytes(capacity)} bytes; got ${buffer.byteLength}.`,
      );
    }
    this.words = words;
    this.memory = new SharedMemory(buffer);
    this.capacityBytes = capacity;
    this.maxPayloadBytes = maxPayloadBytes(capacity);
    this.mask = capacity - 1;
  }

  /** Position behind the last published record, modulo 2^32. */
  get producerPosition(): number {
    return Atomics.load(this.words, layout.TAIL_WORD) >>> 0;
  }

  /** Position of the first record that is not yet consumed, modulo 2^32. */
  get consumerPosition(): number {
    return Atomics.load(this.words, layout.HEAD_WORD) >>> 0;
  }

  /** Bytes published and not yet consumed, padding included. */
  get levelBytes(): number {
    // HEAD first: read the other way round, a head that moved in between would give a level below zero.
    const head = Atomics.load(this.words, layout.HEAD_WORD);
    // A third thread may be held up between the two loads while both ends go on.
    return Math.min((Atomics.load(this.words, layout.TAIL_WORD) - head) >>> 0, this.capacityBytes);
  }

  /** Whether nothing waits. The next publication may overtake a "yes", the consumer's progress a "no". */
  get isEmpty(): boolean {
    return this.levelBytes === 0;
  }

  /** Records that wait, padding excluded. A record that is just being published may be missing. */
  get depth(): number {
    const consumed = Atomics.load(this.words, layout.CONSUMED_WORD);
    // The consumer may count a record as consumed before the producer has counted it as offered.
    return Math.max(0, (Atomics.load(this.words, layout.OFFERED_WORD) - consumed) | 0);
  }

  /** Between the marks' hysteresis: true from the high mark up until the low mark is passed downwards. */
  get pressured(): boolean {
    if (Atomics.load(this.words, layout.PRESSURE_WORD) === 0) return false;
    // The word is the producer's and he sets it only when he sends: between two sends the level itself decides.
    return this.levelBytes >= this.words[layout.LOW_MARK_WORD]!;
  }

  /** Records taken, records refused for lack of room, and the highest level seen, in bytes. */
  get counters(): { offered: number; consumed: number; refused: number; peakBytes: number } {
    return {
      offered: Atomics.load(this.words, layout.OFFERED_WORD) >>> 0,
      consumed: Atomics.load(this.words, layout.CONSUMED_WORD) >>> 0,
      refused: Atomics.load(this.words, layout.REFUSED_WORD) >>> 0,
      peakBytes: Atomics.load(this.words, layout.PEAK_WORD) >>> 0,
    };
  }

  get closed(): boolean {
    return Atomics.load(this.words, layout.CLOSED_WORD) === 1;
  }

  /**
   * Closes the ring for new records and wakes the consumer if it sleeps at a bell this end knows: the
   * ring's own, and for a producer the one it was given. What was published can still be polled, and a
   * claim that was made before can still be committed. Idempotent.
   */
  close(): void {
    // Publishes the end: pairs with the loads in `closed` and `tryClaim`.
    Atomics.store(this.words, layout.CLOSED_WORD, 1);
    new Doorbell(this.words, layout.DOORBELL_WORD).ring();
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
