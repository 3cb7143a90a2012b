/** The C++ loop of cpp/embed-loop.cpp, compiled against the libraries that node-llama-cpp loads. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { linkedLibraries, llamaCppFolder, llamaCppLibraries, llamaCppSource } from './llama-cpp-source.ts';

const SOURCE = fileURLToPath(new URL('./cpp/embed-loop.cpp', import.meta.url));
const run = promisify(execFile);

export interface CppProgram {
  readonly path: string;
  /** Where ggml finds its kinds of processor. */
  readonly libraries: string;
  /** What `g++ --version` says in its first line. */
  readonly compiler: string;
}

/** Compiles the loop unless it is there already; says why where it cannot. */
export async function compileCppProgram(): Promise<CppProgram | string> {
  const libraries = llamaCppLibraries();
  if (libraries === undefined || process.platform !== 'linux') return `node-llama-cpp has no shared libraries here to link (${process.platform}-${process.arch})`;
  const version = await run('g++', ['--version']).catch(() => undefined);
  if (version === undefined) return 'there is no g++';
  const compiler = version.stdout.split('\n')[0]!;
  const folder = llamaCppFolder();
  const edition = createHash('sha256').update(readFileSync(SOURCE)).update(compiler).update(libraries).digest('hex').slice(0, 12);
  const path = join(folder, `embed-loop-${edition}`);
  if (!existsSync(path)) {
    const source = await llamaCppSource().catch((error: Error) => error);
    if (source instanceof Error) return `the source of llama.cpp cannot be unpacked (${source.message.split('\n')[0]})`;
    await mkdir(folder, { recursive: true });
    const draft = `${path}.${process.pid}`;
    const headers = [join(source, 'include'), join(source, 'ggml', 'include')].map((include) => `-I${include}`);
    const linked = linkedLibraries(libraries).map((name) => `-l:${name}`);
    await run('g++', ['-O3', '-std=c++17', '-pthread', ...headers, '-o', draft, SOURCE, `-L${libraries}`, ...linked, `-Wl,-rpath,${libraries}`]);
    await rename(draft, path);
  }
  return { path, libraries, compiler };
}
