/**
 * What a model will take of memory, from the header of its file, before anything is loaded.
 *
 * Weights are mapped: every actor and every process that loads the file shares the same pages. What each actor
 * has for itself is often more, and grows with things that are no weights:
 *
 *   thread       V8, the native library's binding and their heaps
 *   vocabulary   llama.cpp's tables of it, and the header as node-llama-cpp reads it
 *   repacked     weights of the types that ggml lays out anew for the processor, which end their sharing
 *
 * and in each context, of which there are as many as ways that texts may take (`llama-contexts.ts`),
 *
 *   output       for each token of the longest text a value for every word of the vocabulary, for no use but
 *                the library's habit, and each written once: 62 MB for 512 tokens and BERT's vocabulary
 *   compute      the intermediate results of one text: per token, and without flash attention per pair of tokens
 *   keys/values  of decoders, f16, allocated and cleared for the whole context
 *
 * The constants are what loads of models of several shapes were seen to take (tests/inference/models/memory-estimate.test.ts
 * holds the sum against real ones); the rest follows the source of llama.cpp (`llama-context.cpp`, `output_reserve`).
 */
import { TOKENS_MAX_DEFAULT } from '../backend.ts';
import { checkArchitecture, type ModelShape } from '../gguf/architecture.ts';
import { parseGgufHeader, type GgufHeader } from '../gguf/parser.ts';
import type { TensorType } from '../gguf/types.ts';
import { checkVocabulary } from '../gguf/vocabulary.ts';
import type { Purpose } from './registry-file.ts';

export interface MemoryEstimate {
  /** Mapped weights, once for all actors. */
  readonly sharedBytes: number;
  /** Of each actor for itself. */
  readonly actorBytes: number;
  /** For all actors together. */
  readonly totalBytes: number;
}

export interface MemoryOptions {
  /** Threads that load the model. Default 1. */
  readonly actors?: number;
  /** What it is loaded for. Default: embed. */
  readonly purpose?: Purpose;
  /** Tokens of the longest text, as in `BackendOptions`. Default 2,048, and never more than the model takes. */
  readonly tokensMax?: number;
  /** Of a generator: tokens of the context of each sequence. Default 2,048, and never more than the model takes. */
  readonly contextTokens?: number;
  /** Of a generator: sequences in its context. Default 4. */
  readonly sequences?: number;
}

const THREAD_BYTES = 60e6;
/** Of ONNX Runtime: what it keeps for the results of a full batch of a small encoder. Its files do not say the measures that this depends on. */
const ONNX_BATCH_BYTES = 60e6;
/** Of a generator: samplers, grammars and the detokenizer's tables. */
const GENERATION_BYTES = 25e6;
const VOCABULARY_ENTRY_BYTES = 850;
const FLOAT_BYTES = 4;
const HALF_BYTES = 2;
/** Texts of fewer tokens have contexts of their own. */
const SHORT_TOKENS = 64;
/** Tokens of each sequence that a generator hands to the library at once. */
const GENERATION_PART_TOKENS = 64;
const SEQUENCES_DEFAULT = 4;
/** Of a token's results while a layer computes: the feed-forward part before and after its function, and a handful of the width of the model. */
const FEED_FORWARD_COPIES = 2;
const WIDTH_COPIES = 6;
/** What ggml's CPU backend repacks where the processor has the instructions for it. */
const REPACKED: ReadonlySet<TensorType> = new Set(['Q4_0', 'Q4_K', 'IQ4_NL']);

/** One context of an actor. */
interface TextWay {
  /** The longest text. */
  readonly tokens: number;
  /** Tokens that have a row of logits. */
  readonly outputs: number;
  readonly flashAttention: boolean;
  /** Tokens whose keys and values are kept. */
  readonly kept: number;
}

/**
 * Of a model of either backend.
 *
 * @param model its `path` is read for `llama`; for `onnx`, whose weights every session takes into memory of its own,
 *   only its `sizeBytes` counts, and the estimate is a rough one
 * @throws SpillwayError those of `checkGgufHeader`
 */
