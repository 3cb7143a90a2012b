/**
 * When a growth is a leak.
 *
 * What is counted, as threads or descriptors, must be back where it was. Of memory a part stays that no further
 * run adds to: code that was compiled, arenas of the allocator. It is therefore judged as undici judges its heap
 * (its test `tls-cert-leak`), by samples after equal parts of the work: it leaks if it has grown by more than
 * 25 % in all, or by more than 20 % with more than 2 % a part on average. Of a long run also what follows the
 * first half hour counts: heaps that rise by no more than 1 % an hour, and no more than 10 % of resident memory.
 */
import type { Resources } from './resources.ts';

export const COUNTED = ['threads', 'processes', 'descriptors', 'sharedMappings', 'activeResources'] as const satisfies readonly (keyof Resources)[];
export const MEMORY = ['applicationHeapBytes', 'guardianHeapBytes', 'externalBytes', 'rssBytes'] as const satisfies readonly (keyof Resources)[];
export type MemoryName = (typeof MEMORY)[number];

const TOTAL_GROWTH_MAX = 0.25;
const STEADY_TOTAL_MAX = 0.2;
const STEADY_MEAN_MAX = 0.02;
/** As a part of the value. */
const SLOPE_PER_HOUR_MAX = 0.01;
const LATE_RSS_MAX = 0.1;
const SLOPE_FROM_MS = 1_800_000;
export const THRESHOLDS_IN_WORDS =
  'threads, processes, descriptors, shared mappings, active resources: as at the start; memory: at most 25 % more in all, and not more than 20 % with more than 2 % a part (undici)';

/** Complaints about what is not back where it was. */
export function judgeCounts(start: Resources, end: Resources): string[] {
  return COUNTED.filter((name) => end[name] > start[name]).map((name) => `${name}: ${start[name]} at the start, ${end[name]} at the end`);
}

/** Complaints about memory that grows from sample to sample. */
export function judgeMemory(samples: readonly Resources[]): string[] {
  return MEMORY.flatMap((name) => {
    const values = samples.map((sample) => sample[name]);
    const { total, mean } = growthOf(values);
    if (total <= TOTAL_GROWTH_MAX && !(total > STEADY_TOTAL_MAX && mean > STEADY_MEAN_MAX)) return [];
    return [`${name}: grew by ${percent(total)}, ${percent(mean)} a part on average`];
  });
}

/** Of the last value over the first, and the mean from each to the next, as parts. */
export function growthOf(values: readonly number[]): { total: number; mean: number } {
  const steps = values.slice(1).map((value, index) => value / values[index]! - 1);
  const total = values.length < 2 || values[0] === 0 ? 0 : values.at(-1)! / values[0]! - 1;
  return { total, mean: steps.length === 0 || values[0] === 0 ? 0 : steps.reduce((sum, step) => sum + step, 0) / steps.length };
}

/** One moment of a long run. */
export interface TimedSample {
  readonly atMs: number;
  readonly resources: Resources;
}

/** Complaints about a slope, if the run has lasted long enough beyond its first half hour to have one. */
export function judgeSlope(samples: readonly TimedSample[]): string[] {
  const late = samples.filter(({ atMs }) => atMs >= SLOPE_FROM_MS);
  if (late.length < 2 || late.at(-1)!.atMs - late[0]!.atMs < SLOPE_FROM_MS / 2) return [];
  const rising = (['applicationHeapBytes', 'guardianHeapBytes'] as const).flatMap((name) => {
    const slope = slopePerHour(late, name);
    return slope <= SLOPE_PER_HOUR_MAX ? [] : [`${name}: rises by ${percent(slope)} an hour after the first half hour`];
  });
  // The machine takes resident memory back and gives it again as it likes, so two long whiles are compared, not two moments.
  const quarter = Math.ceil(late.length / 4);
  const mean = (part: readonly TimedSample[]): number => average(part.map(({ resources }) => resources.rssBytes));
  const { total } = growthOf([mean(late.slice(0, quarter)), mean(late.slice(-quarter))]);
  return total <= LATE_RSS_MAX ? rising : [...rising, `rssBytes: grew by ${percent(total)} after the first half hour`];
}

/** Least squares over all samples, as a part of their mean an hour. */
function slopePerHour(samples: readonly TimedSample[], name: MemoryName): number {
  const meanMs = average(samples.map(({ atMs }) => atMs));
  const mean = average(samples.map(({ resources }) => resources[name]));
  let products = 0;
  let squares = 0;
  for (const { atMs, resources } of samples) {
    products += (atMs - meanMs) * (resources[name] - mean);
    squares += (atMs - meanMs) ** 2;
  }
  return squares === 0 || mean === 0 ? 0 : ((products / squares) * 3_600_000) / mean;
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function percent(part: number): string {
  return `${(part * 100).toFixed(1)} %`;
}
