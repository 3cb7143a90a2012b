/**
 * Typed messages from thread to thread: a lane of shared memory against `postMessage`.
 *
 *   spsc       worker A ── messages ──> worker B        one way, as fast as B takes them
 *   ping-pong  worker A <── message ──> worker B        one message in the air, then the other waits
 *
 * Both ways carry the same object of 64 encoded bytes from one worker thread to another and end with a
 * JavaScript object that is read. Rounds alternate, so that drift hits both.
 *
 * A round trip is two wake-ups, and what a wake-up costs is decided by where the system puts the
 * threads: on one core it is a switch, on two it is the waking of an idle core, which on a virtual
 * machine can take twenty times as long as all that a lane or a port does. So round trips, in which the
 * waiting side of a lane always parks, are measured twice: with both threads on one core (where the
 * system can pin a process), and as the system places them.
 */
import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import type { LanesReport } from './lanes-pair.ts';
import { median, quantile, table } from './statistics.ts';

export type LanesWay = 'lane' | 'port';
export const PLACEMENTS = ['one core', 'as placed'] as const;
export type LanesPlacement = (typeof PLACEMENTS)[number];

export interface RoundTrip {
  readonly p50: number;
  readonly p99: number;
}

export interface LanesResult {
  readonly messagesPerSecond: Record<LanesWay, number>;
  /** Lane over port, median over the rounds. */
  readonly throughputRatio: number;
  /** Microseconds. */
  readonly roundTripUs: Record<LanesPlacement, Record<LanesWay, RoundTrip>>;
}

export interface LanesOptions {
  readonly rounds?: number;
  readonly laneMessages?: number;
  readonly portMessages?: number;
  readonly trips?: number;
  readonly print?: (line: string) => void;
}

export async function run({ rounds = 5, laneMessages = 2_000_000, portMessages = 200_000, trips = 40_000, print = () => {} }: LanesOptions = {}): Promise<LanesResult> {
  const placements = PLACEMENTS.filter((placement) => placement !== 'one core' || canPin());
  const rates: Record<LanesWay, number[]> = { lane: [], port: [] };
  const trip = Object.fromEntries(PLACEMENTS.map((placement) => [placement, { lane: [] as number[], port: [] as number[] }])) as Record<LanesPlacement, Record<LanesWay, number[]>>;
  for (let round = 0; round < rounds; round++) {
    for (const way of ['lane', 'port'] as const) {
      const count = way === 'lane' ? laneMessages : portMessages;
      rates[way].push((count / (await pair(way, 'spsc', count, 'as placed')).elapsedMs) * 1_000);
      for (const placement of placements) trip[placement][way].push(...(await pair(way, 'ping-pong', trips, placement)).roundTripsUs);
    }
  }
  const percentiles = (values: readonly number[]): RoundTrip => ({ p50: quantile(values, 0.5), p99: quantile(values, 0.99) });
  const result: LanesResult = {
    messagesPerSecond: { lane: median(rates.lane), port: median(rates.port) },
    throughputRatio: median(rates.lane.map((rate, index) => rate / rates.port[index]!)),
    roundTripUs: Object.fromEntries(PLACEMENTS.map((placement) => [
      placement,
      { lane: percentiles(trip[placement].lane), port: percentiles(trip[placement].port) },
    ])) as LanesResult['roundTripUs'],
  };
  const million = (rate: number): string => `${(rate / 1e6).toFixed(2)} M/s`;
  const us = (value: number): string => `${value.toFixed(1)} us`;
  for (const line of table([
    ['64-byte typed messages', 'lane', 'postMessage', 'ratio'],
    ['one way', million(result.messagesPerSecond.lane), million(result.messagesPerSecond.port), `${result.throughputRatio.toFixed(1)} x`],
    ...placements.flatMap((placement) => (['p50', 'p99'] as const).map((q) => {
      const { lane, port } = result.roundTripUs[placement];
      return [`parked round trip, ${placement}, ${q}`, us(lane[q]), us(port[q]), `${(port[q] / lane[q]).toFixed(1)} x`];
    })),
  ])) print(line);
  return result;
}

/** One scenario in a process of its own. */
async function pair(way: LanesWay, scenario: 'spsc' | 'ping-pong', count: number, placement: LanesPlacement): Promise<LanesReport> {
  const script = new URL('./lanes-pair.ts', import.meta.url).pathname;
  const command = [process.execPath, '--conditions=spillway-src', script, way, scenario, String(count)];
  const [file, ...args] = placement === 'one core' ? ['taskset', '-c', '0', ...command] : command;
  const { stdout } = await promisify(execFile)(file!, args, { maxBuffer: 64 * 1024 * 1024 });
  return JSON.parse(stdout) as LanesReport;
}

function canPin(): boolean {
  try {
    execFileSync('taskset', ['-c', '0', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
