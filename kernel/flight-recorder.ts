/**
 * The last messages that a thread has taken from its lanes, readable when it is dead: for the report of its crash.
 * What they were and never what was in them.
 *
 *      word   0       1       2      3                4     5    6 .. 7
 *           +------+-------+------+----------------+----+----+----------+
 *           | kind | bytes | from | lane and flags | to |    | taken ms |   one of SLOTS entries, in turn
 *           +------+-------+------+----------------+----+----+----------+
 *
 * In front of them, on a line of its own, is the number of entries ever written. The thread alone writes, with plain
 * stores, an entry before its number; a reader looks at half of the slots only, so that the one which is being
 * written is not among them. The time is that of the turn: reading the clock for each message would cost more than
 * all of this.
 */
import type { Address } from './address.ts';
import { LANES, type Lane } from './lanes.ts';

/** Messages that are shown. */
export const LAST_MESSAGES = 32;
const SLOTS = LAST_MESSAGES * 2;
const HEADER_BYTES = 128;
const ENTRY_WORDS = 8;

const KIND = 0;
const BYTES = 1;
const FROM = 2;
const LANE = 3;
const TO = 4;
/** In doubles. */
const TAKEN_MS = 3;
/** Beside the lane: begun and not ended, or ended as a defect. */
const IN_HAND = 1 << 8;

export interface RecordedMessage {
  readonly kind: number;
  /** Of the whole record's payload, the envelope included. */
  readonly bytes: number;
  readonly from: Address;
  /** The actor that it was for. */
  readonly to: Address;
  readonly lane: Lane;
  /** By the monotonic clock, at the beginning of the turn in which it was taken. */
  readonly takenMs: number;
  /** Its handler had begun and not ended, or was a defect. */
  readonly isInHand: boolean;
}

export class FlightRecorder {
  static readonly bytes = HEADER_BYTES + SLOTS * ENTRY_WORDS * 4;
  readonly #words: Int32Array;
  readonly #times: Float64Array;
  readonly #count: Int32Array;

  constructor(memory: SharedArrayBuffer, byteOffset: number) {
    this.#count = new Int32Array(memory, byteOffset, 1);
    this.#words = new Int32Array(memory, byteOffset + HEADER_BYTES, SLOTS * ENTRY_WORDS);
    this.#times = new Float64Array(memory, byteOffset + HEADER_BYTES, (SLOTS * ENTRY_WORDS) / 2);
  }

  note(kind: number, bytes: number, from: Address, to: Address, lane: Lane, takenMs: number): void {
    const count = this.#count[0]!;
    const at = (count & (SLOTS - 1)) * ENTRY_WORDS;
    const words = this.#words;
    words[at + KIND] = kind;
    words[at + BYTES] = bytes;
    words[at + FROM] = from;
    words[at + LANE] = lane === 'data' ? 1 : lane === 'control' ? 0 : 2;
    words[at + TO] = to;
    this.#times[(at >> 1) + TAKEN_MS] = takenMs;
    this.#count[0] = (count + 1) | 0;
  }

  /** The message is in hand for longer than a call, or is what its actor failed with. @returns its entry, for `letGo` */
  hold(kind: number, from: Address, lane: Lane): number {
    const words = this.#words;
    const newest = this.#count[0]!;
    for (let back = 1; back <= SLOTS; back++) {
      const at = ((newest - back) & (SLOTS - 1)) * ENTRY_WORDS;
      if (words[at + KIND] !== kind || words[at + FROM] !== (from | 0) || words[at + LANE] !== LANES.indexOf(lane)) continue;
      words[at + LANE]! |= IN_HAND;
      return (newest - back) | 0;
    }
    // It came from the thread itself, or so many have come since.
    return NO_ENTRY;
  }

  /** It has come to its end. */
  letGo(entry: number): void {
    const isThere = entry !== NO_ENTRY && ((this.#count[0]! - entry) | 0) <= SLOTS;
    if (isThere) this.#words[(entry & (SLOTS - 1)) * ENTRY_WORDS + LANE]! &= ~IN_HAND;
  }

  /** A new life begins with empty hands. */
  letAllGo(): void {
    for (let slot = 0; slot < SLOTS; slot++) this.#words[slot * ENTRY_WORDS + LANE]! &= ~IN_HAND;
  }

  reset(): void {
    this.#count[0] = 0;
    this.#words.fill(0);
  }

  /** The last messages, the latest one first. */
  read(): RecordedMessage[] {
    const words = this.#words;
    const newest = this.#count[0]! >>> 0;
    return Array.from({ length: Math.min(newest, LAST_MESSAGES) }, (_, back) => {
      const at = ((newest - 1 - back) & (SLOTS - 1)) * ENTRY_WORDS;
      return {
        kind: words[at + KIND]!,
        bytes: words[at + BYTES]!,
        from: words[at + FROM]! >>> 0,
        to: words[at + TO]! >>> 0,
        lane: LANES[words[at + LANE]! & ~IN_HAND] ?? 'data',
        takenMs: this.#times[(at >> 1) + TAKEN_MS]!,
        isInHand: (words[at + LANE]! & IN_HAND) !== 0,
      };
    });
  }
}

const NO_ENTRY = -(2 ** 31);
