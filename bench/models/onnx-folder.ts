/**
 * From a BERT model in a GGUF file to a model folder as Hugging Face lays it out, with the very same weights.
 *
 * So one model can be measured in both formats, and the vectors of one backend can be held against
 * those of the other. The folder has what transformers.js, sentence-transformers and the onnx backend read:
 *
 *   config.json  tokenizer.json  tokenizer_config.json  special_tokens_map.json
 *   modules.json  1_Pooling/config.json                      (unless it is a cross-encoder)
 *   onnx/model.onnx  onnx/model_quantized.onnx                (fp32, int8)
 */
import assert from 'node:assert';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { BertShape } from '../../actors/inference/gguf/bert-shape.ts';
import { parseGgufHeader, type GgufHeader } from '../../actors/inference/gguf/parser.ts';
import { bertGraph, type OnnxBert } from './onnx-bert.ts';

const ALIGNMENT_BYTES = 32;
const WORD_START = '▁';
const ONNX_FILES = { fp32: 'onnx/model.onnx', int8: 'onnx/model_quantized.onnx' } as const;
export type OnnxStorage = keyof typeof ONNX_FILES;

export interface OnnxFolderOptions {
  readonly storages: readonly OnnxStorage[];
  /** With a pooler and one logit, as a model that ranks. Its extra weights come from this function, by name and count. */
  readonly classifier?: (name: string, count: number) => Float32Array;
}

/** Writes the folder `folder` from the model at `ggufPath`, whose matrices are F16 or F32. */
export function writeOnnxFolder(folder: string, ggufPath: string, { storages, classifier }: OnnxFolderOptions): void {
  const header = parseGgufHeader(ggufPath);
  const tensors = ggufTensors(header, readFileSync(ggufPath));
  const shape = shapeOf(header);
  const model: Omit<OnnxBert, 'storage'> = {
    shape,
    headCount: numberAt(header, 'bert.attention.head_count'),
    layerNormEpsilon: numberAt(header, 'bert.attention.layer_norm_epsilon'),
    classifier: classifier !== undefined,
    tensor(name) {
      const found = tensors.get(name);
      if (found !== undefined) return found;
      assert(classifier !== undefined, `the model lacks ${name}`);
      return classifier(name, name === 'classifier.weight' ? shape.embeddingLength : shape.embeddingLength ** 2);
    },
  };
  for (const storage of storages) {
    mkdirSync(dirname(join(folder, ONNX_FILES[storage])), { recursive: true });
    bertGraph({ ...model, storage }).write(join(folder, ONNX_FILES[storage]));
  }
  for (const [path, content] of Object.entries(companions(header, model))) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), `${JSON.stringify(content, null, 2)}\n`);
  }
}

function companions(header: GgufHeader, { shape, headCount, layerNormEpsilon, classifier = false }: Omit<OnnxBert, 'storage'>): Record<string, unknown> {
  const special = { unk_token: '[UNK]', sep_token: '[SEP]', pad_token: '[PAD]', cls_token: '[CLS]', mask_token: '[MASK]' };
  const config = {
    architectures: [classifier ? 'BertForSequenceClassification' : 'BertModel'], model_type: 'bert', vocab_size: shape.vocabularySize,
    hidden_size: shape.embeddingLength, num_hidden_layers: shape.blockCount, num_attention_heads: headCount, intermediate_size: shape.feedForwardLength,
    hidden_act: 'gelu', max_position_embeddings: shape.contextLength, type_vocab_size: shape.tokenTypeCount, layer_norm_eps: layerNormEpsilon, pad_token_id: 0,
    ...(classifier ? { id2label: { 0: 'LABEL_0' }, label2id: { LABEL_0: 0 } } : {}),
  };
  const files: Record<string, unknown> = {
    'config.json': config,
    'tokenizer.json': wordPieceTokenizer(header.metadata.get('tokenizer.ggml.tokens')!.value as readonly string[]),
    'tokenizer_config.json': { tokenizer_class: 'BertTokenizer', do_lower_case: true, tokenize_chinese_chars: true, strip_accents: null, model_max_length: shape.contextLength, ...special },
    'special_tokens_map.json': special,
  };
  if (classifier) return files;
  return {
    ...files,
    'modules.json': [
      { idx: 0, name: '0', path: '', type: 'sentence_transformers.models.Transformer' },
      { idx: 1, name: '1', path: '1_Pooling', type: 'sentence_transformers.models.Pooling' },
      { idx: 2, name: '2', path: '2_Normalize', type: 'sentence_transformers.models.Normalize' },
    ],
    '1_Pooling/config.json': {
      word_embedding_dimension: shape.embeddingLength, pooling_mode_cls_token: false, pooling_mode_mean_tokens: true,
      pooling_mode_max_tokens: false, pooling_mode_mean_sqrt_len_tokens: false,
    },
  };
}

