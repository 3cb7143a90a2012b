/**
 * Walking a root: which files are there to be embedded, and which are not, and why.
 *
 * A synchronous generator, because it has a thread of its own and its consumer decides the pace.
 * It holds one sorted listing per folder on the way down and nothing else, so memory is bounded by
 * the depth of the tree times the size of a folder, never by the number of files.
 *
 * Order: names are compared as UTF-8 bytes, folders as if their name ended in '/'. The paths of a
 * whole walk therefore come in the byte order of the full path, which is git's order too; a sorted
 * list of known paths can be merged with it without holding either.
 *
 * Never followed: symbolic links of any kind. A folder is opened first and then listed through its
 * descriptor (on Linux), so that one swapped for a link in between leads nowhere. `.git` and
 * `.spillway` are never entered.
 *
 * Git's ignore rules hold as in `ignore-rules.ts`. A nested repository is walked too (git would
 * name only its folder): inside it only its own rules hold, as git does when asked there.
 */
import * as fs from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { SpillwayError } from '../../kernel/index.ts';
import { repositoryAround, repositoryAt, repositoryRules } from './git-repository.ts';
import type { GitRepository } from './git-repository.ts';
import { IgnoreRules } from './ignore-rules.ts';
import { openInside, OutsideRootError } from './root-guard.ts';
import { readRuleFile } from './rule-file.ts';
import type { IngestionErrorCode } from './error-codes.ts';

/** Folders that are never entered, whatever the rules say. */
const NEVER_ENTERED: ReadonlySet<string> = new Set(['.git', '.spillway']);

export interface WalkRoot {
  /** The folder that paths are relative to: absolute, without links. */
  readonly rootPath: string;
  /** The only file to walk, relative to `rootPath`, when the given path was a file. */
  readonly onlyFile?: string;
}

export type WalkSkipReason =
  /** A symbolic link, wherever it points. */
  | 'symlink'
  /** A FIFO, a socket or a device. */
  | 'not_regular'
  | 'too_large'
  /** The system refused a file, a folder or the rule file of a folder; `cause` says which and how. */
  | 'unreadable'
  /** The name is not UTF-8, so no path can be given for it. */
  | 'name_not_utf8';

export type WalkEntry =
  | { readonly kind: 'file'; /** Relative to the root, '/' between names. */ readonly path: string; readonly absolutePath: string; readonly sizeBytes: number }
  | { readonly kind: 'skipped'; readonly path: string; readonly reason: WalkSkipReason; readonly cause?: string };

/** Counted while walking; ignored entries are too many to be yielded. */
export interface WalkCounts {
  folders: number;
  /** Files and folders an ignore rule left out; what is inside an ignored folder is not counted. */
  ignored: number;
}

