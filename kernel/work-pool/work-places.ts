/**
 * The places of a work pool: one for each task that is out with a worker, as two words of shared memory.
 * By them a running task hears that nobody waits for it any more, and the pool knows for certain whether a
 * task has begun.
 *
 * A message could say neither: a worker that computes reads none. Piscina's own way, an abort, terminates
 * the worker and tells the task nothing (piscina#156).
 *
 *     begun       0, then 1 once the worker is about to call the function; written by the worker
 *     abandoned   0, then 1 once the pool has ended the task's promise; written by the pool
 *
 * The worker sets `begun` and then looks at `abandoned`; the pool sets `abandoned` and then looks at `begun`.
 * Shared words are sequentially consistent, so at least one of them sees the other: a task that the pool
 * reports as not begun never runs. A place is given to another task only after its worker has answered or
 * is gone, so neither word is ever read for a task that it does not belong to.
 */
import { SharedWords } from 'atomics-ring-buffer';

const WORDS = ['begun', 'abandoned'] as const;
const PLACE_BYTES = SharedWords.bytes(WORDS);

export class WorkPlaces {
  readonly #places: readonly SharedWords<(typeof WORDS)[number]>[];

  static createMemory(count: number): SharedArrayBuffer {
    return new SharedArrayBuffer(PLACE_BYTES * count);
  }

  constructor(memory: SharedArrayBuffer) {
    this.#places = Array.from(
      { length: memory.byteLength / PLACE_BYTES },
      (_, place) => new SharedWords(memory, place * PLACE_BYTES, WORDS),
    );
  }

  get count(): number {
    return this.#places.length;
  }

  /** Pool side, before a task is posted: the post itself publishes the cleared words. */
  clear(place: number): void {
    this.#places[place]!.store('begun', 0);
    this.#places[place]!.store('abandoned', 0);
  }

  /** Pool side. @returns whether the task has begun; if not, it never will */
  abandon(place: number): boolean {
    this.#places[place]!.store('abandoned', 1);
    return this.hasBegun(place);
  }

  /** Pool side. */
  hasBegun(place: number): boolean {
    return this.#places[place]!.load('begun') === 1;
  }

  /** Worker side. @returns false if the task must not run, because the pool has given it up */
  begin(place: number): boolean {
    this.#places[place]!.store('begun', 1);
    return !this.isAbandoned(place);
  }

  /** Worker side. */
  isAbandoned(place: number): boolean {
    return this.#places[place]!.load('abandoned') === 1;
  }
}
