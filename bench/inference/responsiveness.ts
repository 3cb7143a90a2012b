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
const BULK_TEXTS = 128;
/** Until the loop is as idle as it gets after loading. */
const SETTLE_MS = 500;

/** @param textsPerSecond the pace that the way was found to have */
export async function measureDelay(way: EmbeddingWay, source: TextSource, textsPerSecond: number, { seconds }: DelayRequest): Promise<DelayReport> {
  // Made before: making them would be part of the delay. None comes twice, or a cache would do the work.
  const supply = source.take({ length: DELAY_TOKENS }, Math.ceil(textsPerSecond * seconds));
  await sleep(SETTLE_MS);
  const idle = await delayDuring(() => sleep(seconds * 500));
  let elapsedMs = 0;
  const loaded = await delayDuring(async () => {
    const beganMs = performance.now();
    for (let start = 0; start < supply.length; start += BULK_TEXTS) await way.embed(supply.slice(start, start + BULK_TEXTS));
    elapsedMs = performance.now() - beganMs;
  });
  return { idle, loaded, textsPerSecond: (supply.length * 1_000) / elapsedMs };
}

async function delayDuring(work: () => Promise<unknown>): Promise<Delay> {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  await work();
  histogram.disable();
  const ms = (ns: number): number => ns / 1e6 - RESOLUTION_MS;
  return { p50Ms: ms(histogram.percentile(50)), p99Ms: ms(histogram.percentile(99)), maxMs: ms(histogram.max) };
}
