/**
 * What a thread shows of each of its actors: one entry in shared memory, readable by every thread
 * without asking, also while the thread hangs.
 *
 *      0       8         16        24       32      40        48             56      64      68     72           76 .. 127
 *      +-------+---------+---------+--------+-------+---------+--------------+-------+-------+------+------------+----------+
 *      | level | arrived | handled | failed | shed  | expired | dead letters |       | state | mode | name bytes | name     |
 *      +-------+---------+---------+--------+-------+---------+--------------+-------+-------+------+------------+----------+
 *       changes with every message: a cache line of its own                           changes seldom; senders read it
 *
 * Law: arrived = handled + failed + shed + expired + dead letters + queued, for every entry at every
 * moment between two messages, where queued is the level and what is in the actor's hands.
 *
 * Only the thread itself writes its board, with plain stores: there is one writer, aligned words and
 * doubles are stored whole on 64-bit machines, and a reader may see a value a moment late. Memory of
 * entries that were never used is never touched, so a board costs what its actors use of it.
 */
import { BOARD_PLACES } from './address.ts';

export const ACTOR_STATES = ['vacant', 'starting', 'running', 'stopping'] as const;
export type ActorState = (typeof ACTOR_STATES)[number];
const VACANT = ACTOR_STATES.indexOf('vacant');
const STOPPING = ACTOR_STATES.indexOf('stopping');

/** Counts of an entry, in the order of their places. */
export const ACTOR_COUNTS = ['arrived', 'handled', 'failed', 'shed', 'expired', 'deadLettered'] as const;
export type ActorCount = (typeof ACTOR_COUNTS)[number];

/** Places of the counts, for the one who counts. */
export const ARRIVED = 0;
export const HANDLED = 1;
export const FAILED = 2;
export const SHED = 3;
export const EXPIRED = 4;
export const DEAD_LETTERED = 5;

export interface BoardEntry {
  readonly place: number;
  readonly name: string;
  readonly state: ActorState;
  /** Index of its mode in MAILBOX_MODES. */
  readonly mode: number;
  /** Messages that wait for it, in its mailbox, its stash or beside them. */
  readonly level: number;
  readonly counts: Readonly<Record<ActorCount, number>>;
}

