/**
 * Keeps the built-in model in a cache folder: written on first use, and again when its file is
 * damaged.
 *
 * The model is the same bytes on every machine, so its hash is known before it is written. Every
 * start reads the whole file to compare, which is cheap beside loading it, and keeps a damaged file
 * from answering with wrong vectors. Two processes may do this at once: each writes a file of
 * its own and renames it, and either name stands for the same bytes.
 */
import assert from 'node:assert';
import { join } from 'node:path';
import { SpillwayError } from '../../../kernel/index.ts';
import { hashModel } from '../gguf/header.ts';
import { LEXICAL_MODEL_NAME, synthesizeLexicalModel } from './synthesis.ts';

/** Hash of the model's file. Vectors of different hashes must not be compared, so a change of the model changes its name too. */
export const LEXICAL_MODEL_SHA256 = 'c0144dc04ae8f5b6fe796bbcd10eb263ef0a2281c2b8911c653e4b4f4723d4b7';

/**
 * The path of the built-in model in `cacheFolder`, which is created if need be. Writes the model,
 * about 30 MB, unless a sound one is there.
 *
 * @throws SpillwayError `cache_unwritable` when it cannot be written.
 */
export async function ensureLexicalModel(cacheFolder: string): Promise<{ path: string; sha256: string }> {
  const path = join(cacheFolder, `${LEXICAL_MODEL_NAME}.gguf`);
  if (!(await isSound(path))) {
    try {
      write(path, cacheFolder);
    } catch (error) {
      // Windows refuses to replace a file that another process has mapped; then that process was first.
      if (!(error instanceof SpillwayError && (await isSound(path)))) throw error;
    }
  }
  return { path, sha256: LEXICAL_MODEL_SHA256 };
}

/** A file that is missing or cannot be read is written anew, so why does not matter here. */
async function isSound(path: string): Promise<boolean> {
  try {
    return (await hashModel(path)) === LEXICAL_MODEL_SHA256;
  } catch (error) {
    if (error instanceof SpillwayError) return false;
    throw error;
  }
}

function write(path: string, cacheFolder: string): void {
  let sha256: string;
  try {
    ({ sha256 } = synthesizeLexicalModel(path));
  } catch (cause) {
    if (!(cause instanceof SpillwayError && cause.code === 'model_write_failed')) throw cause;
    throw new SpillwayError(
      'cache_unwritable',
      `the built-in model could not be written to ${cacheFolder} (${cause.message}); check the permissions and free space of the folder, or choose another`,
      { cause, details: { path } },
    );
  }
  assert(sha256 === LEXICAL_MODEL_SHA256, `the built-in model came out as ${sha256}, expected ${LEXICAL_MODEL_SHA256}: its code changed without its hash`);
}
