/**
 * llama.cpp as node-llama-cpp carries it: the libraries that it was built into, and the source of the same release,
 * which is cloned once from the bundle in the package into the user's cache folder.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheFolder } from '../../kernel/index.ts';

const run = promisify(execFile);
const CARRIED = fileURLToPath(new URL('../llama/', import.meta.resolve('node-llama-cpp')));

/** Such as `v0.4.0`. */
export function llamaCppRelease(): string {
  return (JSON.parse(readFileSync(join(CARRIED, 'llama.cpp.info.json'), 'utf8')) as { tag: string }).tag;
}

/** Where the bench keeps what it makes of this release. */
export function llamaCppFolder(): string {
  return join(cacheFolder(), 'bench', `llama.cpp-${llamaCppRelease()}`);
}

/** The folder of the source; cloned if it is not there. @throws Error without git */
export async function llamaCppSource(): Promise<string> {
  const folder = join(llamaCppFolder(), 'source');
  if (existsSync(folder)) return folder;
  // Whoever is interrupted leaves no half of it behind under its name.
  const draft = `${folder}.${process.pid}`;
  await mkdir(dirname(folder), { recursive: true });
  await run('git', ['clone', '--quiet', '--depth', '1', join(CARRIED, 'gitRelease.bundle'), draft]);
  await rename(draft, folder).catch(() => rm(draft, { recursive: true }));
  return folder;
}

/** The folder with the prebuilt shared libraries of this platform that node-llama-cpp loads, or undefined. */
export function llamaCppLibraries(): string | undefined {
  const platform = `${process.platform}-${process.arch}`;
  try {
    const folder = join(dirname(dirname(fileURLToPath(import.meta.resolve(`@node-llama-cpp/${platform}`)))), 'bins', platform);
    return existsSync(folder) ? folder : undefined;
  } catch {
    return undefined;
  }
}

/** The file names of the libraries that a program links: `libllama` and the two of ggml that it needs itself. */
export function linkedLibraries(folder: string): string[] {
  return readdirSync(folder).filter((name) => /^lib(?:llama|ggml|ggml-base)(?:\.v[\d.]+)?\.so$/.test(name));
}
