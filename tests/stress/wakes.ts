/** Two threads that put each other to sleep and wake each other, until they have slept often enough. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { SharedCounters, createSpscRing } from 'atomics-ring-buffer';
import type { Report, Watch } from './run.ts';

export const FOUND = ['slept', 'woken', 'lost'] as const;

export interface WakesTask {
  readonly outbound: SharedArrayBuffer;
  readonly inbound: SharedArrayBuffer;
  /** Whether this thread sends the first record. */
  readonly first: boolean;
  readonly cycles: number;
  readonly board: SharedArrayBuffer;
}

/** Rounds of one pair of threads; a pair whose threads meet awake sleeps less often than once a round. */
const ROUNDS = 100_000;

export async function wakes(count: number, watch: Watch): Promise<Report> {
  const board = new SharedArrayBuffer(SharedCounters.bytes(FOUND));
  const found = new SharedCounters(board, 0, FOUND);
  let rounds = 0;
  const began = performance.now();
  const play = async (): Promise<void> => {
    while (found.read('slept') < count) {
      const cycles = Math.min(ROUNDS, count);
      const [there, back] = [createSpscRing({ capacityBytes: 64 }), createSpscRing({ capacityBytes: 64 })];
      const start = (task: WakesTask): Promise<unknown> =>
        once(new Worker(new URL('./wakes-worker.ts', import.meta.url), { workerData: task }), 'exit');
      await Promise.all([
        start({ outbound: there, inbound: back, first: true, cycles, board }),
        start({ outbound: back, inbound: there, first: false, cycles, board }),
      ]);
      rounds += cycles;
    }
  };
  await watch(() => found.read('slept') / count, play());
  const { slept, woken, lost } = found.snapshot();
  return {
    figures: {
      'round trips': rounds,
      'sleep/wake cycles': slept,
      'rings that woke somebody': woken,
      'lost wake-ups': lost,
      'microseconds a round trip': Number((((performance.now() - began) * 1_000) / rounds).toFixed(1)),
    },
    failures: [lost === 0 ? '' : `${lost} wake-ups were lost`, slept >= count ? '' : `only ${slept} sleeps`],
  };
}
