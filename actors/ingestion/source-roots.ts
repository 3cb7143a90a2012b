/**
 * The folders and files of one run, under one common root, to which all stored paths are relative.
 */
import { join, relative, sep } from 'node:path';
import { resolveRoot, type WalkRoot } from './walk.ts';

export interface SourceRoot extends WalkRoot {
  /** What is put in front of a walked path to make it relative to the common root: '' or with a closing '/'. */
  readonly prefix: string;
}

export interface SourceRoots {
  /** The nearest folder that holds all of them, or the root of the index when that holds them too. */
  readonly commonPath: string;
  readonly roots: readonly SourceRoot[];
  /** What the run covers, relative to the common root; files outside of it are not its business. Empty: everything. */
  readonly coverage: readonly string[];
}

/**
 * @param indexRoot the root of an index that is there already: it stays the root of paths inside of it
 * @throws SpillwayError `path_missing`, `path_unreadable`
 */
export function resolveSources(paths: readonly string[], indexRoot?: string): SourceRoots {
  const resolved = paths.map(resolveRoot);
  const nearest = resolved.map(({ rootPath }) => rootPath).reduce(commonFolder);
  const commonPath = indexRoot !== undefined && isInside(nearest, indexRoot) ? indexRoot : nearest;
  const roots = resolved
    .filter((root, index) => !resolved.some((other, at) => at !== index && covers(other, at, root, index)))
    .map((root) => {
      const below = relative(commonPath, root.rootPath).split(sep).join('/');
      return { ...root, prefix: below === '' ? '' : `${below}/` };
    });
  const coverage = roots.map(({ prefix, onlyFile }) => (onlyFile === undefined ? prefix.slice(0, -1) : prefix + onlyFile));
  return { commonPath, roots, coverage: coverage.includes('') ? [] : coverage };
}

/** Whether walking `a` finds all of `b`; of two equal ones the first covers the second. */
function covers(a: WalkRoot, indexA: number, b: WalkRoot, indexB: number): boolean {
  const pathA = join(a.rootPath, a.onlyFile ?? '');
  const pathB = join(b.rootPath, b.onlyFile ?? '');
  if (pathA === pathB) return indexA < indexB;
  return a.onlyFile === undefined && isInside(pathB, pathA);
}

function commonFolder(a: string, b: string): string {
  let folder = a;
  while (folder !== b && !isInside(b, folder)) folder = join(folder, '..');
  return folder;
}

function isInside(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
