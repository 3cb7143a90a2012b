/** What the window asks of a ring-worker.ts, and what that answers. */

export type RingKind = 'spsc' | 'mpsc' | 'broadcast';

export interface RingWork {
  readonly role: 'produce' | 'consume';
  readonly kind: RingKind;
  readonly ring: SharedArrayBuffer;
  /** The incarnation whose thread is known to have ended, in whose place this worker attaches. */
  readonly successorOf?: number;
  /** Of a producer: the kind of its records, which tells its stream from those of others. Default 0. */
  readonly stream?: number;
  /** The sequence number of the first record to send, or that of the first to receive of each stream. Default 0. */
  readonly from?: number;
  /** Of a producer: the sequence number before which it ends. */
  readonly to?: number;
  /** After so many records of its own the worker stays inside of the next one, half written or in hand, for good. */
  readonly stickAfter?: number;
}

export interface Findings {
  /** Records received, or sent. */
  readonly records: number;
  readonly torn: number;
  /** Received out of order, twice, or after a gap where the ring does not lose any. */
  readonly misordered: number;
  readonly redelivered: number;
  readonly lost: number;
  /** How often a producer's ring of the bell found the consumer asleep, or about to be. */
  readonly wakeUps: number;
}

export type RingNews =
  | { readonly event: 'ready'; readonly incarnation: number }
  | { readonly event: 'stuck'; readonly records: number }
  | { readonly event: 'done'; readonly findings: Findings }
  | { readonly event: 'failed'; readonly reason: string };

/** The first message to a worker. */
export interface RingOrder {
  readonly work: RingWork;
  /** The name of a lock that the worker holds as long as its thread lives. */
  readonly lockName: string;
}

/** Decides lengths, bytes and pauses, so that a run can be repeated up to its timing. */
export const SEED = 20_240;
export const MAX_PAYLOAD_BYTES = 248;
/** Longer than any test waits: who sleeps this long has missed its wake-up. */
export const FOREVER_MS = 600_000;
