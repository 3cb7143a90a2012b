/**
 * The memory of a ring of any kind: making it, checking it on arrival, and what any thread that has it
 * may read and do. What the kinds do differently stands in `<kind>-memory.ts`.
 */
import { Doorbell } from './doorbell.ts';
import * as layout from './layout.ts';
import { RECORD_ALIGNMENT_BYTES } from './record.ts';
import { RingError } from './ring.ts';
import { SharedMemory } from './shared-memory.ts';

export interface RingOptions {
  /** Bytes of record space: a power of two from 64 to 2^30. */
  readonly capacityBytes: number;
  /** Level in bytes from which on `pressured` is true. Default: 3/4 of the capacity. */
  readonly highMarkBytes?: number;
  /** Level in bytes below which `pressured` turns false. Default: 1/4 of the capacity. */
  readonly lowMarkBytes?: number;
  /** Refuse offers with NOT_CONNECTED as long as no consumer is attached. Default false. */
  readonly needsConsumer?: boolean;
}

/** A kind of ring, by its place in KIND_WORD. */
export const RING_KINDS = ['', 'spsc', 'mpsc', 'broadcast'] as const;
export type RingKind = Exclude<(typeof RING_KINDS)[number], ''>;

/** The same counters for every kind of ring; a count that a kind cannot have is 0. All but `bytes` are modulo 2^32. */
export interface RingCounters {
  /** Records published. */
  readonly offered: number;
  /** Records consumed. */
  readonly consumed: number;
  /** Offers refused for lack of room. */
  readonly refused: number;
  /** Records that producers reported as dropped by the application. */
  readonly shed: number;
  /** Broadcast: records that newer ones have replaced. */
  readonly overwritten: number;
  /** Broadcast: records that readers have missed, all readers together. */
  readonly lost: number;
  /** MPSC: claims of dead producers that were turned into padding. */
  readonly abandoned: number;
  /** Bytes of record space that were filled since `create`, headers and padding included; not for broadcast. */
  readonly bytes: number;
  /** The highest level in bytes that a producer has seen. */
  readonly peakBytes: number;
}

/** What creating a kind of ring needs beyond the options that all kinds have. */
interface RingPlan {
  readonly kind: RingKind;
  readonly maxCapacityBytes: number;
  /** Bytes between the header and the records. */
  readonly extraBytes: number;
  readonly slots: number;
  /** Fills in the positions, before anybody else has the buffer. */
  readonly begin: (buffer: SharedArrayBuffer, words: Int32Array) => void;
}

/**
 * Allocates and initializes the shared memory of a ring.
 * @throws RingError `bad_capacity`, `bad_marks`
 */
export function createRing(options: RingOptions, plan: RingPlan): SharedArrayBuffer {
  const { capacityBytes } = options;
  checkCapacity(capacityBytes, plan.maxCapacityBytes);
  const highMark = options.highMarkBytes ?? (capacityBytes / 4) * 3;
  const lowMark = options.lowMarkBytes ?? Math.min(capacityBytes / 4, highMark);
  const inOrder = lowMark > 0 && lowMark <= highMark && highMark <= capacityBytes;
  if (!inOrder || !Number.isInteger(lowMark) || !Number.isInteger(highMark)) {
    throw new RingError(
      'bad_marks',
      `Marks must be whole bytes with 0 < low <= high <= capacity (${capacityBytes}); got low ${lowMark}, high ${highMark}.`,
    );
  }
  const buffer = new SharedArrayBuffer(layout.HEADER_BYTES + plan.extraBytes + capacityBytes);
  const words = new Int32Array(buffer);
  words[layout.VERSION_WORD] = layout.LAYOUT_VERSION;
  words[layout.KIND_WORD] = RING_KINDS.indexOf(plan.kind);
  words[layout.CAPACITY_WORD] = capacityBytes;
  words[layout.HIGH_MARK_WORD] = highMark;
  words[layout.LOW_MARK_WORD] = lowMark;
  words[layout.NEEDS_CONSUMER_WORD] = options.needsConsumer === true ? 1 : 0;
  words[layout.SLOTS_WORD] = plan.slots;
  plan.begin(buffer, words);
  // Publishes the header: whoever loads MAGIC in `openRing` sees the plain stores above.
  Atomics.store(words, layout.MAGIC_WORD, layout.MAGIC);
  return buffer;
}

export function checkCapacity(capacityBytes: number, maxCapacityBytes: number): void {
  const isPowerOfTwo = Number.isInteger(capacityBytes) && (capacityBytes & (capacityBytes - 1)) === 0;
  if (isPowerOfTwo && capacityBytes >= layout.MIN_CAPACITY_BYTES && capacityBytes <= maxCapacityBytes) return;
  throw new RingError(
    'bad_capacity',
    `A ring's capacity must be a power of two from ${layout.MIN_CAPACITY_BYTES} to ${maxCapacityBytes} bytes; got ${capacityBytes}.`,
  );
}

