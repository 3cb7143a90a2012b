/**
 * Gathers events into batches by size and time, one batch for each key, in Broadway's manner. A batch is
 * handed on as soon as it is full, or once its first event has waited long enough. Batches of one key are
 * handed on in the order of their events.
 *
 * It holds no more than what was asked for of the producers, since an event in a batch is still in flight.
 */
import type { RoutingKey } from '../routing/rendezvous.ts';
import { requireInteger } from './subscription-options.ts';

export interface BatchSpec<Event> {
  /** Events. Default 100. */
  readonly batchSize?: number;
  /** How long the first event of a batch waits for the last, in milliseconds. Default 1,000. */
  readonly batchTimeoutMs?: number;
  /** Events of different keys go into different batches. Default: all into one. */
  readonly batchKey?: (event: Event) => RoutingKey;
}

/** `end`: its stage has no more to come. */
export type BatchTrigger = 'size' | 'timeout' | 'end';

export interface Batch<Entry> {
  readonly key: RoutingKey;
  readonly trigger: BatchTrigger;
  readonly entries: readonly Entry[];
}

const SIZE_DEFAULT = 100;
const SIZE_MAX = 2 ** 20;
const TIMEOUT_MS_DEFAULT = 1_000;
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

type BatchBounds = Omit<BatchSpec<never>, 'batchKey'>;

/** @throws SpillwayError `stage_invalid` */
export function completeBatch({ batchSize = SIZE_DEFAULT, batchTimeoutMs = TIMEOUT_MS_DEFAULT }: BatchBounds): Required<BatchBounds> {
  requireInteger('batch.batchSize', batchSize, 1, SIZE_MAX);
  requireInteger('batch.batchTimeoutMs', batchTimeoutMs, 1, TIMEOUT_MS_MAX);
  return { batchSize, batchTimeoutMs };
}

export class Batcher<Entry> {
  readonly size: number;
  readonly #timeoutMs: number;
  /** In the order in which they were begun, and so in that in which they are due. */
  readonly #open = new Map<RoutingKey, { readonly dueMs: number; readonly entries: Entry[] }>();

  constructor(bounds: BatchBounds) {
    const { batchSize, batchTimeoutMs } = completeBatch(bounds);
    this.size = batchSize;
    this.#timeoutMs = batchTimeoutMs;
  }

  /** When the next batch is to be handed on although it is not full; undefined while there is none. */
  get dueMs(): number | undefined {
    return this.#open.values().next().value?.dueMs;
  }

  /** @returns the batch that the entry has filled */
  add(key: RoutingKey, entry: Entry, nowMs: number): Batch<Entry> | undefined {
    let batch = this.#open.get(key);
    if (batch === undefined) this.#open.set(key, (batch = { dueMs: nowMs + this.#timeoutMs, entries: [] }));
    batch.entries.push(entry);
    if (batch.entries.length < this.size) return undefined;
    this.#open.delete(key);
    return { key, trigger: 'size', entries: batch.entries };
  }

  /** Takes the oldest batch if it is due. */
  takeDue(nowMs: number): Batch<Entry> | undefined {
    const dueMs = this.dueMs;
    return dueMs !== undefined && dueMs <= nowMs ? this.#takeOldest('timeout') : undefined;
  }

  /** Takes the oldest batch, however full it is. */
  takeRest(): Batch<Entry> | undefined {
    return this.#takeOldest('end');
  }

  #takeOldest(trigger: BatchTrigger): Batch<Entry> | undefined {
    const oldest = this.#open.entries().next().value;
    if (oldest === undefined) return undefined;
    const [key, { entries }] = oldest;
    this.#open.delete(key);
    return { key, trigger, entries };
  }
}
