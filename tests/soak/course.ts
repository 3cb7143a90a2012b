/**
 * The course of every soak: trouble at intervals while a load goes on, and from time to time a quiet moment at which everything
 * must add up: no piece of work is open, and the process holds no more than at the first such moment.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Lanes } from './lanes.ts';
import { measureResources, type Gauge, type Resources } from './resources.ts';
import { judgeCounts, judgeMemory, judgeSlope, type TimedSample } from './thresholds.ts';

/** What begins a soak. `Progress` is what it counts. */
export interface SoakOptions<Progress extends object> {
  readonly minutes: number;
  readonly seed: number;
  readonly onSample?: (sample: SoakSample & Progress) => void;
}

export interface SoakSample {
  readonly atMs: number;
  readonly resources: Resources;
  /** All so far. */
  readonly violations: readonly string[];
}

/** What every soak reports. */
export interface CourseReport {
  readonly quietMoments: number;
  readonly samples: readonly TimedSample[];
  readonly violations: readonly string[];
}

export interface CourseSpec {
  readonly lengthMs: number;
  readonly lanes: Lanes;
  readonly gauge: Gauge;
  /** Between two troubles. Before each quiet moment there is one at least. */
  readonly troubleEveryMs: number;
  trouble(): Promise<unknown>;
  /** Between two quiet moments. */
  readonly quietEveryMs: number;
  /** However short the run and slow the machine. Default 1. */
  readonly quietMin?: number;
  /** What does not add up at a quiet moment. When it answers, what is there is alike at all of them. */
  quietComplaints(): Promise<string[]>;
  /** What load and trouble have found. */
  found(): readonly string[];
  onSample(sample: SoakSample): void;
}

/** What is compiled and allocated in this part of the run, or this time, is not judged. */
const WARM_UP_PART = 1 / 4;
const WARM_UP_MAX_MS = 300_000;
/** Samples that the memory is judged by. */
const JUDGED = 9;
const VIOLATIONS_SHOWN = 100;
/** Threads and processes that end take a moment to be gone. */
const SETTLE_MS = 30_000;
const SETTLE_LOOK_MS = 20;

/** Runs for `lengthMs`, and until there were enough quiet moments. The load has ended then. */
export async function runCourse({ lengthMs, lanes, gauge, troubleEveryMs, trouble, quietEveryMs, quietMin = 1, quietComplaints, found, onSample }: CourseSpec): Promise<CourseReport> {
  const violations: string[] = [];
  const samples: TimedSample[] = [];
  const beginMs = performance.now();
  const passedMs = (): number => performance.now() - beginMs;
  const warmUpMs = Math.min(WARM_UP_MAX_MS, lengthMs * WARM_UP_PART);
  let quietMoments = 0;
  let nextTroubleMs = 0;
  while (passedMs() < lengthMs || quietMoments < quietMin) {
    const quietMs = passedMs() + quietEveryMs;
    do {
      nextTroubleMs = Math.max(nextTroubleMs + troubleEveryMs, passedMs());
      await trouble();
      violations.push(...lanes.overdue());
      await pause(Math.max(0, Math.min(nextTroubleMs, quietMs) - passedMs()));
    } while (passedMs() < quietMs);
    if (!(await lanes.pause())) violations.push(`${lanes.open} pieces of work are open long after their deadlines`);
    quietMoments++;
    violations.push(...(await quietComplaints()));
    const resources = await settled(samples[0]?.resources, gauge);
    if (passedMs() >= warmUpMs) samples.push({ atMs: passedMs(), resources });
    if (samples.length > 0) violations.push(...judgeCounts(samples[0]!.resources, resources));
    onSample({ atMs: passedMs(), resources, violations: [...found(), ...violations] });
    lanes.resume();
  }
  await lanes.end();
  return { quietMoments, samples, violations };
}

/** What is left when the system is closed, and what of the rest is told. */
export async function closingReport(before: Resources, { quietMoments, samples, violations }: CourseReport, found: readonly string[], memoryComplaints: readonly string[]): Promise<CourseReport & { readonly after: Resources }> {
  const after = await settled(before);
  const left = judgeCounts(before, after).map((complaint) => `after the system was closed: ${complaint}`);
  return { quietMoments, samples, after, violations: [...new Set([...found, ...violations, ...left, ...memoryComplaints])].slice(0, VIOLATIONS_SHOWN) };
}

/** The samples that the memory is judged by. */
export function judgedOf(samples: readonly TimedSample[]): Resources[] {
  return evenly(samples.map(({ resources }) => resources), JUDGED);
}

export function memoryComplaints(samples: readonly TimedSample[]): string[] {
  return [...judgeMemory(judgedOf(samples)), ...judgeSlope(samples)];
}

/** What does not add up, looked at until it does or there was time enough: counts come a moment late. */
export async function lastingComplaints(complaints: () => string[] | Promise<string[]>): Promise<string[]> {
  const endMs = performance.now() + SETTLE_MS;
  for (;;) {
    const found = await complaints();
    if (found.length === 0 || performance.now() > endMs) return found;
    await pause(SETTLE_LOOK_MS);
  }
}

/** The resources once nothing that is counted is above `base`, or when it has not become so in time. */
async function settled(base: Resources | undefined, gauge?: Gauge): Promise<Resources> {
  let resources!: Resources;
  await lastingComplaints(async () => {
    resources = await measureResources(gauge);
    return base === undefined ? [] : judgeCounts(base, resources);
  });
  return resources;
}

/** So many of the items, the first and the last among them. */
function evenly<Item>(items: readonly Item[], count: number): Item[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, index) => items[Math.round((index * (items.length - 1)) / (count - 1))]!);
}
