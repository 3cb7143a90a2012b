/**
 * Which files a program needs to run at all: the binary, the shared libraries that it is linked with, the
 * code of this package, the modules around an actor. A sandbox shows these, read-only, and nothing else that
 * was not granted.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { SpillwayError } from '../errors.ts';

/** A file or folder of the host, without symbolic links, and where it is shown inside. */
export interface ShownPath {
  readonly source: string;
  readonly target: string;
}

/** The rooms of a checkout; an installed package has `dist` only. */
const CODE_FOLDERS = ['dist', 'rings', 'kernel', 'supervisors', 'actors'];

/** What the dynamic linker reads besides, where it exists. */
const LINKER_CACHE = '/etc/ld.so.cache';

/** How long the dynamic linker may take to name the libraries of a binary; it takes milliseconds. */
const LINKER_DEADLINE_MS = 10_000;

const binaries = new Map<string, readonly ShownPath[]>();

/**
 * A binary and its libraries, under the names by which it asks for them. Asked once for each binary.
 * @throws SpillwayError `sandbox_unavailable` if the dynamic linker does not say
 */
export function binaryPaths(command: string): readonly ShownPath[] {
  const known = binaries.get(command);
  if (known !== undefined) return known;
  const paths = [command, ...linkedLibraries(command), LINKER_CACHE].filter((path) => existsSync(path)).flatMap(shown);
  binaries.set(command, paths);
  return paths;
}

/** The folders of the system's libraries, which add-ons are linked with beyond what Node is. */
export function libraryFolders(command: string): readonly ShownPath[] {
  return [...new Set(linkedLibraries(command).map((path) => dirname(path)))].flatMap(shown);
}

/** This package's own code, and the modules that it imports. */
export function packagePaths(): readonly ShownPath[] {
  const root = packageRoot(import.meta.dirname);
  return [...CODE_FOLDERS, 'package.json'].map((name) => join(root, name)).filter((path) => existsSync(path)).flatMap(shown).concat(moduleFolders(root));
}

/** The folder of a module, the package.json that says what kind of modules it holds, and the modules it can import. */
export function modulePaths(modulePath: string): readonly ShownPath[] {
  const folder = dirname(realpathSync(modulePath));
  const manifest = join(packageRoot(folder), 'package.json');
  return [folder, manifest].filter((path) => path !== '/' && existsSync(path)).flatMap(shown).concat(moduleFolders(folder));
}

/** Under its name, and, if that leads over symbolic links, under its real one too, by which modules are identified. */
function shown(path: string): ShownPath[] {
  const source = realpathSync(path);
  return source === path ? [{ source, target: path }] : [{ source, target: source }, { source, target: path }];
}

function moduleFolders(from: string): ShownPath[] {
  const folders: string[] = [];
  for (let folder = from; ; folder = dirname(folder)) {
    folders.push(join(folder, 'node_modules'));
    if (folder === dirname(folder)) break;
  }
  return folders.filter((path) => existsSync(path)).flatMap(shown);
}

function packageRoot(from: string): string {
  for (let folder = from; folder !== dirname(folder); folder = dirname(folder)) if (existsSync(join(folder, 'package.json'))) return folder;
  return from;
}

/** `ldd` is a part of the C library's package; it prints `name => /path (address)` or `/path (address)`. */
function linkedLibraries(command: string): string[] {
  let listed: string;
  try {
    listed = execFileSync('/usr/bin/ldd', [command], { encoding: 'utf8', env: { LC_ALL: 'C' }, timeout: LINKER_DEADLINE_MS, stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (cause) {
    // A binary without libraries is one that ldd calls "not a dynamic executable", and complains.
    if (cause instanceof Error && /not a dynamic executable|statically linked/.test(String((cause as Error & { stderr?: string }).stderr))) return [];
    throw new SpillwayError('sandbox_unavailable', `The shared libraries of '${command}' could not be listed with /usr/bin/ldd, so it cannot run in a sandbox.`, {
      cause,
      details: { missing: ['ldd'] },
    });
  }
  return [...listed.matchAll(/^\s*(?:\S+ => )?(\/[^\s]+) \(0x/gm)].map((found) => found[1]!).filter((path) => isAbsolute(path));
}
