/**
 * The codec in a browser, where texts go the way of strings.ts for platforms without Buffer. The rest of
 * the codec does not depend on the platform and is tested in tests/rings/codec.test.ts.
 */
import { CODEC_ERRORS, CodecError, SharedMemory, compileCodec } from 'atomics-ring-buffer';
import type { Codec, JtdSchema } from 'atomics-ring-buffer';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonCodec, sample } from '../rings/codec-arbitrary.ts';

const CANARY = 0xa5;
const OFFSET = 64;

const compile = (schema: JtdSchema): Codec<unknown> => compileCodec(schema, { untyped: jsonCodec });

function memoryOf(bytes: number): SharedMemory {
  const memory = new SharedMemory(new SharedArrayBuffer(OFFSET + Math.ceil(bytes / 8) * 8 + 64));
  memory.u8.fill(CANARY);
  return memory;
}

function roundTrip<T>(codec: Codec<T>, value: T): T {
  const length = codec.byteLength(value);
  const memory = memoryOf(length);
  expect(codec.encode(value, memory, OFFSET, length)).toBe(length);
  expect(memory.u8.subarray(OFFSET + length).every((byte) => byte === CANARY)).toBe(true);
  return codec.decode(memory, OFFSET, length);
}

describe('values', () => {
  it('come back from shared memory as they were, for every schema', () => {
    fc.assert(
      fc.property(sample, ({ schema, value }) => {
        expect(roundTrip(compile(schema), value)).toEqual(value);
      }),
      { numRuns: 500 },
    );
  });

  it('that were damaged are refused with a code, or read as another value', () => {
    const flip = fc.record({ at: fc.nat(), bit: fc.integer({ min: 0, max: 7 }) });
    fc.assert(
      fc.property(sample, flip, ({ schema, value }, { at, bit }) => {
        const codec = compile(schema);
        const length = codec.byteLength(value);
        const memory = memoryOf(length);
        codec.encode(value, memory, OFFSET, length);
        memory.u8[OFFSET + (at % length)]! ^= 1 << bit;
        try {
          codec.decode(memory, OFFSET, length);
        } catch (error) {
          expect(error).toBeInstanceOf(CodecError);
          expect(CODEC_ERRORS).toHaveProperty((error as CodecError).code);
        }
      }),
      { numRuns: 300 },
    );
  });
});

/** Lengths on both sides of every threshold at which strings.ts changes its way. */
const LENGTHS = [0, 1, 6, 7, 12, 13, 16, 17, 4_096, 4_097, 10_000];

describe('texts', () => {
  const codec = compileCodec({ type: 'string' });

  for (const [name, unit] of [['ASCII', 'x'], ['latin1', '\u00e9'], ['windows-1252', '\u0080'], ['CJK', '\u4e2d'], ['half a surrogate pair', '\ud800'], ['emoji', '\u{1f600}']] as const) {
    it.each(LENGTHS)(`of %i times ${name} come back as they were`, (count) => {
      expect(roundTrip(codec, unit.repeat(count))).toBe(unit.repeat(count));
    });
  }

  it('that are narrow but for their last unit come back as they were', () => {
    for (const count of LENGTHS) expect(roundTrip(codec, `${'x'.repeat(count)}\u4e2d`)).toBe(`${'x'.repeat(count)}\u4e2d`);
  });
});
