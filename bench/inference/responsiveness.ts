/**
 * How late the application's event loop is, idle and while it embeds at full speed: what `monitorEventLoopDelay` sees
 * beyond its own resolution. Where all cores embed, the operating system's scheduling is part of the figure.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Delay, DelayReport, DelayRequest } from './task.ts';
import type { EmbeddingWay } from './way.ts';
import type { TextSource } from './workload.ts';

const RESOLUTION_MS = 1;
export const DELAY_TOKENS = 64;
const BULK_TEXTS = 256;
/** Until the loop is as idle as it gets after loading. */
const SETTLE_MS = 500;

export async function measureDelay(way: EmbeddingWay, source: TextSource, { seconds }: DelayRequest): Promise<DelayReport> {
  const count = way.bulkTexts ?? BULK_TEXTS;
  await way.embed(source.take({ length: DELAY_TOKENS }, count));
  await sleep(SETTLE_MS);
  const idle = await delayDuring(() => sleep(seconds * 500));
  let embedded = 0;
  let elapsedMs = 0;
  // Its texts are made before: making them would be part of the delay.
  const supply = Array.from({ length: 8 }, () => source.take({ length: DELAY_TOKENS }, count));
  const loaded = await delayDuring(async () => {
    const beganMs = performance.now();
    while ((elapsedMs = performance.now() - beganMs) < seconds * 1_000) {
      const texts = supply[(embedded / count) % supply.length]!;
      await way.embed(texts);
      embedded += texts.length;
    }
  });
  return { idle, loaded, textsPerSecond: (embedded * 1_000) / elapsedMs };
}

async function delayDuring(work: () => Promise<unknown>): Promise<Delay> {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  await work();
  histogram.disable();
  const ms = (ns: number): number => ns / 1e6 - RESOLUTION_MS;
  return { p50Ms: ms(histogram.percentile(50)), p99Ms: ms(histogram.percentile(99)), maxMs: ms(histogram.max) };
}
