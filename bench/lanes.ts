/**
 * Typed messages from thread to thread: a lane of shared memory against `postMessage`.
 *
 *   spsc       worker A ── messages ──> worker B        one way, as fast as B takes them
 *   ping-pong  worker A <── message ──> worker B        one message in the air, both sides asleep between
 *
 * Both ways carry the same object of 64 encoded bytes from one worker thread to another and end with
 * a JavaScript object that is read. The lanes' waiting side parks at once (no spinning), because that
 * is what a machine without an idle core does. Rounds alternate, so that drift hits both.
 */
import { MessageChannel, Worker } from 'node:worker_threads';
import { createSpscRing } from 'atomics-ring-buffer';
import { median, quantile, table } from './statistics.ts';

export type LanesWay = 'lane' | 'port';
export interface LanesTask {
  readonly way: LanesWay;
  readonly scenario: 'spsc' | 'ping-pong';
  readonly role: 'a' | 'b';
  readonly count: number;
  readonly out?: SharedArrayBuffer;
  readonly in?: SharedArrayBuffer;
  readonly port?: import('node:worker_threads').MessagePort;
}
/** What one side reports: for `spsc` the time of all messages, for `ping-pong` each round trip. */
export interface LanesReport {
  readonly elapsedMs: number;
  readonly roundTripsUs: readonly number[];
}

export interface LanesResult {
  readonly messagesPerSecond: Record<LanesWay, number>;
  readonly throughputRatio: number;
  readonly roundTripUs: Record<LanesWay, { p50: number; p99: number }>;
  readonly roundTripRatio: { p50: number; p99: number };
}

export interface LanesOptions {
  readonly rounds?: number;
  readonly laneMessages?: number;
  readonly portMessages?: number;
  readonly trips?: number;
  readonly print?: (line: string) => void;
}

const RING_BYTES = 1024 * 1024;

export async function run({ rounds = 5, laneMessages = 2_000_000, portMessages = 200_000, trips = 20_000, print = () => {} }: LanesOptions = {}): Promise<LanesResult> {
  const rates: Record<LanesWay, number[]> = { lane: [], port: [] };
  const roundTrips: Record<LanesWay, number[]> = { lane: [], port: [] };
  for (let round = 0; round < rounds; round++) {
    for (const way of ['lane', 'port'] as const) {
      const count = way === 'lane' ? laneMessages : portMessages;
      rates[way].push((count / (await pair(way, 'spsc', count)).elapsedMs) * 1_000);
      roundTrips[way].push(...(await pair(way, 'ping-pong', trips)).roundTripsUs);
    }
  }
  const percentiles = (way: LanesWay) => ({ p50: quantile(roundTrips[way], 0.5), p99: quantile(roundTrips[way], 0.99) });
  const result: LanesResult = {
    messagesPerSecond: { lane: median(rates.lane), port: median(rates.port) },
    throughputRatio: median(rates.lane.map((rate, index) => rate / rates.port[index]!)),
    roundTripUs: { lane: percentiles('lane'), port: percentiles('port') },
    roundTripRatio: {
      p50: percentiles('port').p50 / percentiles('lane').p50,
      p99: percentiles('port').p99 / percentiles('lane').p99,
    },
  };
  const row = (way: LanesWay, name: string): string[] => [
    name,
    `${(result.messagesPerSecond[way] / 1e6).toFixed(2)} M/s`,
    `${result.roundTripUs[way].p50.toFixed(1)} us`,
    `${result.roundTripUs[way].p99.toFixed(1)} us`,
  ];
  for (const line of table([
    ['64-byte typed messages', 'one way', 'round trip p50', 'p99'],
    row('lane', 'lane, parked'),
    row('port', 'postMessage'),
    ['lane is better by', `${result.throughputRatio.toFixed(1)} x`, `${result.roundTripRatio.p50.toFixed(1)} x`, `${result.roundTripRatio.p99.toFixed(1)} x`],
  ])) print(line);
  return result;
}

async function pair(way: LanesWay, scenario: LanesTask['scenario'], count: number): Promise<LanesReport> {
  const ring = (): SharedArrayBuffer => createSpscRing({ capacityBytes: RING_BYTES });
  const there = ring();
  const back = ring();
  const { port1, port2 } = new MessageChannel();
  const b = side({ way, scenario, role: 'b', count, in: there, out: back, port: port2 });
  const a = side({ way, scenario, role: 'a', count, in: back, out: there, port: port1 });
  const [reportA, reportB] = await Promise.all([a, b]);
  return scenario === 'spsc' ? reportB : reportA;
}

function side(task: LanesTask): Promise<LanesReport> {
  const worker = new Worker(new URL('./lanes-worker.ts', import.meta.url), { workerData: task, transferList: [task.port!] });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}
