/** One way of the responsiveness bench, in a process of its own: `responsiveness-way.ts <way> <model> <seconds>`. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { libraryWay, spillwayWay } from './embedding-ways.ts';
import type { Delay, ResponsivenessReport, ResponsivenessWay } from './responsiveness.ts';
import { textOfTokens } from './models/minilm.ts';

const RESOLUTION_MS = 1;
const TOKENS = 64;
const BATCH = 128;

const [way, modelPath, seconds] = process.argv.slice(2) as [ResponsivenessWay, string, string];
const texts = Array.from({ length: BATCH }, (_, index) => textOfTokens(TOKENS, index + 1));
const { embedAll, close } = await (way === 'same-thread'
  ? libraryWay(modelPath, { threads: 'one', calls: 'all at once' })
  : spillwayWay(modelPath, Number(way.at(-1))));
await embedAll(texts);
await sleep(500);

const idle = await delayDuring(() => sleep(Number(seconds) * 500));
let embedded = 0;
const loaded = await delayDuring(async () => {
  const endMs = performance.now() + Number(seconds) * 1_000;
  while (performance.now() < endMs) {
    await embedAll(texts);
    embedded += texts.length;
  }
});
await close();
const report: ResponsivenessReport = { idle: idle.delay, loaded: loaded.delay, textsPerSecond: embedded / loaded.seconds };
console.log(JSON.stringify(report));
process.exit(0);

async function delayDuring(work: () => Promise<unknown>): Promise<{ delay: Delay; seconds: number }> {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  const startedAt = performance.now();
  await work();
  const elapsed = (performance.now() - startedAt) / 1_000;
  histogram.disable();
  const ms = (ns: number): number => ns / 1e6 - RESOLUTION_MS;
  return {
    delay: { p50Ms: ms(histogram.percentile(50)), p99Ms: ms(histogram.percentile(99)), maxMs: ms(histogram.max) },
    seconds: elapsed,
  };
}
