/**
 * A model of the llama architecture for files of our own: its tensors and metadata, as llama.cpp asks for them.
 *
 * The vocabulary is that of bytes, in GPT-2's spelling and without merges: it writes any text, knows no language, and
 * gives most characters several tokens, which is what decoding has to bear.
 */
import { bool, f32, i32Array, str, strArray, u32, type GgufValue } from './types.ts';

export interface LlamaShape {
  readonly blockCount: number;
  readonly embeddingLength: number;
  readonly feedForwardLength: number;
  readonly headCount: number;
  readonly keyValueHeadCount: number;
  readonly contextLength: number;
}

export interface LlamaTensor {
  readonly name: string;
  /** Fastest first: a matrix from `in` to `out` values is `[in, out]`. */
  readonly dims: readonly number[];
}

const NORMAL_TOKEN = 1;
const CONTROL_TOKEN = 3;
/** It begins and ends a text, as in GPT-2. llama.cpp knows it by this name. */
const END_OF_TEXT = '<|endoftext|>';
const BYTES = 256;
/** The bytes and the end of the text. */
const VOCABULARY_SIZE = BYTES + 1;

/** Every tensor of a model of `shape`. All 1-D ones are stored as F32. */
export function llamaTensors({ blockCount, embeddingLength: d, feedForwardLength: ff, headCount, keyValueHeadCount }: LlamaShape): LlamaTensor[] {
  const keyValueLength = (d / headCount) * keyValueHeadCount;
  const tensors: LlamaTensor[] = [
    { name: 'token_embd.weight', dims: [d, VOCABULARY_SIZE] },
    { name: 'output_norm.weight', dims: [d] },
    { name: 'output.weight', dims: [d, VOCABULARY_SIZE] },
  ];
  for (let i = 0; i < blockCount; i++) {
    const block = `blk.${i}`;
    tensors.push(
      { name: `${block}.attn_norm.weight`, dims: [d] },
      { name: `${block}.attn_q.weight`, dims: [d, d] },
      { name: `${block}.attn_k.weight`, dims: [d, keyValueLength] },
      { name: `${block}.attn_v.weight`, dims: [d, keyValueLength] },
      { name: `${block}.attn_output.weight`, dims: [d, d] },
      { name: `${block}.ffn_norm.weight`, dims: [d] },
      { name: `${block}.ffn_gate.weight`, dims: [d, ff] },
      { name: `${block}.ffn_up.weight`, dims: [d, ff] },
      { name: `${block}.ffn_down.weight`, dims: [ff, d] },
    );
  }
  return tensors;
}

/**
 * The metadata that llama.cpp and node-llama-cpp need to load and tokenize.
 * @param fileType llama.cpp's number for the storage of the matrices: 0 F32, 1 F16, 7 Q8_0
 */
export function llamaMetadata(shape: LlamaShape, name: string, fileType: number): Record<string, GgufValue> {
  const types = new Int32Array(VOCABULARY_SIZE).fill(NORMAL_TOKEN);
  types[BYTES] = CONTROL_TOKEN;
  return {
    'general.architecture': str('llama'),
    'general.name': str(name),
    'general.file_type': u32(fileType),
    'llama.block_count': u32(shape.blockCount),
    'llama.context_length': u32(shape.contextLength),
    'llama.embedding_length': u32(shape.embeddingLength),
    'llama.feed_forward_length': u32(shape.feedForwardLength),
    'llama.attention.head_count': u32(shape.headCount),
    'llama.attention.head_count_kv': u32(shape.keyValueHeadCount),
    'llama.attention.layer_norm_rms_epsilon': f32(1e-5),
    'llama.rope.dimension_count': u32(shape.embeddingLength / shape.headCount),
    'llama.vocab_size': u32(VOCABULARY_SIZE),
    'tokenizer.ggml.model': str('gpt2'),
    'tokenizer.ggml.pre': str('gpt-2'),
    'tokenizer.ggml.tokens': strArray([...byteAlphabet(), END_OF_TEXT]),
    'tokenizer.ggml.token_type': i32Array(types),
    // The key must be there.
    'tokenizer.ggml.merges': strArray([]),
    'tokenizer.ggml.bos_token_id': u32(BYTES),
    'tokenizer.ggml.eos_token_id': u32(BYTES),
    'tokenizer.ggml.add_bos_token': bool(true),
  };
}

/** GPT-2's characters for the bytes: those that can be seen stand for themselves, the others for U+0100 and on. */
function byteAlphabet(): string[] {
  let next = BYTES;
  return Array.from({ length: BYTES }, (_, byte) => {
    const canBeSeen = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCodePoint(canBeSeen ? byte : next++);
  });
}
