/**
 * A model with the measures of all-MiniLM-L6-v2, its vocabulary too, and weights that mean nothing: for what
 * depends on measures only, such as memory. The texts of the tiny model (`tinyText`) are texts for this one.
 */
import { bertMetadata } from '../../../actors/inference/gguf/bert-metadata.ts';
import { bertTensors } from '../../../actors/inference/gguf/bert-shape.ts';
import { writeGguf } from '../../../actors/inference/gguf/writer.ts';

const SHAPE = { blockCount: 6, embeddingLength: 384, feedForwardLength: 1_536, contextLength: 512, vocabularySize: 30_522, tokenTypeCount: 2 } as const;
const SPECIAL = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];

export function writeMiniLmShaped(path: string): string {
  const tokens = [...SPECIAL, ...Array.from({ length: SHAPE.vocabularySize - SPECIAL.length }, (_, index) => `▁w${index}`)];
  writeGguf(path, {
    metadata: bertMetadata({ ...SHAPE, name: 'minilm-shaped', headCount: 12, layerNormEpsilon: 1e-12, pooling: 'mean', fileType: 7, tokens }),
    tensors: bertTensors(SHAPE).map(({ name, dims }) => ({
      name,
      dims,
      type: dims.length === 1 || name === 'token_types.weight' ? ('F32' as const) : ('Q8_0' as const),
      values() {
        const values = new Float32Array(dims.reduce((product, size) => product * size, 1));
        if (dims.length === 1) return values.fill(name.endsWith('.bias') ? 0 : 1);
        for (let index = 0; index < values.length; index++) values[index] = ((index * 7_919) % 1_009) / 1_009 / 16 - 1 / 32;
        return values;
      },
    })),
  });
  return path;
}
