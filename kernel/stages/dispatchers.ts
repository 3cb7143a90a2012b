/**
 * Who gets which events, by the demand that each has: the three ways of GenStage. A dispatcher holds the
 * events that nobody has asked for yet, and gives away what was asked for and not an event more.
 */
import { hashOfKey, type RoutingKey } from '../routing/rendezvous.ts';
import { SpillwayError } from '../errors.ts';
import { EventBuffer, released, type BufferSpec, type Item } from './event-buffer.ts';
import { requireInteger } from './subscription-options.ts';

/** One subscription, as a dispatcher sees it. */
export interface Taker {
  /** Events that it has asked for and not been given. */
  readonly demand: number;
  /** Takes the events, at most `demand` of them, and has so much less demand. */
  take(items: Item[]): void;
}

export interface Dispatcher {
  /** @throws SpillwayError `partition_taken`, `stage_invalid` */
  add(taker: Taker, partition: number | undefined): void;
  /** @param unsent events that it was given and that have not left; somebody else may have them */
  remove(taker: Taker, unsent: readonly Item[]): void;
  /** Takes in events and gives away what is asked for. @returns how many there was no room for */
  offer(items: readonly Item[]): number;
  /** Gives away what is asked for, after demand has come. */
  flow(): void;
  /** Events that may be produced now: they are wanted, and there is room wherever they go. */
  readonly wanted: number;
  /** Events that wait. */
  readonly queued: number;
}

/** `partition`: events with the same key go to the same consumer, one after the other. */
export type DispatcherSpec<Event> =
  | { readonly type: 'demand' }
  | { readonly type: 'broadcast' }
  | { readonly type: 'partition'; readonly partitions: number; readonly key: (event: Event) => RoutingKey };

const MAX_PARTITIONS = 1_024;

/** @throws SpillwayError `stage_invalid` */
export function dispatcherOf(spec: DispatcherSpec<never>, buffer: Required<BufferSpec>): Dispatcher {
  if (spec.type === 'demand') return new DemandDispatcher(buffer);
  if (spec.type === 'broadcast') return new BroadcastDispatcher(buffer);
  requireInteger('dispatcher.partitions', spec.partitions, 1, MAX_PARTITIONS);
  return new PartitionDispatcher(spec.partitions, spec.key as (event: unknown) => RoutingKey, buffer);
}

/** Each event to one consumer: to the one with the most demand. */
class DemandDispatcher implements Dispatcher {
  readonly #takers = new Set<Taker>();
  readonly #buffer: EventBuffer;

  constructor(buffer: Required<BufferSpec>) {
    this.#buffer = new EventBuffer(buffer);
  }

  get queued(): number {
    return this.#buffer.length;
  }

  get wanted(): number {
    let demand = 0;
    for (const taker of this.#takers) demand += taker.demand;
    return Math.max(0, demand - this.#buffer.length);
  }

  add(taker: Taker): void {
    this.#takers.add(taker);
  }

  remove(taker: Taker, unsent: readonly Item[]): void {
    this.#takers.delete(taker);
    this.#buffer.unshift(unsent);
  }

  offer(items: readonly Item[]): number {
    for (const item of items) this.#buffer.push(item);
    this.flow();
    return this.#buffer.trim();
  }

  flow(): void {
    while (this.#buffer.length > 0) {
      let best: Taker | undefined;
      for (const taker of this.#takers) if (taker.demand > (best?.demand ?? 0)) best = taker;
      if (best === undefined) return;
      best.take(this.#buffer.take(best.demand));
    }
  }
}

/** Each event to all consumers, as soon as all have asked for it: the slowest one sets the pace. */
class BroadcastDispatcher implements Dispatcher {
  readonly #takers = new Set<Taker>();
  readonly #buffer: EventBuffer;

  constructor(buffer: Required<BufferSpec>) {
    this.#buffer = new EventBuffer(buffer);
  }

  get queued(): number {
    return this.#buffer.length;
  }

  get wanted(): number {
    return Math.max(0, this.#demand - this.#buffer.length);
  }

  get #demand(): number {
    let demand = Infinity;
    for (const taker of this.#takers) demand = Math.min(demand, taker.demand);
    return demand === Infinity ? 0 : demand;
  }

  add(taker: Taker): void {
    this.#takers.add(taker);
  }

  /** The others have been given these too, so they are for nobody any more. */
  remove(taker: Taker, unsent: readonly Item[]): void {
    this.#takers.delete(taker);
    for (const item of unsent) released(item);
  }

  offer(items: readonly Item[]): number {
    for (const item of items) this.#buffer.push(item);
    this.flow();
    return this.#buffer.trim();
  }

  flow(): void {
    const items = this.#buffer.take(this.#demand);
    if (items.length === 0) return;
    const takers = [...this.#takers];
    for (const { ticket } of items) if (ticket !== undefined) ticket.left += takers.length - 1;
    for (const taker of takers) taker.take([...items]);
  }
}

/**
 * Each event to the consumer that has its partition. A partition that nobody has, or whose consumer is slow,
 * fills its own buffer and then keeps the producer from producing, since nobody knows which keys would come.
 */
class PartitionDispatcher implements Dispatcher {
  readonly #partitions: readonly { taker: Taker | undefined; readonly buffer: EventBuffer }[];
  readonly #key: (event: unknown) => RoutingKey;

  constructor(partitions: number, key: (event: unknown) => RoutingKey, buffer: Required<BufferSpec>) {
    this.#key = key;
    this.#partitions = Array.from({ length: partitions }, () => ({ taker: undefined, buffer: new EventBuffer(buffer) }));
  }

  get queued(): number {
    return this.#partitions.reduce((sum, { buffer }) => sum + buffer.length, 0);
  }

  get wanted(): number {
    let demand = 0;
    let room = Infinity;
    for (const { taker, buffer } of this.#partitions) {
      demand += taker?.demand ?? 0;
      room = Math.min(room, buffer.room + (taker?.demand ?? 0));
    }
    return Math.min(demand, room);
  }

  add(taker: Taker, partition: number | undefined): void {
    if (partition !== undefined) requireInteger('subscription.partition', partition, 0, this.#partitions.length - 1);
    const place = partition === undefined ? this.#partitions.find((free) => free.taker === undefined) : this.#partitions[partition];
    if (place === undefined || place.taker !== undefined) {
      const which = partition === undefined ? `all ${this.#partitions.length} partitions` : `partition ${partition}`;
      throw new SpillwayError('partition_taken', `Another consumer has ${which} of this producer.`, { details: { partition } });
    }
    place.taker = taker;
  }

  remove(taker: Taker, unsent: readonly Item[]): void {
    const place = this.#partitions.find((taken) => taken.taker === taker);
    if (place === undefined) return;
    place.taker = undefined;
    place.buffer.unshift(unsent);
  }

  offer(items: readonly Item[]): number {
    for (const item of items) this.#partitions[hashOfKey(this.#key(item.event)) % this.#partitions.length]!.buffer.push(item);
    this.flow();
    return this.#partitions.reduce((sum, { buffer }) => sum + buffer.trim(), 0);
  }

  flow(): void {
    for (const { taker, buffer } of this.#partitions) {
      if (taker !== undefined && taker.demand > 0 && buffer.length > 0) taker.take(buffer.take(taker.demand));
    }
  }
}
