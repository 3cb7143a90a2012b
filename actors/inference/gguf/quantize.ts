/**
 * Encodes float32 values into the storage types of the writer.
 *
 * Float16Array rounds as IEEE 754 asks (nearest, ties to even), so F16 needs no code of its own.
 * Q8_0 is ggml's simplest block quantization: each block of 32 values becomes a scale
 * `d = max|x| / 127` as float16 and 32 signed bytes `round(x / d)`, half away from zero, as in
 * `quantize_row_q8_0_ref` of ggml.
 */
import assert from 'node:assert';
import { tensorSizeBytes, type WritableTensorType } from './types.ts';

export const Q8_0_BLOCK_ELEMENTS = 32;
export const Q8_0_BLOCK_BYTES = 34;

const scaleAsHalf = new Float16Array(1);
const scaleAsBits = new Uint16Array(scaleAsHalf.buffer);

/** Writes `values` as Q8_0 blocks to `target` at `offset`; `values.length` must be a multiple of 32. Values must be finite. */
function quantizeQ8Into(values: Float32Array, target: Uint8Array, offset: number): void {
  assert(values.length % Q8_0_BLOCK_ELEMENTS === 0, `Q8_0 takes multiples of 32 values, got ${values.length}`);
  let at = offset;
  for (let start = 0; start < values.length; start += Q8_0_BLOCK_ELEMENTS) {
    const end = start + Q8_0_BLOCK_ELEMENTS;
    let largest = 0;
    for (let i = start; i < end; i++) {
      // Unlike a comparison, Math.max lets a NaN through to the check below.
      largest = Math.max(largest, Math.abs(values[i]!));
    }
    assert(Number.isFinite(largest), 'Q8_0 takes finite values only');
    const scale = largest / 127;
    const inverse = scale === 0 ? 0 : 1 / scale;
    scaleAsHalf[0] = scale;
    target[at++] = scaleAsBits[0]! & 0xff;
    target[at++] = scaleAsBits[0]! >>> 8;
    for (let i = start; i < end; i++) {
      const scaled = values[i]! * inverse;
      // Truncation after adding half is rounding half away from zero; `| 0` wraps into the byte.
      target[at++] = (scaled < 0 ? scaled - 0.5 : scaled + 0.5) | 0;
    }
  }
}

/** Encodes `values` as `type` into a new array of bytes. Values must be finite for Q8_0. */
export function encodeTensorValues(type: WritableTensorType, values: Float32Array): Uint8Array {
  if (type === 'F32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  if (type === 'F16') return new Uint8Array(new Float16Array(values).buffer);
  const target = new Uint8Array(tensorSizeBytes('Q8_0', values.length));
  quantizeQ8Into(values, target, 0);
  return target;
}
