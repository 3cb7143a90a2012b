/**
 * The soak of inference: mixed load on two hosts of models, one with threads and one with isolated processes, while models
 * are swapped, unloaded and killed; and from time to time a quiet moment at which everything must add up: no call is
 * open, every text that a scheduler took is accounted for, and the process holds no more than at the first such moment.
 * All models are then the same as at every other one, freshly loaded, so what is compared is alike.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '../../kernel/index.ts';
import { createSystem } from '../../supervisors/index.ts';
import { createModelHost } from '../../actors/inference/hosting/model-host.ts';
import { estimateGgufMemory } from '../../actors/inference/models/memory-estimate.ts';
import type { SchedulerStats } from '../../actors/inference/scheduling/scheduler-stats.ts';
import { gaugeProtocol } from './actors/gauge.ts';
import { Changes, type Hosted } from './inference-changes.ts';
import { InferenceLoad, type LoadTarget } from './inference-load.ts';
import { writeModels, writeSpoilt } from './inference-models.ts';
import { Reference } from './inference-reference.ts';
import { soakTexts } from './inference-texts.ts';
import { closingReport, judgedOf, lastingComplaints, memoryComplaints, runCourse, type CourseReport, type SoakOptions, type SoakSample } from './course.ts';
import { measureResources, type Resources } from './resources.ts';
import { GAUGE } from './restarts.ts';
import { growthOf, judgeMemory, type TimedSample } from './thresholds.ts';

interface Counted {
  readonly works: number;
  readonly changes: number;
}

export type InferenceSoakSample = SoakSample & Counted;

export interface InferenceSoakReport extends CourseReport {
  readonly seed: number;
  readonly minutes: number;
  /** Calls by kind. */
  readonly works: Readonly<Record<string, number>>;
  /** Texts by what became of them. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Calls that were refused or given up, by code. */
  readonly refusals: Readonly<Record<string, number>>;
  readonly compared: number;
  readonly changes: Readonly<Record<string, number>>;
  /** Of models that were swapped in. */
  readonly loadsMs: readonly number[];
  /** Of isolated models whose process was killed. */
  readonly recoveriesMs: readonly number[];
  readonly before: Resources;
  readonly after: Resources;
}

/** Between two changes, and at most this part of the run. */
const CHANGE_EVERY_MS = 2_000;
const CHANGE_PART = 1 / 60;
/** The same for quiet moments. */
const QUIET_EVERY_MS = 30_000;
const QUIET_PART = 1 / 10;
/** However short the run and slow the machine. */
const QUIET_MIN = 4;
const CLOSE_MS = 120_000;
/** Shorter runs have seen too few models come and go for resident memory to be judged as the heaps are. */
const RSS_FROM_MINUTES = 5;
const SHORT_RSS_GROWTH_MAX = 1;

/** A run this long has a model in the shape of MiniLM among the others. */
const WIDE_FROM_MINUTES = 5;
const ACTORS = 2;
/** Of a cache that keeps a part of the texts, so that there are hits, misses and evictions. */
const CACHE_BYTES = 65_536;
/** Few enough for a flood to be refused. */
const LIMITS = { interactive: { textsMax: 256 } } as const;
const NAMES = { busy: 'busy', seldom: ['seldom', 'rare'], apart: 'apart' } as const;

