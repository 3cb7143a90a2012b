/**
 * How long a single text takes while a load of others keeps every core busy.
 *
 *   bulk     caller ── 128 texts ──> way     one call after the other, always two under way
 *   urgent   caller ── 1 text ─────> way     every 50 ms, whether or not the one before is answered
 *
 * Time counts from the moment that a request was due, so that a way which blocks the caller's thread and thereby
 * the sending of requests is charged for it (coordinated omission).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { UrgencyReport, UrgencyRequest } from './task.ts';
import type { EmbeddingWay } from './way.ts';
import type { TextSource } from './workload.ts';

const EVERY_MS = 50;
const ALONE_REQUESTS = 60;
const BULK_CALLS = 2;
const BULK_TEXTS = 128;
/** The load is at its full height after so much. */
const RAMP_MS = 1_000;
/** How many more texts are at hand than the load is expected to get through. */
const SUPPLY_SPARE = 1.5;

/** @param textsPerSecond the pace that the way was found to have with the texts of the load */
export async function measureUrgency(
  way: EmbeddingWay,
  source: TextSource,
  textsPerSecond: number,
  { seconds, bulkTokens, queryTokens }: UrgencyRequest,
): Promise<UrgencyReport> {
  // Made before, for making them would hold up the requests. Never too few, however fast the load goes.
  const supply = source.take({ length: bulkTokens }, BULK_CALLS * BULK_TEXTS + Math.ceil(textsPerSecond * (seconds + RAMP_MS / 1_000) * SUPPLY_SPARE));
  const queries = source.take({ length: queryTokens }, 2 * ALONE_REQUESTS + Math.ceil((seconds * 1_000) / EVERY_MS) + 1);
  const urgent = async (): Promise<void> => {
    const query = queries.pop()!;
    await (way.embedUrgent?.(query) ?? way.embed([query]));
  };
  const aloneMs: number[] = [];
  for (let request = 0; request < 2 * ALONE_REQUESTS; request++) {
    const startedAt = performance.now();
    await urgent();
    // The first half warms up.
    if (request >= ALONE_REQUESTS) aloneMs.push(performance.now() - startedAt);
  }

  let isLoaded = true;
  let bulk = 0;
  const beganMs = performance.now();
  const load = async (): Promise<void> => {
    while (isLoaded && supply.length > 0) {
      const texts = supply.splice(-BULK_TEXTS);
      await way.embed(texts);
      bulk += texts.length;
    }
  };
  const loads = Array.from({ length: BULK_CALLS }, load);
  await sleep(RAMP_MS);

  const loadedMs: number[] = [];
  const requests: Promise<void>[] = [];
  const startedAt = performance.now();
  for (let due = startedAt; due < startedAt + seconds * 1_000; due += EVERY_MS) {
    const early = due - performance.now();
    if (early > 0) await sleep(early);
    requests.push(urgent().then(() => void loadedMs.push(performance.now() - due)));
  }
  await Promise.all(requests);
  isLoaded = false;
  await Promise.all(loads);
  return { aloneMs, loadedMs, bulkPerSecond: (bulk * 1_000) / (performance.now() - beganMs) };
}
