import { inspect } from 'node:util';
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

function nestedObjects(levels: number): unknown {
  return levels === 0 ? 1 : { in: nestedObjects(levels - 1) };
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

/** What came back, so that types, key order and -0 show, or why nothing did. */
function outcome(action: () => unknown): string {
  try {
    return inspect(action(), { depth: Infinity, maxArrayLength: Infinity, maxStringLength: Infinity });
  } catch (error) {
    if (error instanceof SpillwayError) return `refused with ${error.code}`;
    throw error;
  }
}

const throughBytes = (value: unknown): string => outcome(() => untypedValue.decode(new Uint8Array(untypedValue.encode(value))));

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

  it('comes back when it is copied just as through bytes, or is refused just as there', () => {
    const value = fc.anything({
      maxDepth: 4, withBigInt: true, withDate: true, withTypedArray: true, withMap: true, withSet: true, withBoxedValues: true,
      withNullPrototype: true, withObjectString: true, withSparseArray: true,
      key: fc.oneof(fc.string(), fc.constantFrom('constructor', 'hasOwnProperty', '\ud800', '\ufeff', '__proto__')),
      values: [
        fc.boolean(), fc.integer(), fc.double(), fc.bigInt(), fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), fc.date(),
        fc.constantFrom(null, undefined, -0, 2n ** 63n, -(2n ** 63n), 2n ** 64n, `\ufeff${'x'.repeat(70)}`, `\ud800${'x'.repeat(70)}`),
        fc.constantFrom<unknown>(/x/, new Error('x'), () => 1, Symbol('x'), new URL('file:///x'), new ArrayBuffer(3), Buffer.from('abc')),
      ],
    });
    fc.assert(fc.property(value, (original) => {
      const copied = outcome(() => untypedValue.copy(original));
      expect(copied).toEqual(throughBytes(original));
    }), { numRuns: 2000 });
  });

  it.each<[string, unknown]>([
    ['the longest nesting of objects', nestedObjects(NESTING_DEPTH_MAX)],
    ['one level too many of them', nestedObjects(NESTING_DEPTH_MAX + 1)],
    ['its own idea of which keys are its own', Object.assign(Object.create({ inherited: 1 }), { hasOwnProperty: 1 })],
    ['a text that begins with U+FEFF', { text: `\ufeff${'é'.repeat(70)}` }],
    ['a text with a lone surrogate at its end', [`${'x'.repeat(70)}\udc00`]],
    ['a key with a lone surrogate', { '\ud800': 1 }],
    ['keys that are numbers, symbols, or not shown', Object.defineProperty({ b: 1, 2: 2, [Symbol('s')]: 3 }, 'hidden', { value: 4 })],
    ['a bigint of many bits', [2n ** 1000n, -(2n ** 1000n), 2n ** 63n]],
    ['an object with a class', { url: new URL('file:///x'), own: new (class Own { field = 1; })() }],
    ['a hole', Object.assign(Array.from({ length: 1 }), { 3: 1 })],
    ['as many keys as msgpackr counts', Object.fromEntries(Array.from({ length: 0xffff }, (_, index) => [`k${index}`, 1]))],
  ])('is copied just as through bytes when it has %s', (_, value) => {
    expect(outcome(() => untypedValue.copy(value))).toEqual(throughBytes(value));
  });

  it('shares nothing with its copy', () => {
    const buffer = new Float32Array([1, 2, 3, 4]);
    const original = { at: new Date(5), list: [{ deep: [1] }], part: buffer.subarray(1, 3), bytes: Buffer.from('abc') };
    const copy = untypedValue.copy(original) as typeof original;
    original.at.setTime(6);
    original.list[0]?.deep.push(2);
    buffer.fill(0);
    original.bytes.fill(0);
    expect(copy).toEqual({ at: new Date(5), list: [{ deep: [1] }], part: new Float32Array([2, 3]), bytes: new Uint8Array([97, 98, 99]) });
    expect([copy.part.buffer.byteLength, copy.bytes.constructor]).toEqual([8, Uint8Array]);
  });

  it.each<[string, unknown]>([
    ['nests too deep', nested(NESTING_DEPTH_MAX + 1)],
    ['has too many keys', Object.fromEntries(Array.from({ length: 0x10000 }, (_, index) => [`k${index}`, 1]))],
    ['has a forbidden key', JSON.parse('{"a":[{"__proto__":1}]}')],
    ['has a cycle', (() => { const cycle: Record<string, unknown> = {}; cycle['self'] = cycle; return cycle; })()],
    ['has a getter that throws', { get bad() { throw new RangeError('no'); } }],
    ['is a proxy that was revoked', (() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy; })()],
    ['is a typed array without its memory', (() => { const array = new Uint8Array(8); structuredClone(array.buffer, { transfer: [array.buffer] }); return array; })()],
    ['is a typed array of a class of its own', new (class Own extends Uint8Array {})(2)],
    ['only says it were a Date', Object.defineProperty({ getTime: () => 5 }, 'constructor', { value: Date })],
  ])('is refused in both ways when it %s', (_, value) => {
    expect(refusal(() => untypedValue.encode(value))).not.toBe('nothing was refused');
    expect(refusal(() => untypedValue.copy(value))).toBe(refusal(() => untypedValue.encode(value)));
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
