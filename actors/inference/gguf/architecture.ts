/**
 * Holds the metadata of a model against what its architecture needs for the purpose it is loaded for.
 *
 * llama.cpp answers some contradictions with an exception and others by aborting the process
 * (zero heads, zero or thousands of layers, an unknown pooling type). The ranges here are
 * therefore checked before native code sees the file. Key names and limits are llama.cpp's
 * (`llama-arch.cpp`, `llama-hparams.h`).
 */
import { modelError, type GgufHeader } from './parser.ts';
import { VALUE_TYPE } from './types.ts';

/** Encoders of the BERT family: bidirectional, and pooled as their metadata says. */
const ENCODERS: ReadonlySet<string> = new Set([
  'bert', 'nomic-bert', 'nomic-bert-moe', 'jina-bert-v2', 'jina-bert-v3', 'modern-bert', 'neo-bert', 'eurobert',
]);
/** Decoders that published embedding models are made from. */
const DECODERS: ReadonlySet<string> = new Set([
  'llama', 'llama-embed', 'mistral3', 'qwen2', 'qwen3', 'gemma2', 'gemma3', 'gemma-embedding',
]);

/** Decoders that write text: all of one kind of layer, with attention in each, which is what the checks below know. */
const GENERATORS: ReadonlySet<string> = new Set([
  'llama', 'llama4', 'mistral3', 'qwen2', 'qwen2moe', 'qwen3', 'qwen3moe', 'gemma', 'gemma2', 'gemma3', 'phi2', 'phi3', 'smollm3', 'granite', 'granitemoe',
  'olmo2', 'internlm2', 'command-r', 'cohere2', 'gpt-oss', 'glm4', 'exaone4', 'ernie4_5', 'seed_oss', 'gpt2', 'gptneox', 'falcon', 'starcoder2', 'stablelm',
]);
/** Models with a head that scores pairs: most encoders may have one, and of the decoders those of Qwen. */
const RANKERS: ReadonlySet<string> = new Set([...[...ENCODERS].filter((name) => name !== 'eurobert'), 'qwen3']);

/** What a model is loaded for. Each purpose needs other architectures, and only `rank` needs a head. */
export type ModelPurpose = 'embed' | 'rank' | 'generate';
const FIT: Readonly<Record<ModelPurpose, { readonly architectures: ReadonlySet<string>; readonly deed: string }>> = {
  embed: { architectures: new Set([...ENCODERS, ...DECODERS]), deed: 'embeds text' },
  rank: { architectures: RANKERS, deed: 'ranks texts' },
  generate: { architectures: GENERATORS, deed: 'generates text' },
};

/** LLAMA_MAX_LAYERS. */
const BLOCK_COUNT_MAX = 512;
const DIMENSIONS_MAX = 65_536;
const CONTEXT_LENGTH_MAX = 2 ** 24;
/** `enum llama_pooling_type`. Rank models score pairs; they give no vectors. */
export const POOLING_TYPE = { none: 0, mean: 1, cls: 2, last: 3, rank: 4 } as const;

/** The measures of a model, all checked. */
export interface ModelShape {
  readonly architecture: string;
  readonly isEncoder: boolean;
  readonly blockCount: number;
  readonly contextLength: number;
  readonly embeddingLength: number;
  readonly feedForwardLength: number | undefined;
  readonly headCount: number;
  /** A value of `enum llama_pooling_type`; `undefined` when the file does not say, which only decoders may. */
  readonly poolingType: number | undefined;
}

