/**
 * Keeps a process in the picture of other threads: what their actors refuse, whether they are still there, and
 * whether anyone hears of dead letters. Threads look at each other's boards before each message; a process looks
 * at images, of those entries alone that it has sent to.
 */
import { GUARDIAN_THREAD, ACTOR_PLACE, placeOf, slotOf, threadOf, type Address } from '../address.ts';
import { Board, ENTRY_BYTES } from '../board.ts';
import { THREAD_STATES, ThreadBlock } from '../thread-block.ts';
import { BOARD, PEER, type FrameWriter } from './frames.ts';

/** Entries of one peer that are followed; beyond that all are forgotten, and followed again when they are sent to. */
const FOLLOWED_MAX = 4_096;
/** The caretaker refuses nothing. */
const FIRST_PLACE = ACTOR_PLACE;

interface Peer {
  readonly board: Board;
  readonly block: ThreadBlock;
  /** What the process was last told of each place. */
  readonly told: Map<number, number>;
  state: string;
}

export class PeerImages {
  readonly #system: SharedArrayBuffer;
  readonly #writer: FrameWriter;
  readonly #peers = new Map<number, Peer>();
  #listeners = -1;

  constructor(system: SharedArrayBuffer, writer: FrameWriter) {
    this.#system = system;
    this.#writer = writer;
  }

  add(thread: number, board: SharedArrayBuffer): void {
    this.#peers.set(thread, { board: new Board(board), block: new ThreadBlock(this.#system, thread), told: new Map([[ACTOR_PLACE, -1]]), state: '' });
  }

  /** The process has sent to this address. */
  sentTo(address: Address): void {
    const place = placeOf(slotOf(address));
    const told = this.#peers.get(threadOf(address))?.told;
    if (told === undefined || place < FIRST_PLACE || told.has(place)) return;
    if (told.size >= FOLLOWED_MAX) told.clear();
    told.set(place, -1);
  }

  /** Tells what has changed. */
  tell(): void {
    const listeners = new ThreadBlock(this.#system, GUARDIAN_THREAD).deadLetterListeners;
    const isNew = listeners !== this.#listeners;
    this.#listeners = listeners;
    for (const [thread, peer] of this.#peers) {
      const { state } = peer.block;
      if (state !== peer.state || isNew) this.#tellState(thread, peer, state);
      for (const [place, told] of peer.told) this.#tellEntry(thread, peer, place, told);
    }
  }

  #tellState(thread: number, peer: Peer, state: (typeof THREAD_STATES)[number]): void {
    peer.state = state;
    const at = this.#writer.begin(PEER, 0, thread, 8);
    this.#writer.bytes.writeUInt32LE(THREAD_STATES.indexOf(state), at);
    this.#writer.bytes.writeUInt32LE(this.#listeners, at + 4);
  }

  #tellEntry(thread: number, { board, told: tellings }: Peer, place: number, told: number): void {
    const shown = (board.modeOf(place) << 2) | (board.refuses(place) ? 2 : 0) | (board.hasLeft(place) ? 1 : 0);
    if (shown === told) return;
    tellings.set(place, shown);
    const at = this.#writer.begin(BOARD, 0, thread, 4 + ENTRY_BYTES);
    this.#writer.bytes.writeUInt32LE(place * ENTRY_BYTES, at);
    this.#writer.bytes.set(board.entryBytes(place), at + 4);
  }
}
