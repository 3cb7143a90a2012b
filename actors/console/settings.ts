/** The settings that all commands share, from flags, environment, file and defaults. */
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { LOG_THRESHOLDS, cacheFolder, SpillwayError, loadConfig, type LogThreshold } from '../../kernel/index.ts';
import { POOLINGS, type Pooling } from '../inference/index.ts';

const SETTINGS_SCHEMA = {
  optionalProperties: {
    /** Folder of the index. */
    index: { type: 'string' },
    /** A GGUF path or an `hf:` URI. */
    model: { type: 'string' },
    /** Inference actors. */
    actors: { type: 'uint16' },
    /** Estimated tokens of a chunk at the most. */
    chunkTokens: { type: 'uint16' },
    /** Larger files are skipped. */
    maxFileBytes: { type: 'uint32' },
    /** Where models are kept. */
    cacheDir: { type: 'string' },
    logLevel: { type: 'string' },
    /** Whether models run in processes of their own for good. */
    isolate: { type: 'boolean' },
    /** Whether a model that was never loaded here is first tried in a sandboxed process. */
    quarantine: { type: 'boolean' },
    /** How the vectors of tokens become one, in place of what the model's files say. */
    pooling: { type: 'string' },
    /** Values to keep of each vector. */
    dimensions: { type: 'uint32' },
    /** What the model wants before a text that is to be found, and before one that looks for it. */
    documentPrompt: { type: 'string' },
    queryPrompt: { type: 'string' },
  },
} as const;

/** How texts become vectors, beside the model: two indexes with different ones cannot be compared. */
export interface Recipe {
  readonly pooling?: Pooling;
  readonly dimensions?: number;
  readonly documentPrompt?: string;
  readonly queryPrompt?: string;
}

export interface Settings {
  readonly index: string;
  readonly model: string | undefined;
  readonly actors: number;
  readonly chunkTokens: number;
  readonly maxFileBytes: number;
  readonly cacheDir: string;
  readonly logLevel: LogThreshold;
  readonly isolate: boolean;
  readonly quarantine: boolean;
  /** Only what was set. */
  readonly recipe: Recipe;
}

const ACTORS_MAX = 32;
const CHUNK_TOKENS_MIN = 16;
const DIMENSIONS_MAX = 65_536;
/** Generated and data files beyond this are rarely worth searching. */
const MAX_FILE_BYTES = 2 * 1024 * 1024;

/** @throws SpillwayError `config_invalid` */
export async function loadSettings(flags: Readonly<Record<string, unknown>>, cwd = process.cwd()): Promise<Settings> {
  const { values } = await loadConfig({
    name: 'spillway',
    schema: SETTINGS_SCHEMA,
    defaults: {
      index: '.spillway',
      actors: Math.min(ACTORS_MAX, availableParallelism()),
      chunkTokens: 256,
      maxFileBytes: MAX_FILE_BYTES,
      logLevel: 'error',
      isolate: false,
      quarantine: true,
    },
    flags,
    env: process.env,
    cwd,
  });
  const { index, model, actors, chunkTokens, maxFileBytes, cacheDir, logLevel, isolate, quarantine, pooling, dimensions, documentPrompt, queryPrompt } = values;
  within('actors', actors!, 1, ACTORS_MAX);
  within('chunkTokens', chunkTokens!, CHUNK_TOKENS_MIN, 2_048);
  within('maxFileBytes', maxFileBytes!, 1, 64 * 1024 * 1024);
  if (pooling !== undefined && !POOLINGS.includes(pooling as Pooling)) {
    throw new SpillwayError('config_invalid', `pooling must be one of ${POOLINGS.join(', ')}; got '${pooling}'.`);
  }
  if (dimensions !== undefined) within('dimensions', dimensions, 1, DIMENSIONS_MAX);
  if (!Object.hasOwn(LOG_THRESHOLDS, logLevel!)) {
    throw new SpillwayError('config_invalid', `logLevel must be one of ${Object.keys(LOG_THRESHOLDS).join(', ')}; got '${logLevel}'.`);
  }
  return {
    index: resolve(cwd, index!),
    model,
    actors: actors!,
    chunkTokens: chunkTokens!,
    maxFileBytes: maxFileBytes!,
    cacheDir: cacheDir === undefined ? cacheFolder() : resolve(cwd, cacheDir),
    logLevel: logLevel as LogThreshold,
    isolate: isolate!,
    quarantine: quarantine!,
    recipe: {
      ...(pooling === undefined ? {} : { pooling: pooling as Pooling }),
      ...(dimensions === undefined ? {} : { dimensions }),
      ...(documentPrompt === undefined ? {} : { documentPrompt }),
      ...(queryPrompt === undefined ? {} : { queryPrompt }),
    },
  };
}

function within(key: string, value: number, min: number, max: number): void {
  if (value >= min && value <= max) return;
  throw new SpillwayError('config_invalid', `${key} must be from ${min} to ${max}; got ${value}.`);
}
