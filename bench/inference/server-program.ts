/**
 * llama.cpp's own server, built from the source that node-llama-cpp carries, once, when it is asked for: it takes
 * minutes. Without its web pages and without TLS, which the bench does not use.
 *
 * The kernels are not built with it: it loads those that node-llama-cpp brings for each kind of processor, so that
 * everybody computes with the same ones, and a compiler makes no difference between them.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, readdir, rename, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { llamaCppFolder, llamaCppLibraries, llamaCppSource } from './llama-cpp-source.ts';

const run = promisify(execFile);
const OPTIONS = [
  'CMAKE_BUILD_TYPE=Release', 'BUILD_SHARED_LIBS=ON', 'CMAKE_BUILD_RPATH_USE_ORIGIN=ON', 'GGML_BACKEND_DL=ON', 'GGML_CPU=OFF', 'GGML_NATIVE=OFF', 'LLAMA_OPENSSL=OFF', 'LLAMA_BUILD_UI=OFF',
  'LLAMA_USE_PREBUILT_UI=OFF', 'LLAMA_BUILD_TESTS=OFF', 'LLAMA_BUILD_EXAMPLES=OFF', 'LLAMA_BUILD_APP=OFF', 'GGML_CCACHE=OFF',
];
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

const KERNELS = /^libggml-cpu-.*\.so$/;

/** Where the server is once it is built, among its libraries. */
export function serverProgram(): string {
  return join(llamaCppFolder(), 'server', 'llama-server');
}

export function isServerBuilt(): boolean {
  return existsSync(serverProgram());
}

/** Builds it unless it is there. @throws Error without git, cmake or a compiler, saying what they complained of */
export async function buildServer(print: (line: string) => void): Promise<void> {
  if (isServerBuilt()) return;
  const libraries = llamaCppLibraries();
  if (libraries === undefined) throw new Error(`node-llama-cpp has no shared libraries for ${process.platform}-${process.arch}, whose kernels the server would load.`);
  const startedAt = performance.now();
  const source = await llamaCppSource();
  print('Building llama-server from the source in node-llama-cpp; this takes some minutes, once.');
  const build = join(llamaCppFolder(), `build.${process.pid}`);
  try {
    await run('cmake', ['-S', source, '-B', build, ...OPTIONS.map((option) => `-D${option}`)], { maxBuffer: OUTPUT_BYTES_MAX });
    await run('cmake', ['--build', build, '--target', 'llama-server', '-j', String(availableParallelism())], { maxBuffer: OUTPUT_BYTES_MAX });
    const made = join(build, 'bin');
    for (const kernels of (await readdir(libraries)).filter((name) => KERNELS.test(name))) await copyFile(join(libraries, kernels), join(made, kernels));
    await rename(made, dirname(serverProgram()));
  } finally {
    await rm(build, { recursive: true, force: true });
  }
  print(`Built in ${Math.round((performance.now() - startedAt) / 1_000)} s.`);
}