export interface WalkOptions {
  readonly maxFileBytes: number;
  /** Folders (absolute, without links) that are not entered, such as an index kept elsewhere. */
  readonly excludedPaths?: readonly string[];
  /** Added to while walking. */
  readonly counts?: WalkCounts;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Resolves a path that a person gave. A link is followed here, and only here: naming it is asking
 * for it.
 *
 * @throws SpillwayError `path_missing`, `path_unreadable`
 */
export function resolveRoot(path: string): WalkRoot {
  try {
    const real = fs.realpathSync(resolve(path));
    const stat = fs.statSync(real);
    if (stat.isDirectory()) {
      fs.accessSync(real, fs.constants.R_OK | fs.constants.X_OK);
      return { rootPath: real };
    }
    if (stat.isFile()) {
      fs.accessSync(real, fs.constants.R_OK);
      return { rootPath: dirname(real), onlyFile: basename(real) };
    }
  } catch (error) {
    throw rootError(path, error as NodeJS.ErrnoException);
  }
  const message = `Expected a folder or a regular file at ${path}, but it is neither. Give a folder or a file.`;
  throw new SpillwayError<IngestionErrorCode>('path_unreadable', message, { details: { path } });
}

function rootError(path: string, error: NodeJS.ErrnoException): SpillwayError {
  const missing = error.code === 'ENOENT' || error.code === 'ENOTDIR';
  const message = missing
    ? `Expected a folder or a file at ${path}, but there is none (${error.code}). Check the spelling; a relative path starts at the current folder.`
    : `Could not open ${path} (${error.message}). Make it readable for this user, or give another path.`;
  return new SpillwayError<IngestionErrorCode>(missing ? 'path_missing' : 'path_unreadable', message, { cause: error, details: { path } });
}

interface Child {
  readonly name: string;
  readonly dirent: fs.Dirent;
  /** The name, with a closing '/' when it is a folder: what is sorted by. */
  readonly key: string;
}

interface Frame {
  /** Relative to the root, '' or with a closing '/'. */
  readonly path: string;
  readonly rules: IgnoreRules;
  /** The length of what is cut off an absolute path before the rules see it. */
  readonly rulesBaseLength: number;
  readonly children: readonly Child[];
  next: number;
}

/**
 * Yields every entry below `root` that the rules let through, in byte order of the paths.
 *
 * @throws SpillwayError `path_missing`, `path_unreadable` when the root itself cannot be listed
 */
export function* walk(root: WalkRoot, options: WalkOptions): Generator<WalkEntry, void, undefined> {
  if (root.onlyFile !== undefined) {
    yield describeFile(root.rootPath, root.onlyFile, options.maxFileBytes);
    return;
  }
  const excluded = new Set(options.excludedPaths);
  const counts = options.counts ?? { folders: 0, ignored: 0 };
  const frames: Frame[] = [];
  try {
    frames.push(openFrame(root.rootPath, '', ...rulesAbove(root.rootPath, options.env), options.env));
    counts.folders += 1;
  } catch (error) {
    throw rootError(root.rootPath, error as NodeJS.ErrnoException);
  }
  for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
    const child = frame.children[frame.next];
    frame.next += 1;
    if (child === undefined) {
      frames.pop();
      continue;
    }
    const path = frame.path + child.name;
    const absolutePath = join(root.rootPath, path);
    const isFolder = child.dirent.isDirectory();
    if (NEVER_ENTERED.has(child.name) || (isFolder && excluded.has(absolutePath))) continue;
    const rulesPath = (absolutePath + (isFolder ? sep : '')).slice(frame.rulesBaseLength).replaceAll(sep, '/');
    if (frame.rules.ignores(rulesPath)) {
      counts.ignored += 1;
      continue;
    }
    if (!isFolder) {
      yield child.dirent.isFile()
        ? describeFile(root.rootPath, path, options.maxFileBytes)
        : { kind: 'skipped', path, reason: child.dirent.isSymbolicLink() ? 'symlink' : 'not_regular' };
      continue;
    }
    try {
      frames.push(openFrame(root.rootPath, `${path}/`, frame.rules.enter(rulesPath), frame.rulesBaseLength, options.env));
      counts.folders += 1;
    } catch (error) {
      yield skipped(path, error);
    }
  }
}

/** Lists one folder and finds the rules for its inside. `rules` are those of the folders above. */
function openFrame(rootPath: string, path: string, rules: IgnoreRules, rulesBaseLength: number, env?: NodeJS.ProcessEnv): Frame {
  const absolutePath = path === '' ? rootPath : join(rootPath, path.slice(0, -1));
  const children = list(rootPath, path.slice(0, -1), absolutePath);
  const names = new Set(children.map((child) => child.name));
  let inside = rules;
  let baseLength = rulesBaseLength;
  const nested = path !== '' && names.has('.git') ? repositoryAt(absolutePath) : undefined;
  if (nested !== undefined) {
    inside = rulesOfRepository(nested, env);
    baseLength = prefixLength(absolutePath);
  }
  const text = names.has('.gitignore') ? readRuleFile(join(absolutePath, '.gitignore'), 'refused') : undefined;
  if (text !== undefined) inside = inside.with(folderBelow(absolutePath, baseLength), text);
  return { path, rules: inside, rulesBaseLength: baseLength, children, next: 0 };
}

