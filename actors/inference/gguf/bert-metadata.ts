/**
 * The metadata of a BERT model with a WordPiece vocabulary, for the writers of our own models.
 *
 * Vocabulary entries are in llama.cpp's form: pieces that begin a word carry `▁`, continuations
 * nothing, special tokens stand as they are. The key names are llama.cpp's, including "seperator".
 */
import assert from 'node:assert';
import type { BertShape } from './bert-shape.ts';
import { bool, f32, i32Array, str, strArray, u32, type GgufValue } from './types.ts';

/** `enum llama_pooling_type`. */
const BERT_POOLING = { mean: 1, cls: 2, last: 3, rank: 4 } as const;

const CONTROL_TOKEN = 3;
const NORMAL_TOKEN = 1;

export interface BertMetadata extends BertShape {
  readonly name: string;
  readonly headCount: number;
  readonly layerNormEpsilon: number;
  readonly pooling: keyof typeof BERT_POOLING;
  /** llama.cpp's number of the predominant storage type: 0 F32, 1 F16, 7 Q8_0. */
  readonly fileType: number;
  /** All tokens, `vocabularySize` of them, distinct, with the five of BERT among them. */
  readonly tokens: readonly string[];
}

/** The metadata that llama.cpp and node-llama-cpp need to load and tokenize; keep the insertion order. */
export function bertMetadata(model: BertMetadata): Record<string, GgufValue> {
  assert(model.tokens.length === model.vocabularySize, `${model.tokens.length} tokens for a vocabulary of ${model.vocabularySize}`);
  const special = (token: string): number => {
    const id = model.tokens.indexOf(token);
    assert(id >= 0, `the vocabulary lacks ${token}`);
    return id;
  };
  const ids = { pad: special('[PAD]'), unknown: special('[UNK]'), cls: special('[CLS]'), separator: special('[SEP]'), mask: special('[MASK]') };
  const types = new Int32Array(model.tokens.length).fill(NORMAL_TOKEN);
  for (const id of Object.values(ids)) types[id] = CONTROL_TOKEN;
  return {
    'general.architecture': str('bert'),
    'general.name': str(model.name),
    'general.file_type': u32(model.fileType),
    'bert.block_count': u32(model.blockCount),
    'bert.context_length': u32(model.contextLength),
    'bert.embedding_length': u32(model.embeddingLength),
    'bert.feed_forward_length': u32(model.feedForwardLength),
    'bert.attention.head_count': u32(model.headCount),
    'bert.attention.layer_norm_epsilon': f32(model.layerNormEpsilon),
    'bert.attention.causal': bool(false),
    'bert.pooling_type': u32(BERT_POOLING[model.pooling]),
    'tokenizer.ggml.model': str('bert'),
    'tokenizer.ggml.token_type_count': u32(model.tokenTypeCount),
    'tokenizer.ggml.tokens': strArray(model.tokens),
    'tokenizer.ggml.token_type': i32Array(types),
    'tokenizer.ggml.unknown_token_id': u32(ids.unknown),
    'tokenizer.ggml.seperator_token_id': u32(ids.separator),
    'tokenizer.ggml.padding_token_id': u32(ids.pad),
    'tokenizer.ggml.cls_token_id': u32(ids.cls),
    'tokenizer.ggml.bos_token_id': u32(ids.cls),
    'tokenizer.ggml.mask_token_id': u32(ids.mask),
  };
}