/** @param tokens in llama.cpp's form: `▁` before what begins a word, nothing before what goes on */
export function wordPieceTokenizer(tokens: readonly string[]): Record<string, unknown> {
  const isPlain = (token: string): boolean => /^\[.+\]$/.test(token);
  const vocab = Object.fromEntries(tokens.map((token, id) => [isPlain(token) ? token : token.startsWith(WORD_START) ? token.slice(1) : `##${token}`, id]));
  const special = (content: string): { id: string; ids: number[]; tokens: string[] } => ({ id: content, ids: [vocab[content]!], tokens: [content] });
  const template = (parts: readonly (readonly [string, number])[]): object[] => parts.map(([id, type_id]) => (id.length === 1 ? { Sequence: { id, type_id } } : { SpecialToken: { id, type_id } }));
  return {
    version: '1.0', truncation: null, padding: null,
    added_tokens: ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'].map((content) => ({
      id: vocab[content], content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true,
    })),
    normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: template([['[CLS]', 0], ['A', 0], ['[SEP]', 0]]),
      pair: template([['[CLS]', 0], ['A', 0], ['[SEP]', 0], ['B', 1], ['[SEP]', 1]]),
      special_tokens: { '[CLS]': special('[CLS]'), '[SEP]': special('[SEP]') },
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: { type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '##', max_input_chars_per_word: 100, vocab },
  };
}

function shapeOf(header: GgufHeader): BertShape {
  return {
    blockCount: numberAt(header, 'bert.block_count'),
    embeddingLength: numberAt(header, 'bert.embedding_length'),
    feedForwardLength: numberAt(header, 'bert.feed_forward_length'),
    contextLength: numberAt(header, 'bert.context_length'),
    vocabularySize: (header.metadata.get('tokenizer.ggml.tokens')!.value as readonly string[]).length,
    tokenTypeCount: numberAt(header, 'tokenizer.ggml.token_type_count'),
  };
}

function numberAt(header: GgufHeader, key: string): number {
  return header.metadata.get(key)!.value as number;
}

/** Our writer puts tensors at the end of the file, each on its own alignment, in the order of the header. */
function ggufTensors(header: GgufHeader, bytes: Buffer): Map<string, Float32Array> {
  const padded = (size: number): number => Math.ceil(size / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  const all = [...header.tensors.values()];
  let at = header.sizeBytes - all.reduce((sum, { sizeBytes }) => sum + padded(sizeBytes), 0);
  const tensors = new Map<string, Float32Array>();
  for (const { name, type, sizeBytes } of all) {
    assert(type === 'F32' || type === 'F16', `${name} is ${type}; only F16 and F32 have one value for each weight`);
    const stored = bytes.buffer.slice(bytes.byteOffset + at, bytes.byteOffset + at + sizeBytes);
    tensors.set(name, type === 'F32' ? new Float32Array(stored) : new Float32Array(new Float16Array(stored)));
    at += padded(sizeBytes);
  }
  return tensors;
}
