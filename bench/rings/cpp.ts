/** The C++ ring of spsc.cpp, compiled into a temporary folder for as long as it is measured. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { RING_BYTES } from './task.ts';
import type { FlowReport } from './task.ts';

const SOURCE = fileURLToPath(new URL('./spsc.cpp', import.meta.url));
const run = promisify(execFile);

export interface CppRing {
  /** What `g++ --version` says in its first line. */
  readonly compiler: string;
  measure(payloadBytes: number, count: number, batch: number): Promise<FlowReport>;
  remove(): Promise<void>;
}

/** Compiles the ring, or answers `undefined` where there is no g++. */
export async function compileCppRing(): Promise<CppRing | undefined> {
  const version = await run('g++', ['--version']).catch(() => undefined);
  if (version === undefined) return undefined;
  const folder = await mkdtemp(join(tmpdir(), 'spillway-rings-'));
  const program = join(folder, 'spsc');
  await run('g++', ['-O3', '-std=c++17', '-pthread', '-o', program, SOURCE]);
  return {
    compiler: version.stdout.split('\n')[0]!,
    measure: async (payloadBytes, count, batch) => {
      const { stdout } = await run(program, [payloadBytes, count, batch, RING_BYTES].map(String));
      return JSON.parse(stdout) as FlowReport;
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
