import { execFileSync } from 'node:child_process';
import { CODEC_ERRORS, CodecError, SharedMemory, compileCodec, defineSchema } from 'atomics-ring-buffer';
import type { Codec, JtdSchema } from 'atomics-ring-buffer';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonCodec, sample, text } from './codec-arbitrary.ts';

const CANARY = 0xa5;
const OFFSET = 64;

const compile = (schema: JtdSchema): Codec<unknown> => compileCodec(schema, { untyped: jsonCodec });

/** Encodes into the middle of a memory full of canaries; checks the size and the canaries. */
function encoded<T>(codec: Codec<T>, value: T): { memory: SharedMemory; length: number; bytes: Uint8Array } {
  const length = codec.byteLength(value);
  const memory = new SharedMemory(new SharedArrayBuffer(OFFSET + Math.ceil(length / 8) * 8 + 64));
  memory.u8.fill(CANARY);
  expect(codec.encode(value, memory, OFFSET, length)).toBe(length);
  expect(memory.u8.subarray(0, OFFSET).every((byte) => byte === CANARY)).toBe(true);
  expect(memory.u8.subarray(OFFSET + length).every((byte) => byte === CANARY)).toBe(true);
  return { memory, length, bytes: memory.u8.slice(OFFSET, OFFSET + length) };
}

function roundTrip<T>(codec: Codec<T>, value: T): T {
  const { memory, length } = encoded(codec, value);
  return codec.decode(memory, OFFSET, length);
}

type Outcome = { readonly value: unknown } | { readonly code: string };

/** Decodes `bytes` with everything around them set to `filling`. */
function outcomeOf(codec: Codec<unknown>, bytes: Uint8Array, filling: number): Outcome {
  const memory = new SharedMemory(new SharedArrayBuffer(OFFSET + Math.ceil(bytes.length / 8) * 8 + 64));
  memory.u8.fill(filling);
  memory.u8.set(bytes, OFFSET);
  try {
    return { value: codec.decode(memory, OFFSET, bytes.length) };
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    return { code: error.code };
  }
}

/** A decoder that looked outside of its record would see the filling change. */
function expectContained(codec: Codec<unknown>, bytes: Uint8Array): Outcome {
  const outcome = outcomeOf(codec, bytes, 0x00);
  expect(outcomeOf(codec, bytes, 0xff)).toEqual(outcome);
  return outcome;
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof CodecError) return error.code;
    throw error;
  }
  return 'nothing was thrown';
}

