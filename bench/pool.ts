/**
 * How large libuv's pool should be while inference actors embed: as many threads as actors, or more?
 *
 *   application ── batches ──> 2 actors ── native calls ──> pool of n threads
 *
 * The pool hands a call to the thread that has been idle longest. With as many threads as actors that is
 * the one that has just finished, still on its core; with more, calls wander over the threads, and the
 * system, which remembers where each thread ran last, puts two on one core for a while.
 */
import { Contestant } from './inference/contestant.ts';
import { gguf } from './inference/sections/section.ts';
import { median, table } from './statistics.ts';

export interface PoolResult {
  readonly threads: number;
  readonly textsPerSecond: number;
}

const ACTORS = 2;
const SIZES = [ACTORS, 4, 8];
const TOKENS = 64;
const ROUNDS = 5;
const SECONDS = 4;

export async function run({ rounds = ROUNDS, seconds = SECONDS, print = () => {} }: { rounds?: number | undefined; seconds?: number | undefined; print?: (line: string) => void } = {}): Promise<PoolResult[]> {
  const model = gguf('Q8_0');
  const workload = { length: TOKENS };
  const rates = new Map(SIZES.map((threads) => [threads, [] as number[]]));
  const contestants = new Map<number, Contestant>();
  try {
    for (const threads of SIZES) contestants.set(threads, await Contestant.start({ way: 'Spillway', model, cores: ACTORS, poolThreads: threads }));
    for (const contestant of contestants.values()) await contestant.ask('prepare', { workload });
    for (let round = 0; round < rounds; round++) {
      for (const [threads, contestant] of contestants) {
        const rate = await contestant.ask('measure', { workload, seconds });
        rates.get(threads)!.push(rate.texts / rate.seconds);
      }
    }
  } finally {
    for (const contestant of contestants.values()) await contestant.close();
  }
  const results = SIZES.map((threads) => ({ threads, textsPerSecond: median(rates.get(threads)!) }));
  for (const line of table([
    [`${ACTORS} actors, ${TOKENS} tokens`, 'texts/s'],
    ...results.map(({ threads, textsPerSecond }) => [`pool of ${threads}`, textsPerSecond.toFixed(1)]),
  ])) print(line);
  return results;
}
