/**
 * The forms in which a caller may have a vector. All are made from the same unit vector of float32 values, so
 * one computation, and one entry of a cache, serves each of them.
 */
import { SpillwayError } from '../../kernel/index.ts';

/**
 *   float32  `Float32Array`, of length 1
 *   int8     `Int8Array`: each value by the largest of its vector, times 127. Cosines hold within about a hundredth;
 *            inner products must be divided by both lengths
 *   binary   `Uint8Array`: one bit for each value, 1 above zero, the first in the highest bit; compare by Hamming distance
 *   base64   `string`: the float32 values, little-endian, as OpenAI's `encoding_format` has them
 */
export const OUTPUT_FORMATS = ['float32', 'int8', 'binary', 'base64'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

export interface VectorOf {
  readonly float32: Float32Array;
  readonly int8: Int8Array;
  readonly binary: Uint8Array;
  readonly base64: string;
}

export interface VectorForm<Output extends OutputFormat> {
  /** Values to keep from the beginning (Matryoshka, Kusupati et al. 2022). Default: all. */
  readonly dimensions?: number;
  readonly output: Output;
}

/**
 * Checked once for a call, not for each of its vectors.
 * @throws SpillwayError `dimensions_invalid`
 */
export function checkDimensions(dimensions: number | undefined, modelDimensions: number): void {
  if (dimensions !== undefined && !(Number.isInteger(dimensions) && dimensions >= 1 && dimensions <= modelDimensions)) {
    throw new SpillwayError('dimensions_invalid', `dimensions must be a whole number from 1 to ${modelDimensions}, which is what the model has; got ${String(dimensions)}.`, { details: { dimensions, modelDimensions } });
  }
}

/** @param vector of length 1; it is not changed, and with `float32` and all dimensions it is itself the answer */
export function formed<Output extends OutputFormat>(vector: Float32Array, { dimensions = vector.length, output }: VectorForm<Output>): VectorOf[Output] {
  const kept = dimensions === vector.length ? vector : unit(vector.subarray(0, dimensions));
  return FORMS[output](kept);
}

const FORMS: { readonly [Output in OutputFormat]: (vector: Float32Array) => VectorOf[Output] } = {
  float32: (vector) => vector,
  int8(vector) {
    let largest = 0;
    for (const value of vector) largest = Math.max(largest, Math.abs(value));
    const scale = largest === 0 ? 0 : 127 / largest;
    return Int8Array.from(vector, (value) => Math.round(value * scale));
  },
  binary(vector) {
    const bits = new Uint8Array(Math.ceil(vector.length / 8));
    for (const [index, value] of vector.entries()) if (value > 0) bits[index >> 3]! |= 0x80 >> (index & 7);
    return bits;
  },
  base64: (vector) => Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64'),
};

/** A part of a unit vector, of length 1 again; zeros stay zeros. */
function unit(part: Float32Array): Float32Array {
  let squares = 0;
  for (const value of part) squares += value * value;
  if (squares === 0) return part.slice();
  const scale = 1 / Math.sqrt(squares);
  return part.map((value) => value * scale);
}