/** @throws RingError `bad_position` */
export function checkInitialPosition(position: number, max: number): number {
  if (Number.isInteger(position) && position >= 0 && position <= max && position % RECORD_ALIGNMENT_BYTES === 0) return position;
  throw new RingError(
    'bad_position',
    `An initial position must be a multiple of ${RECORD_ALIGNMENT_BYTES} from 0 to ${max}; got ${position}.`,
  );
}

/** What every end and every observer of a ring knows and may do. */
export abstract class RingEnd {
  /** The whole shared buffer through views of several widths, for codecs that write in place. */
  readonly memory: SharedMemory;
  readonly capacityBytes: number;
  protected readonly words: Int32Array;

  /** @param extraBytes how many bytes lie between the header and the records of a ring with so many slots */
  protected constructor(buffer: SharedArrayBuffer, kind: RingKind, extraBytes: (slots: number) => number) {
    const isShared = buffer instanceof SharedArrayBuffer;
    if (!isShared || buffer.byteLength < layout.HEADER_BYTES || buffer.byteLength % RECORD_ALIGNMENT_BYTES !== 0) {
      throw new RingError('bad_buffer', `This end attaches to the SharedArrayBuffer of a ring of kind ${kind}.`);
    }
    const words = new Int32Array(buffer);
    // Sees the creator's store of MAGIC, and with it the finished header.
    const magic = Atomics.load(words, layout.MAGIC_WORD);
    const [version, found] = [words[layout.VERSION_WORD], RING_KINDS[words[layout.KIND_WORD]!]];
    if (magic !== layout.MAGIC || version !== layout.LAYOUT_VERSION || found !== kind) {
      throw new RingError(
        'bad_header',
        `Expected the header of a ring of kind ${kind}, version ${layout.LAYOUT_VERSION}; found magic 0x${(magic >>> 0).toString(16)}, version ${version}, kind ${found}.`,
      );
    }
    const capacity = words[layout.CAPACITY_WORD]!;
    const needed = layout.HEADER_BYTES + extraBytes(words[layout.SLOTS_WORD]!) + capacity;
    if (buffer.byteLength !== needed) {
      throw new RingError(
        'bad_buffer',
        `The header says ${capacity} bytes of capacity, which needs a buffer of ${needed} bytes; got ${buffer.byteLength}.`,
      );
    }
    this.words = words;
    this.memory = new SharedMemory(buffer);
    this.capacityBytes = capacity;
  }

  /** Records and their bytes since `create`. Each count may lag behind by what a side is just doing. */
  abstract get counters(): RingCounters;
  /** Records that wait, padding excluded; may lag behind by what is just being published or consumed. */
  abstract get depth(): number;
  /** Bytes published and not yet consumed, padding included; an estimate from above while both sides work. */
  abstract get levelBytes(): number;

  /** Whether nothing waits. The next publication may overtake a "yes", the consumer's progress a "no". */
  get isEmpty(): boolean {
    return this.levelBytes === 0;
  }

  /** Bytes that are free, an estimate from below. A record also needs them in one piece. */
  get freeBytes(): number {
    return this.capacityBytes - this.levelBytes;
  }

  /** Between the marks' hysteresis: true from the high mark up until the low mark is passed downwards. */
  get pressured(): boolean {
    if ((this.pressureChanges & 1) === 0) return false;
    // A producer notes the end of pressure only when it sends: between two sends the level itself decides.
    return this.levelBytes >= this.words[layout.LOW_MARK_WORD]!;
  }

  /** How often pressure has begun and ended, by what the producers saw when they sent; odd while it lasts. */
  get pressureChanges(): number {
    return Atomics.load(this.words, layout.PRESSURE_WORD) >>> 0;
  }

  get closed(): boolean {
    return Atomics.load(this.words, layout.CLOSED_WORD) === 1;
  }

  /** The incarnation that is attached as consumer, 0 if none is. A dead one stays until its successor comes. */
  get consumerIncarnation(): number {
    return Atomics.load(this.words, layout.CONSUMER_OWNER_WORD);
  }

  /** When the consumer last gave a sign of life by `beat`, in its clock's milliseconds modulo 2^32; 0 for never. */
  get consumerBeatMs(): number {
    return Atomics.load(this.words, layout.CONSUMER_BEAT_WORD) >>> 0;
  }

  /** The bell that comes with this ring. */
  get doorbell(): Doorbell {
    return new Doorbell(this.words, layout.DOORBELL_WORD);
  }

  /**
   * Closes the ring for new records and wakes the consumer if it sleeps at a bell this end knows: the
   * ring's own, and for a producer the one it was given. What was published can still be polled, and a
   * claim that was made before can still be committed. Idempotent.
   */
  close(): void {
    // Publishes the end: pairs with the loads in `closed` and `tryClaim`.
    Atomics.store(this.words, layout.CLOSED_WORD, 1);
    this.doorbell.ring();
  }
}
