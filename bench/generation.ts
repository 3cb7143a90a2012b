/**
 * Generating on the same model: Spillway's generator against node-llama-cpp's own `LlamaCompletion`.
 *
 *   spillway-n      application ── prompts ──> 1 generator actor, n sequences, n prompts at once
 *   one-by-one-4    the same with 4 and without batching: each sequence in a native call of its own
 *   completion-n    n LlamaCompletions on n sequences of one context on the main thread, threads: 1
 *
 * The models have random weights (models/tiny-llama.ts): `tiny` shows what everything around the model costs,
 * `small` what sequences gain by sharing a native call. Each way runs in a process of its own, the ways take turns
 * in every round, and ratios are taken within a round. The first token is the first text that the caller gets;
 * with several prompts at once it shares its calls with the others.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { tinyLlamaModel, type LlamaSize } from './models/tiny-llama.ts';
import { median, table } from './statistics.ts';

export const GENERATION_WAYS = ['completion-1', 'spillway-1', 'completion-2', 'spillway-2', 'completion-4', 'spillway-4', 'one-by-one-4'] as const;
export type GenerationWay = (typeof GENERATION_WAYS)[number];

export interface GenerationOptions {
  readonly rounds?: number;
  readonly print?: (line: string) => void;
}

/** What one way measured in one process. */
export interface GenerationReading {
  readonly tokensPerSecond: number;
  /** Median of its prompts. */
  readonly ttftMs: number;
}

export interface GenerationRow extends GenerationReading {
  readonly model: LlamaSize;
  readonly way: GenerationWay;
  /** Median over the rounds of its rate by that of one LlamaCompletion. */
  readonly ratio: number;
}

/** Prompts of one way in one round: enough for a second or two. */
const PROMPTS: Readonly<Record<LlamaSize, number>> = { tiny: 80, small: 16 };

export async function run({ rounds = 3, print = () => {} }: GenerationOptions = {}): Promise<GenerationRow[]> {
  const rows: GenerationRow[] = [];
  for (const size of ['tiny', 'small'] as const) {
    const model = tinyLlamaModel({ size, type: 'Q8_0' });
    const readings = new Map<GenerationWay, GenerationReading[]>(GENERATION_WAYS.map((way) => [way, []]));
    for (let round = 0; round < rounds; round++) {
      for (const way of GENERATION_WAYS) readings.get(way)!.push(await measure(way, model, PROMPTS[size]));
    }
    const base = readings.get('completion-1')!;
    for (const [way, each] of readings) {
      rows.push({
        model: size,
        way,
        tokensPerSecond: median(each.map(({ tokensPerSecond }) => tokensPerSecond)),
        ttftMs: median(each.map(({ ttftMs }) => ttftMs)),
        ratio: median(each.map(({ tokensPerSecond }, round) => tokensPerSecond / base[round]!.tokensPerSecond)),
      });
    }
  }
  const header = ['model', 'way', 'tokens/s (ratio to completion-1)', 'first token, ms'];
  for (const line of table([header, ...rows.map(({ model, way, tokensPerSecond, ratio, ttftMs }) => [model, way, `${tokensPerSecond.toFixed(0)} (${ratio.toFixed(2)})`, ttftMs.toFixed(1)])])) print(line);
  return rows;
}

async function measure(way: GenerationWay, model: string, prompts: number): Promise<GenerationReading> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=spillway-src', new URL('./generation-way.ts', import.meta.url).pathname, way, model, String(prompts)]);
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as GenerationReading;
}
