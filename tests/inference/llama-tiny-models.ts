/** Variants of the tiny BERT for tests of the llama backend: one with a head that ranks, one with the vocabulary of XLM-RoBERTa's kind. */
import { bertRankingHead } from '../../actors/inference/gguf/bert-shape.ts';
import { bool, f32Array, str, u32 } from '../../actors/inference/gguf/types.ts';
import { writeGguf } from '../../actors/inference/gguf/writer.ts';
import { TINY_SHAPE, tinyBert } from './tiny-bert.ts';

type Content = ReturnType<typeof tinyBert>;

/** The content of a model that ranks, for tests that spoil it before it is written. */
export function tinyRanker(seed = 3): Content {
  const content = tinyBert({ seed });
  content.metadata['bert.pooling_type'] = u32(4);
  let state = seed;
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  content.tensors.push(...bertRankingHead(TINY_SHAPE).map(({ name, dims }) => ({
    name, dims, type: 'F32' as const, values: () => new Float32Array(dims.reduce((product, size) => product * size, 1)).map(random),
  })));
  return content;
}

export function writeTinyRanker(path: string): string {
  writeGguf(path, tinyRanker());
  return path;
}

/** Its words are pieces of a Unigram vocabulary, and a text begins with token 2 and ends with token 3. */
export function writeTinyUnigram(path: string): string {
  const content = tinyBert();
  Object.assign(content.metadata, {
    'bert.pooling_type': u32(2),
    'tokenizer.ggml.model': str('t5'),
    'tokenizer.ggml.scores': f32Array(new Float32Array(TINY_SHAPE.vocabularySize).fill(-1)),
    'tokenizer.ggml.eos_token_id': u32(3),
    'tokenizer.ggml.add_bos_token': bool(true),
    'tokenizer.ggml.add_eos_token': bool(true),
  });
  writeGguf(path, content);
  return path;
}
