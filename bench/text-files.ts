/** Real text for benches: Markdown and TypeScript copied from the installed packages. */
import { copyFileSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGES = fileURLToPath(new URL('../node_modules', import.meta.url));
/** Files of less are mostly one export; files of more are bundles. */
const BYTES_MIN = 200;
const BYTES_MAX = 16 * 1024;

/**
 * Copies the first `count` files, in the order of their paths, taking at most so many of one package that
 * no package fills the folder.
 * @returns their paths, relative to `folder`. @throws RangeError when so many are not installed
 */
export function copyTextFiles(folder: string, count: number): string[] {
  const packages = packageFolders().map(textFiles);
  const share = smallestShare(packages.map(({ length }) => length), count);
  const paths = packages.flatMap((files) => files.slice(0, share)).slice(0, count);
  for (const path of paths) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    copyFileSync(join(PACKAGES, path), join(folder, path));
  }
  return paths;
}

function smallestShare(sizes: readonly number[], count: number): number {
  const most = Math.max(...sizes);
  for (let share = 1; share <= most; share++) {
    if (sizes.reduce((sum, size) => sum + Math.min(size, share), 0) >= count) return share;
  }
  throw new RangeError(`There are fewer than ${count} text files under node_modules; run \`npm ci\`.`);
}

/** The installed ones: a workspace is a link, and its text changes with the repo. */
function packageFolders(): string[] {
  return foldersIn('').flatMap((name) => (name.startsWith('@') ? foldersIn(name).map((inner) => join(name, inner)) : [name]));
}

function foldersIn(folder: string): string[] {
  const entries = readdirSync(join(PACKAGES, folder), { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => name).sort();
}

function textFiles(folder: string): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(join(PACKAGES, folder), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && !entry.name.startsWith('.')) found.push(...textFiles(path));
    else if (entry.isFile() && /\.(md|ts|mts|cts)$/.test(entry.name)) {
      const { size } = statSync(join(PACKAGES, path));
      if (size >= BYTES_MIN && size <= BYTES_MAX) found.push(path);
    }
  }
  return found;
}
