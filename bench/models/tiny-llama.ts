/**
 * Models of the llama architecture with random weights, for measuring and testing generation.
 *
 * What they write means nothing, but the time of a token depends on shapes and storage, not on what was learnt.
 * `tiny` takes microseconds a token, so everything around the model shows; `small` is large enough that reading
 * the weights takes most of the time, which is what several sequences in one call share.
 *
 * The file depends on the options alone and is kept in the folder for the next run.
 */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { llamaMetadata, llamaTensors, type LlamaShape } from '../../actors/inference/gguf/llama-shape.ts';
import type { WritableTensorType } from '../../actors/inference/gguf/types.ts';
import { writeGguf, type GgufTensor } from '../../actors/inference/gguf/writer.ts';
import { mulberry32 } from './mulberry32.ts';

const SHAPES = {
  tiny: { blockCount: 2, embeddingLength: 64, feedForwardLength: 128, headCount: 4, keyValueHeadCount: 2, contextLength: 2_048 },
  small: { blockCount: 8, embeddingLength: 512, feedForwardLength: 1_536, headCount: 8, keyValueHeadCount: 4, contextLength: 2_048 },
} as const satisfies Record<string, LlamaShape>;

export type LlamaSize = keyof typeof SHAPES;

export interface TinyLlamaOptions {
  /** Default tiny. */
  readonly size?: LlamaSize;
  /** Storage of the matrices. Default F32. */
  readonly type?: WritableTensorType;
  /** What the weights follow. Default 1. */
  readonly seed?: number;
  /** Where the file is kept. Default: the folder for temporary files. */
  readonly folder?: string;
}

const FILE_TYPE = { F32: 0, F16: 1, Q8_0: 7 } as const;
/** For rows of 64 values; longer rows get smaller ones, so that their sums do not grow. Larger than a real model's, so that the likeliest token depends on what came before. */
const WEIGHT_RANGE = 0.6;
const RANGE_ROW = 64;
const ROWS_PER_CHUNK = 64;

/** Writes the model unless it is there already, and answers its path. */
export function tinyLlamaModel({ size = 'tiny', type = 'F32', seed = 1, folder = tmpdir() }: TinyLlamaOptions = {}): string {
  const path = join(folder, `spillway-llama-${size}-${type}-${seed}.gguf`);
  return existsSync(path) ? path : writeTinyLlama(path, seed, size, type);
}

/** Writes the model and answers its path. Models of different seeds write different texts. */
export function writeTinyLlama(path: string, seed = 1, size: LlamaSize = 'tiny', type: WritableTensorType = 'F32'): string {
  const random = mulberry32(seed);
  writeGguf(path, {
    metadata: llamaMetadata(SHAPES[size], `${size} llama ${type} (random weights)`, FILE_TYPE[type]),
    tensors: llamaTensors(SHAPES[size]).map(({ name, dims }) => randomTensor(name, dims, type, random)),
  });
  return path;
}

function randomTensor(name: string, dims: readonly number[], type: WritableTensorType, random: () => number): GgufTensor {
  const [row = 0, rows = 1] = dims;
  const isVector = dims.length === 1;
  const range = WEIGHT_RANGE * Math.sqrt(RANGE_ROW / row);
  const values = function* (): Iterable<Float32Array> {
    for (let done = 0; done < rows; done += ROWS_PER_CHUNK) {
      const chunk = new Float32Array(row * Math.min(ROWS_PER_CHUNK, rows - done)).fill(1);
      if (!isVector) for (let i = 0; i < chunk.length; i++) chunk[i] = (random() * 2 - 1) * range;
      yield chunk;
    }
  };
  return { name, dims, type: isVector ? 'F32' : type, values };
}
