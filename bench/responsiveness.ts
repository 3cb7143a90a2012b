/**
 * How late the application's event loop is while texts are embedded at full speed.
 *
 *   idle        nothing but the loop
 *   spillway    application ── batches ──> inference actors on threads of their own
 *   same-thread node-llama-cpp on the application's own thread, `Promise.all` over the same texts
 *
 * Delay is what `monitorEventLoopDelay` sees beyond its own resolution, in a process of its own for
 * each way; idle is measured in every process before the load. On a machine whose cores are all busy
 * embedding, the operating system's scheduling is part of the figure.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { poolFor } from './embedding-ways.ts';
import { miniLmModel } from './models/minilm.ts';
import { table } from './statistics.ts';

export const RESPONSIVENESS_WAYS = ['spillway-1', 'spillway-2', 'same-thread'] as const;
export type ResponsivenessWay = (typeof RESPONSIVENESS_WAYS)[number];

export interface Delay {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface ResponsivenessReport {
  readonly idle: Delay;
  readonly loaded: Delay;
  readonly textsPerSecond: number;
}

export interface ResponsivenessOptions {
  readonly seconds?: number;
  readonly print?: (line: string) => void;
}

export async function run({ seconds = 8, print = () => {} }: ResponsivenessOptions = {}): Promise<Record<ResponsivenessWay, ResponsivenessReport>> {
  const model = miniLmModel();
  const reports: [ResponsivenessWay, ResponsivenessReport][] = [];
  for (const way of RESPONSIVENESS_WAYS) reports.push([way, await measure(way, model, seconds)]);
  const cells = ({ p50Ms, p99Ms, maxMs }: Delay): string[] => [p50Ms, p99Ms, maxMs].map((ms) => `${ms.toFixed(2)} ms`);
  for (const line of table([
    ['event-loop delay', 'idle p50', 'p99', 'max', 'loaded p50', 'p99', 'max', 'p99 beyond idle', 'texts/s'],
    ...reports.map(([way, { idle, loaded, textsPerSecond }]) => [
      way,
      ...cells(idle),
      ...cells(loaded),
      `${(loaded.p99Ms - idle.p99Ms).toFixed(2)} ms`,
      textsPerSecond.toFixed(0),
    ]),
  ])) print(line);
  return Object.fromEntries(reports) as Record<ResponsivenessWay, ResponsivenessReport>;
}

async function measure(way: ResponsivenessWay, model: string, seconds: number): Promise<ResponsivenessReport> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--conditions=spillway-src', new URL('./responsiveness-way.ts', import.meta.url).pathname, way, model, String(seconds)],
    { env: poolFor(way) },
  );
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as ResponsivenessReport;
}
