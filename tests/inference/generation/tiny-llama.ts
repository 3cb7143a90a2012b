/**
 * A llama model of a few hundred kilobytes with seeded random weights, for tests that need real generation but no
 * meaning. Its tokens are bytes, and what it writes is cut at any of them.
 */
import { llamaMetadata, llamaTensors, type LlamaShape } from '../../../actors/inference/gguf/llama-shape.ts';
import { writeGguf } from '../../../actors/inference/gguf/writer.ts';

const SHAPE: LlamaShape = { blockCount: 2, embeddingLength: 64, feedForwardLength: 128, headCount: 4, keyValueHeadCount: 2, contextLength: 2_048 };

/** Large enough that the likeliest token depends on what came before. */
const WEIGHT_RANGE = 0.6;

/** Writes the model and answers its path. Models of different seeds write different texts. */
export function writeTinyLlama(path: string, seed = 1): string {
  const random = mulberry32(seed);
  writeGguf(path, {
    metadata: llamaMetadata(SHAPE, 'tiny llama', 0),
    tensors: llamaTensors(SHAPE).map(({ name, dims }) => ({
      name,
      dims,
      type: 'F32',
      values: () => {
        const values = new Float32Array(dims.reduce((product, size) => product * size, 1));
        return dims.length === 1 ? values.fill(1) : values.map(() => (random() * 2 - 1) * WEIGHT_RANGE);
      },
    })),
  });
  return path;
}

/** Tommy Ettinger's mulberry32. One that is simpler makes rows alike, and the end of the text likelier than all else. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
