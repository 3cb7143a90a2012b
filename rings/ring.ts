/**
 * The contract that every ring of this package keeps.
 *
 * A ring carries records of variable length from producers to consumers through shared memory. It
 * is bounded: what does not fit is refused with a result code, in the manner of Aeron's
 * `Publication`, and never with an exception. Full and empty are ordinary answers.
 */

/** No consumer (or producer) is attached to the other side yet. */
export const NOT_CONNECTED = -1;
/** The ring has no room now; the consumer has to make progress first. Try again later. */
export const BACK_PRESSURED = -2;
/** The ring is busy with its own upkeep; try again at once. */
export const ADMIN_ACTION = -3;
/** The ring is closed for good; the record was not taken. */
export const CLOSED = -4;
/** The record is longer than this ring will ever take. */
export const TOO_LONG = -5;

/** A refusal. Everything that is not negative is success. */
export type RingRefusal =
  | typeof NOT_CONNECTED
  | typeof BACK_PRESSURED
  | typeof ADMIN_ACTION
  | typeof CLOSED
  | typeof TOO_LONG;

const REFUSAL_NAMES: Readonly<Record<RingRefusal, string>> = {
  [NOT_CONNECTED]: 'NOT_CONNECTED',
  [BACK_PRESSURED]: 'BACK_PRESSURED',
  [ADMIN_ACTION]: 'ADMIN_ACTION',
  [CLOSED]: 'CLOSED',
  [TOO_LONG]: 'TOO_LONG',
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
 * Receives one record in place: its payload is `length` bytes at byte `offset` of the ring's memory,
 * 8-byte aligned, valid only until the handler returns.
 */
export type RecordHandler = (kind: number, offset: number, length: number) => PollAction | void;

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
  bad_header: 'The memory does not begin with a finished ring header of this version.',
  bad_marks: 'The marks are not whole bytes with 0 < low <= high <= capacity.',
  bad_position: 'The initial position is not a multiple of 8 from 0 to 2^32 - 8.',
  bad_kind: 'A record kind is not an integer from 0 to 2^31 - 1; negative kinds belong to the ring itself.',
  bad_length: 'A payload length is not a count of bytes.',
  claim_pending: 'A claim was made while another is neither committed nor aborted.',
  no_claim: 'A commit or an abort came without a claim.',
  poll_pending: 'A handler polled the ring whose record it holds.',
} as const;

export type RingErrorCode = keyof typeof RING_ERRORS;
