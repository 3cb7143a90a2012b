/**
 * What every message between threads begins with, in front of its encoded value:
 *
 *      0       4       8             12             16            24      28      32
 *      +-------+-------+-------------+--------------+-------------+-------+-------+- - - - - - - -
 *      |  to   | from  | correlation | incarnation  | deadline ms | scope | flags | extras, value
 *      +-------+-------+-------------+--------------+-------------+-------+-------+- - - - - - - -
 *
 * `correlation` joins an answer to its ask and is 0 for a tell. `incarnation` is the asker's: an
 * answer to a former life of a thread is recognized by it and never taken for an answer to the new
 * one. `deadline` is on the machine-wide monotonic clock, 0 for none. `scope` names the cancel scope
 * that the message belongs to, 0 for none. The record's kind says which message of the receiver's
 * protocol it is.
 *
 * The flags say which extras follow, in this order:
 *
 *   SENT_AT   8 bytes    when it was sent, on the monotonic clock; one message of some carries it, so
 *                        that latency is measured without reading the clock for each
 *   TRACE    32 bytes    W3C trace context, see telemetry/trace-context.ts
 */
import type { SharedMemory } from 'atomics-ring-buffer';
import type { Address } from './address.ts';
import { readTraceContext, writeTraceContext, type TraceContext } from './telemetry/trace-context.ts';

export const ENVELOPE_BYTES = 32;
const SENT_AT_BYTES = 8;
/** 25 bytes, in whole words. */
const TRACE_BYTES = 32;

const SENT_AT = 1;
const TRACE = 2;

/** Correlation of a message that expects no answer. */
export const NO_CORRELATION = 0;
export const NO_SCOPE = 0;

/** Record kinds of the kernel itself; a protocol's messages are numbered from FIRST_MESSAGE_KIND. */
export const REPLY_KIND = 1;
export const FAILURE_KIND = 2;
export const CANCEL_KIND = 3;
/** What an answer's record is turned into once it was taken out of turn; see answers-ahead.ts. */
export const SETTLED_KIND = 4;
/** One item of a streaming answer. */
export const ITEM_KIND = 5;
/** The asker takes more items of a stream: the correlation says which, the value how many. */
export const DEMAND_KIND = 6;
/** An ask was handed on; its answer will come from the sender of this record. */
export const FORWARDED_KIND = 7;
export const FIRST_MESSAGE_KIND = 16;

export interface Envelope {
  readonly to: Address;
  readonly from: Address;
  readonly correlation: number;
  readonly incarnation: number;
  /** When nobody waits for its answer any more, on the monotonic clock. */
  readonly dueMs: number | undefined;
  /** The cancel scope that it belongs to; NO_SCOPE for none. */
  readonly scopeId: number;
  /** On the monotonic clock, of a message that is measured. */
  readonly sentAtMs: number | undefined;
  readonly trace: TraceContext | undefined;
}

/** Bytes that the envelope takes with its extras. */
export function envelopeBytes({ sentAtMs, trace }: Envelope): number {
  return ENVELOPE_BYTES + (sentAtMs === undefined ? 0 : SENT_AT_BYTES) + (trace === undefined ? 0 : TRACE_BYTES);
}

/** Writes the envelope in front of a value that begins at `offset + envelopeBytes(envelope)`. */
export function writeEnvelope(memory: SharedMemory, offset: number, envelope: Envelope): void {
  const word = offset >> 2;
  const { sentAtMs, trace } = envelope;
  memory.i32[word] = envelope.to;
  memory.i32[word + 1] = envelope.from;
  memory.i32[word + 2] = envelope.correlation;
  memory.i32[word + 3] = envelope.incarnation;
  memory.f64[(offset + 16) >> 3] = envelope.dueMs ?? 0;
  memory.i32[word + 6] = envelope.scopeId;
  memory.i32[word + 7] = (sentAtMs === undefined ? 0 : SENT_AT) | (trace === undefined ? 0 : TRACE);
  if (sentAtMs !== undefined) memory.f64[(offset + ENVELOPE_BYTES) >> 3] = sentAtMs;
  if (trace !== undefined) writeTraceContext(memory.u8, offset + ENVELOPE_BYTES + (sentAtMs === undefined ? 0 : SENT_AT_BYTES), trace);
}

export type ReadableMemory = Pick<SharedMemory, 'u8' | 'i32' | 'f64'>;

/** Bytes of the envelope that was written at `offset`, with its extras. */
export function writtenEnvelopeBytes(memory: ReadableMemory, offset: number): number {
  const flags = readFlags(memory, offset);
  return ENVELOPE_BYTES + ((flags & SENT_AT) === 0 ? 0 : SENT_AT_BYTES) + ((flags & TRACE) === 0 ? 0 : TRACE_BYTES);
}

export function readEnvelope(memory: ReadableMemory, offset: number): Envelope {
  return {
    to: readTo(memory, offset),
    from: readFrom(memory, offset),
    correlation: readCorrelation(memory, offset),
    incarnation: readIncarnation(memory, offset),
    dueMs: readDueMs(memory, offset),
    scopeId: readScopeId(memory, offset),
    sentAtMs: readSentAtMs(memory, offset),
    trace: readTrace(memory, offset),
  };
}

// The fields one by one, for those who need only some, or put them elsewhere than into an object.

export function readTo(memory: ReadableMemory, offset: number): Address {
  return memory.i32[offset >> 2]! >>> 0;
}

export function readFrom(memory: ReadableMemory, offset: number): Address {
  return memory.i32[(offset >> 2) + 1]! >>> 0;
}

export function readCorrelation(memory: ReadableMemory, offset: number): number {
  return memory.i32[(offset >> 2) + 2]! >>> 0;
}

export function readIncarnation(memory: ReadableMemory, offset: number): number {
  return memory.i32[(offset >> 2) + 3]!;
}

export function readDueMs(memory: ReadableMemory, offset: number): number | undefined {
  // Most messages have none, and a number that is not small costs an allocation where it is kept.
  return memory.f64[(offset + 16) >> 3]! || undefined;
}

export function readScopeId(memory: ReadableMemory, offset: number): number {
  return memory.i32[(offset >> 2) + 6]! >>> 0;
}

export function readSentAtMs(memory: ReadableMemory, offset: number): number | undefined {
  return (readFlags(memory, offset) & SENT_AT) === 0 ? undefined : memory.f64[(offset + ENVELOPE_BYTES) >> 3]!;
}

export function readTrace(memory: ReadableMemory, offset: number): TraceContext | undefined {
  const flags = readFlags(memory, offset);
  if ((flags & TRACE) === 0) return undefined;
  return readTraceContext(memory.u8, offset + ENVELOPE_BYTES + ((flags & SENT_AT) === 0 ? 0 : SENT_AT_BYTES));
}

function readFlags(memory: ReadableMemory, offset: number): number {
  return memory.i32[(offset >> 2) + 7]!;
}

/** The envelope of what is sent to whoever sent `envelope`, as its answer. */
export function answerTo({ to, from, correlation, incarnation, scopeId }: Envelope): Envelope {
  return { to: from, from: to, correlation, incarnation, dueMs: undefined, scopeId, sentAtMs: undefined, trace: undefined };
}

/** The envelope of what follows an ask on its way: a cancel, or demand for more items. */
export function follows({ to, from, correlation, incarnation, scopeId }: Envelope): Envelope {
  return { to, from, correlation, incarnation, dueMs: undefined, scopeId, sentAtMs: undefined, trace: undefined };
}
