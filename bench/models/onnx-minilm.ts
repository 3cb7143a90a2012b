/**
 * ONNX folders with random weights: the MiniLM-shaped model of the benches, and a tiny one for tests.
 *
 * The MiniLM-shaped one has the weights of `miniLmModel({ type: 'F16' })`, so the formats can be compared text
 * by text. The folders depend on the seeds alone and are kept for the next run.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bertMetadata } from '../../actors/inference/gguf/bert-metadata.ts';
import { bertTensors, type BertShape } from '../../actors/inference/gguf/bert-shape.ts';
import { writeGguf } from '../../actors/inference/gguf/writer.ts';
import { seededRandom, type Random } from '../../kernel/index.ts';
import { miniLmModel } from './minilm.ts';
import { writeOnnxFolder, type OnnxStorage } from './onnx-folder.ts';

const SEED = 20_250_101;
const WEIGHT_RANGE = 0.06;
const TINY_SEED = 1;
const TINY_WORDS = 200;
const SPECIALS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
/** Words `w0` to `w199`, punctuation, and pieces that continue a word. */
const TINY_TOKENS = [...SPECIALS, ...Array.from({ length: TINY_WORDS }, (_, i) => `▁w${i}`), ...['.', ',', '[', ']', '中', '文', 'cls', 'cafe'].map((text) => `▁${text}`), 'x', 'y'];
const TINY_SHAPE: BertShape = { blockCount: 2, embeddingLength: 64, feedForwardLength: 128, contextLength: 128, vocabularySize: TINY_TOKENS.length, tokenTypeCount: 2 };

/** The MiniLM-shaped folder, written once into the folder for temporary files. For onnxruntime's peers it holds one storage only. */
export function miniLmOnnx({ type, rank = false, folder = tmpdir() }: { type: OnnxStorage; rank?: boolean; folder?: string }): string {
  const path = join(folder, `spillway-minilm-onnx-${rank ? 'rank-' : ''}${type}-${SEED}`);
  const random = seededRandom(SEED);
  writeOnce(path, (draft) => writeOnnxFolder(draft, miniLmModel({ type: 'F16', folder }), { storages: [type], ...(rank ? { classifier: weights(random, WEIGHT_RANGE) } : {}) }));
  return path;
}

export interface TinyOnnx {
  readonly folder: string;
  /** The same weights as GGUF. */
  readonly gguf: string;
}

/** Writes a model of a few hundred kilobytes with both storages into `folder`. */
export function tinyOnnx(folder: string, { seed = TINY_SEED, rank = false }: { seed?: number; rank?: boolean } = {}): TinyOnnx {
  const random = seededRandom(seed);
  const values = weights(random, 0.5);
  const gguf = join(folder, 'tiny.gguf');
  writeGguf(gguf, {
    metadata: bertMetadata({ ...TINY_SHAPE, name: 'tiny bert', headCount: 4, layerNormEpsilon: 1e-12, pooling: 'mean', fileType: 0, tokens: TINY_TOKENS }),
    tensors: bertTensors(TINY_SHAPE).map(({ name, dims }) => {
      const count = dims.reduce((product, size) => product * size, 1);
      const content = dims.length === 1 ? new Float32Array(count).fill(name.endsWith('.bias') ? 0 : 1) : values(name, count);
      return { name, dims, type: 'F32' as const, values: () => content };
    }),
  });
  writeOnnxFolder(folder, gguf, { storages: ['fp32', 'int8'], ...(rank ? { classifier: values } : {}) });
  return { folder, gguf };
}

/** A text of `tokenCount` tokens for the tiny model, the two special ones included. */
export function tinyOnnxText(tokenCount: number, seed = 0): string {
  return Array.from({ length: tokenCount - 2 }, (_, i) => `w${(i * 31 + seed * 17 + i * i * 7) % TINY_WORDS}`).join(' ');
}

function weights(random: Random, range: number): (name: string, count: number) => Float32Array {
  return (_, count) => Float32Array.from({ length: count }, () => (random.next() * 2 - 1) * range);
}

/** Two processes may want it at once: each writes its own draft, and the first to finish names the folder. */
function writeOnce(path: string, write: (draft: string) => void): void {
  if (existsSync(path)) return;
  const draft = `${path}.${randomUUID()}`;
  write(draft);
  try {
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(path)) throw error;
  }
}
