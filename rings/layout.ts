/**
 * Where each shared word of a ring lives, and who may write it.
 *
 * One shared buffer holds the header and, behind it, the records. Words that different threads write
 * stand 128 bytes apart: two cache lines, because x86 fetches lines in pairs. TAIL and HEAD, which the
 * other side polls, have lines of their own: what their side writes for itself would slow both.
 *
 *     byte    0  descriptor   written once by `create`, then rarely: who is attached, closed, deaths
 *     byte  128  tail         by the producing side; broadcast: PUBLISHED and OLDEST
 *     byte  256  head         by the consumer
 *     byte  384  doorbell     by both sides (see doorbell.ts)
 *     byte  512  producer     counts, marks, sign of life: by the producing side
 *     byte  640  consumer     counts, sign of life: by the consumer (broadcast: by all readers)
 *     byte  768  records      `capacity` bytes (SPSC)
 *                slots        one line for each producer, then the records (MPSC)
 *                index        the place of each record, then the records (broadcast)
 *
 * All words are 32 bits wide. Positions of 64 bits, which never wrap, are named `..._CELL`; they are
 * indices of a BigInt64Array over the same buffer.
 */

export const LINE_WORDS = 32;
export const LINE_CELLS = LINE_WORDS / 2;

/** "RING" in ASCII. Stored last by `create`, so a half-made header is never taken for a ring. */
export const MAGIC = 0x52494e47;
export const LAYOUT_VERSION = 2;

export const MAGIC_WORD = 0;
export const VERSION_WORD = 1;
/** Which kind of ring this is: one of RING_KINDS, as its index. */
export const KIND_WORD = 2;
/** Bytes of record space, a power of two. */
export const CAPACITY_WORD = 3;
/** Level in bytes from which on the ring reports pressure. */
export const HIGH_MARK_WORD = 4;
/** Level in bytes below which the pressure ends. */
export const LOW_MARK_WORD = 5;
/** 1 when offers are refused with NOT_CONNECTED as long as nobody consumes. */
export const NEEDS_CONSUMER_WORD = 6;
/** MPSC: how many producers may be attached at a time. Broadcast: how many records the index names. */
export const SLOTS_WORD = 7;
/** 0 while open, 1 once anyone has closed the ring. */
export const CLOSED_WORD = 8;
/** The incarnation that is attached to each side, 0 for none. An MPSC ring's producers have slots instead. */
export const PRODUCER_OWNER_WORD = 9;
export const CONSUMER_OWNER_WORD = 10;
/** The last incarnation number given out on each side; 0 means nobody ever attached. */
export const PRODUCER_INCARNATION_WORD = 11;
export const CONSUMER_INCARNATION_WORD = 12;
/** MPSC: 1 when a producer was declared dead whose slot the consumer has not looked at yet. */
export const DEATHS_WORD = 13;
/** Where positions began (mod 2^32). */
export const START_WORD = 14;

/** SPSC: position (mod 2^32) behind the last published record. The publishing store. */
export const TAIL_WORD = 1 * LINE_WORDS;
/** SPSC: records published since `create` (mod 2^32). */
export const OFFERED_WORD = 4 * LINE_WORDS + 1;
/** SPSC: what TAIL and OFFERED are about to become; see `advance` in ledger.ts. */
export const NEXT_TAIL_WORD = 4 * LINE_WORDS + 2;
export const NEXT_OFFERED_WORD = 4 * LINE_WORDS + 3;
/** SPSC: how often bit 31 of TAIL has turned; see `widePosition` in ledger.ts. */
export const TAIL_TURNS_WORD = 4 * LINE_WORDS + 4;
/** Changes of the pressure, odd while there is pressure; see marks.ts. */
export const PRESSURE_WORD = 4 * LINE_WORDS + 5;
/** The highest level in bytes that a producer has seen. */
export const PEAK_WORD = 4 * LINE_WORDS + 6;
/** SPSC, broadcast: offers refused for lack of room, records that the application shed, the last heartbeat. */
export const REFUSED_WORD = 4 * LINE_WORDS + 7;
export const SHED_WORD = 4 * LINE_WORDS + 8;
export const PRODUCER_BEAT_WORD = 4 * LINE_WORDS + 9;
/** MPSC: the tail and the slot that moved it there; see mpsc-ring.ts. The claiming store. */
export const TAIL_CELL = LINE_CELLS + 8;
/** Broadcast: records published, and the number of the oldest one that is whole. */
export const PUBLISHED_CELL = LINE_CELLS + 8;
export const OLDEST_CELL = LINE_CELLS + 9;

/** SPSC: position (mod 2^32) of the first record that is not yet consumed. The releasing store. */
export const HEAD_WORD = 2 * LINE_WORDS;
/** Records consumed since `create` (mod 2^32). */
export const CONSUMED_WORD = 5 * LINE_WORDS + 1;
/** What the head and CONSUMED are about to become. */
export const NEXT_HEAD_WORD = 5 * LINE_WORDS + 2;
export const NEXT_CONSUMED_WORD = 5 * LINE_WORDS + 3;
/** SPSC: how often bit 31 of HEAD has turned. */
export const HEAD_TURNS_WORD = 5 * LINE_WORDS + 4;
/** Position (mod 2^32) behind the last record that a handler was given; equals the head between polls. */
export const DELIVERED_WORD = 5 * LINE_WORDS + 5;
export const CONSUMER_BEAT_WORD = 5 * LINE_WORDS + 6;
/** MPSC: 1 while consumed records are being cleared and released, which a successor then finishes. */
export const RELEASING_WORD = 5 * LINE_WORDS + 7;
/** MPSC: claims that dead producers had left, turned into padding. */
export const ABANDONED_WORD = 5 * LINE_WORDS + 8;
/** MPSC: position of the first record that is not yet consumed, and what it is about to become. */
export const HEAD_CELL = LINE_CELLS * 2 + 8;
export const NEXT_HEAD_CELL = LINE_CELLS * 5 + 12;
/** Broadcast: records that readers have lost, all together. */
export const LOST_CELL = LINE_CELLS * 5 + 13;

/** The doorbell of a ring that is not given one from outside. */
export const DOORBELL_WORD = 3 * LINE_WORDS;

export const HEADER_BYTES = 6 * LINE_WORDS * 4;

/** Words of an MPSC producer's slot, counted from the slot's first word; see mpsc-memory.ts. */
export const SLOT_OWNER = 0;
export const SLOT_OFFERED = 1;
export const SLOT_NEXT_OFFERED = 2;
export const SLOT_REFUSED = 3;
export const SLOT_SHED = 4;
export const SLOT_BEAT = 5;
/** Bytes from the start of the intended claim to its end. */
export const SLOT_INTENT_BYTES = 6;
/** Cells of a slot, counted from its first cell: the tail it means to make, and the last one it is known to have made. */
export const SLOT_INTENT = 4;
export const SLOT_EVIDENCE = 5;

export const MIN_CAPACITY_BYTES = 64;
/** Positions are compared modulo 2^32, so a ring may hold at most 2^30 bytes. */
export const MAX_CAPACITY_BYTES = 2 ** 30;
