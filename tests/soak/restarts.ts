/**
 * Restarts by the thousand: an actor of each placement is ended again and again, and what the process holds is
 * measured after equal parts of them. A warm-up goes before, because compiled code and the allocator's arenas
 * are there to stay and are no leak.
 *
 * `bare` is for comparison: as many Node workers that do nothing, one after the other, without this package.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { createSystem, type Placement, type System } from '../../supervisors/index.ts';
import type { ActorRef } from '../../kernel/index.ts';
import { gaugeProtocol } from './actors/gauge.ts';
import { mortalProtocol, type EndHow, type MortalSpec } from './actors/mortal.ts';
import { measureResources, type Gauge, type Resources } from './resources.ts';
import { judgeCounts, judgeMemory } from './thresholds.ts';

export const RESTARTABLE = ['inline', 'pool', 'thread', 'process', 'bare'] as const;
export type Restartable = (typeof RESTARTABLE)[number];

export interface RestartsReport {
  readonly placement: Restartable;
  readonly restarts: number;
  readonly perRestartMs: number;
  /** After the warm-up, and after each equal part of the restarts. */
  readonly samples: readonly Resources[];
  /** Before there was a system, and once it was closed. */
  readonly before: Resources;
  readonly after: Resources;
  readonly failures: readonly string[];
}

/** So many samples follow the one after the warm-up. */
const PARTS = 8;
/** The warm-up, as a part of the restarts, and its bounds. */
const WARM_UP_PART = 0.2;
const WARM_UP_MIN = 20;
const WARM_UP_MAX = 500;
/** Of restarts that take no new thread as many again: the young generations of the threads that stay grow for some ten thousand. */
const LIGHT_WARM_UP_MAX = 12_000;
/** How long one restart may take, on a machine that has much else to do. */
const RESTART_MS = 60_000;
const ASK_MS = 10_000;
/** How long what a restart leaves behind may take to go. */
const SETTLE_MS = 10_000;
const SETTLE_LOOK_MS = 50;

const moduleOf = (name: string): string => new URL(`./actors/${name}.ts`, import.meta.url).href;
export const MORTAL = { module: moduleOf('mortal'), export: 'mortal' } as const;
export const GAUGE = { module: moduleOf('gauge'), export: 'gauge' } as const;

/** The ways to end that concern nobody else on the thread. */
const ENDS: Readonly<Record<Placement, readonly EndHow[]>> = {
  inline: ['throw'],
  pool: ['throw'],
  thread: ['throw', 'exit', 'reject', 'exception'],
  process: ['throw', 'exit', 'reject', 'exception'],
};

/** @param onProgress called with the restarts that were made, warm-up included, and how many there will be */
export async function restarts(placement: Restartable, count: number, onProgress: (made: number, of: number) => void = () => {}): Promise<RestartsReport> {
  const before = await settled();
  const isLight = placement === 'inline' || placement === 'pool';
  const warmUp = isLight ? Math.min(LIGHT_WARM_UP_MAX, count) : Math.min(WARM_UP_MAX, Math.max(WARM_UP_MIN, Math.ceil(count * WARM_UP_PART)));
  const subject = placement === 'bare' ? bareSubject() : await actorSubject(placement);
  const samples: Resources[] = [];
  const failures: string[] = [];
  let made = 0;
  let elapsedMs = 0;
  try {
    const until = async (end: number): Promise<void> => {
      while (made < end) {
        await subject.endOnce(made);
        onProgress(++made, warmUp + count);
      }
    };
    await until(warmUp);
    samples.push(await subject.measure());
    for (let part = 1; part <= PARTS; part++) {
      const beginMs = performance.now();
      await until(warmUp + Math.round((count * part) / PARTS));
      elapsedMs += performance.now() - beginMs;
      samples.push(await subject.measure(samples[0]));
    }
    failures.push(...(await subject.complaints(made)), ...judgeCounts(samples[0]!, samples.at(-1)!), ...judgeMemory(samples));
  } catch (error) {
    failures.push(`after ${made} restarts: ${(error as Error).message}`);
  } finally {
    await subject.close();
  }
  const after = await settled(before);
  failures.push(...judgeCounts(before, after).map((complaint) => `after the system was closed: ${complaint}`));
  return { placement, restarts: count, perRestartMs: elapsedMs / count, samples, before, after, failures };
}

/** What is ended and comes again. */
interface Subject {
  /** @param made so many times before */
  endOnce(made: number): Promise<void>;
  /** @param base the counts to come back to, which is waited for */
  measure(base?: Resources): Promise<Resources>;
  /** What is wrong beside leaks, after so many restarts. */
  complaints(made: number): Promise<readonly string[]>;
  close(): Promise<void>;
}

async function actorSubject(placement: Placement): Promise<Subject> {
  const system = await createSystem({ logLevel: 'error', supervisor: RESTART_ALWAYS });
  const gauge = await system.spawn({ id: 'gauge', start: GAUGE, placement: 'inline' }, gaugeProtocol);
  const actor = await system.spawn({ id: 'mortal', start: MORTAL, placement }, mortalProtocol);
  const ends = ENDS[placement];
  let { incarnation } = await actor.ask('life', {}, { deadlineMs: ASK_MS });
  return {
    async endOnce(made) {
      incarnation = await endLife(actor, ends[made % ends.length]!, incarnation);
    },
    measure: (base) => settled(base, gauge),
    complaints: (made) => countComplaints(system, made),
    close: () => system.close(RESTART_MS),
  };
}

/** Never gives up, never waits. */
export const RESTART_ALWAYS = { intensity: 1_000_000, periodMs: 1_000, backoff: { minMs: 0, maxMs: 0, jitter: 0 } } as const;

/** Ends the actor's life and waits for the next. @returns which that is */
async function endLife(actor: ActorRef<MortalSpec>, how: EndHow, incarnation: number): Promise<number> {
  const result = actor.tell('end', { how });
  if (result < 0) throw new Error(`'end' was not taken, with the result ${result}`);
  const endMs = performance.now() + RESTART_MS;
  for (;;) {
    const now = await actor.ask('life', {}, { deadlineMs: ASK_MS }).catch(() => undefined);
    if (now !== undefined && now.incarnation > incarnation) return now.incarnation;
    if (performance.now() > endMs) throw new Error(`life ${incarnation} was told to end by '${how}', and no next one has begun within ${RESTART_MS} ms`);
    await pause(0);
  }
}

async function countComplaints(system: System, made: number): Promise<readonly string[]> {
  const child = (await system.children()).find(({ id }) => id === 'mortal');
  return child?.restarts === made ? [] : [`${made} lives were ended, and the supervisor counts ${child?.restarts} restarts`];
}

function bareSubject(): Subject {
  return {
    endOnce: () =>
      new Promise((resolve, reject) => {
        const worker = new Worker('process.exit(1)', { eval: true });
        worker.once('error', reject);
        worker.once('exit', () => resolve());
      }),
    measure: (base) => settled(base),
    complaints: () => Promise.resolve([]),
    close: () => Promise.resolve(),
  };
}

/** Measures once the counts are back at those of `base`, or have had their time to get there. */
async function settled(base?: Resources, gauge?: Gauge): Promise<Resources> {
  const endMs = performance.now() + SETTLE_MS;
  for (;;) {
    const resources = await measureResources(gauge);
    if (base === undefined || judgeCounts(base, resources).length === 0 || performance.now() > endMs) return resources;
    await pause(SETTLE_LOOK_MS);
  }
}
