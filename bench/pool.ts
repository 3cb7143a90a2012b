/**
 * How large libuv's pool should be while inference actors embed: as many threads as actors, or more?
 *
 *   application ── batches ──> 2 actors ── native calls ──> pool of n threads
 *
 * The pool hands a call to the thread that has been idle longest. With as many threads as actors that is
 * the one that has just finished, still on its core; with more, calls wander over the threads, and the
 * system, which remembers where each thread ran last, puts two on one core for a while.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { miniLmModel } from './models/minilm.ts';
import { median, table } from './statistics.ts';

export interface PoolResult {
  readonly threads: number;
  readonly textsPerSecond: number;
}

const ACTORS = 2;
const SIZES = [ACTORS, 4, 8];
const TOKENS = 64;

export async function run({ rounds = 3, texts = 800, print = () => {} }: { rounds?: number; texts?: number; print?: (line: string) => void } = {}): Promise<PoolResult[]> {
  const model = miniLmModel();
  const rates = new Map(SIZES.map((threads) => [threads, [] as number[]]));
  for (let round = 0; round < rounds; round++) {
    for (const threads of SIZES) rates.get(threads)!.push(texts / (await seconds(threads, model, texts)));
  }
  const results = SIZES.map((threads) => ({ threads, textsPerSecond: median(rates.get(threads)!) }));
  for (const line of table([
    [`${ACTORS} actors, ${TOKENS} tokens`, 'texts/s'],
    ...results.map(({ threads, textsPerSecond }) => [`pool of ${threads}`, textsPerSecond.toFixed(1)]),
  ])) print(line);
  return results;
}

async function seconds(threads: number, model: string, texts: number): Promise<number> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--conditions=spillway-src', new URL('./embed-way.ts', import.meta.url).pathname, `spillway-${ACTORS}`, model, String(TOKENS), String(texts)],
    { env: { ...process.env, UV_THREADPOOL_SIZE: String(threads) } },
  );
  return (JSON.parse(stdout.trim().split('\n').at(-1)!) as { seconds: number }).seconds;
}