describe('round trips', () => {
  it('brings back every value of every schema, in exactly the bytes announced', () => {
    fc.assert(fc.property(sample, ({ schema, value }) => {
      expect(roundTrip(compile(schema), value)).toEqual(value);
    }), { numRuns: 800 });
  });

  it('gives a decoded value the bytes of the original', () => {
    fc.assert(fc.property(sample, ({ schema, value }) => {
      const codec = compile(schema);
      const first = encoded(codec, value);
      const again = encoded(codec, codec.decode(first.memory, OFFSET, first.length));
      expect(again.bytes).toEqual(first.bytes);
    }), { numRuns: 500 });
  });

  it('writes narrow text in one byte per unit and any other in two', () => {
    const codec = compileCodec({ type: 'string' });
    expect(codec.byteLength('naïve')).toBe(4 + 5);
    expect(codec.byteLength('日本')).toBe(4 + 4);
    expect(roundTrip(codec, 'a lone \ud83d surrogate')).toBe('a lone \ud83d surrogate');
  });

  it('reads and writes the same text where there is no Buffer', () => {
    const script = `
      delete globalThis.Buffer;
      const { readText, textByteLength, writeText } = await import(${JSON.stringify(new URL('../../rings/codec/strings.ts', import.meta.url).href)});
      const buffer = new SharedArrayBuffer(65536);
      const memory = { buffer, u8: new Uint8Array(buffer), view: new DataView(buffer) };
      const failed = [];
      for (const unit of ['x', 'é', '中', '\\ud800']) for (const units of [0, 1, 6, 7, 12, 13, 16, 17, 4096, 4097, 10000]) {
        const text = unit.repeat(units);
        const header = writeText(memory, text, 3, 3 + textByteLength(text, ''), '');
        if (readText(memory, 3, header) !== text) failed.push(unit + ' × ' + units);
      }
      console.log(JSON.stringify(failed));`;
    expect(execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' }).trim()).toBe('[]');
  });

  it('keeps invalid dates, NaN and negative zero', () => {
    const codec = compileCodec({ properties: { at: { type: 'timestamp' }, score: { type: 'float64' }, zero: { type: 'float32' } } });
    const value = roundTrip(codec, { at: new Date(NaN), score: NaN, zero: -0 });
    expect([value.at.getTime(), value.score, value.zero]).toEqual([NaN, NaN, -0]);
  });

  it('makes the key __proto__ of a map a property and nothing else', () => {
    const codec = compileCodec({ values: { type: 'uint8' } });
    const value = roundTrip(codec, JSON.parse('{"__proto__":1,"constructor":2}') as Record<string, number>);
    expect(Object.entries(value)).toEqual([['__proto__', 1], ['constructor', 2]]);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });

  it('leaves out optional properties that are undefined and properties the schema does not name', () => {
    const codec = compileCodec({ properties: { id: { type: 'uint8' } }, optionalProperties: { toString: { type: 'string' }, note: { type: 'string' } } });
    const value = { id: 1, note: undefined, extra: true } as unknown as { id: number };
    expect(Object.entries(roundTrip(codec, value))).toEqual([['id', 1]]);
  });
});

describe('blocks', () => {
  const schema = defineSchema({
    elements: { properties: { name: { type: 'string' }, row: { elements: { type: 'float32' }, metadata: { typedArray: true } } } },
  });
  const rows = ['', 'a', 'seventeen letters'].map((name, index) => ({ name, row: new Float32Array([index, 0.5, -1]) }));

  it('lie at multiples of 8 in the memory', () => {
    const codec = compileCodec(schema);
    const { memory, length } = encoded(codec, rows);
    const views = codec.decode(memory, OFFSET, length, { views: true });
    expect(views.map(({ row }) => row.byteOffset % 8)).toEqual([0, 0, 0]);
    expect(views).toEqual(rows);
  });

  it('are copies unless views are asked for', () => {
    const codec = compileCodec(schema);
    const { memory, length } = encoded(codec, rows);
    const copies = codec.decode(memory, OFFSET, length);
    const views = codec.decode(memory, OFFSET, length, { views: true });
    expect(views[0]?.row.buffer).toBe(memory.buffer);
    expect(copies[0]?.row.buffer).toBeInstanceOf(ArrayBuffer);
    memory.u8.fill(0);
    expect(copies).toEqual(rows);
    expect(views[1]?.row).toEqual(new Float32Array(3));
  });

  it('take a part of a larger typed array as it is', () => {
    const codec = compileCodec({ elements: { type: 'int16' }, metadata: { typedArray: true } });
    expect(roundTrip(codec, new Int16Array([1, 2, 3, 4]).subarray(1, 3))).toEqual(new Int16Array([2, 3]));
  });
});

describe('hostile records', () => {
  it('never read outside of themselves and throw nothing but CodecError', () => {
    fc.assert(fc.property(sample, fc.uint8Array({ maxLength: 200 }), ({ schema }, bytes) => {
      const outcome = expectContained(compile(schema), bytes);
      if ('code' in outcome) expect(CODEC_ERRORS).toHaveProperty(outcome.code);
    }), { numRuns: 600 });
  });

  it('survive flipped bits', () => {
    const flip = fc.record({ at: fc.nat(), bit: fc.integer({ min: 0, max: 7 }) });
    fc.assert(fc.property(sample, fc.array(flip, { minLength: 1, maxLength: 4 }), ({ schema, value }, flips) => {
      const codec = compile(schema);
      const { bytes } = encoded(codec, value);
      for (const { at, bit } of flips) bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ (1 << bit);
      expectContained(codec, bytes);
    }), { numRuns: 600 });
  });

  it('are refused at every length but their own', () => {
    fc.assert(fc.property(sample, fc.nat(), ({ schema, value }, cut) => {
      const codec = compile(schema);
      const { bytes } = encoded(codec, value);
      const shorter = bytes.subarray(0, cut % bytes.length);
      const longer = new Uint8Array([...bytes, 0]);
      expect(expectContained(codec, shorter)).toHaveProperty('code');
      expect(expectContained(codec, longer)).toEqual({ code: 'bad_length' });
    }), { numRuns: 300 });
  });

  it.each<[string, JtdSchema, string]>([
    ['list', { elements: { type: 'uint8' } }, 'bad_length'],
    ['list of empty objects', { elements: { properties: {} } }, 'bad_length'],
    ['map', { values: { type: 'uint8' } }, 'bad_length'],
    ['text', { type: 'string' }, 'truncated'],
    ['block', { elements: { type: 'float64' }, metadata: { typedArray: true } }, 'truncated'],
    ['untyped value', {}, 'truncated'],
  ])('are refused before anything is allocated for a %s of impossible length', (_, schema, code) => {
    for (const claimed of [0x7fffffff, 0x80000000, 0xffffffff]) {
      const bytes = new Uint8Array(64);
      new DataView(bytes.buffer).setUint32(0, claimed, true);
      expect(expectContained(compile(schema), bytes)).toEqual({ code });
    }
  });

  it.each<[string, JtdSchema, number[], string]>([
    ['a boolean that is neither', { type: 'boolean' }, [2], 'bad_tag'],
    ['an enum index past the names', { enum: ['a', 'b'] }, [2], 'bad_tag'],
    ['a discriminator past the mapping', { discriminator: 'kind', mapping: { a: { properties: {} } } }, [1, 0], 'bad_tag'],
    ['a flag that no field has', { optionalProperties: { a: { type: 'uint8' } } }, [2, 0], 'bad_tag'],
    ['a null mark that is neither', { type: 'uint8', nullable: true }, [2, 0], 'bad_tag'],
    ['an untyped value its codec refuses', {}, [1, 0, 0, 0, 0x7b], 'bad_untyped'],
    ['nothing at all', { type: 'uint8' }, [], 'truncated'],
  ])('are refused for %s', (_, schema, bytes, code) => {
    expect(expectContained(compile(schema), new Uint8Array(bytes))).toEqual({ code });
  });

  it('are refused outside of the memory or off its alignment', () => {
    const codec = compileCodec({ type: 'uint8' });
    const memory = new SharedMemory(new SharedArrayBuffer(64));
    for (const [offset, length] of [[-8, 1], [4, 1], [64, 1], [0, 65], [0, -1], [0, 0.5], [NaN, 1], [0, Infinity]] as const) {
      expect(codeOf(() => codec.decode(memory, offset, length))).toBe('bad_range');
      expect(codeOf(() => codec.encode(1, memory, offset, length))).toBe('bad_range');
    }
  });
});

describe('values that do not fit', () => {
  it.each<[string, JtdSchema, unknown]>([
    ['a negative uint8', { type: 'uint8' }, -1],
    ['a uint8 of 256', { type: 'uint8' }, 256],
    ['an int8 of 128', { type: 'int8' }, 128],
    ['an int16 of 32768', { type: 'int16' }, 32768],
    ['a uint16 of 65536', { type: 'uint16' }, 65536],
    ['an int32 of 2^31', { type: 'int32' }, 2 ** 31],
    ['a uint32 of 2^32', { type: 'uint32' }, 2 ** 32],
    ['a fraction in an integer', { type: 'int32' }, 0.5],
    ['NaN in an integer', { type: 'int32' }, NaN],
    ['a bigint in an integer', { type: 'int32' }, 5n],
    ['text in a number', { type: 'float64' }, '5'],
    ['a number in a text', { type: 'string' }, 5],
    ['a number in a boolean', { type: 'boolean' }, 1],
    ['text in a timestamp', { type: 'timestamp' }, '2026-01-01T00:00:00Z'],
    ['another name in an enum', { enum: ['a'] }, 'b'],
    ['a map in a list', { elements: { type: 'uint8' } }, {}],
    ['a hole in a list', { elements: { type: 'uint8' } }, Array.from({ length: 1 })],
    ['a list in a map', { values: { type: 'uint8' } }, []],
    ['a list in a block', { elements: { type: 'uint8' }, metadata: { typedArray: true } }, [1]],
    ['another typed array in a block', { elements: { type: 'uint8' }, metadata: { typedArray: true } }, new Int8Array(1)],
    ['null where nothing may be null', { properties: { id: { type: 'uint8' } } }, null],
    ['a missing property', { properties: { id: { type: 'string' } } }, {}],
    ['an inherited property', { properties: { ['toString']: { type: 'string' } } } as JtdSchema, {}],
    ['an unknown discriminator', { discriminator: 'kind', mapping: { a: { properties: {} } } }, { kind: 'b' }],
    ['a cycle in an untyped value', {}, (() => { const cycle: unknown[] = []; cycle.push(cycle); return cycle; })()],
  ])('are refused: %s', (_, schema, value) => {
    const codec = compile(schema);
    const memory = new SharedMemory(new SharedArrayBuffer(256));
    expect(codeOf(() => codec.encode(value, memory, 0, Math.max(64, codec.byteLength(value))))).toBe('bad_value');
  });

  it('name the place, what was expected and what came', () => {
    const codec = compile({ properties: { rows: { elements: { properties: { id: { type: 'uint8' } } } } } });
    const memory = new SharedMemory(new SharedArrayBuffer(64));
    expect(() => codec.encode({ rows: [{ id: 300 }] }, memory, 0, 64)).toThrow('/rows/*/id: expected uint8, found the number 300.');
  });

  it('never write past the bytes claimed, even when they grow after they were measured', () => {
    fc.assert(fc.property(sample, fc.nat(), ({ schema, value }, shortage) => {
      const codec = compile(schema);
      const length = codec.byteLength(value);
      const claimed = shortage % length;
      const memory = new SharedMemory(new SharedArrayBuffer(Math.ceil(length / 8) * 8 + 64));
      memory.u8.fill(CANARY);
      expect(codeOf(() => codec.encode(value, memory, 0, claimed))).toBe('overflow');
      expect(memory.u8.subarray(claimed).every((byte) => byte === CANARY)).toBe(true);
    }), { numRuns: 500 });
  });

  it('never write past the bytes claimed by texts that grow', () => {
    fc.assert(fc.property(text, text, (measured, written) => {
      const codec = compileCodec({ type: 'string' });
      const claimed = codec.byteLength(measured);
      const memory = new SharedMemory(new SharedArrayBuffer(32768));
      memory.u8.fill(CANARY);
      const fits = codec.byteLength(written) <= claimed;
      expect(codeOf(() => codec.encode(written, memory, 0, claimed))).toBe(fits ? 'nothing was thrown' : 'overflow');
      expect(memory.u8.subarray(claimed).every((byte) => byte === CANARY)).toBe(true);
    }));
  });
});

describe('schemas', () => {
  const nested = (levels: number): JtdSchema => (levels === 0 ? {} : { elements: nested(levels - 1) });
  const doubling = Object.fromEntries(Array.from({ length: 20 }, (_, level) => {
    const ref: JtdSchema = level === 0 ? {} : { ref: `d${level - 1}` };
    return [`d${level}`, { properties: { left: ref, right: ref } }];
  }));

  it.each<[string, JtdSchema, string]>([
    ['that refer to themselves', { definitions: { tree: { optionalProperties: { left: { ref: 'tree' } } } }, ref: 'tree' }, 'schema_unsupported'],
    ['that refer to nothing', { ref: 'toString' }, 'schema_unsupported'],
    ['with additional properties', { properties: {}, additionalProperties: true }, 'schema_unsupported'],
    ['with a property __proto__', JSON.parse('{"properties":{"__proto__":{"type":"uint8"}}}') as JtdSchema, 'schema_unsupported'],
    ['with one property in both lists', { properties: { a: {} }, optionalProperties: { a: {} } }, 'schema_unsupported'],
    ['with two forms at once', { type: 'string', enum: ['a'] }, 'schema_unsupported'],
    ['with a misspelt keyword', { optionalPropertes: {} } as JtdSchema, 'schema_unsupported'],
    ['with definitions below the root', { elements: { definitions: {} } }, 'schema_unsupported'],
    ['with a discriminator alone', { discriminator: 'kind' } as JtdSchema, 'schema_unsupported'],
    ['with an unknown type', { type: 'int64' } as unknown as JtdSchema, 'schema_unsupported'],
    ['with an empty enum', { enum: [] }, 'schema_unsupported'],
    ['with a name twice in an enum', { enum: ['a', 'a'] }, 'schema_unsupported'],
    ['with a typed array of texts', { elements: { type: 'string' }, metadata: { typedArray: true } }, 'schema_unsupported'],
    ['with a mapping to something else than properties', { discriminator: 'kind', mapping: { a: { type: 'string' } } }, 'schema_unsupported'],
    ['with the discriminator among the properties', { discriminator: 'kind', mapping: { a: { properties: { kind: {} } } } }, 'schema_unsupported'],
    ['that nest too deep', nested(100), 'too_deep'],
    ['whose references double at each level', { definitions: doubling, ref: 'd19' }, 'too_deep'],
  ])('%s are refused', (_, schema, code) => {
    expect(codeOf(() => compile(schema))).toBe(code);
  });

  it('with the empty form need the option `untyped`', () => {
    expect(codeOf(() => compileCodec({ elements: {} }))).toBe('schema_unsupported');
  });

  it('cannot smuggle code into the emitted source', () => {
    const names = [
      '"];globalThis.smuggled = 1;["',
      "'+(globalThis.smuggled = 1)+'",
      '\u2028globalThis.smuggled = 1\u2028',
      '*/globalThis.smuggled = 1/*',
      '${globalThis.smuggled = 1}',
    ];
    for (const name of names) {
      const properties = { [`${name}1`]: { enum: [name] } };
      const optionalProperties = { [`${name}2`]: { type: 'string' as const } };
      const codec = compile({ discriminator: name, mapping: { [name]: { properties, optionalProperties } } });
      const value = { [name]: name, [`${name}1`]: name, [`${name}2`]: name };
      expect(roundTrip(codec, value)).toEqual(value);
    }
    expect(globalThis).not.toHaveProperty('smuggled');
  });

  it('encode an untyped value once between byteLength and encode', () => {
    let encodings = 0;
    const codec = compileCodec({ properties: { body: {} } }, {
      untyped: { ...jsonCodec, encode: (value) => { encodings++; return jsonCodec.encode(value); } },
    });
    expect(roundTrip(codec, { body: [1, 'two'] })).toEqual({ body: [1, 'two'] });
    expect(encodings).toBe(1);
  });
});
