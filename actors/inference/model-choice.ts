/**
 * From what a user named to a model file that may be shown to native code: found or downloaded or
 * synthesized, its header checked, its hash known.
 */
import { checkGgufHeader, hashModel } from './gguf/header.ts';
import { cacheFolder } from '../../kernel/index.ts';
import { resolveModel, type ModelSourceOptions } from './model-source.ts';

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

/**
 * @param source a path, an `hf:` URI, or undefined for the built-in model
 * @throws SpillwayError the codes of `resolveModel`, `ensureLexicalModel` and `checkGgufHeader`
 */
export async function chooseModel(source: string | undefined, options: ModelSourceOptions = {}): Promise<CheckedModel> {
  if (source === undefined) {
    // Its word list is only read when the built-in model is wanted.
    const { ensureLexicalModel } = await import('./lexical/index.ts');
    const { path, sha256 } = await ensureLexicalModel(options.cacheDir ?? cacheFolder());
    return { ...checked(path), backend: 'llama', path, sha256, builtIn: true };
  }
  const { path, uri } = await resolveModel(source, options);
  // The header first: it is short, and a file that is no model need not be hashed.
  const header = checked(path);
  return { ...header, backend: 'llama', name: uri ?? path, path, sha256: await hashModel(path), builtIn: false };
}

function checked(path: string): Pick<CheckedModel, 'name' | 'dimensions' | 'contextLength'> {
  const { name, embeddingLength, contextLength } = checkGgufHeader(path);
  return { name, dimensions: embeddingLength, contextLength };
}
