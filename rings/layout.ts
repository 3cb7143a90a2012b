/**
 * Where each shared word of an SPSC ring lives, and who may write it.
 *
 * One shared buffer holds the header and, behind it, the records. Words that different threads
 * write stand 128 bytes apart: two cache lines, because x86 fetches lines in pairs.
 *
 *     byte    0  descriptor   written once by `create`, then read-only (CLOSED excepted)
 *     byte  128  producer     written by the producer only
 *     byte  256  consumer     written by the consumer only
 *     byte  384  doorbell     written by both sides (see doorbell.ts)
 *     byte  512  records      `capacity` bytes
 */

const LINE_WORDS = 32;

/** "RING" in ASCII. Stored last by `create`, so a half-made header is never taken for a ring. */
export const MAGIC = 0x52494e47;
export const LAYOUT_VERSION = 1;

export const MAGIC_WORD = 0;
export const VERSION_WORD = 1;
/** Bytes of record space, a power of two. */
export const CAPACITY_WORD = 2;
/** 0 while open, 1 once either side has closed the ring. */
export const CLOSED_WORD = 3;
/** Level in bytes from which on the ring reports pressure. */
export const HIGH_MARK_WORD = 4;
/** Level in bytes below which the pressure ends. */
export const LOW_MARK_WORD = 5;

/** Position (mod 2^32) behind the last published record. The publishing store. */
export const TAIL_WORD = LINE_WORDS;
/** Records published since `create` (mod 2^32). */
export const OFFERED_WORD = LINE_WORDS + 1;
/** Offers refused for lack of room (mod 2^32). */
export const REFUSED_WORD = LINE_WORDS + 2;
/** 1 from the record that reached the high mark until one that is sent below the low mark. */
export const PRESSURE_WORD = LINE_WORDS + 3;
/** The highest level in bytes that the producer has seen. */
export const PEAK_WORD = LINE_WORDS + 4;
/** How often a producer has attached; 0 means none ever did. */
export const PRODUCER_INCARNATION_WORD = LINE_WORDS + 5;
/** What TAIL and OFFERED are about to become; see `advance` in spsc-ring.ts. */
export const NEXT_TAIL_WORD = LINE_WORDS + 6;
export const NEXT_OFFERED_WORD = LINE_WORDS + 7;

/** Position (mod 2^32) of the first record that is not yet consumed. The releasing store. */
export const HEAD_WORD = 2 * LINE_WORDS;
/** Records consumed since `create` (mod 2^32). */
export const CONSUMED_WORD = 2 * LINE_WORDS + 1;
/** How often a consumer has attached; 0 means none ever did. */
export const CONSUMER_INCARNATION_WORD = 2 * LINE_WORDS + 2;
/** What HEAD and CONSUMED are about to become; see `advance` in spsc-ring.ts. */
export const NEXT_HEAD_WORD = 2 * LINE_WORDS + 3;
export const NEXT_CONSUMED_WORD = 2 * LINE_WORDS + 4;

/** The doorbell of a ring that is not given one from outside. */
export const DOORBELL_WORD = 3 * LINE_WORDS;

export const HEADER_BYTES = 4 * LINE_WORDS * 4;

export const MIN_CAPACITY_BYTES = 64;
/** Positions are compared modulo 2^32, so a ring may hold at most 2^30 bytes. */
export const MAX_CAPACITY_BYTES = 2 ** 30;
