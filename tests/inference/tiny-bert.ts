/**
 * A BERT model of a few hundred kilobytes with seeded random weights, for tests that need real native
 * inference but no meaning. Words `w0` to `w199` are one token each; other words are unknown.
 */
import { bertMetadata } from '../../actors/inference/gguf/bert-metadata.ts';
import { bertTensors, type BertShape } from '../../actors/inference/gguf/bert-shape.ts';
import { writeGguf, type GgufContent, type GgufTensor } from '../../actors/inference/gguf/writer.ts';

const WORD_COUNT = 200;
const TOKENS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ...Array.from({ length: WORD_COUNT }, (_, i) => `▁w${i}`)];

export const TINY_SHAPE: BertShape = {
  blockCount: 2, embeddingLength: 64, feedForwardLength: 128, contextLength: 512, vocabularySize: TOKENS.length, tokenTypeCount: 2,
};

/** The content of the model, for tests that spoil it before it is written. */
export function tinyBert(overrides: Partial<BertShape> & { name?: string; seed?: number } = {}): { metadata: Record<string, GgufContent['metadata'][string]>; tensors: GgufTensor[] } {
  const { name = 'tiny bert', seed = 1, ...shapeOverrides } = overrides;
  const shape = { ...TINY_SHAPE, ...shapeOverrides };
  let state = seed;
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  return {
    metadata: bertMetadata({ ...shape, name, headCount: 4, layerNormEpsilon: 1e-12, pooling: 'mean', fileType: 7, tokens: TOKENS }),
    tensors: bertTensors(shape).map(({ name: tensor, dims }) => ({
      name: tensor,
      dims,
      type: dims.length === 1 || tensor === 'token_types.weight' ? ('F32' as const) : ('Q8_0' as const),
      values: () => {
        const values = new Float32Array(dims.reduce((product, size) => product * size, 1));
        if (dims.length === 1) return values.fill(tensor.endsWith('.bias') ? 0 : 1);
        return values.map(() => random());
      },
    })),
  };
}

export function writeTinyBert(path: string, overrides?: Parameters<typeof tinyBert>[0]): string {
  writeGguf(path, tinyBert(overrides));
  return path;
}

/** A text of `tokenCount` tokens for this model, the two special ones included. */
export function tinyText(tokenCount: number, seed = 0): string {
  return Array.from({ length: tokenCount - 2 }, (_, i) => `w${(i * 31 + seed * 17 + i * i * 7) % WORD_COUNT}`).join(' ');
}
