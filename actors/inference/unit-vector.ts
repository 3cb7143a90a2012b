/**
 * Brings a model's raw vector to length 1 in float32.
 *
 * Models leave vectors at their own length (about 16 for MiniLM). With unit vectors the inner
 * product is the cosine, which is what an index compares.
 */
import assert from 'node:assert';

/**
 * Writes `vector`, scaled to length 1, to `target`, which has the same number of values and is
 * left untouched unless the result is `ok`. `empty` is a vector of length zero: it has no direction.
 */
export function normalizeInto(vector: ArrayLike<number>, target: Float32Array): 'ok' | 'empty' | 'not_finite' {
  assert(vector.length === target.length, `a vector of ${vector.length} values does not fit ${target.length}`);
  let squares = 0;
  for (let i = 0; i < vector.length; i++) squares += vector[i]! * vector[i]!;
  // One NaN or infinity makes the sum one too, and no sum of squared float32 values overflows a double.
  if (!Number.isFinite(squares)) return 'not_finite';
  if (squares === 0) return 'empty';
  const scale = 1 / Math.sqrt(squares);
  for (let i = 0; i < vector.length; i++) target[i] = vector[i]! * scale;
  return 'ok';
}

/** Of two vectors of one number of values, whatever their lengths; not a number if one of them has length zero. */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i]! * b[i]!;
    aa += a[i]! ** 2;
    bb += b[i]! ** 2;
  }
  return dot / Math.sqrt(aa * bb);
}
