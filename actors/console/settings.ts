/** The settings that all commands share, from flags, environment, file and defaults. */
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { LOG_THRESHOLDS, cacheFolder, SpillwayError, loadConfig, type LogThreshold } from '../../kernel/index.ts';

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
  },
} as const;

export interface Settings {
  readonly index: string;
  readonly model: string | undefined;
  readonly actors: number;
  readonly chunkTokens: number;
  readonly maxFileBytes: number;
  readonly cacheDir: string;
  readonly logLevel: LogThreshold;
}

const ACTORS_MAX = 32;
const CHUNK_TOKENS_MIN = 16;
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
    },
    flags,
    env: process.env,
    cwd,
  });
  const { index, model, actors, chunkTokens, maxFileBytes, cacheDir, logLevel } = values;
  within('actors', actors!, 1, ACTORS_MAX);
  within('chunkTokens', chunkTokens!, CHUNK_TOKENS_MIN, 2_048);
  within('maxFileBytes', maxFileBytes!, 1, 64 * 1024 * 1024);
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
  };
}

function within(key: string, value: number, min: number, max: number): void {
  if (value >= min && value <= max) return;
  throw new SpillwayError('config_invalid', `${key} must be from ${min} to ${max}; got ${value}.`);
}
