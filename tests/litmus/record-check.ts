/**
 * Checks the records that a consumer receives, in a worker or in the window: each is whole, and those of
 * one stream come in the order in which they were sent, without a gap unless the ring may lose some.
 */
import type { RingConsumer } from 'atomics-ring-buffer';
import { readRecord } from '../rings/thread-records.ts';
import { MAX_PAYLOAD_BYTES, SEED, type Findings } from './ring-work.ts';

const POLL_LIMIT = 64;

export interface CheckOptions {
  /** Sequence number of the first record of each stream. Default 0. */
  readonly from?: number;
  /** Whether the ring may overwrite records that were not read. */
  readonly lossy?: boolean;
  /** Called with each record while it is in hand. */
  readonly onRecord?: () => void;
}

export class RecordCheck {
  readonly #consumer: RingConsumer;
  readonly #options: CheckOptions;
  /** The next sequence number of each stream. */
  readonly #next = new Map<number, number>();
  #records = 0;
  #torn = 0;
  #misordered = 0;
  #redelivered = 0;

  constructor(consumer: RingConsumer, options: CheckOptions = {}) {
    this.#consumer = consumer;
    this.#options = options;
  }

  /** Receives what waits, up to a limit. @returns the number of records */
  poll(): number {
    return this.#consumer.poll(this.#check, POLL_LIMIT);
  }

  findings(): Findings {
    const consumer: RingConsumer & { readonly lost?: number } = this.#consumer;
    return {
      records: this.#records,
      torn: this.#torn,
      misordered: this.#misordered,
      redelivered: this.#redelivered,
      lost: consumer.lost ?? 0,
      wakeUps: 0,
    };
  }

  readonly #check = (stream: number, offset: number, length: number, redeliveries: number): void => {
    const sequence = readRecord(this.#consumer.memory, offset, length, SEED + stream, MAX_PAYLOAD_BYTES);
    const expected = this.#next.get(stream) ?? this.#options.from ?? 0;
    if (sequence === undefined) this.#torn++;
    else if (this.#options.lossy === true ? sequence < expected : sequence !== expected) this.#misordered++;
    this.#next.set(stream, (sequence ?? expected) + 1);
    this.#records++;
    if (redeliveries > 0) this.#redelivered++;
    this.#options.onRecord?.();
  };
}
