/**
 * The threads of the system and the lanes between them, as the application knows them from its port: all
 * memory that it takes to look at them, and nothing that has to be asked for.
 */
import { SpscObserver } from 'atomics-ring-buffer';
import { Board } from './board.ts';
import { LANES, type Lane } from './lanes.ts';
import { eachLane, type LinkBuffers } from './link.ts';
import { ThreadBlock } from './thread-block.ts';
import type { PortItem, ThreadPlace } from './thread-port.ts';

/** What went through the lanes of peers that have gone. */
interface Passed {
  offered: number;
  consumed: number;
  refused: number;
}

export interface KnownThread extends Omit<ThreadPlace, 'board'> {
  readonly board: Board;
  readonly block: ThreadBlock;
  /** The lanes that lead to it, by the thread that they come from. */
  readonly lanes: ReadonlyMap<number, Readonly<Record<Lane, SpscObserver>>>;
  readonly passed: Readonly<Record<Lane, Readonly<Passed>>>;
}

interface OwnThread extends KnownThread {
  readonly lanes: Map<number, Readonly<Record<Lane, SpscObserver>>>;
  readonly passed: Readonly<Record<Lane, Passed>>;
}

export class Topology {
  readonly #system: SharedArrayBuffer;
  readonly #threads = new Map<number, OwnThread>();

  constructor(system: SharedArrayBuffer) {
    this.#system = system;
  }

  get threads(): Iterable<KnownThread> {
    return this.#threads.values();
  }

  /** Takes in what came through the port. */
  note(item: PortItem): void {
    if (item.item === 'thread') this.add(item.place);
    else if (item.item === 'thread_gone') this.#remove(item.thread);
    else if (item.item === 'lanes') this.addLanes(item.from, item.to, item.lanes);
  }

  add(place: ThreadPlace): void {
    this.#threads.set(place.id, {
      ...place,
      board: new Board(place.board),
      block: new ThreadBlock(this.#system, place.id),
      lanes: new Map(),
      passed: eachLane(() => ({ offered: 0, consumed: 0, refused: 0 })),
    });
  }

  addLanes(from: number, to: number, lanes: LinkBuffers): void {
    this.#threads.get(to)?.lanes.set(
      from,
      eachLane((lane) => new SpscObserver(lanes[lane])),
    );
  }

  #remove(gone: number): void {
    this.#threads.delete(gone);
    for (const { lanes, passed } of this.#threads.values()) {
      const ofGone = lanes.get(gone);
      if (ofGone === undefined) continue;
      lanes.delete(gone);
      // What a thread has taken in does not become less because the sender has gone.
      for (const lane of LANES) {
        const { offered, refused } = ofGone[lane].counters;
        passed[lane].offered += offered;
        // What still lies there is handled before the lane is let go.
        passed[lane].consumed += offered;
        passed[lane].refused += refused;
      }
    }
  }
}
