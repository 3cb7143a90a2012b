/** The C++ loop, one process for each setting that may be the fastest; it takes its own time. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { compileCppProgram, type CppProgram } from '../cpp-program.ts';
import type { Entrant, Rate } from '../task.ts';
import type { EmbeddingWay, Variants } from '../way.ts';

/** Several texts in one call without flash attention are several times slower, so that is not among them. */
const SETTINGS = [
  { name: 'flash attention', flash: 'on', fused: 1 },
  { name: 'no flash attention', flash: 'off', fused: 1 },
  { name: 'flash attention, 4 per call', flash: 'on', fused: 4 },
] as const;

export async function cppLoop({ model, cores }: Entrant): Promise<Variants> {
  const program = await compileCppProgram();
  if (typeof program === 'string') throw new Error(program);
  return new Map(await Promise.all(SETTINGS.map(async ({ name, flash, fused }) => [name, await open(program, [model.path, program.libraries, cores, flash, fused])] as const)));
}

async function open({ path }: CppProgram, words: readonly (string | number)[]): Promise<EmbeddingWay> {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-embed-loop-'));
  const [textsFile, vectorsFile] = [join(folder, 'texts'), join(folder, 'vectors')];
  const child = spawn(path, words.map(String), { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const ended = once(child, 'exit').then(() => Promise.reject(new Error('the C++ loop ended; it cannot load the model, or compute a text')));
  // Where nobody waits for an answer, the end is in order.
  ended.catch(() => {});
  const answer = async (): Promise<string> => ((await Promise.race([once(lines, 'line'), ended])) as [string])[0];
  const run = async (texts: readonly string[], command: string): Promise<Rate> => {
    await writeFile(textsFile, `${texts.join('\n')}\n`);
    child.stdin.write(`${command}\n`);
    return JSON.parse(await answer()) as Rate;
  };
  await answer();
  return {
    secondsOf: async (texts) => (await run(texts, textsFile)).seconds,
    async embed(texts) {
      await run(texts, `${textsFile}\t${vectorsFile}`);
      const { buffer, byteOffset, byteLength } = await readFile(vectorsFile);
      const values = new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
      const dimensions = values.length / texts.length;
      return texts.map((_, index) => values.subarray(index * dimensions, (index + 1) * dimensions));
    },
    async close() {
      child.stdin.end();
      await ended.catch(() => {});
      await rm(folder, { recursive: true, force: true });
    },
  };
}