export async function inferenceSoak({ minutes, seed, onSample = () => {} }: SoakOptions<Counted>): Promise<InferenceSoakReport> {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-inference-soak-'));
  try {
    return await soakIn(folder, { minutes, seed, onSample });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function soakIn(folder: string, { minutes, seed, onSample }: Required<SoakOptions<Counted>>): Promise<InferenceSoakReport> {
  const lengthMs = minutes * 60_000;
  const random = seededRandom(seed);
  const texts = soakTexts(random.fork('texts'));
  const paths = writeModels(folder, { wide: minutes >= WIDE_FROM_MINUTES });
  const reference = await Reference.compute(paths, texts.embeddable, folder);
  const models = reference.models.map((sha256, index) => ({ path: paths[index]!, sha256 }));
  const spoilt = writeSpoilt(folder);

  const before = await measureResources();
  const system = await createSystem({ logLevel: 'error' });
  const gauge = await system.spawn({ id: 'gauge', start: GAUGE, placement: 'inline' }, gaugeProtocol);
  const common = { cacheDir: folder, cacheBytes: CACHE_BYTES, limits: LIMITS };
  const threads = createModelHost(system, { ...common, actors: ACTORS, memoryBytes: budgetFor(paths) });
  const processes = createModelHost(system, { ...common, actors: 1, isolate: true, name: 'isolated' });
  const busy: Hosted = { host: threads, name: NAMES.busy };
  const seldom: Hosted[] = NAMES.seldom.map((name) => ({ host: threads, name }));
  const apart: Hosted = { host: processes, name: NAMES.apart };
  const changes = new Changes({ busy, seldom, apart, models, spoilt, random: random.fork('changes') });
  for (const hosted of [busy, ...seldom, apart]) changes.add(hosted);
  await changes.tour(busy);
  await processes.load(apart.name);
  const target = ({ host, name }: Hosted, width: number, restMs: number, mayEnd: readonly string[]): LoadTarget => ({ name, embedder: host.embedder(name), width, restMs, mayEnd: new Set(mayEnd) });
  const targets = [
    target(busy, 6, 30, ['embed_overloaded']),
    // While the process of an isolated model is killed again and again, a text may fail with it each time.
    target(apart, 2, 60, ['embed_overloaded', 'failed']),
    ...seldom.map((hosted) => target(hosted, 1, 4_000, ['embed_overloaded', 'model_budget_exceeded'])),
  ];
  const load = new InferenceLoad({ targets, texts, reference, random: random.fork('load') });

  const found = (): string[] => [...load.violations, ...changes.violations];
  const course = await runCourse({
    lengthMs, gauge, found,
    lanes: load.lanes,
    troubleEveryMs: Math.min(CHANGE_EVERY_MS, lengthMs * CHANGE_PART),
    trouble: () => changes.next(),
    quietEveryMs: Math.min(QUIET_EVERY_MS, lengthMs * QUIET_PART),
    quietMin: QUIET_MIN,
    async quietComplaints() {
      const complaints: string[] = [];
      for (const { name, embedder } of targets) complaints.push(...(await ledgerComplaints(name, () => embedder.stats)));
      await changes.renew(busy);
      await changes.settle(apart);
      for (const hosted of seldom) await changes.unload(hosted);
      return complaints;
    },
    onSample: (sample) => onSample({ ...sample, works: load.ended, changes: changes.made }),
  });
  await Promise.all([threads.close(), processes.close()]);
  await system.close(CLOSE_MS);
  const report = await closingReport(before, course, found(), minutes >= RSS_FROM_MINUTES ? memoryComplaints(course.samples) : shortComplaints(course.samples));
  const { works, outcomes, refusals } = load;
  const { tally, loadsMs, recoveriesMs } = changes;
  return { seed, minutes, works, outcomes, refusals, compared: reference.compared, changes: tally, loadsMs, recoveriesMs, before, ...report };
}

/** Native memory is still finding its level in a short run, so there its bound is a wide one; heaps are judged as in others. */
function shortComplaints(samples: readonly TimedSample[]): string[] {
  const judged = judgedOf(samples);
  const { total } = growthOf(judged.map(({ rssBytes }) => rssBytes));
  const ofHeaps = judgeMemory(judged.map((resources) => ({ ...resources, rssBytes: 0 })));
  return total <= SHORT_RSS_GROWTH_MAX ? ofHeaps : [...ofHeaps, `rssBytes: grew by ${(total * 100).toFixed(1)} % in a short run`];
}

/** Room for a busy model, for another one that is to replace it, and for a small one beside both; not for two. */
function budgetFor(paths: readonly string[]): number {
  const bytes = paths.map((path) => estimateGgufMemory(path, { actors: ACTORS }).totalBytes);
  return 2 * Math.max(...bytes) + Math.min(...bytes);
}

/** What of a scheduler does not add up while nothing is under way; units that nobody waits for come back a moment late. */
function ledgerComplaints(name: string, statsNow: () => SchedulerStats | undefined): Promise<string[]> {
  return lastingComplaints(() => {
    const stats = statsNow();
    return stats === undefined ? [] : complaintsOf(stats).map((complaint) => `${name}: ${complaint}`);
  });
}

function complaintsOf({ submitted, computed, deduplicated, cached, ended, rejected, outcomes, units, requests, jobs, roomWaiters, classes, cache }: SchedulerStats): string[] {
  const held = Object.values(classes).reduce((sum, { heldTexts, heldBytes, waitingTexts, waitingTokens, keys }) => sum + heldTexts + heldBytes + waitingTexts + waitingTokens + keys, 0);
  const decided = computed + deduplicated + cached + ended;
  const told = Object.values(outcomes).reduce((sum, texts) => sum + texts, 0);
  const open = { held, requests, jobs, roomWaiters, unitsInFlight: units.inFlight };
  return [
    ...Object.entries(open).flatMap(([what, value]) => (value === 0 ? [] : [`${what} is ${value} at a quiet moment`])),
    ...(submitted === decided + rejected ? [] : [`of ${submitted} texts ${decided + rejected} are accounted for`]),
    ...(decided === told ? [] : [`${decided} texts were decided, and ${told} outcomes told`]),
    ...(units.sent === units.answered + units.failed + units.withdrawn ? [] : [`of ${units.sent} units ${units.answered + units.failed + units.withdrawn} came back`]),
    ...(cache.bytes <= CACHE_BYTES ? [] : [`the cache has ${cache.bytes} bytes, and may have ${CACHE_BYTES}`]),
  ];
}

