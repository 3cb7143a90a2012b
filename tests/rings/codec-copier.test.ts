import { isDeepStrictEqual, inspect } from 'node:util';
import { CodecError, SharedMemory, compileCodec, compileCopier, defineSchema } from 'atomics-ring-buffer';
import type { JtdSchema, UntypedCodec } from 'atomics-ring-buffer';
import * as fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { jsonCodec, sample } from './codec-arbitrary.ts';

/** Refuses what it could not read back, so that a value with several faults is refused with one code. */
const untyped: UntypedCodec = {
  ...jsonCodec,
  encode(value) {
    if (JSON.stringify(value) === undefined) throw new TypeError('JSON has no word for it');
    return jsonCodec.encode(value);
  },
};

type Outcome = { readonly value: unknown } | { readonly refusal: string };

function outcome(action: () => unknown): Outcome {
  try {
    return { value: action() };
  } catch (error) {
    if (error instanceof CodecError) return { refusal: error.code };
    return { refusal: (error as object).constructor.name };
  }
}

function throughBytes(schema: JtdSchema, value: unknown, codecOf: UntypedCodec = untyped): Outcome {
  const codec = compileCodec<unknown>(schema, { untyped: codecOf });
  return outcome(() => {
    const length = codec.byteLength(value);
    const memory = new SharedMemory(new SharedArrayBuffer(Math.ceil(length / 8) * 8));
    codec.encode(value, memory, 0, length);
    return codec.decode(memory, 0, length);
  });
}

function copied(schema: JtdSchema, value: unknown, codecOf: UntypedCodec = untyped): Outcome {
  const copy = compileCopier<unknown>(schema, { untyped: codecOf });
  return outcome(() => copy(value));
}

/** Equal in types, prototypes, -0, own keys and their order. */
function expectSame(schema: JtdSchema, value: unknown): Outcome {
  const copy = copied(schema, value);
  const decoded = throughBytes(schema, value);
  const show = (what: Outcome): string => inspect(what, { depth: Infinity, maxArrayLength: Infinity, maxStringLength: Infinity });
  expect(show(copy)).toBe(show(decoded));
  expect(isDeepStrictEqual(copy, decoded)).toBe(true);
  return copy;
}

/** Everything in a value that could be changed, and the memory of its typed arrays. */
function mutable(value: unknown, found = new Set<object>()): Set<object> {
  if (typeof value !== 'object' || value === null || found.has(value)) return found;
  found.add(value);
  if (ArrayBuffer.isView(value)) found.add(value.buffer);
  else for (const key of Reflect.ownKeys(value)) mutable(Reflect.get(value, key), found);
  return found;
}

/** `value` with the part at `place` of a walk through it put in for by `change`. */
function changedAt(value: unknown, place: number, change: (part: unknown) => unknown): unknown {
  let left = place;
  const walk = (part: unknown): unknown => {
    if (left-- === 0) return change(part);
    if (Array.isArray(part)) return part.map(walk);
    const isPlain = typeof part === 'object' && part !== null && Object.getPrototypeOf(part) === Object.prototype;
    return isPlain ? Object.fromEntries(Object.entries(part).map(([key, item]) => [key, walk(item)])) : part;
  };
  return walk(value);
}

class Own {
  readonly id = 1;
}

const stranger: fc.Arbitrary<(part: unknown) => unknown> = fc.oneof(
  fc.anything({ withDate: true, withTypedArray: true, withBigInt: true, withMap: true, withNullPrototype: true, withSparseArray: true }),
  fc.constantFrom<unknown>(
    null, undefined, -0, NaN, 0.1, 0.5, -1, 255, 256, 2 ** 31, 2 ** 32, Infinity, '', '\ud800', 'a', true, [], {}, [null], new Date(NaN), new Own(),
    () => 1, Symbol('s'), 5n, Buffer.from('abc'), new Float32Array(2), JSON.parse('{"__proto__":1}'),
  ),
).map((other) => () => other);

const disguise = fc.constantFrom<(part: unknown) => unknown>(
  (part) => (typeof part === 'object' && part !== null && !(part instanceof Date) && !ArrayBuffer.isView(part) ? new Proxy(part, {}) : part),
  (part) => (typeof part === 'object' && part !== null ? Object.assign(Object.create(null), part) : part),
  (part) => (typeof part === 'object' && part !== null ? { extra: 1, ...part, [Symbol('s')]: 2 } : part),
  (part) => (typeof part === 'string' ? Object(part) : part),
  (part) => (ArrayBuffer.isView(part) ? Object.create(part) : part),
  (part) => (Array.isArray(part) ? Object.assign([...part], { extra: 1 }) : part),
);

