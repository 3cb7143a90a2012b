/**
 * A model in the shape of all-MiniLM-L6-v2 with random weights, for measuring speed.
 *
 * The time of a text depends on shapes and storage types, not on what was learnt, so a synthetic
 * model measures the same work without a download. Its vectors mean nothing. The vocabulary has
 * the size of BERT's; `textOfTokens` makes texts of an exact number of tokens from it.
 *
 * The file depends on the seed alone and is kept in the folder for the next run.
 */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bertMetadata } from '../../actors/inference/gguf/bert-metadata.ts';
import { bertTensors, type BertTensor } from '../../actors/inference/gguf/bert-shape.ts';
import type { WritableTensorType } from '../../actors/inference/gguf/types.ts';
import { writeGguf, type GgufTensor } from '../../actors/inference/gguf/writer.ts';
import { mulberry32 } from './mulberry32.ts';

const SHAPE = { blockCount: 6, embeddingLength: 384, feedForwardLength: 1536, contextLength: 512, vocabularySize: 30_522, tokenTypeCount: 2 } as const;
const HEAD_COUNT = 12;
/** BERT's positions of the special tokens; the places between are filled with unused ones, as in its vocabulary. */
const SPECIAL_IDS: Readonly<Record<number, string>> = { 0: '[PAD]', 100: '[UNK]', 101: '[CLS]', 102: '[SEP]', 103: '[MASK]' };
const FIRST_WORD_ID = 104;
const SEED = 20_250_101;
/** BERT's initialization; larger weights would saturate the softmax and make some texts alike. */
const WEIGHT_RANGE = 0.06;
const ROWS_PER_CHUNK = 256;
const FILE_TYPE = { F16: 1, Q8_0: 7 } as const;

/** Special tokens around every text, which count towards its length. */
const SPECIAL_TOKENS_PER_TEXT = 2;

export interface MiniLmOptions {
  /** Storage of the matrices. Default Q8_0. */
  readonly type?: keyof typeof FILE_TYPE;
  /** Where the file is kept. Default: the folder for temporary files. */
  readonly folder?: string;
}

/** Writes the model unless it is there already, and answers its path. */
export function miniLmModel({ type = 'Q8_0', folder = tmpdir() }: MiniLmOptions = {}): string {
  const path = join(folder, `spillway-minilm-${type}-${SEED}.gguf`);
  if (existsSync(path)) return path;
  const tokens = Array.from({ length: SHAPE.vocabularySize }, (_, id) => SPECIAL_IDS[id] ?? (id < FIRST_WORD_ID ? `[unused${id}]` : `▁${wordOf(id)}`));
  const random = mulberry32(SEED);
  writeGguf(path, {
    metadata: bertMetadata({
      ...SHAPE, name: `minilm-shaped ${type} (random weights)`, headCount: HEAD_COUNT, layerNormEpsilon: 1e-12, pooling: 'mean', fileType: FILE_TYPE[type], tokens,
    }),
    tensors: bertTensors(SHAPE).map((tensor) => randomTensor(tensor, type, random)),
  });
  return path;
}

/** A text of `tokenCount` tokens, special ones included; texts of different `seed` differ. */
export function textOfTokens(tokenCount: number, seed: number): string {
  const random = mulberry32(seed);
  const words = Array.from({ length: tokenCount - SPECIAL_TOKENS_PER_TEXT }, () => wordOf(FIRST_WORD_ID + Math.floor(random() * (SHAPE.vocabularySize - FIRST_WORD_ID))));
  return words.join(' ');
}

/** The word of a token, in letters only, so that the tokenizer keeps it whole. */
function wordOf(id: number): string {
  return `w${id.toString(26).replace(/[0-9a-p]/g, (digit) => String.fromCharCode(97 + parseInt(digit, 26)))}`;
}

function randomTensor({ name, dims }: BertTensor, type: WritableTensorType, random: () => number): GgufTensor {
  const [row = 0, rows = 1] = dims;
  const isVector = dims.length === 1;
  const values = function* (): Iterable<Float32Array> {
    if (isVector) {
      yield new Float32Array(row).fill(name.endsWith('.bias') ? 0 : 1);
      return;
    }
    for (let done = 0; done < rows; done += ROWS_PER_CHUNK) {
      const chunk = new Float32Array(row * Math.min(ROWS_PER_CHUNK, rows - done));
      for (let i = 0; i < chunk.length; i++) chunk[i] = (random() * 2 - 1) * WEIGHT_RANGE;
      yield chunk;
    }
  };
  return { name, dims, type: isVector || name === 'token_types.weight' ? 'F32' : type, values };
}
