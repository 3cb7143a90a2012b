/**
 * What a process shows of its life to its bridge, in a file that both have open and nobody can find: its
 * progress, its counters, what it has in hand, and up to where it has taken the records of each lane.
 *
 *      0       4       8       12         16       20       24       28    64          192
 *      +-------+-------+-------+----------+--------+--------+--------+- - -+-----------+----------+------+-----------+
 *      | magic | state | turns | handling | places | actors | inTurn |     | own entry | counters | hand | positions |
 *      +-------+-------+-------+----------+--------+--------+--------+- - -+-----------+----------+------+-----------+
 *                                                      latencies stand 64 KiB behind the beginning
 *
 * It is written before every handler that a record is for. So when the process is gone, however it went, the
 * bridge knows which records it had taken, and hands on to the next life those and only those that it had not.
 * A message by the socket could say so too, but would wake the bridge for each record. And while a handler
 * holds the process, the page says that it does.
 *
 * Positions are by link, in the order in which the process was given them, three to each, by lane.
 */
import { closeSync, fstatSync, readSync, writeSync } from 'node:fs';
import { ACTOR_PLACE, BOARD_PLACES } from '../address.ts';
import { ENTRY_BYTES, type Board } from '../board.ts';
import { LANES } from '../lanes.ts';
import { THREAD_STATES, type ThreadBlock, type ThreadState } from '../thread-block.ts';

const MAGIC = 0x53504c57;
const ENTRY_OFFSET = 64;
const COUNTERS_OFFSET = ENTRY_OFFSET + ENTRY_BYTES;
const LATENCIES_OFFSET = 64 * 1024;
/** Longer than any page; a process that writes more fills the disk. */
const FILE_BYTES_MAX = 1024 * 1024;
const POSITION_BYTES = LANES.length * 4;

/** What a process may say of its state; the others are for its guardian to say. */
const OWN_STATES: readonly ThreadState[] = ['starting', 'running', 'stopping', 'stopped', 'crashed'];

/** The process's side. */
export class PageWriter {
  readonly #descriptor: number;
  readonly #block: ThreadBlock;
  readonly #page: Buffer = Buffer.alloc(LATENCIES_OFFSET);
  readonly #entry: Uint8Array;
  readonly #counters: Uint8Array;
  readonly #hand: Uint8Array;
  readonly #latencies: Uint8Array;
  readonly #handOffset: number;
  readonly #positionsOffset: number;
  readonly #positions: (() => number)[] = [];
  #taken = 0;

  constructor(descriptor: number, block: ThreadBlock, board: Board) {
    this.#descriptor = descriptor;
    this.#block = block;
    this.#entry = board.entryBytes(ACTOR_PLACE);
    this.#counters = block.counterBytes;
    this.#hand = block.handBytes;
    this.#latencies = block.latencyBytes;
    this.#handOffset = COUNTERS_OFFSET + this.#counters.byteLength;
    this.#positionsOffset = this.#handOffset + this.#hand.byteLength;
    this.#page.writeUInt32LE(MAGIC, 0);
  }

  /** Another lane's position is shown, behind those before. @param position reads it */
  addLane(position: () => number): void {
    this.#positions.push(position);
  }

  /** @param isInTurn whether a handler is about to run */
  write(isInTurn: boolean): void {
    const page = this.#page;
    const block = this.#block;
    if (isInTurn) this.#taken = (this.#taken + 1) | 0;
    page.writeInt32LE(THREAD_STATES.indexOf(block.state), 4);
    page.writeInt32LE(block.turns, 8);
    page.writeInt32LE(block.handlingWord, 12);
    page.writeInt32LE(block.places, 16);
    page.writeInt32LE(block.actors, 20);
    page.writeInt32LE(isInTurn ? this.#taken : 0, 24);
    page.set(this.#entry, ENTRY_OFFSET);
    page.set(this.#counters, COUNTERS_OFFSET);
    page.set(this.#hand, this.#handOffset);
    let at = this.#positionsOffset;
    for (const position of this.#positions) at = page.writeUInt32LE(position(), at);
    writeSync(this.#descriptor, page, 0, at, 0);
  }

  /** What is not written with every record. */
  writeLatencies(): void {
    const copy = Uint8Array.from(this.#latencies);
    writeSync(this.#descriptor, copy, 0, copy.byteLength, LATENCIES_OFFSET);
  }
}

/** The bridge's side. */
export class PageReader {
  readonly #descriptor: number;
  readonly #block: ThreadBlock;
  readonly #slot: number;
  readonly #entry: Uint8Array;
  readonly #counters: Uint8Array;
  readonly #hand: Uint8Array;
  readonly #latencies: Uint8Array;
  readonly #handOffset: number;
  readonly #positionsOffset: number;
  readonly #page: Buffer = Buffer.alloc(LATENCIES_OFFSET);

  /** @param slot of the process's own actor */
  constructor(descriptor: number, block: ThreadBlock, board: Board, slot: number) {
    this.#descriptor = descriptor;
    this.#block = block;
    this.#slot = slot;
    this.#entry = board.entryBytes(ACTOR_PLACE);
    this.#counters = block.counterBytes;
    this.#hand = block.handBytes;
    this.#latencies = block.latencyBytes;
    this.#handOffset = COUNTERS_OFFSET + this.#counters.byteLength;
    this.#positionsOffset = this.#handOffset + this.#hand.byteLength;
  }

  /** Whether the process has written more than any page is long. */
  get isTooLong(): boolean {
    return fstatSync(this.#descriptor).size > FILE_BYTES_MAX;
  }

  /** Shows in the system's memory what the page shows. @returns whether there was something */
  show(links: number): boolean {
    const wanted = this.#positionsOffset + links * POSITION_BYTES;
    const read = readSync(this.#descriptor, this.#page, 0, wanted, 0);
    if (read < this.#positionsOffset || this.#page.readUInt32LE(0) !== MAGIC) return false;
    this.#page.fill(0, read, wanted);
    const [page, block] = [this.#page, this.#block];
    const inTurn = page.readInt32LE(24);
    const handling = page.readInt32LE(12);
    // Only what is handled has a slot there, and that it is about to be handled was written before.
    block.mirror(page.readInt32LE(8), handling === 0 && inTurn !== 0 ? this.#slot | (inTurn << 22) : handling);
    const state = THREAD_STATES[page.readInt32LE(4)];
    if (state !== undefined && state !== block.state && OWN_STATES.includes(state)) block.state = state;
    // Others look at as many places, so a process that lies must not have them look for ever.
    block.places = Math.min(BOARD_PLACES, Math.max(block.places, page.readInt32LE(16)));
    block.actors = Math.min(BOARD_PLACES, Math.max(0, page.readInt32LE(20)));
    this.#entry.set(page.subarray(ENTRY_OFFSET, ENTRY_OFFSET + ENTRY_BYTES));
    this.#counters.set(page.subarray(COUNTERS_OFFSET, this.#handOffset));
    this.#hand.set(page.subarray(this.#handOffset, this.#positionsOffset));
    return true;
  }

  showLatencies(): void {
    const copy = Buffer.alloc(this.#latencies.byteLength);
    if (readSync(this.#descriptor, copy, 0, copy.length, LATENCIES_OFFSET) === copy.length) this.#latencies.set(copy);
  }

  /** Up to where the lane of a link was taken, as `show` last found it; undefined if the process has not said so. */
  position(link: number, lane: number): number | undefined {
    const at = this.#positionsOffset + link * POSITION_BYTES + lane * 4;
    return at + 4 > this.#page.length ? undefined : this.#page.readUInt32LE(at);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
