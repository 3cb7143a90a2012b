/**
 * Finds the model file that a user named: a path, or an `hf:` URI that is downloaded once and
 * then taken from the cache folder, without the network.
 *
 * node-llama-cpp knows the URIs, resumes broken downloads and follows split files; this file adds
 * the folder, progress, cancelling, verification, and errors that say what to do. A download grows in
 * a folder of its own and comes into the other when it is what the hub says it is, so a file there has
 * been verified, whatever ended the process meanwhile.
 */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { cacheFolder, SpillwayError } from '../../kernel/index.ts';
import { hashModel } from './gguf/header.ts';
import { publishedHash } from './models/hub-hash.ts';
import { makeReadOnly } from './models/model-store.ts';

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
  /** Whether only what was downloaded before is taken. Default: whether the variable `HF_HUB_OFFLINE` says so. */
  readonly offline?: boolean;
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
 * @throws SpillwayError `model_missing` (no such path), `model_source_invalid`, `model_offline`, `model_download_failed`,
 *   `model_download_corrupt` or `model_download_cancelled`.
 */
export async function resolveModel(source: string, options: ModelSourceOptions = {}): Promise<ResolvedModel> {
  if (!isModelUri(source)) return { path: existingPath(source), uri: undefined };
  if (!URI_BODY.test(source.slice(URI_PREFIX.length))) {
    throw new SpillwayError('model_source_invalid', `cannot read ${JSON.stringify(source)} as a model; expected hf:user/repo, hf:user/repo:quant or hf:user/repo/file.gguf`, { details: { source } });
  }
  const directory = join(options.cacheDir ?? cacheFolder(), 'models');
  const cached = await cachedModel(source, directory);
  if (cached !== undefined) return { path: cached, uri: source };
  if (options.offline ?? isOfflineByDefault()) {
    throw new SpillwayError('model_offline', `${source} has not been downloaded, and downloads are off; give the path of a file, or allow it once (without HF_HUB_OFFLINE)`, { details: { source, directory } });
  }
  return { path: await download(source, directory, options), uri: source };
}

async function cachedModel(source: string, directory: string): Promise<string | undefined> {
  const { resolveModelFile } = await llamaLibrary();
  // The library answers "not there" with an exception, and asks the network for nothing here.
  return await resolveModelFile(source, { directory, cli: false, download: false }).catch(() => undefined);
}

async function download(source: string, directory: string, { onProgress, signal, endpoint = defaultEndpoint() }: ModelSourceOptions): Promise<string> {
  const incoming = join(directory, 'incoming');
  try {
    await probe(endpoint, signal);
    const expected = await publishedHash(source, endpoint, signal);
    const { resolveModelFile } = await llamaLibrary();
    const path = await resolveModelFile(source, {
      directory: incoming, cli: false, deleteTempFileOnCancel: false, endpoints: { huggingFace: endpoint },
      onProgress: ({ downloadedSize, totalSize }) => onProgress?.({ downloadedBytes: downloadedSize, totalBytes: totalSize }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (expected !== undefined) await verify(path, expected, source);
    return takeIn(path, directory);
  } catch (cause) {
    if (signal?.aborted === true) {
      throw new SpillwayError('model_download_cancelled', `the download of ${source} was cancelled; run again to continue it`, { cause, details: { source } });
    }
    if (cause instanceof SpillwayError) throw cause;
    throw new SpillwayError(
      'model_download_failed',
      `could not download ${source} (${reasonOf(cause)}); check the name and the connection, or download the GGUF file elsewhere and give its path`,
      { cause, details: { source, directory } },
    );
  }
}

async function verify(path: string, expected: string, source: string): Promise<void> {
  const found = await hashModel(path);
  if (found === expected) return;
  rmSync(path, { force: true });
  throw new SpillwayError(
    'model_download_corrupt',
    `what was downloaded for ${source} has the hash ${found.slice(0, 16)}, and the hub says ${expected.slice(0, 16)}; it was removed, so try again, or download it elsewhere and give its path`,
    { details: { source, sha256: found, expectedSha256: expected } },
  );
}

/** Moves a complete download, with the other parts of a split one, to where it is looked for. */
function takeIn(path: string, directory: string): string {
  const [, stem, last] = /^(.*)-00001-of-(\d{5})\.gguf$/.exec(path) ?? [];
  const parts = stem === undefined ? [path] : Array.from({ length: Number(last) }, (_, index) => `${stem}-${String(index + 1).padStart(5, '0')}-of-${last}.gguf`);
  mkdirSync(directory, { recursive: true });
  // The first part last: it is the one that is looked for.
  for (const part of parts.toReversed()) {
    makeReadOnly(part);
    renameSync(part, join(directory, basename(part)));
  }
  return join(directory, basename(path));
}

/** As the hub's own library reads it. */
function isOfflineByDefault(): boolean {
  return /^(1|on|yes|true)$/i.test(process.env['HF_HUB_OFFLINE'] ?? '');
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
