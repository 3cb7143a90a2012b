/** The file of the registry: what it holds, and the check of what was read from it. */
import { join } from 'node:path';
import { validatorOf } from '../../../kernel/index.ts';
import { LockedFile } from './locked-file.ts';

/** What a model may be for. */
export const PURPOSES = ['embed', 'rank', 'generate'] as const;
export type Purpose = (typeof PURPOSES)[number];

/** One of a model's files as it was when its hash was taken, to see cheaply whether it may have changed since. */
export interface FileMark {
  /** Relative to the model's path; empty for that path itself. */
  readonly name: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
}

/** A model that the user has added. */
export interface RegisteredModel {
  /** What the user calls it; no two have the same. */
  readonly name: string;
  /** What it was added by: an absolute path or an `hf:` URI. */
  readonly source: string;
  /** Where it lies: a file, or the folder of a model with several. */
  readonly path: string;
  readonly backend: 'llama' | 'onnx';
  readonly purposes: readonly Purpose[];
  /** Hash of its files. */
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Values in each vector. */
  readonly dimensions: number;
  /** Tokens it was trained to take. */
  readonly contextLength: number;
  /** Whether `path` is a copy of our own, below `models/` of the cache folder. */
  readonly copied: boolean;
  /** How it was checked when it was added, in a few words. */
  readonly checked: string;
  /** ISO 8601. */
  readonly addedAt: string;
  readonly files: readonly FileMark[];
}

/** A default and since when it is one. */
export interface DefaultModel {
  readonly name: string;
  /** Counts the changes of defaults in this registry: the higher, the later. */
  readonly change: number;
}

export interface RegistryState {
  readonly version: number;
  readonly models: readonly RegisteredModel[];
  /** For each purpose the defaults, the present one last. The names are those of `models` or the built-in one. */
  readonly defaults: { readonly [P in Purpose]?: readonly DefaultModel[] };
}

const REGISTRY_VERSION = 1;

const text = { type: 'string' } as const;
const number = { type: 'float64' } as const;
const purpose = { enum: [...PURPOSES] } as const;
const history = { elements: { properties: { name: text, change: number } } } as const;

const validate = validatorOf({
  properties: {
    version: { type: 'uint32' },
    models: {
      elements: {
        properties: {
          name: text, source: text, path: text, backend: { enum: ['llama', 'onnx'] }, purposes: { elements: purpose },
          sha256: text, sizeBytes: number, dimensions: number, contextLength: number, copied: { type: 'boolean' }, checked: text, addedAt: text,
          files: { elements: { properties: { name: text, sizeBytes: number, mtimeMs: number } } },
        },
      },
    },
    defaults: { optionalProperties: { embed: history, rank: history, generate: history } },
  },
});

/** The registry's file in the cache folder. */
export function registryFile(cacheDir: string): LockedFile<RegistryState> {
  return new LockedFile<RegistryState>({
    path: join(cacheDir, 'models.json'),
    empty: { version: REGISTRY_VERSION, models: [], defaults: {} },
    parse(parsed) {
      // A later version may look otherwise, and deserves a better answer than the first field that is wrong.
      const version = (parsed as { version?: unknown } | null)?.version;
      if (typeof version === 'number' && version > REGISTRY_VERSION) {
        throw new RangeError(`it has version ${version}, and this program knows ${REGISTRY_VERSION}: a later one has written it`);
      }
      validate(parsed);
      return parsed as RegistryState;
    },
  });
}
