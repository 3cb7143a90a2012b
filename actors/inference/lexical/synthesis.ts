/**
 * Writes the built-in model, a one-layer BERT whose weights are computed instead of trained.
 *
 * Token rows hold content and code (`content.ts`, `saturation.ts`), the attention head saturates
 * counts, the feed-forward layer is zero, and pooling takes the mean. Position and type add
 * nothing: the model sees a text as a bag of words.
 *
 * Layer norm would bring every token to one length and so erase how much it tells. With an epsilon
 * far above the variance of any row, and gains that are its square root, it does nothing. The gains
 * of the last one are zero where rows hold their code, which is thereby left out of the result.
 */
import { writeGguf, type GgufTensor } from '../gguf/writer.ts';
import { bool, f32, i32Array, str, strArray, u32, type GgufValue } from '../gguf/types.ts';
import { bertTensors } from '../gguf/bert-shape.ts';
import { CONTENT_DIMENSIONS, ContentEncoder } from './content.ts';
import { ROW_DIMENSIONS, attentionMatrices, writeCode } from './saturation.ts';
import { SPECIAL_TOKENS, buildVocabulary, type LexicalVocabulary, type Piece } from './vocabulary.ts';

export const LEXICAL_MODEL_NAME = 'spillway-lexical-1';
/** Tokens that a text may have, two special ones included. Attention takes time by the square of it. */
const LEXICAL_CONTEXT_LENGTH = 2048;

/**
 * Zero weights, so as short as can be. With 32, one Q8_0 block, the AMX kernels of llama.cpp v0.4.0
 * leave the result of 32 tokens and more unwritten, and every longer text gets a wrong vector.
 */
const FEED_FORWARD_LENGTH = 64;
const LAYER_NORM_EPSILON = 1e4;
const LAYER_NORM_GAIN = 100;
const ROWS_PER_CHUNK = 512;
/** `general.file_type` of llama.cpp for Q8_0. */
const FILE_TYPE_Q8_0 = 7;
/** `LLAMA_TOKEN_TYPE_NORMAL` and `LLAMA_TOKEN_TYPE_CONTROL`. */
const TOKEN_TYPE = { normal: 1, control: 3 } as const;

/**
 * Writes the model to `path` by `writeGguf`, the same bytes on every machine.
 *
 * @throws SpillwayError `model_write_failed`.
 */
export function synthesizeLexicalModel(path: string): { sizeBytes: number; sha256: string } {
  const vocabulary = buildVocabulary();
  return writeGguf(path, { metadata: metadataOf(vocabulary.pieces), tensors: tensorsOf(vocabulary) });
}

function metadataOf(pieces: readonly Piece[]): Record<string, GgufValue> {
  return {
    'general.architecture': str('bert'),
    'general.name': str(LEXICAL_MODEL_NAME),
    'general.file_type': u32(FILE_TYPE_Q8_0),
    'bert.block_count': u32(1),
    'bert.context_length': u32(LEXICAL_CONTEXT_LENGTH),
    'bert.embedding_length': u32(ROW_DIMENSIONS),
    'bert.feed_forward_length': u32(FEED_FORWARD_LENGTH),
    'bert.attention.head_count': u32(1),
    'bert.attention.layer_norm_epsilon': f32(LAYER_NORM_EPSILON),
    'bert.attention.causal': bool(false),
    'bert.pooling_type': u32(1),
    'tokenizer.ggml.model': str('bert'),
    'tokenizer.ggml.token_type_count': u32(1),
    'tokenizer.ggml.tokens': strArray(pieces.map(({ token }) => token)),
    'tokenizer.ggml.token_type': i32Array(pieces.map(({ kind }) => (kind === 'special' ? TOKEN_TYPE.control : TOKEN_TYPE.normal))),
    'tokenizer.ggml.padding_token_id': idOf('[PAD]'),
    'tokenizer.ggml.unknown_token_id': idOf('[UNK]'),
    'tokenizer.ggml.cls_token_id': idOf('[CLS]'),
    'tokenizer.ggml.bos_token_id': idOf('[CLS]'),
    'tokenizer.ggml.seperator_token_id': idOf('[SEP]'),
    'tokenizer.ggml.mask_token_id': idOf('[MASK]'),
    // llama.cpp strips accents by keeping the first code point of each decomposition. Of a Korean
    // syllable that leaves the first consonant, so the vocabulary deals with accents instead.
    'tokenizer.ggml.normalizer.lowercase': bool(true),
    'tokenizer.ggml.normalizer.strip_accents': bool(false),
  };
}

function idOf(token: (typeof SPECIAL_TOKENS)[number]): GgufValue {
  return u32(SPECIAL_TOKENS.indexOf(token));
}

function tensorsOf({ pieces, ngramRarity }: LexicalVocabulary): GgufTensor[] {
  const { query, key, value, output } = attentionMatrices();
  const produced: Readonly<Record<string, () => Float32Array | Iterable<Float32Array>>> = {
    'token_embd.weight': () => tokenRows(pieces, new ContentEncoder(ngramRarity)),
    'blk.0.attn_q.weight': () => query,
    'blk.0.attn_k.weight': () => key,
    'blk.0.attn_v.weight': () => value,
    'blk.0.attn_output.weight': () => output,
    'token_embd_norm.weight': () => gains(ROW_DIMENSIONS),
    'blk.0.attn_output_norm.weight': () => gains(ROW_DIMENSIONS),
    'blk.0.layer_output_norm.weight': () => gains(CONTENT_DIMENSIONS),
  };
  const shape = {
    blockCount: 1, embeddingLength: ROW_DIMENSIONS, feedForwardLength: FEED_FORWARD_LENGTH,
    contextLength: LEXICAL_CONTEXT_LENGTH, vocabularySize: pieces.length, tokenTypeCount: 1,
  };
  return bertTensors(shape).map(({ name, dims }) => ({
    name,
    dims,
    // llama.cpp takes vectors and the table of types as F32 only.
    type: dims.length === 1 || name === 'token_types.weight' ? 'F32' : 'Q8_0',
    values: produced[name] ?? (() => new Float32Array(dims.reduce((product, size) => product * size, 1))),
  }));
}

function* tokenRows(pieces: readonly Piece[], encoder: ContentEncoder): Generator<Float32Array> {
  const chunk = new Float32Array(ROWS_PER_CHUNK * ROW_DIMENSIONS);
  for (let start = 0; start < pieces.length; start += ROWS_PER_CHUNK) {
    const count = Math.min(ROWS_PER_CHUNK, pieces.length - start);
    for (let i = 0; i < count; i++) {
      const row = chunk.subarray(i * ROW_DIMENSIONS, (i + 1) * ROW_DIMENSIONS);
      encoder.encodeInto(pieces[start + i]!, row);
      writeCode(pieces[start + i]!, row);
    }
    yield chunk.subarray(0, count * ROW_DIMENSIONS);
  }
}

/** Layer norm gains: neutral for the first `count` values, zero for the others. */
function gains(count: number): Float32Array {
  return new Float32Array(ROW_DIMENSIONS).fill(LAYER_NORM_GAIN, 0, count);
}
