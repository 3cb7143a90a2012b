/** Makes one vector of the vectors of tokens, straight into the block of the result. */
import type { Pooling } from '../backend.ts';
import { normalizeInto } from '../unit-vector.ts';
import type { NativeOutput } from './native-session.ts';

/** Pools for one model: keeps the sum's memory. */
export class Pooler {
  readonly #sum: Float64Array;

  constructor(dimensions: number) {
    this.#sum = new Float64Array(dimensions);
  }

  /**
   * Pools the first `length` tokens of the row at `row`, and writes a vector of length 1 to `target`.
   *
   * @param pooling `sentence` when the output has one vector for each row already
   */
  pool({ data, dims }: NativeOutput, row: number, length: number, pooling: Pooling | 'sentence', target: Float32Array): 'ok' | 'empty' | 'not_finite' {
    const dimensions = this.#sum.length;
    const width = pooling === 'sentence' ? 1 : dims[1]!;
    const first = row * width * dimensions;
    if (pooling === 'mean') {
      this.#sum.fill(0);
      this.#add(data, first, length);
      return normalizeInto(this.#sum, target);
    }
    const start = first + (pooling === 'last' ? length - 1 : 0) * dimensions;
    return normalizeInto(data.subarray(start, start + dimensions), target);
  }

  /** The mean of the tokens at `positions` of the first row. */
  poolTokens({ data }: NativeOutput, positions: Iterable<number>, target: Float32Array): 'ok' | 'empty' | 'not_finite' {
    this.#sum.fill(0);
    for (const position of positions) this.#add(data, position * this.#sum.length, 1);
    return normalizeInto(this.#sum, target);
  }

  /** A sum has the direction of the mean, and only the direction remains. */
  #add(data: Float32Array, start: number, tokens: number): void {
    const sum = this.#sum;
    const dimensions = sum.length;
    let at = start;
    for (let token = 0; token < tokens; token++) for (let i = 0; i < dimensions; i++) sum[i]! += data[at++]!;
  }
}