describe('a copier', () => {
  it('gives what decoding gives, for every value of every schema', () => {
    fc.assert(fc.property(sample, ({ schema, value }) => {
      expect(expectSame(schema, value)).toHaveProperty('value');
    }), { numRuns: 500 });
  });

  it('refuses what encoding refuses and takes what it takes, when one part of a value is another', () => {
    const seen = { value: 0, refusal: 0 };
    fc.assert(fc.property(sample, fc.nat({ max: 12 }), fc.oneof(stranger, disguise), ({ schema, value }, place, change) => {
      const result = expectSame(schema, changedAt(value, place, change));
      seen['value' in result ? 'value' : 'refusal']++;
    }), { numRuns: 1200 });
    expect(Math.min(seen.value, seen.refusal)).toBeGreaterThan(60);
  });

  it('refuses and takes the same values of another schema', () => {
    fc.assert(fc.property(sample, sample, ({ schema }, { value }) => void expectSame(schema, value)), { numRuns: 600 });
  });

  it('shares nothing with the original that could change', () => {
    fc.assert(fc.property(sample, ({ schema, value }) => {
      const result = copied(schema, value);
      const originals = mutable(value);
      for (const part of mutable('value' in result ? result.value : undefined)) expect(originals.has(part)).toBe(false);
    }), { numRuns: 500 });
  });

  it('has the type of its schema', () => {
    const schema = defineSchema({ properties: { id: { type: 'uint32' }, at: { type: 'timestamp' } } });
    expectTypeOf(compileCopier(schema)).toEqualTypeOf<(value: { id: number; at: Date }) => { id: number; at: Date }>();
  });

  it.each<[string, JtdSchema]>([
    ['that refer to themselves', { definitions: { tree: { elements: { ref: 'tree' } } }, ref: 'tree' }],
    ['with additional properties', { properties: {}, additionalProperties: true }],
    ['with a property __proto__', JSON.parse('{"properties":{"__proto__":{"type":"uint8"}}}') as JtdSchema],
    ['with the empty form and no codec for it', { elements: {} }],
  ])('refuses schemas %s, as the codec does', (_, schema) => {
    expect(outcome(() => compileCopier(schema))).toEqual({ refusal: 'schema_unsupported' });
  });

  it('cannot be made to run what a schema says', () => {
    const name = '"];globalThis.smuggled = 1;["\u2028*/${globalThis.smuggled = 1}';
    const schema = { discriminator: name, mapping: { [name]: { properties: { [`${name}1`]: { enum: [name] } }, optionalProperties: { a: {} } } } };
    expectSame(schema, { [name]: name, [`${name}1`]: name, a: [1] });
    expect(globalThis).not.toHaveProperty('smuggled');
  });
});

