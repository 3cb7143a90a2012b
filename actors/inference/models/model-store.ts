/**
 * The files of registered models: whether they are still as they were, and copies of our own.
 *
 * A model is mapped into memory while it runs. If its file is cut short meanwhile the process gets a SIGBUS,
 * and if it is overwritten in place the vectors turn to noise without an error. A copy that only we know
 * and that may only be read is safe from both; so it lies below `models/` of the cache folder under its hash.
 */
import { chmodSync, closeSync, constants, copyFileSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path';
import { threadId } from 'node:worker_threads';
import { SpillwayError } from '../../../kernel/index.ts';
import type { FileMark, RegisteredModel } from './registry-file.ts';

/** A model's folder has a handful of files; one with more was not meant to be a model. */
const FILES_MAX = 256;
/** Of folders in the folder: `onnx/model.onnx` lies in one. */
const DEPTH_MAX = 2;
const READ_ONLY = 0o444;
const WRITABLE = 0o644;

/**
 * The files at `path`, which is a file or a folder, by name, size and time. Hidden files of a folder are none of its model's.
 *
 * @throws SpillwayError `model_missing`, `model_unreadable`, `model_too_complex` (a folder with too many files)
 */
export function fileMarks(path: string): FileMark[] {
  try {
    if (!statSync(path).isDirectory()) return [markOf(path, '')];
    const marks: FileMark[] = [];
    collect(path, path, 0, marks);
    return marks.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  } catch (cause) {
    if (cause instanceof SpillwayError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new SpillwayError('model_missing', `model ${path}: it has gone; check the path`, { cause, details: { path } });
    throw new SpillwayError('model_unreadable', `model ${path}: its files cannot be looked at (${message})`, { cause, details: { path } });
  }
}

function collect(root: string, folder: string, depth: number, marks: FileMark[]): void {
  for (const entry of readdirSync(folder)) {
    if (entry.startsWith('.')) continue;
    const path = join(folder, entry);
    const found = statSync(path);
    if (found.isDirectory() && depth < DEPTH_MAX) collect(root, path, depth + 1, marks);
    if (!found.isFile()) continue;
    if (marks.length >= FILES_MAX) throw new SpillwayError('model_too_complex', `model ${root}: the folder has more than ${FILES_MAX} files; name a folder with the model alone`, { details: { path: root } });
    marks.push(markOf(path, relative(root, path).split(sep).join('/')));
  }
}

function markOf(path: string, name: string): FileMark {
  const { size, mtimeMs } = statSync(path);
  return { name, sizeBytes: size, mtimeMs };
}

/** `touched`: size or time of a file are others, so its hash may be, too. */
export type Presence = 'present' | 'missing' | 'touched';

/** Looks at sizes and times only. */
export function presenceOf({ path, files }: Pick<RegisteredModel, 'path' | 'files'>): Presence {
  let touched = false;
  for (const { name, sizeBytes, mtimeMs } of files) {
    const found = statSync(join(path, name), { throwIfNoEntry: false });
    if (found === undefined) return 'missing';
    touched ||= found.size !== sizeBytes || found.mtimeMs !== mtimeMs;
  }
  return touched ? 'touched' : 'present';
}

/**
 * Copies the files at `path` into the store, read-only, and answers where they lie. A copy that is there is taken as it is:
 * whoever loads it compares its hash.
 *
 * @throws SpillwayError those of `fileMarks`, `registry_unwritable`
 */
export function copyIntoStore(path: string, sha256: string, cacheDir: string): string {
  const home = join(cacheDir, 'models', sha256);
  const target = join(home, basename(path));
  if (existsSync(target)) return target;
  const files = fileMarks(path);
  // A copy counts only when it is complete, so it grows beside its place.
  const beside = `${home}.tmp-${process.pid}-${threadId}`;
  try {
    removeAbandoned(dirname(home));
    for (const { name } of files) copyFile(join(path, name), join(beside, basename(path), name));
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
