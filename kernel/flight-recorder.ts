/**
 * The last messages that a thread has taken from its lanes, readable when it is dead: for the report of its crash.
 * What they were and never what was in them.
 *
 *      word   0               1                2      3    4          5 .. 7
 *           +---------------+----------------+------+----+----------+- - - - -+
 *           | kind and lane | bytes and flag | from | to | taken ms |         |   one of SLOTS entries, in turn
 *           +---------------+----------------+------+----+----------+- - - - -+
 *
 * In front of them, on a line of its own, is the number of entries ever written; times are modulo 2^32. The thread alone writes, with plain
 * stores, an entry before its number; a reader looks at half of the slots only, so that the one which is being
 * written is not among them. The time is that of the turn: reading the clock for each message would cost more than
 * all of this.
 */
import type { Address } from './address.ts';
import { LANES, type Lane } from './lanes.ts';

/** Messages that are shown. */
export const LAST_MESSAGES = 32;
const SLOTS = LAST_MESSAGES * 2;
/** One line. */
const HEADER_WORDS = 32;
const ENTRY_WORDS = 8;

const KIND_AND_LANE = 0;
const BYTES_AND_FLAG = 1;
const FROM = 2;
const TO = 3;
const TAKEN_MS = 4;
/** The kind stands above the lane; no protocol has so many messages that it would not fit. */
const LANE_BITS = 2;
const LANE_MASK = 2 ** LANE_BITS - 1;
/** Above the bytes, of which a record has at most 2^29: begun and not ended, or ended as a defect. */
const IN_HAND = 1 << 30;

export interface RecordedMessage {
  readonly kind: number;
  /** Of the whole record's payload, the envelope included. */
  readonly bytes: number;
  readonly from: Address;
  /** The actor that it was for. */
  readonly to: Address;
  readonly lane: Lane;
  /** Of the turn in which it was taken, by the monotonic clock, in whole milliseconds modulo 2^32. */
  readonly takenMs: number;
  /** Its handler had begun and not ended, or was a defect. */
  readonly isInHand: boolean;
}

export class FlightRecorder {
  static readonly bytes = (HEADER_WORDS + SLOTS * ENTRY_WORDS) * 4;
  readonly #words: Int32Array;

  constructor(memory: SharedArrayBuffer, byteOffset: number) {
    this.#words = new Int32Array(memory, byteOffset, HEADER_WORDS + SLOTS * ENTRY_WORDS);
  }

  /** @param takenMs a whole number, modulo 2^32 */
  note(kind: number, bytes: number, from: Address, to: Address, lane: Lane, takenMs: number): void {
    const words = this.#words;
    const count = words[0]!;
    const at = entryAt(count);
    words[at + KIND_AND_LANE] = (kind << LANE_BITS) | numberOf(lane);
    words[at + BYTES_AND_FLAG] = bytes;
    words[at + FROM] = from;
    words[at + TO] = to;
    words[at + TAKEN_MS] = takenMs;
    words[0] = count + 1;
  }

  /** The message is in hand for longer than a call, or is what its actor failed with. @returns its entry, for `letGo` */
  hold(kind: number, from: Address, lane: Lane): number {
    const words = this.#words;
    const newest = words[0]!;
    const wanted = (kind << LANE_BITS) | numberOf(lane);
    for (let back = 1; back <= SLOTS; back++) {
      const at = entryAt(newest - back);
      if (words[at + KIND_AND_LANE] !== wanted || words[at + FROM] !== (from | 0)) continue;
      words[at + BYTES_AND_FLAG]! |= IN_HAND;
      return (newest - back) | 0;
    }
    // It came from the thread itself, or so many have come since.
    return NO_ENTRY;
  }

  /** It has come to its end. */
  letGo(entry: number): void {
    const isThere = entry !== NO_ENTRY && ((this.#words[0]! - entry) | 0) <= SLOTS;
    if (isThere) this.#words[entryAt(entry) + BYTES_AND_FLAG]! &= ~IN_HAND;
  }

  /** A new life begins with empty hands. */
  letAllGo(): void {
    for (let slot = 0; slot < SLOTS; slot++) this.#words[entryAt(slot) + BYTES_AND_FLAG]! &= ~IN_HAND;
  }

  reset(): void {
    this.#words.fill(0);
  }

  /** The last messages, the latest one first. */
  read(): RecordedMessage[] {
    const words = this.#words;
    const newest = words[0]! >>> 0;
    return Array.from({ length: Math.min(newest, LAST_MESSAGES) }, (_, back) => {
      const at = entryAt(newest - 1 - back);
      const kindAndLane = words[at + KIND_AND_LANE]!;
      return {
        kind: kindAndLane >>> LANE_BITS,
        bytes: words[at + BYTES_AND_FLAG]! & ~IN_HAND,
        from: words[at + FROM]! >>> 0,
        to: words[at + TO]! >>> 0,
        lane: LANES[kindAndLane & LANE_MASK] ?? 'data',
        takenMs: words[at + TAKEN_MS]! >>> 0,
        isInHand: (words[at + BYTES_AND_FLAG]! & IN_HAND) !== 0,
      };
    });
  }
}

const NO_ENTRY = -(2 ** 31);

function entryAt(count: number): number {
  return HEADER_WORDS + (count & (SLOTS - 1)) * ENTRY_WORDS;
}

/** Its place in LANES; a look-up there would cost more than all the rest. */
function numberOf(lane: Lane): number {
  return lane === 'data' ? 1 : lane === 'control' ? 0 : 2;
}
