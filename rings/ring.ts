/**
 * The contract that every ring of this package keeps.
 *
 * A ring carries records of variable length from producers to consumers through shared memory. It
 * is bounded: what does not fit is refused with a result code, in the manner of Aeron's
 * `Publication`, and never with an exception. Full and empty are ordinary answers.
 */

import type { Doorbell } from './doorbell.ts';
import type { SharedMemory } from './shared-memory.ts';

/** No consumer is attached, and the ring was made with `needsConsumer`. */
export const NOT_CONNECTED = -1;
/** The ring has no room now; the consumer has to make progress first. Try again later. */
export const BACK_PRESSURED = -2;
/** The ring is busy with its own upkeep; try again at once. */
export const ADMIN_ACTION = -3;
/** The ring is closed for good; the record was not taken. */
export const CLOSED = -4;
/** The record is longer than this ring will ever take. */
export const TOO_LONG = -5;

/** Of a block pool: the handle is none, or its block is released, handed on, taken by another or reclaimed. */
export const NOT_OWNED = -6;

/** A refusal. Everything that is not negative is success. */
export type RingRefusal =
  | typeof NOT_CONNECTED
  | typeof BACK_PRESSURED
  | typeof ADMIN_ACTION
  | typeof CLOSED
  | typeof TOO_LONG
  | typeof NOT_OWNED;

const REFUSAL_NAMES: Readonly<Record<RingRefusal, string>> = {
  [NOT_CONNECTED]: 'NOT_CONNECTED',
  [BACK_PRESSURED]: 'BACK_PRESSURED',
  [ADMIN_ACTION]: 'ADMIN_ACTION',
  [CLOSED]: 'CLOSED',
  [TOO_LONG]: 'TOO_LONG',
  [NOT_OWNED]: 'NOT_OWNED',
};

/** The name of a result code, for messages and reports. A success is named `'OK'`. */
export function resultName(result: number): string {
  return result >= 0 ? 'OK' : (REFUSAL_NAMES[result as RingRefusal] ?? `UNKNOWN(${result})`);
}

/** The record is consumed; go on with the next one. What a handler that returns nothing means. */
export const CONTINUE = 0;
/** As CONTINUE, and the freed room is shown to the producer at once instead of at the end of the poll. */
export const COMMIT = 1;
/** The record is consumed; stop this poll. */
export const BREAK = 2;
/** The record stays where it is and will be delivered again; stop this poll. */
export const ABORT = 3;

/** A handler's answer for one record. */
export type PollAction = typeof CONTINUE | typeof COMMIT | typeof BREAK | typeof ABORT;

/**
 * Receives one record in place: its payload is `length` bytes at byte `offset` of the end's memory,
 * 8-byte aligned, valid only until the handler returns. `redeliveries` says in the hands of how many
 * consumers before this one, all dead by now, the record has been (0 to 7, where 7 means 7 or more).
 */
export type RecordHandler = (kind: number, offset: number, length: number, redeliveries: number) => PollAction | void;

/** What both ends of every ring offer. */
export interface RingSide {
  /** Where the payloads of this end lie, through views of several widths, for codecs that work in place. */
  readonly memory: SharedMemory;
  readonly capacityBytes: number;
  readonly maxPayloadBytes: number;
  /** The number of this life of its side: 1 for the first end that ever attached, then counting up. */
  readonly incarnation: number;
  readonly closed: boolean;
  /** Closes the ring for new records. What was published can still be polled. Idempotent. */
  close(): void;
  /** Gives the side back, so that another end may attach to it. This end must not be used any more. */
  detach(): void;
  /** Stores the time of a sign of life, in milliseconds of the caller's clock (kept modulo 2^32). */
  beat(timeMs: number): void;
}

/**
 * The sending end of a ring, for one thread at a time.
 *
 * Every refusal is a negative result: `BACK_PRESSURED`, `CLOSED`, `TOO_LONG`, `NOT_CONNECTED` (only of
 * rings made with `needsConsumer`) or `ADMIN_ACTION`.
 */
