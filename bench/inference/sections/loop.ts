/** The delay of the application's event loop at full load, beside the ways that embed on its own thread. */
import { table } from '../../statistics.ts';
import { Contestant } from '../contestant.ts';
import type { BenchModel, DelayReport, Way } from '../task.ts';
import { atMost, gguf, onnx, type SectionOptions, type SectionResult } from './section.ts';

const BEYOND_IDLE_MS = 2;
/** A turn's seconds, times this. */
const TURNS = 4;
const ENTRANTS: readonly (readonly [model: () => BenchModel, ways: readonly Way[]])[] = [
  [() => gguf('Q8_0'), ['Spillway', 'node-llama-cpp, a context per core', 'node-llama-cpp, Promise.all']],
  [() => onnx('int8'), ['Spillway', 'onnxruntime-node, tuned by hand', 'transformers.js pipeline']],
];

export async function loop({ cores, seconds }: SectionOptions): Promise<SectionResult> {
  const rows: { readonly way: Way; readonly type: string; readonly report: DelayReport }[] = [];
  const failures: string[] = [];
  for (const [modelOf, ways] of ENTRANTS) {
    const model = modelOf();
    for (const way of ways) {
      let contestant: Contestant | undefined;
      try {
        contestant = await Contestant.start({ way, model, cores });
        rows.push({ way, type: model.type, report: await contestant.ask('delay', { seconds: seconds * TURNS }) });
      } catch (error) {
        failures.push(`${way}, ${model.type}: ${(error as Error).message}`);
      } finally {
        await contestant?.close();
      }
    }
  }
  const beyondIdleMs = ({ idle, loaded }: DelayReport): number => loaded.p99Ms - idle.p99Ms;
  return {
    lines: table([
      ["the application's event-loop delay", 'idle, p99', 'loaded, p50', 'p99', 'longest', 'p99 beyond idle', 'texts/s'],
      ...rows.map(({ way, type, report }) => [
        `${type}, ${way}`,
        ...[report.idle.p99Ms, report.loaded.p50Ms, report.loaded.p99Ms, report.loaded.maxMs, beyondIdleMs(report)].map((ms) => `${ms.toFixed(2)} ms`),
        report.textsPerSecond.toFixed(0),
      ]),
    ]),
    expectations: ['Q8_0', 'int8'].map((wanted) => {
      const own = rows.find(({ way, type }) => way === 'Spillway' && type === wanted);
      return atMost(`${wanted}, event-loop delay at full load beyond idle, p99 in ms`, BEYOND_IDLE_MS, own && beyondIdleMs(own.report));
    }),
    figures: rows,
    failures,
  };
}
