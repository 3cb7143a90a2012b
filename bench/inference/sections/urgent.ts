/**
 * One text that somebody waits for while the same process embeds others as fast as it can (../urgency.ts).
 *
 * A running text cannot be stopped, so a request waits for one at the most; its own computing comes on top. The wait is
 * its time under load less what it takes alone, at the median.
 */
import { quantile, table } from '../../statistics.ts';
import { Contestant } from '../contestant.ts';
import type { BenchModel, UrgencyReport, Way } from '../task.ts';
import { atMost, gguf, onnx, type Expectation, type SectionOptions, type SectionResult } from './section.ts';

const BULK_TOKENS = 64;
const QUERY_TOKENS = 16;
/** A turn's seconds, times this: a p99 takes some hundreds of requests. */
const TURNS = 6;
const SPARE_MS = 2;

const ENTRANTS: readonly (readonly [model: () => BenchModel, ways: readonly Way[]])[] = [
  [() => gguf('Q8_0'), ['Spillway', 'llama-server over HTTP', 'node-llama-cpp, a context per core', 'node-llama-cpp, Promise.all', 'node-llama-cpp, in turn']],
  [() => onnx('int8'), ['Spillway', 'onnxruntime-node, tuned by hand', 'transformers.js pipeline']],
];

interface Row {
  readonly way: Way;
  readonly model: BenchModel;
  readonly report: UrgencyReport;
}

export async function urgent({ cores, seconds }: SectionOptions): Promise<SectionResult> {
  const rows: Row[] = [];
  const failures: string[] = [];
  for (const [modelOf, ways] of ENTRANTS) {
    const model = modelOf();
    for (const way of ways) {
      let contestant: Contestant | undefined;
      try {
        contestant = await Contestant.start({ way, model, cores });
        const report = await contestant.ask('urgency', { seconds: seconds * TURNS, bulkTokens: BULK_TOKENS, queryTokens: QUERY_TOKENS });
        rows.push({ way, model, report });
      } catch (error) {
        failures.push(`${way}, ${model.type}: ${(error as Error).message}`);
      } finally {
        await contestant?.close();
      }
    }
  }
  return {
    lines: table([
      [`a text of ${QUERY_TOKENS} tokens while others of ${BULK_TOKENS} are embedded`, 'alone, p50', 'loaded, p50', 'p99', 'wait, p99', 'one running text', 'load, texts/s'],
      ...rows.map(({ way, model: { type }, report }) => [`${type}, ${way}`, ...Object.values(figuresOf(report, cores)).map((ms) => `${ms.toFixed(1)} ms`), report.bulkPerSecond.toFixed(0)]),
    ]),
    expectations: ['Q8_0', 'int8'].map((type) => expectationOf(type, rows.find(({ way, model }) => way === 'Spillway' && model.type === type), cores)),
    figures: rows.map(({ way, model: { type }, report }) => ({ way, type, ...figuresOf(report, cores), bulkPerSecond: report.bulkPerSecond })),
    failures,
  };
}

interface Figures {
  readonly aloneP50Ms: number;
  readonly loadedP50Ms: number;
  readonly loadedP99Ms: number;
  readonly waitP99Ms: number;
  /** What one text of the load takes, each core computing one. */
  readonly runningTextMs: number;
}

function figuresOf({ aloneMs, loadedMs, bulkPerSecond }: UrgencyReport, cores: number): Figures {
  const aloneP50Ms = quantile(aloneMs, 0.5);
  const loadedP99Ms = quantile(loadedMs, 0.99);
  return { aloneP50Ms, loadedP50Ms: quantile(loadedMs, 0.5), loadedP99Ms, waitP99Ms: loadedP99Ms - aloneP50Ms, runningTextMs: (cores * 1_000) / bulkPerSecond };
}

function expectationOf(type: string, row: Row | undefined, cores: number): Expectation {
  const figures = row && figuresOf(row.report, cores);
  const bound = (figures?.runningTextMs ?? Number.NaN) + SPARE_MS;
  return atMost(`${type}, wait of an interactive text under load, p99 in ms (one running text + ${SPARE_MS} ms)`, bound, figures?.waitP99Ms);
}