/** @throws SpillwayError `model_unsupported` or `model_malformed`. */
export function checkArchitecture(header: GgufHeader, purpose: ModelPurpose): ModelShape {
  const architecture = stringValue(header, 'general.architecture');
  const isEncoder = ENCODERS.has(architecture);
  const { architectures, deed } = FIT[purpose];
  if (!architectures.has(architecture)) {
    throw modelError(
      'model_unsupported', header.path,
      `has the architecture ${JSON.stringify(architecture)}; expected one that ${deed}: ${[...architectures].join(', ')}`,
    );
  }
  const key = (name: string): string => `${architecture}.${name}`;
  const blockCount = integerWithin(header, key('block_count'), 1, BLOCK_COUNT_MAX);
  const contextLength = integerWithin(header, key('context_length'), 2, CONTEXT_LENGTH_MAX);
  const embeddingLength = integerWithin(header, key('embedding_length'), 1, DIMENSIONS_MAX);
  const feedForwardLength = perLayer(header, key('feed_forward_length'), blockCount, DIMENSIONS_MAX * 16);
  const headCount = perLayer(header, key('attention.head_count'), blockCount, embeddingLength);
  if (headCount === undefined) throw modelError('model_malformed', header.path, `lacks ${key('attention.head_count')}`);
  // Models with heads of another width say so; the others divide their vector evenly.
  if (!header.metadata.has(key('attention.key_length')) && embeddingLength % headCount !== 0) {
    throw modelError('model_malformed', header.path, `has ${headCount} heads for ${embeddingLength} dimensions; expected a divisor`);
  }
  const keyValueHeads = perLayer(header, key('attention.head_count_kv'), blockCount, headCount);
  if (keyValueHeads !== undefined && headCount % keyValueHeads !== 0) {
    throw modelError('model_malformed', header.path, `has ${keyValueHeads} key-value heads for ${headCount} heads; expected a divisor`);
  }
  const hasLayerNorm = header.metadata.has(key('attention.layer_norm_epsilon'));
  const epsilonKey = key(header.metadata.has(key('attention.layer_norm_rms_epsilon')) || !(isEncoder || hasLayerNorm) ? 'attention.layer_norm_rms_epsilon' : 'attention.layer_norm_epsilon');
  const epsilon = header.metadata.get(epsilonKey);
  if (epsilon?.type !== VALUE_TYPE.f32 || !((epsilon.value as number) >= 0) || !Number.isFinite(epsilon.value)) {
    throw modelError('model_malformed', header.path, `has ${describe(epsilon?.value)} as ${epsilonKey}; expected a finite f32 of at least 0`);
  }
  const poolingType = poolingOf(header, key('pooling_type'), isEncoder, purpose);
  return { architecture, isEncoder, blockCount, contextLength, embeddingLength, feedForwardLength, headCount, poolingType };
}

function poolingOf(header: GgufHeader, key: string, isEncoder: boolean, purpose: ModelPurpose): number | undefined {
  const stated = header.metadata.has(key) ? integerWithin(header, key, POOLING_TYPE.none, POOLING_TYPE.rank) : undefined;
  // Older files of ranking models state another pooling or none; their head is what tells, and the context pools for it.
  if (purpose !== 'embed') return stated;
  if (stated === POOLING_TYPE.rank) {
    throw modelError('model_unsupported', header.path, `ranks pairs of texts (${key} is ${POOLING_TYPE.rank}); expected a model that embeds`);
  }
  // Without pooling an encoder silently gives the vector of its last token, which is not a text's vector.
  if (isEncoder && (stated === undefined || stated === POOLING_TYPE.none)) {
    throw modelError('model_unsupported', header.path, `does not say how to pool token vectors (${key} is ${stated ?? 'missing'}); expected 1 (mean), 2 (cls) or 3 (last)`);
  }
  return stated;
}

/** The string at `key`. @throws SpillwayError `model_malformed` when it is missing or of another type. */
export function stringValue(header: GgufHeader, key: string): string {
  const found = header.metadata.get(key);
  if (found?.type !== VALUE_TYPE.str) throw modelError('model_malformed', header.path, `has ${describe(found?.value)} as ${key}; expected a string`);
  return found.value as string;
}

/** The u32 at `key`, within bounds. @throws SpillwayError `model_malformed`. */
export function integerWithin(header: GgufHeader, key: string, min: number, max: number): number {
  const found = header.metadata.get(key);
  if (found?.type !== VALUE_TYPE.u32) throw modelError('model_malformed', header.path, `has ${describe(found?.value)} as ${key}; expected a u32`);
  const value = found.value as number;
  if (value < min || value > max) throw modelError('model_malformed', header.path, `has ${value} as ${key}; expected ${min} to ${max}`);
  return value;
}

/** A u32, or an array of one integer for each layer, every one from 1 to `max`; answers the first. */
function perLayer(header: GgufHeader, key: string, layers: number, max: number): number | undefined {
  const found = header.metadata.get(key);
  if (found === undefined) return undefined;
  if (found.type !== VALUE_TYPE.array) return integerWithin(header, key, 1, max);
  const values = found.value as readonly unknown[];
  if (values.length !== layers) throw modelError('model_malformed', header.path, `has ${values.length} values in ${key}; expected ${layers}, one for each layer`);
  for (const value of values) {
    if (typeof value !== 'number' || !(value >= 1 && value <= max)) {
      throw modelError('model_malformed', header.path, `has ${describe(value)} in ${key}; expected 1 to ${max}`);
    }
  }
  return values[0] as number;
}

/** A short form of a value for messages; headers hold arrays of hundreds of thousands of elements. */
export function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return JSON.stringify(typeof value === 'bigint' ? Number(value) : value).slice(0, 80);
}
