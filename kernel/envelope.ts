/**
 * What every message between threads begins with, in front of its encoded value:
 *
 *      0       4       8             12             16            24
 *      +-------+-------+-------------+--------------+-------------+-----------
 *      |  to   | from  | correlation | incarnation  | deadline ms | value ...
 *      +-------+-------+-------------+--------------+-------------+-----------
 *
 * `correlation` joins an answer to its ask and is 0 for a tell. `incarnation` is the asker's: an
 * answer to a former life of a thread is recognized by it and never taken for an answer to the new
 * one. `deadline` is on the machine-wide monotonic clock, 0 for none. The record's kind says which
 * message of the receiver's protocol it is.
 */
import type { SharedMemory } from 'atomics-ring-buffer';
import type { Address } from './address.ts';

export const ENVELOPE_BYTES = 24;

/** Correlation of a message that expects no answer. */
export const NO_CORRELATION = 0;
export const NO_DEADLINE = 0;

/** Record kinds of the kernel itself; a protocol's messages are numbered from FIRST_MESSAGE_KIND. */
export const REPLY_KIND = 1;
export const FAILURE_KIND = 2;
export const CANCEL_KIND = 3;
/** What an answer's record is turned into once it was taken out of turn; see answers-ahead.ts. */
export const SETTLED_KIND = 4;
export const FIRST_MESSAGE_KIND = 16;

export interface Envelope {
  readonly to: Address;
  readonly from: Address;
  readonly correlation: number;
  readonly incarnation: number;
  readonly deadlineMs: number;
}

export function writeEnvelope(memory: SharedMemory, offset: number, envelope: Envelope): void {
  const word = offset >> 2;
  memory.i32[word] = envelope.to;
  memory.i32[word + 1] = envelope.from;
  memory.i32[word + 2] = envelope.correlation;
  memory.i32[word + 3] = envelope.incarnation;
  memory.f64[(offset + 16) >> 3] = envelope.deadlineMs;
}

export function readEnvelope(memory: Pick<SharedMemory, 'i32' | 'f64'>, offset: number): Envelope {
  const word = offset >> 2;
  return {
    to: memory.i32[word]! >>> 0,
    from: memory.i32[word + 1]! >>> 0,
    correlation: memory.i32[word + 2]! >>> 0,
    incarnation: memory.i32[word + 3]!,
    deadlineMs: memory.f64[(offset + 16) >> 3]!,
  };
}
