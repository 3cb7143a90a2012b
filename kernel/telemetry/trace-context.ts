/**
 * W3C Trace Context, version 00, as text (`traceparent`) and as the 25 bytes that ride in the header of
 * a message, so that a trace does not end at the border of a thread.
 *
 *      0                               16              24      25
 *      +-------------------------------+---------------+-------+
 *      |  trace id                     |  parent span  | flags |
 *      +-------------------------------+---------------+-------+
 *
 * Every thread reads and writes these, so this file loads nothing. `tracestate` does not travel: it is
 * for vendors along the way, and between the threads of one process there are none.
 * https://www.w3.org/TR/trace-context/
 */
export interface TraceContext {
  /** 32 lower-case hex digits, not all zero. */
  readonly traceId: string;
  /** 16 lower-case hex digits, not all zero: the span that caused the message. */
  readonly spanId: string;
  readonly traceFlags: number;
}

export const TRACE_CONTEXT_BYTES = 25;

const TRACE_ID_BYTES = 16;
const SPAN_ID_BYTES = 8;
const FLAGS_OFFSET = TRACE_ID_BYTES + SPAN_ID_BYTES;
/** Sampled, and random trace id (level 2). The others are reserved and have to be zero. */
const KNOWN_FLAGS = 0b11;

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const VERSION = '00';
const INVALID_VERSION = 'ff';
const NO_TRACE_ID = '0'.repeat(TRACE_ID_BYTES * 2);
const NO_SPAN_ID = '0'.repeat(SPAN_ID_BYTES * 2);

/** Writes the 25 bytes at `offset`; for undefined such as are read as undefined. */
export function writeTraceContext(u8: Uint8Array, offset: number, context: TraceContext | undefined): void {
  if (context === undefined) {
    u8.fill(0, offset, offset + TRACE_CONTEXT_BYTES);
    return;
  }
  writeHex(u8, offset, context.traceId, TRACE_ID_BYTES);
  writeHex(u8, offset + TRACE_ID_BYTES, context.spanId, SPAN_ID_BYTES);
  u8[offset + FLAGS_OFFSET] = context.traceFlags;
}

/** @returns undefined if one of the ids is zero, which means that there is no trace */
export function readTraceContext(u8: Uint8Array, offset: number): TraceContext | undefined {
  const traceId = readHex(u8, offset, TRACE_ID_BYTES);
  const spanId = readHex(u8, offset + TRACE_ID_BYTES, SPAN_ID_BYTES);
  if (traceId === NO_TRACE_ID || spanId === NO_SPAN_ID) return undefined;
  return { traceId, spanId, traceFlags: u8[offset + FLAGS_OFFSET]! };
}

/**
 * Of a later version only the parts of version 00 are read, as the standard demands.
 * @returns undefined for what is not a valid traceparent; the standard demands that it is ignored
 */
export function parseTraceparent(text: string): TraceContext | undefined {
  const [, version, traceId, spanId, flags, rest] = TRACEPARENT.exec(text) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (version === INVALID_VERSION || traceId === NO_TRACE_ID || spanId === NO_SPAN_ID) return undefined;
  if (version === VERSION && rest !== undefined) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & KNOWN_FLAGS };
}

export function formatTraceparent({ traceId, spanId, traceFlags }: TraceContext): string {
  return `${VERSION}-${traceId}-${spanId}-0${traceFlags & KNOWN_FLAGS}`;
}

function writeHex(u8: Uint8Array, offset: number, hex: string, bytes: number): void {
  for (let index = 0; index < bytes; index++) {
    u8[offset + index] = (digit(hex.charCodeAt(2 * index)) << 4) | digit(hex.charCodeAt(2 * index + 1));
  }
}

/** The value of a hex digit: those from `a` have bit 6 set and are 9 above their last four bits. */
function digit(code: number): number {
  return (code & 0xf) + (code >> 6) * 9;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function readHex(u8: Uint8Array, offset: number, bytes: number): string {
  let hex = '';
  for (let index = 0; index < bytes; index++) hex += HEX[u8[offset + index]!];
  return hex;
}
