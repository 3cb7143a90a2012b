/**
 * Ways that do the same work, compared: each in a process of its own that stays, taking turns in every round, the
 * first of a round another one each time. A ratio is taken within a round and its median over the rounds.
 *
 * Before a way's figure counts, its vectors are held against those of the reference, one by one.
 */
import { textOfTokens } from '../models/minilm.ts';
import { median } from '../statistics.ts';
import { Contestant } from './contestant.ts';
import type { Choice, Entrant, Vectors, Way, Workload } from './task.ts';

/** Texts whose vectors are compared: shorter and longer than every threshold by which a way might choose. */
const CHECK_TOKENS = [4, 9, 16, 33, 63, 64, 65, 128, 200, 256, 400, 64, 16, 9];
/** Far from the seeds of what is measured. */
const CHECK_SEED = 900_000_000;
/** How near to the reference a vector has to be, as cosine. */
const COSINE_MIN = 0.9999;
/** With int8 activations it depends on what else is in a call, and of who fuses by hand no more is asked than that it is the same model. */
const COSINE_MIN_INT8_PEER = 0.999;

export interface Task {
  readonly entrants: readonly Entrant[];
  /** Whose vectors are right. One of the entrants, and the variant of it that embeds one by one. */
  readonly reference: { readonly way: Way; readonly variant?: string };
  readonly workloads: readonly Workload[];
  readonly seconds: number;
  readonly rounds: number;
  /** Ways so slow that one round has to do, and the mix is left out. */
  readonly onlyOnce?: readonly Way[];
  /** Asked before each round but the first. */
  readonly isInTime: (lastRoundMs: number) => boolean;
}

export interface Comparison {
  readonly rounds: number;
  readonly workloads: readonly { readonly workload: Workload; readonly figures: readonly Figure[] }[];
  /** By way: the least cosine to the reference of any vector of any variant. */
  readonly cosineMin: Partial<Record<Way, number>>;
  readonly failures: readonly { readonly way: Way; readonly message: string }[];
}

export interface Figure {
  readonly way: Way;
  readonly variant: string;
  /** One for each round. */
  readonly rates: readonly number[];
}

export async function compare(task: Task): Promise<Comparison> {
  const rates = new Map<string, { readonly choice: Choice; readonly rates: number[] }>();
  const failures: Comparison['failures'][number][] = [];
  const cosineMin: Comparison['cosineMin'] = {};
  let contestants: Contestant[] = [];
  const attempt = async <T>(way: Way, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      failures.push({ way, message: (error as Error).message });
      contestants = contestants.filter((contestant) => contestant.way !== way);
      return undefined;
    }
  };
  const started: Contestant[] = [];
  try {
    for (const entrant of task.entrants) {
      const contestant = await attempt(entrant.way, () => Contestant.start(entrant));
      if (contestant !== undefined) started.push(contestant);
    }
    contestants = [...started];
    Object.assign(cosineMin, await checkVectors(task, contestants, attempt));
    for (const { way } of contestants) {
      const cosine = cosineMin[way] ?? 0;
      if (cosine >= leastCosine(task, way)) continue;
      const why = cosineMin[task.reference.way] === undefined ? 'there is no reference to hold its vectors against' : `its vectors are not those of the model (least cosine ${cosine.toFixed(5)})`;
      await attempt(way, () => Promise.reject(new Error(`not measured, for ${why}`)));
    }
    const isWorth = (way: Way, workload: Workload): boolean => !(task.onlyOnce?.includes(way) === true && workload.length === 'mixed');
    for (const workload of task.workloads) {
      for (const contestant of contestants.filter(({ way }) => isWorth(way, workload))) {
        const choice = await attempt(contestant.way, () => contestant.ask('prepare', { workload }));
        if (choice !== undefined) rates.set(keyOf(contestant.way, workload), { choice, rates: [] });
      }
    }
    let round = 0;
    for (let lastMs = 0; round < task.rounds && (round === 0 || task.isInTime(lastMs)); round++) {
      const beganMs = performance.now();
      for (const workload of task.workloads) {
        const order = contestants.map((_, place) => contestants[(place + round) % contestants.length]!);
        for (const contestant of order.filter(({ way }) => isWorth(way, workload) && (round === 0 || task.onlyOnce?.includes(way) !== true))) {
          const rate = await attempt(contestant.way, () => contestant.ask('measure', { workload, seconds: task.seconds }));
          if (rate !== undefined) rates.get(keyOf(contestant.way, workload))!.rates.push(rate.texts / rate.seconds);
        }
      }
      lastMs = performance.now() - beganMs;
    }
    const measured = contestants.map(({ way }) => way);
    const workloads = task.workloads.map((workload) => ({
      workload,
      figures: measured.filter((way) => isWorth(way, workload)).map((way) => {
        const { choice: { variant }, rates: all } = rates.get(keyOf(way, workload))!;
        return { way, variant, rates: all };
      }),
    }));
    return { rounds: round, workloads, cosineMin, failures };
  } finally {
    for (const contestant of started) await contestant.close();
  }
}

/** Texts per second, the median over the rounds. */
export function rateOf({ rates }: Figure): number {
  return median(rates);
}

/** How many times as fast one way is as another, the median of the ratios within each round that both took part in. */
export function timesFaster(own: Figure, other: Figure): number {
  const rounds = Math.min(own.rates.length, other.rates.length);
  return median(Array.from({ length: rounds }, (_, round) => own.rates[round]! / other.rates[round]!));
}

function keyOf(way: Way, workload: Workload): string {
  return `${way} ${JSON.stringify(workload)}`;
}

function leastCosine({ entrants }: Task, way: Way): number {
  return entrants[0]!.model.type === 'int8' && !way.startsWith('Spillway') ? COSINE_MIN_INT8_PEER : COSINE_MIN;
}

type Attempt = <T>(way: Way, work: () => Promise<T>) => Promise<T | undefined>;

async function checkVectors({ reference, onlyOnce = [] }: Task, contestants: readonly Contestant[], attempt: Attempt): Promise<Comparison['cosineMin']> {
  const texts = CHECK_TOKENS.map((tokens, index) => textOfTokens(tokens, CHECK_SEED + index));
  const all = new Map<Way, readonly Vectors[]>();
  for (const contestant of contestants) {
    // For a way that takes a second for each text, the short ones have to do.
    const asked = onlyOnce.includes(contestant.way) ? texts.slice(0, 3) : texts;
    const vectors = await attempt(contestant.way, () => contestant.ask('vectors', { texts: asked }));
    if (vectors !== undefined) all.set(contestant.way, vectors);
  }
  const right = all.get(reference.way)?.find(({ variant }) => reference.variant === undefined || variant === reference.variant);
  if (right === undefined) return {};
  return Object.fromEntries([...all].map(([way, variants]) => [way, Math.min(...variants.flatMap(({ rows }) => rows.map((row, index) => cosine(row, right.rows[index]!))))]));
}

/** Of two vectors of length 1; 0 if one of them is missing or of another size. */
function cosine(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length || a.length === 0) return 0;
  const sum = a.reduce((total, value, index) => total + value * b[index]!, 0);
  return Number.isFinite(sum) ? sum : 0;
}
