/**
 * llama.cpp's own server, built from the source that node-llama-cpp carries, once, when it is asked for: it takes
 * minutes. Without its web pages and without TLS, which the bench does not use; ggml for this machine's processor.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, rename, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { llamaCppFolder, llamaCppSource } from './llama-cpp-source.ts';

const run = promisify(execFile);
const OPTIONS = [
  'CMAKE_BUILD_TYPE=Release', 'BUILD_SHARED_LIBS=OFF', 'LLAMA_OPENSSL=OFF', 'LLAMA_BUILD_UI=OFF', 'LLAMA_USE_PREBUILT_UI=OFF',
  'LLAMA_BUILD_TESTS=OFF', 'LLAMA_BUILD_EXAMPLES=OFF', 'LLAMA_BUILD_APP=OFF', 'GGML_CCACHE=OFF',
];
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

/** Where the server is once it is built. */
export function serverProgram(): string {
  return join(llamaCppFolder(), 'llama-server');
}

export function isServerBuilt(): boolean {
  return existsSync(serverProgram());
}

/** Builds it unless it is there. @throws Error without git, cmake or a compiler, saying what they complained of */
export async function buildServer(print: (line: string) => void): Promise<void> {
  if (isServerBuilt()) return;
  const startedAt = performance.now();
  const source = await llamaCppSource();
  print('Building llama-server from the source in node-llama-cpp; this takes some minutes, once.');
  const build = join(llamaCppFolder(), `build.${process.pid}`);
  try {
    await run('cmake', ['-S', source, '-B', build, ...OPTIONS.map((option) => `-D${option}`)], { maxBuffer: OUTPUT_BYTES_MAX });
    await run('cmake', ['--build', build, '--target', 'llama-server', '-j', String(availableParallelism())], { maxBuffer: OUTPUT_BYTES_MAX });
    const draft = `${serverProgram()}.${process.pid}`;
    await copyFile(join(build, 'bin', 'llama-server'), draft);
    await rename(draft, serverProgram());
  } finally {
    await rm(build, { recursive: true, force: true });
  }
  print(`Built in ${Math.round((performance.now() - startedAt) / 1_000)} s.`);
}
