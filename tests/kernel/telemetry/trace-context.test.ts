import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  TRACE_CONTEXT_BYTES,
  formatTraceparent,
  parseTraceparent,
  readTraceContext,
  writeTraceContext,
  type TraceContext,
} from '../../../kernel/telemetry/trace-context.ts';

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN_ID = '00f067aa0ba902b7';
const hex = (length: number): fc.Arbitrary<string> => {
  return fc.string({ unit: fc.constantFrom(...'0123456789abcdef'.split('')), minLength: length, maxLength: length }).filter((id) => !/^0*$/.test(id));
};
const contexts: fc.Arbitrary<TraceContext> = fc.record({ traceId: hex(32), spanId: hex(16), traceFlags: fc.nat(3) });

describe('a traceparent', () => {
  test('is what the standard gives as its example', () => {
    const context = { traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1 };
    expect(parseTraceparent(`00-${TRACE_ID}-${SPAN_ID}-01`)).toEqual(context);
    expect(formatTraceparent(context)).toBe(`00-${TRACE_ID}-${SPAN_ID}-01`);
  });

  test('comes back as it was written', () => {
    fc.assert(
      fc.property(contexts, (context) => {
        expect(parseTraceparent(formatTraceparent(context))).toEqual(context);
      }),
    );
  });

  test.each([
    ['empty', ''],
    ['too short', `00-${TRACE_ID}-${SPAN_ID}`],
    ['in upper case', `00-${TRACE_ID.toUpperCase()}-${SPAN_ID}-01`],
    ['not hexadecimal', `00-${TRACE_ID.replace('4', 'g')}-${SPAN_ID}-01`],
    ['of an invalid version', `ff-${TRACE_ID}-${SPAN_ID}-01`],
    ['without a trace', `00-${'0'.repeat(32)}-${SPAN_ID}-01`],
    ['without a span', `00-${TRACE_ID}-${'0'.repeat(16)}-01`],
    ['of version 00 and goes on', `00-${TRACE_ID}-${SPAN_ID}-01-more`],
    ['of a later version and goes on without a dash', `01-${TRACE_ID}-${SPAN_ID}-01more`],
    ['surrounded by space', ` 00-${TRACE_ID}-${SPAN_ID}-01 `],
    ['followed by a line', `00-${TRACE_ID}-${SPAN_ID}-01\n`],
  ])('that is %s is none', (_, text) => {
    expect(parseTraceparent(text)).toBeUndefined();
  });

  test('of a later version is read as far as it is known', () => {
    expect(parseTraceparent(`01-${TRACE_ID}-${SPAN_ID}-01-more`)).toEqual({ traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1 });
    expect(parseTraceparent(`cc-${TRACE_ID}-${SPAN_ID}-00`)).toMatchObject({ traceFlags: 0 });
  });

  test('passes on the flags that are known and no others', () => {
    expect(parseTraceparent(`00-${TRACE_ID}-${SPAN_ID}-ff`)?.traceFlags).toBe(3);
    expect(formatTraceparent({ traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 0xfe })).toBe(`00-${TRACE_ID}-${SPAN_ID}-02`);
  });
});

describe('the bytes in a header', () => {
  test('are 25, at the offset and nowhere else, and come back as they were written', () => {
    fc.assert(
      fc.property(contexts, fc.nat(40), fc.nat(255), (context, offset, traceFlags) => {
        const u8 = new Uint8Array(new SharedArrayBuffer(80)).fill(0xee);
        writeTraceContext(u8, offset, { ...context, traceFlags });
        expect(readTraceContext(u8, offset)).toEqual({ ...context, traceFlags });
        const outside = [...u8.subarray(0, offset), ...u8.subarray(offset + TRACE_CONTEXT_BYTES)];
        expect(outside.every((byte) => byte === 0xee)).toBe(true);
        expect(Buffer.from(u8.subarray(offset, offset + 24)).toString('hex')).toBe(context.traceId + context.spanId);
      }),
    );
  });

  test('of no trace overwrite one that was there', () => {
    const u8 = new Uint8Array(TRACE_CONTEXT_BYTES);
    expect(readTraceContext(u8, 0)).toBeUndefined();
    writeTraceContext(u8, 0, { traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1 });
    writeTraceContext(u8, 0, undefined);
    expect(readTraceContext(u8, 0)).toBeUndefined();
    expect(u8.every((byte) => byte === 0)).toBe(true);
  });
});
