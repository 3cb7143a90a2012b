/**
 * From what a user named to a model file that may be shown to native code: found or downloaded or
 * synthesized, its header checked, its hash known.
 */
import { existsSync } from 'node:fs';
import { cacheFolder } from '../../kernel/index.ts';
import { checkGgufHeader, hashModel } from './gguf/header.ts';
import { isModelUri, resolveModel, type ModelSourceOptions, type ResolvedModel } from './model-source.ts';
import { checkOnnxModel, checkPurpose, hashOnnxModel, isOnnxModel } from './onnx/model-folder.ts';
import { assertUnchanged, resolveModelName } from './models/name-resolution.ts';
import type { Purpose, RegisteredModel } from './models/registry-file.ts';

/** A model whose files have passed the check. Plain data: it travels in a child spec. */
export interface CheckedModel {
  /** The model file, or the folder of a model with several. */
  readonly path: string;
  /** Which provider runs it. */
  readonly backend: 'llama' | 'onnx';
  /**
   * What finds it again, so a search need not be told what embedded the index: the absolute path, or
   * the URI it was asked for by. The built-in model has its own name.
   */
  readonly name: string;
  readonly sha256: string;
  /** Values in each vector. */
  readonly dimensions: number;
  /** Tokens it was trained to take. */
  readonly contextLength: number;
  /** Whether it is the built-in lexical model. */
  readonly builtIn: boolean;
}

export interface ChooseOptions extends ModelSourceOptions {
  /** What it is to be used for: which default is meant, and what its files must have. Default: embed. */
  readonly purpose?: Purpose;
}

/**
 * @param source a name from the registry, a path, or an `hf:` URI; undefined for the default, which is the
 *   built-in model until the user has chosen another
 * @throws SpillwayError the codes of `resolveModelName`, `resolveModel`, `ensureLexicalModel` and `checkGgufHeader`,
 *   and `model_changed` for a registered model whose files are others now
 */
export async function chooseModel(source: string | undefined, options: ChooseOptions = {}): Promise<CheckedModel> {
  const { cacheDir = cacheFolder(), purpose = 'embed' } = options;
  const named = resolveModelName(source, { cacheDir, purpose });
  if (named.kind === 'built_in') {
    // Its word list is only read when the built-in model is wanted.
    const { ensureLexicalModel } = await import('./lexical/index.ts');
    const { path, sha256 } = await ensureLexicalModel(cacheDir);
    return { ...checked(path, purpose), backend: 'llama', path, sha256, builtIn: true };
  }
  const { path, uri } = named.kind === 'registered' ? await registeredFiles(named.model, options) : await resolveModel(named.source, options);
  const model = await checkModelFiles(path, purpose, uri);
  if (named.kind === 'registered') assertUnchanged(named.model, model.sha256);
  return model;
}

/**
 * Checks and hashes the files at `path`.
 *
 * @param uri what the model was asked for by, if not by its path
 * @throws SpillwayError the codes of `checkGgufHeader` and `hashModel`, or of `checkOnnxModel` and `hashOnnxModel`
 */
export async function checkModelFiles(path: string, purpose: Purpose, uri?: string): Promise<CheckedModel> {
  if (isOnnxModel(path)) {
    const files = checkOnnxModel(path);
    checkPurpose(files, purpose);
    const { dimensions, contextLength } = files;
    return { backend: 'onnx', name: uri ?? path, path, sha256: await hashOnnxModel(files), dimensions, contextLength, builtIn: false };
  }
  // The header first: it is short, and a file that is no model need not be hashed.
  const header = checked(path, purpose);
  return { ...header, backend: 'llama', name: uri ?? path, path, sha256: await hashModel(path), builtIn: false };
}

/** A downloaded model that is gone is downloaded again; its hash then says whether it is still the same. */
async function registeredFiles({ path, source }: RegisteredModel, options: ModelSourceOptions): Promise<ResolvedModel> {
  const uri = isModelUri(source) ? source : undefined;
  return uri === undefined || existsSync(path) ? { ...(await resolveModel(path)), uri } : resolveModel(uri, options);
}

function checked(path: string, purpose: Purpose): Pick<CheckedModel, 'name' | 'dimensions' | 'contextLength'> {
  const { name, embeddingLength, contextLength } = checkGgufHeader(path, purpose);
  return { name, dimensions: embeddingLength, contextLength };
}