export function estimateMemory({ backend, path, sizeBytes }: { readonly backend: 'llama' | 'onnx'; readonly path: string; readonly sizeBytes: number }, options: MemoryOptions = {}): MemoryEstimate {
  if (backend === 'llama') return estimateGgufMemory(path, options);
  const actorBytes = Math.round(THREAD_BYTES + ONNX_BATCH_BYTES + sizeBytes);
  return { sharedBytes: 0, actorBytes, totalBytes: actorBytes * (options.actors ?? 1) };
}

/**
 * Reads the header of the GGUF file at `path`; takes tens of milliseconds for a large vocabulary.
 *
 * @throws SpillwayError those of `checkGgufHeader`
 */
export function estimateGgufMemory(path: string, options: MemoryOptions = {}): MemoryEstimate {
  const { actors = 1, purpose = 'embed' } = options;
  const header = parseGgufHeader(path);
  const shape = checkArchitecture(header, purpose);
  const vocabularySize = checkVocabulary(header);
  const tensors = [...header.tensors.values()];
  const weights = tensors.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const repacked = tensors.reduce((sum, { type, dims, sizeBytes }) => sum + (REPACKED.has(type) && dims.length > 1 ? sizeBytes : 0), 0);
  const contexts = waysOf(shape, purpose, options).map(({ tokens, outputs, flashAttention, kept }) => {
    const output = outputs * (vocabularySize + shape.embeddingLength) * FLOAT_BYTES;
    return output + computeBytes(shape, tokens, flashAttention) + kept * keyValueBytes(header, shape);
  });
  const loaded = vocabularySize * VOCABULARY_ENTRY_BYTES + repacked + (purpose === 'generate' ? GENERATION_BYTES : 0);
  const actorBytes = Math.round(THREAD_BYTES + loaded + contexts.reduce((sum, bytes) => sum + bytes, 0));
  return { sharedBytes: weights, actorBytes, totalBytes: weights + actorBytes * actors };
}

function waysOf({ contextLength, isEncoder }: ModelShape, purpose: Purpose, options: MemoryOptions): TextWay[] {
  if (purpose === 'generate') {
    const sequences = options.sequences ?? SEQUENCES_DEFAULT;
    const kept = Math.min(contextLength, options.contextTokens ?? TOKENS_MAX_DEFAULT) * sequences;
    return [{ tokens: Math.min(GENERATION_PART_TOKENS * sequences, kept), outputs: sequences, flashAttention: true, kept }];
  }
  const tokens = Math.min(contextLength, (options.tokensMax ?? TOKENS_MAX_DEFAULT) + 1);
  const long: TextWay = { tokens, outputs: tokens, flashAttention: true, kept: isEncoder ? 0 : tokens };
  if (purpose === 'rank') return [long];
  if (!isEncoder) return [long, long];
  const short: TextWay = { tokens: Math.min(tokens, SHORT_TOKENS), outputs: Math.min(tokens, SHORT_TOKENS), flashAttention: false, kept: 0 };
  // Urgent texts have contexts of their own, lest they wait for the one in hand.
  return tokens <= SHORT_TOKENS ? [short, short] : [short, long, short, long];
}

function computeBytes({ embeddingLength, feedForwardLength = embeddingLength * 4, headCount }: ModelShape, tokens: number, flashAttention: boolean): number {
  const perToken = FEED_FORWARD_COPIES * feedForwardLength + WIDTH_COPIES * embeddingLength;
  const pairs = flashAttention ? 0 : tokens * headCount;
  return tokens * (perToken + pairs) * FLOAT_BYTES;
}

/** Of one token in all layers. */
function keyValueBytes({ metadata }: GgufHeader, { architecture, blockCount, embeddingLength, headCount }: ModelShape): number {
  const stated = (name: string): number | undefined => {
    const value = metadata.get(`${architecture}.attention.${name}`)?.value;
    // One for each layer, or one for all.
    const first: unknown = Array.isArray(value) ? value[0] : value;
    return typeof first === 'number' ? first : undefined;
  };
  const width = embeddingLength / headCount;
  const heads = stated('head_count_kv') ?? headCount;
  return blockCount * heads * ((stated('key_length') ?? width) + (stated('value_length') ?? width)) * HALF_BYTES;
}
