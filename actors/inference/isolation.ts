/**
 * What a process that runs one model is granted: to read that model's files, to load the native library, and memory
 * in proportion to the model. No network, no other files, no processes.
 *
 * llama.cpp's own advice is to sandbox every model that is not trusted, and a model that crashes takes nothing along
 * but its process. Where the system cannot build the sandbox it is a plain process, under Node's permission model
 * alone; `isolationLevel` says which.
 */
import { readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { SpillwayError, sandboxLacks, type ProcessSpec } from '../../kernel/index.ts';
import type { BackoffFlags } from '../../supervisors/index.ts';
import type { CheckedModel } from './model-choice.ts';
import { NO_TELEMETRY } from './onnx/no-telemetry.ts';

/** How well a model is kept apart: by the system, or by being a process only. */
export type IsolationLevel = 'sandboxed' | 'process';

export interface IsolationOptions {
  /** Resident memory at the most, the mapped model included. Default: from the model's size. */
  readonly memoryBytes?: number;
  /** Whether it refuses to start (`sandbox_unavailable`) rather than go without a sandbox. Default false. */
  readonly required?: boolean;
}

const MIB = 2 ** 20;
/** Node, the native library, contexts and computation of the largest models that embed. */
const RESIDENT_FLOOR_BYTES = 2_048 * MIB;
/** The mapped file, weights that the library repacks for the processor, and those of a second context with the tables of a model that generates. */
const RESIDENT_PER_MODEL_BYTE = 3;
/** What V8 reserves and never uses counts as private memory too. */
const RESERVED_BYTES = 1_024 * MIB;
/** node-llama-cpp asks for the home folder while it loads, and a sandbox has no users. */
const ENVIRONMENT = { HOME: '/tmp', ...NO_TELEMETRY } as const;
/** Node's own, those of the native libraries on a large machine, and room. */
const THREADS = 256;
/** A part of a split GGUF file, and a graph whose tokenizer and weights lie beside it. */
const ONE_OF_SEVERAL = /(?:-\d{5}-of-\d{5}\.gguf|\.onnx)$/;

/**
 * Between the end of an isolated model and its next start. A single crash is over soon; a model that crashes at each
 * start must not keep a core busy with starting it.
 */
export const ISOLATED_BACKOFF: Partial<BackoffFlags> = { minMs: 20, maxMs: 5_000 };

/** A model in terms of its process. */
export interface IsolatedModel {
  /** With a path that leads over no symbolic link to what is granted. */
  readonly model: CheckedModel;
  readonly process: ProcessSpec;
  /** Of all files that it may read. */
  readonly sizeBytes: number;
}

/**
 * What a process needs that runs `model`. Looks at the file system: names and sizes.
 * @throws SpillwayError `model_missing` if it has been removed since it was checked
 */
export function isolatedModel(model: CheckedModel, { memoryBytes, required = false }: IsolationOptions = {}): IsolatedModel {
  try {
    const { path, read } = grantsOf(model.path);
    const sizeBytes = read.reduce((sum, granted) => sum + sizeOf(granted), 0);
    const maxRssBytes = memoryBytes ?? RESIDENT_FLOOR_BYTES + RESIDENT_PER_MODEL_BYTE * sizeBytes;
    return {
      model: { ...model, path },
      sizeBytes,
      process: {
        env: ENVIRONMENT,
        // Only Linux says what a process has in memory; elsewhere there is no limit to keep.
        ...(process.platform === 'linux' ? { maxRssBytes } : {}),
        sandbox: { read, required, allowAddons: true, network: 'none', memoryBytes: maxRssBytes + RESERVED_BYTES, threads: THREADS },
      },
    };
  } catch (cause) {
    throw new SpillwayError('model_missing', `model ${model.path}: it cannot be found any more (${(cause as Error).message}); check the path, or name another model`, { cause, details: { path: model.path } });
  }
}

/** What a model is kept in here. The first call asks the system, which takes tens of milliseconds. */
export async function isolationLevel(): Promise<IsolationLevel> {
  return (await sandboxLacks()).length === 0 ? 'sandboxed' : 'process';
}

/** The model's files and nothing beside them. One of several files is found by its name among the others, so its folder is granted. */
function grantsOf(path: string): { path: string; read: string[] } {
  if (ONE_OF_SEVERAL.test(path)) {
    const folder = realpathSync(dirname(path));
    return { path: join(folder, basename(path)), read: folderGrants(folder) };
  }
  const real = realpathSync(path);
  return { path: real, read: statSync(real).isDirectory() ? folderGrants(real) : [real] };
}

/** Caches of downloaded models keep the files elsewhere, under their hashes, and link to them. */
function folderGrants(folder: string): string[] {
  const links = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isSymbolicLink());
  return [folder, ...new Set(links.map(({ parentPath, name }) => realpathSync(join(parentPath, name))))];
}

function sizeOf(path: string): number {
  const found = statSync(path);
  if (!found.isDirectory()) return found.size;
  return readdirSync(path, { recursive: true, withFileTypes: true }).reduce((sum, entry) => (entry.isFile() ? sum + statSync(join(entry.parentPath, entry.name)).size : sum), 0);
}
