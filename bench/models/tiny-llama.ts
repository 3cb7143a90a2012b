/**
 * Models of the llama architecture with random weights, for tests and for measuring generation.
 *
 * What they write means nothing, but the way there is that of a real model: the tokenizer works on bytes,
 * so most characters take several tokens and random output cuts them anywhere, and the time of a token
 * depends on shapes and storage, not on what was learnt.
 *
 * `tiny` takes microseconds a token, so everything around the model shows; `small` is large enough that
 * reading the weights takes most of the time, which is what several sequences in one call share.
 */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bool, f32, i32Array, str, strArray, u32, type GgufValue, type WritableTensorType } from '../../actors/inference/gguf/types.ts';
import { writeGguf, type GgufTensor } from '../../actors/inference/gguf/writer.ts';

export interface LlamaShape {
  readonly blockCount: number;
  readonly embeddingLength: number;
  readonly feedForwardLength: number;
  readonly headCount: number;
  readonly keyValueHeadCount: number;
  readonly contextLength: number;
}

const SHAPES = {
  tiny: { blockCount: 2, embeddingLength: 64, feedForwardLength: 128, headCount: 4, keyValueHeadCount: 2, contextLength: 2_048 },
  small: { blockCount: 8, embeddingLength: 512, feedForwardLength: 1_536, headCount: 8, keyValueHeadCount: 4, contextLength: 2_048 },
} as const satisfies Record<string, LlamaShape>;

export interface TinyLlamaOptions {
  /** Default tiny. */
  readonly size?: keyof typeof SHAPES;
  /** Storage of the matrices. Default F32. */
  readonly type?: WritableTensorType;
  /** What the weights follow. Default 1. */
  readonly seed?: number;
  /** Where the file is kept for the next run. Default: the folder for temporary files. */
  readonly folder?: string;
}

const FILE_TYPE = { F32: 0, F16: 1, Q8_0: 7 } as const;
const NORMAL_TOKEN = 1;
const CONTROL_TOKEN = 3;
/** It begins and ends a text, as in GPT-2; llama.cpp knows the name. */
const END_OF_TEXT = '<|endoftext|>';
/** Larger than a real model's, so that the most likely token depends on what came before. */
const WEIGHT_RANGE = 0.6;
const ROWS_PER_CHUNK = 64;

/** Writes the model unless it is there already, and answers its path. */
export function tinyLlamaModel({ size = 'tiny', type = 'F32', seed = 1, folder = tmpdir() }: TinyLlamaOptions = {}): string {
  const path = join(folder, `spillway-llama-${size}-${type}-${seed}.gguf`);
  if (existsSync(path)) return path;
  const shape = SHAPES[size];
  const tokens = [...byteAlphabet(), END_OF_TEXT];
  const random = mulberry32(seed);
  const tensors = llamaTensors(shape, tokens.length).map(([name, dims]) => randomTensor(name, dims, type, random));
  writeGguf(path, { metadata: llamaMetadata(shape, `${size} llama ${type} (random weights)`, FILE_TYPE[type], tokens), tensors });
  return path;
}

function llamaMetadata(shape: LlamaShape, name: string, fileType: number, tokens: readonly string[]): Record<string, GgufValue> {
  const endOfText = tokens.length - 1;
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
    'llama.vocab_size': u32(tokens.length),
    'tokenizer.ggml.model': str('gpt2'),
    'tokenizer.ggml.pre': str('gpt-2'),
    'tokenizer.ggml.tokens': strArray(tokens),
    'tokenizer.ggml.token_type': i32Array(tokens.map((_, id) => (id === endOfText ? CONTROL_TOKEN : NORMAL_TOKEN))),
    'tokenizer.ggml.merges': strArray([]),
    'tokenizer.ggml.bos_token_id': u32(endOfText),
    'tokenizer.ggml.eos_token_id': u32(endOfText),
    'tokenizer.ggml.add_bos_token': bool(true),
  };
}

function llamaTensors(shape: LlamaShape, vocabularySize: number): [name: string, dims: number[]][] {
  const { embeddingLength: d, feedForwardLength: ff } = shape;
  const keyValueLength = (d / shape.headCount) * shape.keyValueHeadCount;
  const blocks = Array.from({ length: shape.blockCount }, (_, block): [string, number[]][] => [
    [`blk.${block}.attn_norm.weight`, [d]],
    [`blk.${block}.attn_q.weight`, [d, d]],
    [`blk.${block}.attn_k.weight`, [d, keyValueLength]],
    [`blk.${block}.attn_v.weight`, [d, keyValueLength]],
    [`blk.${block}.attn_output.weight`, [d, d]],
    [`blk.${block}.ffn_norm.weight`, [d]],
    [`blk.${block}.ffn_gate.weight`, [d, ff]],
    [`blk.${block}.ffn_up.weight`, [d, ff]],
    [`blk.${block}.ffn_down.weight`, [ff, d]],
  ]);
  return [['token_embd.weight', [d, vocabularySize]], ['output_norm.weight', [d]], ['output.weight', [d, vocabularySize]], ...blocks.flat()];
}

function randomTensor(name: string, dims: readonly number[], type: WritableTensorType, random: () => number): GgufTensor {
  const [row = 0, rows = 1] = dims;
  const isVector = dims.length === 1;
  // So that the sums of a row do not grow with its length.
  const range = WEIGHT_RANGE * Math.sqrt(SHAPES.tiny.embeddingLength / row);
  const values = function* (): Iterable<Float32Array> {
    for (let done = 0; done < rows; done += ROWS_PER_CHUNK) {
      const chunk = new Float32Array(row * Math.min(ROWS_PER_CHUNK, rows - done)).fill(1);
      if (!isVector) for (let i = 0; i < chunk.length; i++) chunk[i] = (random() * 2 - 1) * range;
      yield chunk;
    }
  };
  return { name, dims, type: isVector ? 'F32' : type, values };
}

/** GPT-2's characters for the 256 bytes: those that can be seen stand for themselves, the others for 256 and on. */
function byteAlphabet(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const canBeSeen = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCodePoint(canBeSeen ? byte : next++);
  });
}

/** Tommy Ettinger's mulberry32: small, fast, and good enough for weights. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
