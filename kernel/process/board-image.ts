/** Tells the bridge what a process shows of the actors that its own has spawned: the entries that have changed. */
import { ACTOR_PLACE, FIRST_SPAWNED_PLACE } from '../address.ts';
import { ENTRY_BYTES, type Board } from '../board.ts';
import { BOARD, PART_BYTES, type FrameWriter } from './frames.ts';

/** Entries that go into one frame. */
const ENTRIES_MAX = Math.floor(PART_BYTES / ENTRY_BYTES);

export class BoardImage {
  readonly #board: Board;
  readonly #thread: number;
  #told: Uint8Array = new Uint8Array(0);
  #toldMode = 0;

  constructor(board: Board, thread: number) {
    this.#board = board;
    this.#thread = thread;
  }

  /** Tells at once when the process's own actor takes no more messages, or takes them again. */
  tellMode(writer: FrameWriter): void {
    const mode = (this.#board.modeOf(ACTOR_PLACE) << 1) | (this.#board.refuses(ACTOR_PLACE) ? 1 : 0);
    if (mode === this.#toldMode) return;
    this.#toldMode = mode;
    this.#frame(writer, ACTOR_PLACE, ACTOR_PLACE + 1);
  }

  /** @param places how many of the board have been in use */
  tell(writer: FrameWriter, places: number): void {
    const bytes = places * ENTRY_BYTES;
    if (this.#told.length < bytes) {
      const wider = new Uint8Array(bytes * 2);
      wider.set(this.#told);
      this.#told = wider;
    }
    let from = FIRST_SPAWNED_PLACE;
    for (let place = FIRST_SPAWNED_PLACE; place <= places; place++) {
      const isChanged = place < places && this.#takeOver(place);
      if (isChanged && place - from < ENTRIES_MAX) continue;
      if (from < place) this.#frame(writer, from, place);
      from = isChanged ? place : place + 1;
    }
  }

  /** @returns whether the entry has changed since it was told */
  #takeOver(place: number): boolean {
    const entry = this.#board.entryBytes(place);
    const start = place * ENTRY_BYTES;
    if (Buffer.compare(entry, this.#told.subarray(start, start + ENTRY_BYTES)) === 0) return false;
    this.#told.set(entry, start);
    return true;
  }

  #frame(writer: FrameWriter, from: number, to: number): void {
    const bytes = (to - from) * ENTRY_BYTES;
    const at = writer.begin(BOARD, 0, this.#thread, 4 + bytes);
    writer.bytes.writeUInt32LE(from * ENTRY_BYTES, at);
    for (let place = from; place < to; place++) writer.bytes.set(this.#board.entryBytes(place), at + 4 + (place - from) * ENTRY_BYTES);
  }
}
