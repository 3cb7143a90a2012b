/**
 * Copies of models that are our own.
 *
 * A model is mapped into memory while it runs. If its file is cut short meanwhile the process gets a SIGBUS,
 * and if it is overwritten in place the vectors turn to noise without an error. A copy that only we know
 * and that may only be read is safe from both; so it lies below `models/` of the cache folder under its hash.
 */
import { chmodSync, closeSync, constants, copyFileSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import { threadId } from 'node:worker_threads';
import { SpillwayError } from '../../../kernel/index.ts';
import type { ModelFiles } from './model-files.ts';
import type { RegisteredModel } from './registry-file.ts';

const READ_ONLY = 0o444;
const WRITABLE = 0o644;

/**
 * Copies a model into the store, read-only, and answers the path of the copy. One that is there is taken as it is:
 * whoever loads it compares its hash.
 *
 * @throws SpillwayError `registry_unwritable`
 */
export function copyIntoStore({ path, root, folderName, files }: ModelFiles, sha256: string, cacheDir: string): string {
  const home = join(cacheDir, 'models', sha256);
  const target = join(home, folderName, relative(root, path));
  if (existsSync(target)) return target;
  // A copy counts only when it is complete, so it grows beside its place.
  const beside = `${home}.tmp-${process.pid}-${threadId}`;
  try {
    removeAbandoned(dirname(home));
    for (const file of files) copyFile(file, join(beside, folderName, relative(root, file)));
    try {
      renameSync(beside, home);
    } catch (error) {
      // Somebody else was first: the same hash, so the same bytes.
      if (!existsSync(target)) throw error;
      rmSync(beside, { recursive: true, force: true });
    }
  } catch (cause) {
    rmSync(beside, { recursive: true, force: true });
    throw new SpillwayError('registry_unwritable', `model ${path}: it could not be copied to ${home} (${(cause as Error).message}); check the permissions and the free space of the folder, or add it without a copy`, {
      cause,
      details: { path, folder: home },
    });
  }
  return target;
}

function copyFile(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  // Where the file system can, the copy shares its blocks with the original until one of them changes.
  copyFileSync(from, to, constants.COPYFILE_FICLONE);
  chmodSync(to, WRITABLE);
  const file = openSync(to, 'r+');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  chmodSync(to, READ_ONLY);
}

/** Keeps a file from being written to by mistake. A file system that knows no permissions is no reason to fail. */
export function makeReadOnly(path: string): void {
  try {
    chmodSync(path, READ_ONLY);
  } catch {
    // It is as it was.
  }
}

/**
 * Removes the files of a model that are our own: a copy, or a download. Others are the user's.
 *
 * @returns whether there was anything to remove. @throws SpillwayError `registry_unwritable`
 */
export function removeOwnFiles({ path, copied, sha256 }: Pick<RegisteredModel, 'path' | 'copied' | 'sha256'>, cacheDir: string): boolean {
  const store = join(cacheDir, 'models');
  // A path in the registry is only text; nothing outside of the store is ever removed.
  const [first = '', ...rest] = relative(store, path).split(sep);
  if (first === '' || first === '..' || isAbsolute(relative(store, path)) || !existsSync(path)) return false;
  const home = copied && first === sha256 && rest.length > 0 ? join(store, first) : path;
  try {
    rmSync(home, { recursive: true, force: true });
    return true;
  } catch (cause) {
    throw new SpillwayError('registry_unwritable', `model ${path}: its files could not be removed (${(cause as Error).message}); check the permissions of the folder`, { cause, details: { path } });
  }
}

/** What a process that died while it copied has left is as large as a model. */
function removeAbandoned(store: string): void {
  for (const name of existsSync(store) ? readdirSync(store) : []) {
    const [, pid] = /^[0-9a-f]{64}\.tmp-(\d+)-\d+$/.exec(name) ?? [];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(store, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
