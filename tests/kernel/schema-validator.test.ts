import { CodecError, SharedMemory, compileCodec } from 'atomics-ring-buffer';
import type { JtdSchema } from 'atomics-ring-buffer';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SpillwayError } from '../../kernel/index.ts';
import { compileValidator } from '../../kernel/schema-validator.ts';
import { jsonCodec, sample } from '../rings/codec-arbitrary.ts';

interface Fault {
  readonly path: string;
  readonly expected: string;
  readonly found: string;
}

function faultOf(schema: JtdSchema, value: unknown): Fault {
  try {
    compileValidator(schema)(value);
  } catch (error) {
    if (!(error instanceof SpillwayError)) throw error;
    expect(error.code).toBe('message_invalid');
    const fault = error.details as unknown as Fault;
    for (const part of [fault.path, fault.expected, fault.found]) expect(error.message).toContain(part);
    return fault;
  }
  throw new Error('The value passed.');
}

const row: JtdSchema = { elements: { type: 'float32' }, metadata: { typedArray: true } };

describe('a fault', () => {
  it.each<[string, JtdSchema, unknown, Fault]>([
    ['a wrong type', { type: 'string' }, 5, { path: '', expected: 'a string', found: 'the number 5' }],
    ['a number out of range', { properties: { id: { type: 'uint8' } } }, { id: 300 }, { path: '/id', expected: 'a uint8', found: 'the number 300' }],
    ['an item', { properties: { ids: { elements: { type: 'int8' } } } }, { ids: [1, null] }, { path: '/ids/1', expected: 'an int8', found: 'null' }],
    ['a missing property', { properties: { 'a/b': { type: 'string' } } }, {}, { path: '/a~1b', expected: 'present', found: 'missing' }],
    ['an inherited property', { properties: { ['toString']: { type: 'string' } } } as JtdSchema, {}, { path: '/toString', expected: 'present', found: 'missing' }],
    ['a missing property of the empty form', { properties: { id: {} } }, {}, { path: '/id', expected: 'present', found: 'missing' }],
    ['an object for a list of the empty form', { elements: {} }, {}, { path: '', expected: 'an array', found: 'an object' }],
    ['a surplus property', { properties: {} }, { id: 1 }, { path: '/id', expected: 'absent, as the schema does not name it', found: 'present' }],
    ['another name', { enum: ['a', 'b'], nullable: true }, 'c', { path: '', expected: 'one of "a", "b"', found: 'the string "c"' }],
    ['a string for a timestamp', { type: 'timestamp' }, '2026-01-01T00:00:00Z', { path: '', expected: 'a timestamp', found: 'the string "2026-01-01T00:00:00Z"' }],
    ['a list for a block', { properties: { row } }, { row: [1] }, { path: '/row', expected: 'a Float32Array', found: 'an array' }],
    ['another typed array', { elements: { ...row, nullable: true } }, [null, new Float64Array(1)], { path: '/1', expected: 'a Float32Array or null', found: 'a Float64Array' }],
    ['an unknown discriminator', { discriminator: 'kind', mapping: { a: { properties: {} } } }, { kind: 'b' }, { path: '/kind', expected: 'a value of the mapping', found: 'the string "b"' }],
    ['no discriminator', { discriminator: 'kind', mapping: { a: { properties: {} } } }, {}, { path: '/kind', expected: 'a string', found: 'missing' }],
    ['a list for an object', { values: { type: 'string' }, nullable: true }, [], { path: '', expected: 'an object or null', found: 'an array' }],
  ])('names field, expectation and finding for %s', (_, schema, value, fault) => {
    expect(faultOf(schema, value)).toEqual(fault);
  });
});

describe('a schema', () => {
  it('may carry any other metadata', () => {
    const validate = compileValidator({ metadata: { description: 'a name', union: 'not a keyword here' }, type: 'string' });
    expect(() => validate('Ada')).not.toThrow();
    expect(() => validate(5)).toThrow(SpillwayError);
  });

  it.each<[string, unknown]>([
    ['an unknown type', { type: 'int64' }],
    ['a misspelt keyword', { optionalPropertes: {} }],
    ['a typed array of texts', { elements: { type: 'string' }, metadata: { typedArray: true } }],
    ['a reference to nothing', { ref: 'nowhere' }],
  ])('with %s is the programmer\'s error', (_, schema) => {
    expect(() => compileValidator(schema as JtdSchema)).toThrow(TypeError);
  });
});

describe('validator and codec', () => {
  it('agree on the values of every schema', () => {
    fc.assert(fc.property(sample, ({ schema, value }) => {
      expect(() => compileValidator(schema)(value)).not.toThrow();
    }), { numRuns: 150 });
  });

  it('agree that what one schema admits fits another or not', () => {
    const memory = new SharedMemory(new SharedArrayBuffer(1 << 20));
    fc.assert(fc.property(sample, sample, ({ schema }, { value }) => {
      const codec = compileCodec<unknown>(schema, { untyped: jsonCodec });
      const validate = compileValidator(schema);
      if (!passes(() => validate(value), SpillwayError)) return;
      const length = codec.byteLength(value);
      expect(codec.encode(value, memory, 0, length)).toBe(length);
      expect(passes(() => validate(codec.decode(memory, 0, length)), SpillwayError)).toBe(true);
    }), { numRuns: 150 });
  });

  it('agree on whatever a damaged record decodes to', () => {
    const memory = new SharedMemory(new SharedArrayBuffer(1 << 20));
    fc.assert(fc.property(sample, fc.nat(), fc.integer({ min: 0, max: 7 }), ({ schema, value }, at, bit) => {
      const codec = compileCodec<unknown>(schema, { untyped: jsonCodec });
      const length = codec.byteLength(value);
      codec.encode(value, memory, 0, length);
      memory.u8[at % length]! ^= 1 << bit;
      let decoded: unknown;
      if (passes(() => { decoded = codec.decode(memory, 0, length); }, CodecError)) compileValidator(schema)(decoded);
    }), { numRuns: 150 });
  });
});

/** Whether `action` returns; anything thrown but a `refusal` goes on. */
function passes(action: () => void, refusal: new (...args: never[]) => Error): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if (error instanceof refusal) return false;
    throw error;
  }
}
