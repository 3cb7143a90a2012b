/**
 * Embedding the same texts on the same model: Spillway's actors against what people write with
 * node-llama-cpp.
 *
 *   spillway-1    application ── batches ──> 1 inference actor
 *   spillway-2    application ── batches ──> 2 inference actors
 *   sequential    one context, threads: 1, `await getEmbeddingFor` in a loop
 *   promise-all   the same context, `Promise.all` over all texts
 *   defaults      as node-llama-cpp comes, one text after the other
 *
 * The model has MiniLM's shape and random weights (models/minilm.ts), Q8_0. Each way runs in a process
 * of its own, the ways take turns in every round, and ratios are taken within a round, so that a
 * machine whose speed drifts does not favour one. The ways that keep one core busy are compared per
 * core; `defaults` gets few texts, because it takes a second for each on a small machine.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { poolFor } from './embedding-ways.ts';
import { miniLmModel } from './models/minilm.ts';
import { median, table } from './statistics.ts';

export const EMBED_WAYS = ['sequential', 'spillway-1', 'promise-all', 'spillway-2', 'defaults'] as const;
export type EmbedWay = (typeof EMBED_WAYS)[number];

export interface EmbedOptions {
  readonly rounds?: number;
  readonly lengths?: readonly number[];
  /** Seconds of work for one way in one round, about. */
  readonly seconds?: number;
  readonly print?: (line: string) => void;
}

export interface EmbedRow {
  readonly tokens: number;
  readonly textsPerSecond: Readonly<Record<EmbedWay, number>>;
  /** Median over the rounds of this way's rate by the sequential loop's. */
  readonly ratioToSequential: Readonly<Record<EmbedWay, number>>;
  readonly twoActorsToOne: number;
}

/** Texts per second of the sequential loop, about: only to choose how many texts a round has. */
const EXPECTED_RATE: Readonly<Record<number, number>> = { 16: 170, 64: 75, 256: 17 };
const DEFAULTS_TEXTS = 3;

export async function run({ rounds = 3, lengths = [16, 64, 256], seconds = 10, print = () => {} }: EmbedOptions = {}): Promise<EmbedRow[]> {
  const model = miniLmModel();
  const results: EmbedRow[] = [];
  for (const tokens of lengths) {
    const count = Math.max(8, Math.round((EXPECTED_RATE[tokens] ?? 4_000 / tokens) * seconds));
    const rates = Object.fromEntries(EMBED_WAYS.map((way) => [way, [] as number[]])) as Record<EmbedWay, number[]>;
    for (let round = 0; round < rounds; round++) {
      for (const way of EMBED_WAYS) {
        if (way === 'defaults' && round > 0) continue;
        rates[way].push(await measure(way, model, tokens, way === 'defaults' ? DEFAULTS_TEXTS : count));
      }
    }
    const ratios = (way: EmbedWay, to: EmbedWay): number => median(rates[way].map((rate, round) => rate / rates[to][round]!));
    results.push({
      tokens,
      textsPerSecond: each((way) => median(rates[way])),
      ratioToSequential: each((way) => ratios(way, 'sequential')),
      twoActorsToOne: ratios('spillway-2', 'spillway-1'),
    });
  }
  const header = ['texts/s (ratio to sequential)', ...results.map(({ tokens }) => `${tokens} tokens`)];
  const rows = EMBED_WAYS.map((way) => [
    way,
    ...results.map(({ textsPerSecond, ratioToSequential }) => `${textsPerSecond[way].toFixed(1)} (${ratioToSequential[way].toFixed(2)})`),
  ]);
  const last = ['2 actors / 1 actor', ...results.map(({ twoActorsToOne }) => `${twoActorsToOne.toFixed(2)} x`)];
  for (const line of table([header, ...rows, last])) print(line);
  return results;
}

function each(value: (way: EmbedWay) => number): Record<EmbedWay, number> {
  return Object.fromEntries(EMBED_WAYS.map((way) => [way, value(way)])) as Record<EmbedWay, number>;
}

/** Texts per second of one way in a process of its own, loading and warming up not counted. */
async function measure(way: EmbedWay, model: string, tokens: number, count: number): Promise<number> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--conditions=spillway-src', new URL('./embed-way.ts', import.meta.url).pathname, way, model, String(tokens), String(count)],
    { env: poolFor(way) },
  );
  const line = stdout.trim().split('\n').at(-1)!;
  return count / (JSON.parse(line) as { seconds: number }).seconds;
}
