import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkDimensions, formed } from '../../actors/inference/vector-format.ts';
import { cosine } from '../../actors/inference/unit-vector.ts';

const vectors = fc.integer({ min: 2, max: 96 }).chain((length) => fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: length, maxLength: length })).map((values) => unit(values));

/** Numbers next to the smallest there are have lost their digits, and cannot be brought to length 1 by a division. */
const TINY = 1e-300;

function unit(values: readonly number[]): Float32Array {
  const length = Math.hypot(...values);
  return Float32Array.from(length < TINY ? values.map((_, index) => Number(index === 0)) : values.map((value) => value / length));
}

describe('the forms of a vector', () => {
  it('gives float32 as it is, without a copy', () => {
    const vector = unit([3, 4]);
    expect(formed(vector, { output: 'float32' })).toBe(vector);
  });

  it('keeps the beginning, of length 1 again, and leaves the whole as it was', () => {
    fc.assert(
      fc.property(vectors, fc.nat(), (vector, seed) => {
        const before = vector.slice();
        const dimensions = 1 + (seed % vector.length);
        const kept = formed(vector, { dimensions, output: 'float32' });
        expect(kept).toHaveLength(dimensions);
        const length = Math.hypot(...vector.subarray(0, dimensions));
        if (length > 1e-6) expect(Math.hypot(...kept)).toBeCloseTo(1, 5);
        if (length > 1e-6) expect(cosine(kept, vector.subarray(0, dimensions))).toBeGreaterThan(0.9999);
        expect(vector).toEqual(before);
      }),
    );
  });

  it('gives int8 whose cosines hold within a hundredth', () => {
    fc.assert(
      fc.property(vectors, (vector) => {
        const bytes = formed(vector, { output: 'int8' });
        expect(bytes).toBeInstanceOf(Int8Array);
        expect(cosine(bytes, vector)).toBeGreaterThan(0.99);
      }),
    );
    const [a, b] = [unit([1, 2, 3, 4, 5, 6]), unit([1, -2, 3, 1, 5, 0])];
    expect(Math.abs(cosine(formed(a, { output: 'int8' }), formed(b, { output: 'int8' })) - cosine(a, b))).toBeLessThan(0.01);
  });

  it('gives one bit for each value above zero, the first in the highest bit', () => {
    expect([...formed(unit([1, -1, 0, 2, 3, -4, 5, 6, 7, -1]), { output: 'binary' })]).toEqual([0b1001_1011, 0b1000_0000]);
  });

  it('gives base64 of the little-endian float32 values, also of a part of a larger block', () => {
    const block = Float32Array.from([9, 9, 0.6, 0.8]);
    const text = formed(block.subarray(2), { output: 'base64' });
    const bytes = Buffer.from(text, 'base64');
    expect([bytes.readFloatLE(0), bytes.readFloatLE(4)].map((value) => Number(value.toFixed(6)))).toEqual([0.6, 0.8]);
    expect(bytes).toHaveLength(8);
  });

  it('gives zeros for a part without length, never what is not a number', () => {
    expect([...formed(Float32Array.from([0, 1]), { dimensions: 1, output: 'float32' })]).toEqual([0]);
    expect([...formed(Float32Array.from([0, 1]), { dimensions: 1, output: 'int8' })]).toEqual([0]);
  });

  it.each([0, -1, 1.5, 65, Number.NaN, '8' as unknown as number])('refuses %s dimensions of 64', (dimensions) => {
    expect(() => checkDimensions(dimensions, 64)).toThrow(expect.objectContaining({ code: 'dimensions_invalid', message: expect.stringContaining('from 1 to 64') as string }) as Error);
  });
});