export interface RingProducer extends RingSide {
  /**
   * Reserves room for one record. The caller writes the payload at the returned byte offset of
   * `memory`, a multiple of 8, and then calls `commit` or `abort`.
   * @throws RingError `claim_pending`, `bad_kind`, `bad_length`
   */
  tryClaim(kind: number, payloadBytes: number): number;
  /**
   * Reserves `bytes` of contiguous room, the sum of `recordBytes` of the records to come, and returns
   * `bytes`. `append` lays them there, and `commit` publishes all of them at once.
   * @throws RingError `claim_pending`, `bad_length`
   */
  tryClaimBatch(bytes: number): number;
  /**
   * Lays the next record of a batch and returns its payload's offset, or TOO_LONG when it does not fit
   * into what is left of the batch.
   * @throws RingError `no_claim`, `bad_kind`, `bad_length`
   */
  append(kind: number, payloadBytes: number): number;
  /** Publishes what was claimed and wakes the consumer if it sleeps. @throws RingError `no_claim` */
  commit(): void;
  /** Gives the claim back; nothing of it was ever visible. @throws RingError `no_claim` */
  abort(): void;
  /** Claims, copies `payload` and commits. @returns 0 or a refusal */
  offer(kind: number, payload: Uint8Array): number;
  /** Counts records that the application dropped instead of offering them. */
  countShed(records?: number): void;
}

/** The receiving end of a ring, for one thread at a time. */
export interface RingConsumer extends RingSide {
  /** Whether a record waits. Never wrong towards "yes"; "no" may be overtaken by the next publication. */
  readonly hasRecord: boolean;
  /** The bell that comes with this ring, for a consumer that waits on this ring alone. */
  readonly doorbell: Doorbell;
  /**
   * Hands up to `limit` records to `handler`, oldest first. A handler that throws has consumed its
   * record: the position moves past it, the ring stays usable and the error goes to the caller.
   * @returns the number of records consumed
   * @throws RingError `poll_pending`
   */
  poll(handler: RecordHandler, limit: number): number;
}

/** A consumer whose records stay until it releases them: all but the readers of a broadcast ring. */
export interface ReleasingConsumer extends RingConsumer {
  /**
   * Hands up to `limit` records to `handler` without consuming them, from position `from` on, which
   * an earlier `peek` returned, or from the oldest record. BREAK ends it after a record, ABORT before it.
   * @returns the position behind the last record handed out, for `release` or for the next `peek`
   * @throws RingError `poll_pending`, `bad_position`
   */
  peek(handler: RecordHandler, limit: number, from?: number): number;
  /**
   * Consumes all records before `position`, which `peek` returned: together they deliver at least once.
   * @returns the number of records consumed
   * @throws RingError `poll_pending`, `bad_position`
   */
  release(position: number): number;
  /** Gives the record whose payload lies at `offset` another kind, where it waits. @throws RingError `bad_kind` */
  relabel(offset: number, kind: number): void;
}

/** Raised for a programmer's or a configuration error only: never for full, empty or closed. */
export class RingError extends Error {
  override readonly name = 'RingError';
  readonly code: RingErrorCode;

  constructor(code: RingErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export const RING_ERRORS = {
  bad_capacity: 'The capacity is not a power of two, or is outside the permitted range.',
  bad_buffer: 'The memory is not a SharedArrayBuffer, or its size does not match its header.',
  bad_header: 'The memory does not begin with a finished ring header of this version and of the expected kind.',
  bad_marks: 'The marks are not whole bytes with 0 < low <= high <= capacity.',
  bad_position: 'A position is no beginning of a record here, or an initial one no multiple of 8 in its range.',
  bad_slots: 'The number of producers is not from 1 to 255, or that of records not a power of two from 8 to 2^24.',
  side_taken: "Another end is attached to this side: not the dead one that the successor named, or this one's own successor.",
  no_slot: 'As many producers are attached as the ring was made for.',
  bad_kind: 'A record kind is not an integer from 0 to 2^31 - 1; negative kinds belong to the ring itself.',
  bad_length: 'A payload length is not a count of bytes, or that of a batch not a multiple of 8.',
  claim_pending: 'A claim was made, or the side given back, while a claim is neither committed nor aborted.',
  no_claim: 'A commit, an abort or an append came without its claim.',
  poll_pending: 'A handler polled the ring whose record it holds.',
  bad_fragments: 'The sizes or limits of a fragmenter or reassembler are out of range, or do not fit each other or the ring.',
  message_pending: 'Another message was offered while one is half sent; continue that one or abandon it first.',
  bad_classes: 'The size classes of a block pool are too many or too large, not powers of two, or not in ascending order.',
  bad_owner: 'The number of an owner of blocks, or of owners, is out of range.',
  owner_taken: 'Another thread is attached as this owner of blocks, or blocks that a dead one handed over are on their way.',
} as const;

export type RingErrorCode = keyof typeof RING_ERRORS;
