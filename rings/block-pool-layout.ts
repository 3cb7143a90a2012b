/**
 * Where everything in a block pool lies: making its memory, and checking it on arrival. What may be
 * read of it stands in block-pool-memory.ts, how blocks change hands in block-pool.ts.
 *
 *     byte    0  descriptor   written once by `createBlockPool`, then read-only
 *     byte  128  classes      of each size class, the bytes and the number of its blocks: read-only
 *     byte  256  touched      of each size class, how many blocks have ever been in use: only grows
 *     byte  384  owners       a line of 128 bytes for each owner: its state, and counts it writes alone
 *                words        one word for each block, which says whose it is: changed by compare-exchange only
 *                blocks       of one class after the other, the first one beginning at a multiple of 128
 *
 * A block's word is the whole truth about the block; nothing else has to agree with it.
 *
 *     bit  31                9    8      7     0
 *          +-----------------+--------+--------+
 *          | generation      | handed | owner  |
 *          +-----------------+--------+--------+
 *
 * `owner` is 0 while the block is free. `handed` says that the owner has passed the block on and that
 * nobody has taken it yet. The generation counts how often the block became free or was taken over,
 * modulo 2^23 (less in pools of more than 256 blocks: a handle is index and generation in 31 bits).
 */
import { RingError } from './ring.ts';

export const LINE_WORDS = 32;
const LINE_BYTES = LINE_WORDS * 4;

/** "POOL" in ASCII. Stored last by `createBlockPool`, so a half-made header is never taken for a pool. */
const MAGIC = 0x504f4f4c;
const LAYOUT_VERSION = 1;

const MAGIC_WORD = 0;
const VERSION_WORD = 1;
const CLASS_COUNT_WORD = 2;
const OWNER_COUNT_WORD = 3;
/** Two words for each class: bytes of a block, number of blocks. */
const CLASS_WORDS = LINE_WORDS;
export const TOUCHED_WORDS = 2 * LINE_WORDS;
export const OWNER_LINES = 3 * LINE_WORDS;

/** Words of an owner's line. Each ledger takes three, see block-ledger.ts. */
export const STATE_WORD = 0;
export const ACQUIRED_LEDGER = 1;
export const RELEASED_LEDGER = 4;
/** Written by whoever reclaims what the owner left. */
export const RECLAIMED_LEDGER = 7;
export const REFUSED_WORD = 10;
export const NOT_OWNED_WORD = 11;

/** States of an owner. */
export const VACANT = 0;
export const ATTACHED = 1;
/** Reclaimed, but blocks that it had handed over were still on their way. */
export const DEPARTED = 2;

/** Parts of a block's word. The holder is the owner, and whether it has handed the block over. */
const OWNER_MASK = 0xff;
export const HANDED = 0x100;
export const HOLDER_MASK = OWNER_MASK | HANDED;
export const GENERATION_SHIFT = 9;

const MIN_BLOCK_BYTES = 64;
const MAX_BLOCK_BYTES = 2 ** 30;
const MAX_CLASSES = 8;
/** Looking for a free block walks the words, so their number is what bounds an `acquire`. */
const MAX_BLOCKS = 2 ** 14;
/** Byte offsets stay within 31 bits. */
const MAX_POOL_BYTES = 2 ** 31;
const DEFAULT_OWNERS = 32;

export interface BlockClass {
  /** A power of two from 64 to 2^30. */
  readonly blockBytes: number;
  readonly count: number;
}

export interface BlockPoolOptions {
  /** Up to 8 classes from the smallest to the largest blocks, of together at most 16,384 blocks and 2 GiB. */
  readonly classes: readonly BlockClass[];
  /** How many owners there may be at a time, 1 to 255; they are numbered from 1. Default 32. */
  readonly owners?: number;
}

/** A size class with its place in the pool. */
export interface PlacedClass extends BlockClass {
  readonly firstBlock: number;
  readonly firstByte: number;
}

export interface PoolLayout {
  readonly classes: readonly PlacedClass[];
  readonly owners: number;
  readonly blocks: number;
  /** Index of the first block's word. */
  readonly blockWords: number;
  readonly totalBytes: number;
}

/**
 * Allocates and initializes the shared memory of a pool. Pass the buffer to the threads.
 * @throws RingError `bad_classes`, `bad_owner`
 */
export function createBlockPool(options: BlockPoolOptions): SharedArrayBuffer {
  const owners = options.owners ?? DEFAULT_OWNERS;
  const fault = classFault(options.classes);
  if (fault !== undefined) throw new RingError('bad_classes', `${fault} Give a list such as [{ blockBytes: 65536, count: 64 }].`);
  if (!isCount(owners, OWNER_MASK)) {
    throw new RingError('bad_owner', `A pool has from 1 to ${OWNER_MASK} owners; got ${owners}.`);
  }
  const layout = layOut(options.classes, owners);
  const buffer = new SharedArrayBuffer(layout.totalBytes);
  const words = new Int32Array(buffer);
  words[VERSION_WORD] = LAYOUT_VERSION;
  words[CLASS_COUNT_WORD] = layout.classes.length;
  words[OWNER_COUNT_WORD] = owners;
  for (const [index, { blockBytes, count }] of layout.classes.entries()) {
    words[CLASS_WORDS + 2 * index] = blockBytes;
    words[CLASS_WORDS + 2 * index + 1] = count;
  }
  // Generations begin at 1, so that a field that nobody filled in is no handle.
  words.fill(1 << GENERATION_SHIFT, layout.blockWords, layout.blockWords + layout.blocks);
  // Publishes the header: whoever loads MAGIC in `readLayout` sees the plain stores above.
  Atomics.store(words, MAGIC_WORD, MAGIC);
  return buffer;
}