describe('what a copier does with', () => {
  const types = ['float32', 'float64', 'int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32'] as const;
  const edges = [0, -0, 0.1, NaN, Infinity, -1, 127, 128, -128, -129, 255, 256, 32767, 32768, 65535, 65536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32];

  it.each(types)('a %s at the edges of every range is what the codec does', (type) => {
    for (const value of edges) expectSame({ properties: { n: { type } } }, { n: value });
  });

  const bytes: JtdSchema = { elements: { type: 'uint8' }, metadata: { typedArray: true } };

  it('the key __proto__ of a map is to make it a property and nothing else', () => {
    const map = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"polluted":2}}') as Record<string, { polluted: number }>;
    const copy = compileCopier<typeof map>({ values: { properties: { polluted: { type: 'uint8' } } } })(map);
    expect(Object.keys(copy)).toEqual(['__proto__', 'constructor']);
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
    expect(copy).not.toHaveProperty('polluted');
  });

  it('a Buffer or a part of a larger array is to copy its bytes into memory of their own', () => {
    for (const part of [Buffer.from('abcd').subarray(1, 3), new Uint8Array(new SharedArrayBuffer(8), 1, 2), new (class extends Uint8Array {})(2)]) {
      const copy = compileCopier<Uint8Array>(bytes)(part);
      expect([copy.constructor, copy.buffer.constructor, copy.buffer.byteLength]).toEqual([Uint8Array, ArrayBuffer, 2]);
      expect([...copy]).toEqual([...part]);
    }
  });

  it('a typed array without its memory, or what only says it were one, is to throw as the codec does', () => {
    const detached = new Uint8Array(8);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    for (const value of [detached, Object.create(Uint8Array.prototype), new Proxy(new Uint8Array(2), {})]) {
      expect(copied(bytes, value)).toEqual({ refusal: 'TypeError' });
      expect(throughBytes(bytes, value)).toEqual({ refusal: 'TypeError' });
    }
  });

  it.each<[string, JtdSchema, unknown]>([
    ['a getter that throws', { properties: { id: { type: 'string' } } }, { get id() { throw new RangeError('no'); } }],
    ['a getter in a map that throws', { values: { type: 'string' } }, { get id() { throw new RangeError('no'); } }],
    ['a getter in an untyped value that throws', { elements: {} }, [{ get id() { throw new RangeError('no'); } }]],
    ['a proxy that was revoked', { properties: {} }, (() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy; })()],
    ['a Date of another prototype', { type: 'timestamp' }, Object.create(Date.prototype)],
    ['a Date that answers in text', { type: 'timestamp' }, Object.assign(new Date(5), { getTime: () => '2026-01-01' })],
    ['a cycle', { elements: { elements: { type: 'uint8' } } }, (() => { const cycle: unknown[] = []; cycle.push(cycle); return cycle; })()],
    ['the length of an array without items', { elements: { type: 'string' } }, Object.assign([], { length: 2 ** 32 - 1 })],
    ['a list of many items', { elements: { type: 'int32' } }, Array.from({ length: 70_000 }, (_, index) => index)],
  ])('%s is what the codec does', (_, schema, value) => {
    expectSame(schema, value);
  });

  it('a getter is to call it once', () => {
    let calls = 0;
    const value = { get id() { return calls++ === 0 ? 'text' : 5; }, get note() { return calls++ === 1 ? 'text' : 5; } };
    const copy = compileCopier<unknown>({ properties: { id: { type: 'string' } }, optionalProperties: { note: { type: 'string', nullable: true } } });
    expect(copy(value)).toEqual({ id: 'text', note: 'text' });
  });

  it('a value that does not fit is to name the place, what was expected and what came', () => {
    const copy = compileCopier<unknown>({ properties: { rows: { elements: { properties: { id: { type: 'uint8' } } } } } });
    expect(() => copy({ rows: [{ id: 300 }] })).toThrow('/rows/*/id: expected uint8, found the number 300.');
  });
});

describe('untyped values', () => {
  const schema: JtdSchema = { properties: { body: {} } };

  it('go through bytes that the codec may keep, where it has no copy of its own', () => {
    const kept: Uint8Array[] = [];
    const keeping: UntypedCodec = {
      encode: (value) => Buffer.from(JSON.stringify(value)),
      decode: (bytes) => (kept.push(bytes), jsonCodec.decode(bytes)),
    };
    expect(copied(schema, { body: [1, 'two'] }, keeping)).toEqual({ value: { body: [1, 'two'] } });
    expect(kept.map(({ constructor }) => constructor)).toEqual([Uint8Array]);
  });

  it('are copied by the codec where it can', () => {
    const cloning: UntypedCodec = { ...jsonCodec, copy: (value) => structuredClone(value) };
    const body = { at: new Date(5) };
    const result = copied(schema, { body }, cloning);
    expect(result).toEqual({ value: { body } });
    expect(mutable(result)).not.toContain(body);
  });

  it.each<[string, UntypedCodec, string]>([
    ['may not be written', { ...jsonCodec, encode: () => { throw new RangeError('no'); } }, 'bad_value'],
    ['may not be read', { ...jsonCodec, decode: () => { throw new RangeError('no'); } }, 'bad_untyped'],
    ['may not be copied', { ...jsonCodec, copy: () => { throw new RangeError('no'); } }, 'bad_value'],
  ])('that %s are refused with the cause', (_, codecOf, code) => {
    const copy = compileCopier<unknown>(schema, { untyped: codecOf });
    expect(() => copy({ body: 1 })).toThrow(expect.objectContaining({ code, path: '/body', cause: new RangeError('no') }));
  });
});
