/**
 * Finds the model file that a user named: a path, or an `hf:` URI that is downloaded once and
 * then taken from the cache folder, without the network.
 *
 * node-llama-cpp knows the URIs, resumes broken downloads and follows split files; this file adds
 * the folder, progress, cancelling, and errors that say what to do.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { cacheFolder, SpillwayError } from '../../kernel/index.ts';

const URI_PREFIX = 'hf:';
const HUB = 'https://huggingface.co/';
const PROBE_TIMEOUT_MS = 10_000;
/** `user/repo`, `user/repo:quant` or `user/repo/path/file.gguf`, optionally with `#branch`. */
const URI_BODY = /^(?!.*\.\.)[\w.-]+\/[\w.-]+(?::[\w.-]+|(?:\/[\w.+ -]+)+\.gguf(?:#[\w./-]+)?)?$/;

export interface ModelSourceOptions {
  /** Downloads go to its folder `models`. Default `cacheFolder()`. */
  readonly cacheDir?: string;
  /** Called as a download advances, in bytes. */
  readonly onProgress?: (progress: { readonly downloadedBytes: number; readonly totalBytes: number }) => void;
  /** Cancels a download. What was loaded so far is kept, and the next run continues it. */
  readonly signal?: AbortSignal;
  /** Where `hf:` URIs lead. Default: the variables `MODEL_ENDPOINT` or `HF_ENDPOINT`, else the Hugging Face hub. */
  readonly endpoint?: string;
}

/** Where the model lies, and what it was named by. */
export interface ResolvedModel {
  readonly path: string;
  /** The `hf:` URI, or `undefined` for a path. */
  readonly uri: string | undefined;
}

export function isModelUri(source: string): boolean {
  return source.startsWith(URI_PREFIX);
}

/**
 * Resolves `source` to a file. Whether that is a sound model is for `checkGgufHeader` to say.
 *
 * @throws SpillwayError `model_missing` (no such path), `model_source_invalid`, `model_download_failed`
 *   or `model_download_cancelled`.
 */
export async function resolveModel(source: string, options: ModelSourceOptions = {}): Promise<ResolvedModel> {
  if (!isModelUri(source)) return { path: existingPath(source), uri: undefined };
  if (!URI_BODY.test(source.slice(URI_PREFIX.length))) {
    throw new SpillwayError('model_source_invalid', `cannot read ${JSON.stringify(source)} as a model; expected hf:user/repo, hf:user/repo:quant or hf:user/repo/file.gguf`, { details: { source } });
  }
  const directory = join(options.cacheDir ?? cacheFolder(), 'models');
  return { path: (await cachedModel(source, directory)) ?? (await download(source, directory, options)), uri: source };
}

async function cachedModel(source: string, directory: string): Promise<string | undefined> {
  const { resolveModelFile } = await llamaLibrary();
  // The library answers "not there" with an exception, and asks the network for nothing here.
  return await resolveModelFile(source, { directory, cli: false, download: false }).catch(() => undefined);
}

async function download(source: string, directory: string, { onProgress, signal, endpoint = defaultEndpoint() }: ModelSourceOptions): Promise<string> {
  try {
    await probe(endpoint, signal);
    const { resolveModelFile } = await llamaLibrary();
    return await resolveModelFile(source, {
      directory, cli: false, deleteTempFileOnCancel: false, endpoints: { huggingFace: endpoint },
      onProgress: ({ downloadedSize, totalSize }) => onProgress?.({ downloadedBytes: downloadedSize, totalBytes: totalSize }),
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (cause) {
    if (signal?.aborted === true) {
      throw new SpillwayError('model_download_cancelled', `the download of ${source} was cancelled; run again to continue it`, { cause, details: { source } });
    }
    throw new SpillwayError(
      'model_download_failed',
      `could not download ${source} (${reasonOf(cause)}); check the name and the connection, or download the GGUF file elsewhere and give its path`,
      { cause, details: { source, directory } },
    );
  }
}

/** Loaded for an `hf:` URI only: it takes longer to load than all the rest of a command. */
function llamaLibrary(): Promise<typeof import('node-llama-cpp')> {
  return import('node-llama-cpp');
}

/** Any answer will do. Without this an unreachable host is retried for minutes before the user hears of it. */
async function probe(endpoint: string, signal: AbortSignal | undefined): Promise<void> {
  const timeout = AbortSignal.timeout(PROBE_TIMEOUT_MS);
  await fetch(endpoint, { method: 'HEAD', signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]) });
}

/** The same variables, in the same order, as node-llama-cpp and llama.cpp. */
function defaultEndpoint(): string {
  return [process.env['MODEL_ENDPOINT'], process.env['HF_ENDPOINT']].find((url) => url !== undefined && URL.canParse(url)) ?? HUB;
}

function existingPath(source: string): string {
  if (source === '') throw new SpillwayError('model_source_invalid', 'the model is an empty string; expected a path or hf:user/repo:quant');
  const path = resolve(source);
  if (existsSync(path)) return path;
  throw new SpillwayError('model_missing', `model ${path}: there is no such file; check the path, or name another model (a path, or hf:user/repo:quant)`, { details: { path } });
}

/** Network errors hide their reason in a chain of causes. */
function reasonOf(error: unknown): string {
  const reasons: string[] = [];
  for (let at = error; at instanceof Error && reasons.length < 4; at = at.cause) reasons.push(at.message || at.name);
  return reasons.join(': ');
}
