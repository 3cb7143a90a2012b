/**
 * Events that wait for demand, oldest first. When it is full either the oldest or the newest are kept,
 * and whoever puts events in is told how many were dropped.
 */
import Denque from 'denque';
import { requireInteger, stageInvalid } from './subscription-options.ts';

/** Which events stay when there is no room for all. */
export type Keep = 'oldest' | 'newest';

export interface BufferSpec {
  /** Events. Default 10,000. Of a producer that partitions: for each partition. */
  readonly capacity?: number;
  /** Default newest, as in GenStage. */
  readonly keep?: Keep;
}

const CAPACITY_DEFAULT = 10_000;
const CAPACITY_MAX = 2 ** 24;

/** Something that is told once all that was made of one portion of input has left. */
export interface Ticket {
  /** Events that have not left yet. */
  left: number;
  done(): void;
}

/** An event on its way out. */
export interface Item {
  readonly event: unknown;
  readonly ticket: Ticket | undefined;
}

/** The event has left, as far as whoever waits for it is concerned. */
export function released({ ticket }: Item): void {
  if (ticket !== undefined && --ticket.left === 0) ticket.done();
}

/** @throws SpillwayError `stage_invalid` */
export function completeBuffer({ capacity = CAPACITY_DEFAULT, keep = 'newest' }: BufferSpec = {}): Required<BufferSpec> {
  requireInteger('buffer.capacity', capacity, 0, CAPACITY_MAX);
  if (keep !== 'oldest' && keep !== 'newest') throw stageInvalid('buffer.keep', 'oldest or newest', keep);
  return { capacity, keep };
}

/** For what is bounded elsewhere: as many as come of the input that was asked for. */
export const UNDROPPED: Required<BufferSpec> = { capacity: Infinity, keep: 'oldest' };

export class EventBuffer {
  readonly #spec: Required<BufferSpec>;
  readonly #items = new Denque<Item>();

  constructor(spec: Required<BufferSpec>) {
    this.#spec = spec;
  }

  get length(): number {
    return this.#items.length;
  }

  /** Events that it has room for. */
  get room(): number {
    return Math.max(0, this.#spec.capacity - this.#items.length);
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  /** Puts what had left back in front, in its order. It may then hold more than its capacity, until `trim`. */
  unshift(items: readonly Item[]): void {
    for (const item of items.toReversed()) this.#items.unshift(item);
  }

  take(atMost: number): Item[] {
    const count = Math.min(atMost, this.#items.length);
    const taken: Item[] = [];
    for (let index = 0; index < count; index++) taken.push(this.#items.shift()!);
    return taken;
  }

  /** Drops what is beyond the capacity. @returns how many were dropped */
  trim(): number {
    let dropped = 0;
    while (this.#items.length > this.#spec.capacity) {
      released((this.#spec.keep === 'newest' ? this.#items.shift() : this.#items.pop())!);
      dropped++;
    }
    return dropped;
  }
}
