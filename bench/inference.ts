/**
 * Embedding on all cores with Spillway and with its peers, on the same synthetic models (models/) and texts of exact
 * lengths, each way in a process of its own (inference/contestant.ts).
 *
 *   llama, f16    texts/s with GGUF: C++ on libllama, llama.cpp's server, node-llama-cpp
 *   onnx, int8    texts/s with ONNX: onnxruntime-node, transformers.js
 *   lengths       what routes and fusion by length are worth on a mix
 *   repeats       what de-duplication is worth
 *   isolation     what a sandboxed process for each actor costs
 *   urgent        one text that somebody waits for, under full load
 *   loop          the application's event-loop delay, under full load
 *   swap          a hundred hot swaps, under load
 *   server        builds llama.cpp's server, once; it takes part afterwards
 *
 * Figures are to be read as ratios within one table. What is promised is listed last, met or not.
 */
import { availableParallelism } from 'node:os';
import { compileCppProgram } from './inference/cpp-program.ts';
import { llamaCppRelease } from './inference/llama-cpp-source.ts';
import type { Expectation, SectionOptions, SectionResult } from './inference/sections/section.ts';
import { buildServer, isServerBuilt } from './inference/server-program.ts';
import { table } from './statistics.ts';

type Section = (options: SectionOptions) => Promise<SectionResult>;

const SECTIONS: Readonly<Record<string, Section>> = {
  llama: async (options) => (await import('./inference/sections/throughput.ts')).throughput('llama', options),
  f16: async (options) => (await import('./inference/sections/throughput.ts')).throughput('f16', options),
  onnx: async (options) => (await import('./inference/sections/throughput.ts')).throughput('onnx', options),
  int8: async (options) => (await import('./inference/sections/throughput.ts')).throughput('int8', options),
  lengths: async (options) => (await import('./inference/sections/shortcuts.ts')).lengths(options),
  repeats: async (options) => (await import('./inference/sections/shortcuts.ts')).repeats(options),
  isolation: async (options) => (await import('./inference/sections/isolation.ts')).isolation(options),
  urgent: async (options) => (await import('./inference/sections/urgent.ts')).urgent(options),
  loop: async (options) => (await import('./inference/sections/loop.ts')).loop(options),
  swap: async (options) => (await import('./inference/sections/swap.ts')).swap(options),
};
/** Asked for by name only. */
const BUILD_ROW = 'server';
const SECONDS = 1.5;

export interface InferenceOptions {
  readonly rounds?: number | undefined;
  /** Of work for each way in each of its turns. */
  readonly seconds?: number | undefined;
  /** Only these sections; `server` builds llama.cpp's server. */
  readonly rows?: readonly string[] | undefined;
  readonly print?: (line: string) => void;
}

export interface InferenceResult {
  readonly sections: Readonly<Record<string, unknown>>;
  readonly expectations: readonly Expectation[];
  readonly failures: readonly string[];
}

export async function run({ rounds, seconds = SECONDS, rows = Object.keys(SECTIONS), print = () => {} }: InferenceOptions = {}): Promise<InferenceResult> {
  const known = [...Object.keys(SECTIONS), BUILD_ROW];
  const unknown = rows.find((row) => !known.includes(row));
  if (unknown !== undefined) throw new TypeError(`There is no row '${unknown}'; the rows are ${known.join(', ')}.`);
  if (rows.includes(BUILD_ROW)) await buildServer(print);
  const program = await compileCppProgram();
  print(`llama.cpp ${llamaCppRelease()} as node-llama-cpp carries it; C++: ${typeof program === 'string' ? `left out, for ${program}` : program.compiler}`);
  if (!isServerBuilt()) print('llama-server: not built, so its rows are left out; run `npm run bench -- inference --rows server` once.');

  const sections: Record<string, unknown> = {};
  const expectations: Expectation[] = [];
  const failures: string[] = [];
  for (const row of rows.filter((row) => row !== BUILD_ROW)) {
    const result = await SECTIONS[row]!({ cores: availableParallelism(), seconds, rounds });
    for (const line of ['', ...result.lines]) print(line);
    sections[row] = result.figures;
    expectations.push(...result.expectations);
    failures.push(...result.failures.map((failure) => `${row}: ${failure}`));
  }
  if (expectations.length > 0) {
    const lines = expectations.map(({ what, bound, found, isMet }) => [what, bound, found?.toFixed(2) ?? '-', found === undefined ? 'not measured' : isMet ? 'met' : 'NOT MET']);
    for (const line of ['', ...table([['expected', 'bound', 'found', ''], ...lines])]) print(line);
  }
  for (const failure of failures) print(`LEFT OUT: ${failure}`);
  return { sections, expectations, failures };
}
