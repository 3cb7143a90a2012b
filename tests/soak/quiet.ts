/** What two soaks do alike at a quiet moment and with what they found there. */
import { setTimeout as pause } from 'node:timers/promises';
import { measureResources, type Gauge, type Resources } from './resources.ts';
import { judgeCounts } from './thresholds.ts';

/** Threads and processes that end take a moment to be gone. */
export const SETTLE_MS = 30_000;
export const SETTLE_LOOK_MS = 20;

/** The resources once nothing that is counted is above `base`, or when it has not become so in time. */
export async function settled(base: Resources | undefined, gauge?: Gauge): Promise<Resources> {
  const endMs = performance.now() + SETTLE_MS;
  for (;;) {
    const resources = await measureResources(gauge);
    if (base === undefined || judgeCounts(base, resources).length === 0 || performance.now() > endMs) return resources;
    await pause(SETTLE_LOOK_MS);
  }
}

/** So many of the items, the first and the last among them. */
export function evenly<Item>(items: readonly Item[], count: number): Item[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, index) => items[Math.round((index * (items.length - 1)) / (count - 1))]!);
}
