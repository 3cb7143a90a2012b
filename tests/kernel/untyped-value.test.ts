import { SharedMemory, compileCodec } from 'atomics-ring-buffer';
import * as fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { SpillwayError } from '../../kernel/index.ts';
import { NESTING_DEPTH_MAX, untypedValue } from '../../kernel/untyped-value.ts';

const permissive = new Packr({ useRecords: false, moreTypes: true });
const records = new Packr({ useRecords: true });

function nested(levels: number): unknown {
  return levels === 0 ? 1 : [nested(levels - 1)];
}

function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof SpillwayError && error.code === 'value_refused') return error.message;
    throw error;
  }
  return 'nothing was refused';
}

describe('an untyped value', () => {
  it('comes back when it is plain data', () => {
    const key = fc.string().filter((name) => !['__proto__', 'constructor', 'prototype'].includes(name));
    const value = fc.anything({
      key, maxDepth: 4, withBigInt: true, withDate: true, withTypedArray: true,
      values: [
        fc.boolean(),
        fc.integer(),
        fc.double().filter((number) => !Object.is(number, -0)),
        fc.string({ unit: 'grapheme' }),
        fc.constantFrom(null, undefined, 'x'.repeat(70_000)),
      ],
    });
    fc.assert(fc.property(value, (original) => {
      expect(untypedValue.decode(untypedValue.encode(original))).toEqual(original);
    }), { numRuns: 500 });
  });

  it('goes through a codec', () => {
    const codec = compileCodec({ properties: { body: {} } }, { untyped: untypedValue });
    const memory = new SharedMemory(new SharedArrayBuffer(256));
    const value = { body: { list: [1, 'two', null], at: new Date(5) } };
    const length = codec.byteLength(value);
    codec.encode(value, memory, 8, length);
    expect(codec.decode(memory, 8, length)).toEqual(value);
  });

  it('may nest up to the limit and not deeper', () => {
    expect(untypedValue.decode(untypedValue.encode(nested(NESTING_DEPTH_MAX)))).toEqual(nested(NESTING_DEPTH_MAX));
    expect(refusal(() => untypedValue.encode(nested(NESTING_DEPTH_MAX + 1)))).toContain('nests deeper');
    expect(refusal(() => untypedValue.decode(new Uint8Array(1_000_000).fill(0x91)))).toContain('nests deeper');
  });

  it.each(['__proto__', 'constructor', 'prototype'])('may not have the key %s', (key) => {
    const value = { outer: [Object.fromEntries([['safe', 1], [key, { polluted: true }]])] };
    expect(refusal(() => untypedValue.encode(value))).toContain(JSON.stringify(key));
    expect(refusal(() => untypedValue.decode(permissive.pack(value)))).toContain(JSON.stringify(key));
  });

  it.each<[string, Uint8Array]>([
    ['a record definition', records.pack({ a: 1 })],
    ['a regular expression', permissive.pack(/x/)],
    ['a set', permissive.pack(new Set([1]))],
    ['an error', permissive.pack(new Error('x'))],
    ['a key that is a number', permissive.pack(new Map([[1, 2]]))],
    ['an array of 2^32 - 1 items', new Uint8Array([0xdd, 0xff, 0xff, 0xff, 0xff])],
    ['a map of 2^32 - 1 entries', new Uint8Array([0xdf, 0xff, 0xff, 0xff, 0xff])],
    ['a text that is cut short', new Uint8Array([0xdb, 0, 0, 1, 0, 0x61])],
    ['nothing', new Uint8Array()],
    ['two values', new Uint8Array([1, 2])],
    ['the byte that begins no value', new Uint8Array([0xc1])],
  ])('is refused when its bytes hold %s', (_, bytes) => {
    expect(refusal(() => untypedValue.decode(bytes))).not.toBe('nothing was refused');
  });

  it.each<[string, unknown]>([
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['a cycle', (() => { const cycle: unknown[] = []; cycle.push(cycle); return cycle; })()],
    ['a set', new Set([1])],
  ])('is refused at the sender when it is %s', (_, value) => {
    expect(refusal(() => untypedValue.encode(value))).not.toBe('nothing was refused');
  });

  it('is refused or read, and nothing else, whatever its bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      refusal(() => untypedValue.decode(bytes));
    }), { numRuns: 3000 });
  });

  it('leaves no trace in the next one after a refusal', () => {
    refusal(() => untypedValue.decode(new Uint8Array([0xc4])));
    expect(untypedValue.decode(untypedValue.encode({ a: ['b'] }))).toEqual({ a: ['b'] });
  });
});