export const ENTRY_BYTES = 128;
/** Places in words, and of the first count in doubles. */
const LEVEL = 0;
const STATE = 16;
const MODE = 17;
const NAME_BYTES = 18;
const FIRST_COUNT = 1;
const NAME_OFFSET = 76;
/** UTF-8; longer names are cut. */
const MAX_NAME_BYTES = ENTRY_BYTES - NAME_OFFSET;
/** Beside the mode: data messages are refused at present. */
const REFUSING = 1 << 8;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Board {
  readonly memory: SharedArrayBuffer;
  readonly #i32: Int32Array;
  readonly #f64: Float64Array;
  readonly #u8: Uint8Array;

  static create(): SharedArrayBuffer {
    return new SharedArrayBuffer(ENTRY_BYTES * BOARD_PLACES);
  }

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#i32 = new Int32Array(memory);
    this.#f64 = new Float64Array(memory);
    this.#u8 = new Uint8Array(memory);
  }

  /** Takes a place for an actor, whose counts begin at zero. @param generation of the place; modulo 2^8 */
  open(place: number, name: string, generation = 0): void {
    const word = place << 5;
    this.#i32[word + STATE] = (generation & 0xff) << 8;
    this.clear(place);
    const start = place * ENTRY_BYTES + NAME_OFFSET;
    this.#i32[word + NAME_BYTES] = this.#writeName(start, name);
    this.setState(place, 'starting');
  }

  /** @returns bytes written */
  #writeName(start: number, name: string): number {
    const length = Math.min(name.length, MAX_NAME_BYTES);
    for (let index = 0; index < length; index++) {
      const code = name.charCodeAt(index);
      if (code >= 0x80) return this.#writeWideName(start, name);
      this.#u8[start + index] = code;
    }
    return length;
  }

  #writeWideName(start: number, name: string): number {
    // encodeInto does not write to shared memory everywhere.
    const bytes = encoder.encode(name).subarray(0, MAX_NAME_BYTES);
    this.#u8.set(bytes, start);
    return bytes.length;
  }

  /**
   * The next life of a thread's own actor: its counts go on.
   * @param kept messages of the former one that have not died with it
   * @returns messages that have
   */
  reopen(place: number, name: string, kept = 0): number {
    const counts = this.#f64.slice((place << 4) + FIRST_COUNT, (place << 4) + FIRST_COUNT + ACTOR_COUNTS.length);
    const lost = this.openMessages(place) - kept;
    this.open(place, name);
    this.#f64.set(counts, (place << 4) + FIRST_COUNT);
    this.count(place, DEAD_LETTERED, lost);
    return lost;
  }

  /** Everything that is counted in this place begins at zero. */
  clear(place: number): void {
    this.#f64.fill(0, (place << 4) + FIRST_COUNT, (place << 4) + FIRST_COUNT + ACTOR_COUNTS.length);
    this.#i32[(place << 5) + MODE] = 0;
    this.#i32[(place << 5) + LEVEL] = 0;
  }

  setState(place: number, state: ActorState): void {
    this.#i32[(place << 5) + STATE] = (this.#i32[(place << 5) + STATE]! & ~0xff) | ACTOR_STATES.indexOf(state);
  }

  /** Of the actor that is or was last in this place. */
  generationOf(place: number): number {
    return (this.#i32[(place << 5) + STATE]! >> 8) & 0xff;
  }

  /** Nobody is here any more. @returns messages that the last one had not ended */
  vacate(place: number): number {
    const open = this.openMessages(place);
    this.count(place, DEAD_LETTERED, open);
    this.setState(place, 'vacant');
    this.setLevel(place, 0);
    // Who is refused looks why, and finds that nobody is here; see `hasLeft`.
    this.setMode(place, 0, true);
    return open;
  }

  /** Whether senders are refused goes with the mode, so that they need one look. */
  setMode(place: number, mode: number, refusing: boolean): void {
    this.#i32[(place << 5) + MODE] = mode | (refusing ? REFUSING : 0);
  }

  setLevel(place: number, level: number): void {
    this.#i32[(place << 5) + LEVEL] = level;
  }

  addLevel(place: number, delta: number): void {
    this.#i32[(place << 5) + LEVEL]! += delta;
  }

  count(place: number, count: number, delta = 1): void {
    this.#f64[(place << 4) + FIRST_COUNT + count]! += delta;
  }

  countOf(place: number, count: number): number {
    return this.#f64[(place << 4) + FIRST_COUNT + count]!;
  }

  /** Whether a data message to this actor would be refused now. May be a moment old on another thread. */
  refuses(place: number): boolean {
    return (this.#i32[(place << 5) + MODE]! & REFUSING) !== 0;
  }

  modeOf(place: number): number {
    return this.#i32[(place << 5) + MODE]! & ~REFUSING;
  }

  levelOf(place: number): number {
    return this.#i32[(place << 5) + LEVEL]!;
  }

  /** Messages that arrived and came to no end: queued, or in the actor's hands. */
  openMessages(place: number): number {
    const base = (place << 4) + FIRST_COUNT;
    let open = this.#f64[base]!;
    for (let count = HANDLED; count <= DEAD_LETTERED; count++) open -= this.#f64[base + count]!;
    return open;
  }

  /** Whether the last one has left, or is about to. */
  hasLeft(place: number): boolean {
    const state = this.#i32[(place << 5) + STATE]! & 0xff;
    return state === VACANT || state === STOPPING;
  }

  /** Whether nobody is here, or somebody who has nothing to do: nothing waits, nothing is in hand, nothing is refused. */
  isQuiet(place: number): boolean {
    if ((this.#i32[(place << 5) + STATE]! & 0xff) === VACANT) return true;
    return this.#i32[(place << 5) + LEVEL] === 0 && this.#i32[(place << 5) + MODE] === 0 && this.openMessages(place) === 0;
  }

  /** Undefined where no actor is. */
  entry(place: number): BoardEntry | undefined {
    const word = place << 5;
    const state = ACTOR_STATES[this.#i32[word + STATE]! & 0xff] ?? 'vacant';
    if (state === 'vacant') return undefined;
    const start = place * ENTRY_BYTES + NAME_OFFSET;
    const nameBytes = Math.min(MAX_NAME_BYTES, this.#i32[word + NAME_BYTES]!);
    const counts = ACTOR_COUNTS.map((name, index) => [name, this.#f64[(place << 4) + FIRST_COUNT + index]!]);
    return {
      place,
      // A decoder does not read shared memory.
      name: decoder.decode(this.#u8.slice(start, start + nameBytes)),
      state,
      mode: this.modeOf(place),
      level: this.levelOf(place),
      counts: Object.fromEntries(counts) as Record<ActorCount, number>,
    };
  }

  /** The memory of an entry, for an image of it. */
  entryBytes(place: number): Uint8Array {
    return this.#u8.subarray(place * ENTRY_BYTES, (place + 1) * ENTRY_BYTES);
  }

  /** The entries in use among the first `places`. */
  *entries(places: number): Generator<BoardEntry> {
    for (let place = 0; place < places; place++) {
      const entry = this.entry(place);
      if (entry !== undefined) yield entry;
    }
  }
}
