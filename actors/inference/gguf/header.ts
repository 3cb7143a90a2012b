/**
 * The check that every model file passes before native code sees it, and a model's identity.
 *
 * Only the header is read, so the check takes time for the vocabulary and not for the weights.
 * It refuses what is known to abort llama.cpp or to make its vectors wrong; what remains is
 * refused by llama.cpp itself, with an error.
 */
import { createHash } from 'node:crypto';
import { createReadStream, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { checkArchitecture, type ModelPurpose } from './architecture.ts';
import { checkOptionalKeys } from './optional-keys.ts';
import { modelError, parseGgufHeader } from './parser.ts';
import { checkRankingHead, checkTensors } from './tensor-check.ts';
import { checkVocabulary } from './vocabulary.ts';

/** What a sound header says about its model. */
export interface GgufSummary {
  readonly architecture: string;
  /** Whether every token sees every other, as in the BERT family; a decoder's tokens see only those before. */
  readonly isEncoder: boolean;
  /** `general.name`, or the file's name. */
  readonly name: string;
  /** Values in the vectors of the hidden state, and of nearly every model's result. */
  readonly embeddingLength: number;
  /** Tokens that the model was trained to take, special tokens included. */
  readonly contextLength: number;
  readonly blockCount: number;
  /** 0 none, 1 mean, 2 cls, 3 last, 4 rank; `undefined` when the file does not say. */
  readonly poolingType: number | undefined;
  /** llama.cpp's number for the predominant storage type (7 is Q8_0); `undefined` when the file does not say. */
  readonly fileType: number | undefined;
  readonly tensorCount: number;
  readonly vocabularySize: number;
  readonly sizeBytes: number;
}

/** Two files are one model exactly if their hashes are equal; the name is for people. */
export interface ModelIdentity {
  readonly name: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

/**
 * Checks the header of the model at `path`, which is to be loaded for `purpose`. Synchronous: tens
 * of milliseconds for a large vocabulary, so call it on a thread that may be busy that long.
 *
 * @throws SpillwayError `model_missing`, `model_unreadable`, `model_not_gguf`, `model_truncated`,
 *   `model_malformed`, `model_unsupported` or `model_too_complex`, saying what was found and expected.
 */
export function checkGgufHeader(path: string, purpose: ModelPurpose = 'embed'): GgufSummary {
  const header = parseGgufHeader(path);
  const shape = checkArchitecture(header, purpose);
  checkOptionalKeys(header, shape);
  const vocabularySize = checkVocabulary(header);
  checkTensors(header, shape, vocabularySize);
  if (purpose === 'rank') checkRankingHead(header, shape);
  const name = header.metadata.get('general.name')?.value;
  const fileType = header.metadata.get('general.file_type')?.value;
  return {
    architecture: shape.architecture,
    isEncoder: shape.isEncoder,
    name: typeof name === 'string' && name !== '' ? name : basename(path),
    embeddingLength: shape.embeddingLength,
    contextLength: shape.contextLength,
    blockCount: shape.blockCount,
    poolingType: shape.poolingType,
    fileType: typeof fileType === 'number' ? fileType : undefined,
    tensorCount: header.tensors.size,
    vocabularySize,
    sizeBytes: header.sizeBytes,
  };
}

/**
 * Checks the header and hashes the whole file.
 *
 * @throws SpillwayError those of `checkGgufHeader` and `hashModel`.
 */
export async function modelIdentity(path: string): Promise<ModelIdentity> {
  const { name, sizeBytes } = checkGgufHeader(path);
  return { name, sha256: await hashModel(path), sizeBytes };
}

/**
 * The SHA-256 of the file, hexadecimal. Streams: memory does not grow with the file.
 *
 * @throws SpillwayError `model_unreadable`, or `model_changed` when the file is written meanwhile.
 */
export async function hashModel(path: string): Promise<string> {
  const hash = createHash('sha256');
  let before: Stats;
  let after: Stats;
  try {
    before = await stat(path);
    await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash);
    after = await stat(path);
  } catch (cause) {
    throw modelError('model_unreadable', path, `cannot be read (${(cause as Error).message})`, cause);
  }
  if (after.size !== before.size || after.mtimeMs !== before.mtimeMs) {
    throw modelError('model_changed', path, 'was written while it was read; wait until it is complete');
  }
  return hash.digest('hex');
}