function list(rootPath: string, path: string, absolutePath: string): Child[] {
  const fd = openInside(rootPath, path);
  try {
    const place = process.platform === 'linux' && fs.existsSync('/proc/self/fd') ? `/proc/self/fd/${fd}` : absolutePath;
    return fs.readdirSync(place, { withFileTypes: true })
      .map((dirent) => ({ name: dirent.name, dirent, key: dirent.isDirectory() ? `${dirent.name}/` : dirent.name }))
      .sort((a, b) => compareAsUtf8(a.key, b.key));
  } finally {
    fs.closeSync(fd);
  }
}

/** UTF-8 byte order. It differs from UTF-16 order only where a surrogate meets U+E000 and above. */
function compareAsUtf8(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  let index = 0;
  while (index < length && a.charCodeAt(index) === b.charCodeAt(index)) index += 1;
  if (index === length) return a.length - b.length;
  const unitA = a.charCodeAt(index);
  const unitB = b.charCodeAt(index);
  const surrogateA = unitA >= 0xd800 && unitA <= 0xdfff;
  const surrogateB = unitB >= 0xd800 && unitB <= 0xdfff;
  if (surrogateA !== surrogateB) return surrogateA ? 1 : -1;
  return unitA - unitB;
}

function describeFile(rootPath: string, path: string, maxFileBytes: number): WalkEntry {
  const absolutePath = join(rootPath, path);
  try {
    const stat = fs.lstatSync(absolutePath);
    if (stat.isSymbolicLink()) return { kind: 'skipped', path, reason: 'symlink' };
    if (!stat.isFile()) return { kind: 'skipped', path, reason: 'not_regular' };
    if (stat.size > maxFileBytes) return { kind: 'skipped', path, reason: 'too_large', cause: `${stat.size} bytes; the limit is ${maxFileBytes}` };
    return { kind: 'file', path, absolutePath, sizeBytes: stat.size };
  } catch (error) {
    return skipped(path, error);
  }
}

function skipped(path: string, error: unknown): WalkEntry {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof OutsideRootError) return { kind: 'skipped', path, reason: 'symlink', cause: message };
  // Node decodes a name that is not UTF-8 with replacement characters, and then nothing is there.
  if (code === 'ENOENT' && path.includes('\uFFFD')) return { kind: 'skipped', path, reason: 'name_not_utf8' };
  return { kind: 'skipped', path, reason: 'unreadable', cause: message };
}

function rulesOfRepository(repository: GitRepository, env?: NodeJS.ProcessEnv): IgnoreRules {
  const { texts, ignoreCase } = repositoryRules(repository, env);
  return texts.reduce((rules, text) => rules.with('', text), IgnoreRules.empty(ignoreCase));
}

/**
 * The rules that the folders above a root give it, and the length of their base path.
 *
 * Outside any repository there are none. When they ignore the root itself, the person who named
 * the root has overruled them, and only rules from the root downwards hold.
 */
function rulesAbove(rootPath: string, env?: NodeJS.ProcessEnv): [IgnoreRules, number] {
  const repository = repositoryAround(rootPath);
  if (repository === undefined) return [IgnoreRules.empty(), prefixLength(rootPath)];
  const baseLength = prefixLength(repository.topPath);
  let rules = rulesOfRepository(repository, env);
  let folder = repository.topPath;
  const names = relative(repository.topPath, rootPath).split(sep).filter((name) => name !== '');
  for (const name of names) {
    const text = readRuleFile(join(folder, '.gitignore'), 'refused');
    if (text !== undefined) rules = rules.with(folderBelow(folder, baseLength), text);
    folder = join(folder, name);
    const path = folderBelow(folder, baseLength);
    if (rules.ignores(path)) return [IgnoreRules.empty(), prefixLength(rootPath)];
    rules = rules.enter(path);
  }
  return [rules, baseLength];
}

/** The length of a folder's path with its closing separator; the root of the disk has one already. */
function prefixLength(folder: string): number {
  return folder.endsWith(sep) ? folder.length : folder.length + 1;
}

/** `folder` relative to the base, with '/' between names and at the end; '' for the base itself. */
function folderBelow(folder: string, baseLength: number): string {
  return folder.length < baseLength ? '' : `${folder.slice(baseLength).replaceAll(sep, '/')}/`;
}