export function isCount(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= max;
}

/** What is wrong with a list of classes, as a sentence. */
function classFault(classes: readonly BlockClass[]): string | undefined {
  if (!isCount(classes.length, MAX_CLASSES)) return `A pool has from 1 to ${MAX_CLASSES} classes; got ${classes.length}.`;
  let [smaller, blocks, bytes] = [0, 0, 0];
  for (const { blockBytes, count } of classes) {
    const isPowerOfTwo = isCount(blockBytes, MAX_BLOCK_BYTES) && (blockBytes & (blockBytes - 1)) === 0;
    if (!isPowerOfTwo || blockBytes < MIN_BLOCK_BYTES) {
      return `Blocks have a power of two from ${MIN_BLOCK_BYTES} to ${MAX_BLOCK_BYTES} bytes; got ${blockBytes}.`;
    }
    if (blockBytes <= smaller) return `Classes go from the smallest to the largest; ${blockBytes} comes after ${smaller}.`;
    if (!isCount(count, MAX_BLOCKS)) return `A class has from 1 to ${MAX_BLOCKS} blocks; got ${count}.`;
    smaller = blockBytes;
    blocks += count;
    bytes += blockBytes * count;
  }
  if (blocks > MAX_BLOCKS) return `A pool has at most ${MAX_BLOCKS} blocks; got ${blocks}.`;
  const headRoom = (OWNER_LINES + (OWNER_MASK + 1) * LINE_WORDS + MAX_BLOCKS) * 4;
  if (bytes > MAX_POOL_BYTES - headRoom) return `The blocks of a pool have at most ${MAX_POOL_BYTES - headRoom} bytes together; got ${bytes}.`;
  return undefined;
}

function layOut(classes: readonly BlockClass[], owners: number): PoolLayout {
  const blocks = classes.reduce((sum, { count }) => sum + count, 0);
  const blockWords = OWNER_LINES + owners * LINE_WORDS;
  let firstByte = Math.ceil(((blockWords + blocks) * 4) / LINE_BYTES) * LINE_BYTES;
  let firstBlock = 0;
  const placed = classes.map(({ blockBytes, count }): PlacedClass => {
    const place = { blockBytes, count, firstBlock, firstByte };
    firstBlock += count;
    firstByte += blockBytes * count;
    return place;
  });
  return { classes: placed, owners, blocks, blockWords, totalBytes: firstByte };
}

/**
 * Reads the layout out of a header that anyone may have written to.
 * @throws RingError `bad_buffer`, `bad_header`
 */
export function readLayout(buffer: SharedArrayBuffer): PoolLayout {
  const isShared = buffer instanceof SharedArrayBuffer;
  if (!isShared || buffer.byteLength < OWNER_LINES * 4 || buffer.byteLength % MIN_BLOCK_BYTES !== 0) {
    throw new RingError('bad_buffer', 'A pool is the SharedArrayBuffer that createBlockPool returned.');
  }
  const words = new Int32Array(buffer);
  // Sees the creator's store of MAGIC, and with it the finished header.
  const magic = Atomics.load(words, MAGIC_WORD);
  const version = words[VERSION_WORD];
  if (magic !== MAGIC || version !== LAYOUT_VERSION) {
    throw new RingError(
      'bad_header',
      `Expected the header of a block pool, version ${LAYOUT_VERSION}; found magic 0x${(magic >>> 0).toString(16)}, version ${version}.`,
    );
  }
  const [classCount, owners] = [words[CLASS_COUNT_WORD]!, words[OWNER_COUNT_WORD]!];
  const classes = Array.from({ length: isCount(classCount, MAX_CLASSES) ? classCount : 0 }, (_, index): BlockClass => {
    const word = CLASS_WORDS + 2 * index;
    return { blockBytes: words[word]!, count: words[word + 1]! };
  });
  const fault = classFault(classes) ?? (isCount(owners, OWNER_MASK) ? undefined : `It names ${owners} owners.`);
  if (fault !== undefined) throw new RingError('bad_header', `The header of this block pool is damaged. ${fault}`);
  const layout = layOut(classes, owners);
  if (layout.totalBytes !== buffer.byteLength) {
    throw new RingError('bad_buffer', `The header describes a pool of ${layout.totalBytes} bytes; got a buffer of ${buffer.byteLength}.`);
  }
  return layout;
}
