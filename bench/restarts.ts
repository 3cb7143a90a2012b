/**
 * How long it takes until something that failed does its work again, in all the places where it can live, and
 * what becomes of the work that waited.
 *
 *   fault ──> detected ──> ready
 *
 * The fault is the last thing that failing code does; it is detected when whoever restarts it knows of the end;
 * it is ready when the next message or task is handled. All three are read from the machine's monotonic clock.
 * No back-off: what is measured is what a restart costs. Behind each fault wait 10 asks or tasks.
 *
 * In our own rows a witness on the guardian's thread begins the next life, as the root supervisor does. Between
 * two rounds the machine comes to rest. Every way runs in a process of its own; the ways take turns.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { measureBeam } from './restarts/beam.ts';
import { WAYS, type Report, type Restart, type Steps, type Way } from './restarts/task.ts';
import { median, quantile, table } from './statistics.ts';

export interface RestartsResult {
  readonly ways: Readonly<Partial<Record<Way, Report>>>;
  readonly failures: readonly { readonly way: Way; readonly message: string }[];
}

const ROUNDS = 100;
const CHILD = fileURLToPath(new URL('./restarts/child.ts', import.meta.url));
const SPARE_MS = 60_000;
/** What one round may take, its pause included. */
const ROUND_MS = 3_000;
/** What each of our places is to keep to, milliseconds at the 99th percentile; the process has no model to load. */
const BOUNDS: Partial<Record<Way, number>> = { 'light actor': 1, 'thread, standby': 5, thread: 150, process: 2_000 };

export async function run({ rounds = ROUNDS, print = () => {} }: { readonly rounds?: number | undefined; readonly print?: (line: string) => void } = {}): Promise<RestartsResult> {
  const ways: Partial<Record<Way, Report>> = {};
  const failures: { readonly way: Way; readonly message: string }[] = [];
  const cache = await mkdtemp(join(tmpdir(), 'spillway-restarts-'));
  try {
    for (const way of WAYS) {
      try {
        const report = way === 'Erlang process' ? await measureBeam(rounds) : await inChild(way, rounds, cache);
        if (report === undefined) print('Erlang is not installed, so its row is left out (it takes erl and erlc).');
        else ways[way] = report;
      } catch (error) {
        failures.push({ way, message: lastLineOf(error) });
      }
    }
  } finally {
    await rm(cache, { recursive: true, force: true });
  }
  print(`${rounds} restarts each.`);
  for (const line of [...times(ways), ...work(ways), ...steps(ways)]) print(line);
  for (const { way, message } of failures) print(`NOT MEASURED: ${way}: ${message}`);
  return { ways, failures };
}

async function inChild(way: Way, rounds: number, cache: string): Promise<Report> {
  const env = way === 'thread, nothing compiled' ? { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1' } : { ...process.env, NODE_COMPILE_CACHE: cache };
  const command = ['--conditions=spillway-src', CHILD, way, String(rounds)];
  const { stdout } = await promisify(execFile)(process.execPath, command, { env, timeout: SPARE_MS + rounds * ROUND_MS, maxBuffer: 64 * 1024 * 1024 });
  return JSON.parse(stdout) as Report;
}

function times(ways: RestartsResult['ways']): string[] {
  const erlang = medianToReady(ways['Erlang process']);
  const rows = entries(ways).map(([way, { restarts }]) => {
    const ready = restarts.map(({ faultMs, readyMs }) => readyMs - faultMs);
    const detected = restarts.map(({ faultMs, detectedMs }) => detectedMs - faultMs);
    const bound = BOUNDS[way];
    return [
      way,
      ...[median(detected), quantile(detected, 0.99), median(ready), quantile(ready, 0.99), Math.max(...ready)].map((ms) => ms.toFixed(2)),
      bound === undefined ? '' : `${bound} ms: ${quantile(ready, 0.99) <= bound ? 'met' : 'NOT MET'}`,
      erlang === undefined ? '-' : `${(median(ready) / erlang).toFixed(1)} x`,
    ];
  });
  return ['', ...table([['from the fault, ms', 'detected p50', 'p99', 'ready p50', 'p99', 'max', 'bound of the p99', "Erlang's p50"], ...rows])];
}

function work(ways: RestartsResult['ways']): string[] {
  const rows = entries(ways).filter(([, { waiting }]) => waiting > 0).map(([way, { waiting, lost, hanging }]) => [way, ...[waiting, lost, hanging].map(String)]);
  return ['', ...table([['work behind the fault', 'waiting', 'lost', 'promises left hanging, with the fault\'s own'], ...rows])];
}

const STEPS: readonly (readonly [string, keyof Steps | 'detectedMs' | 'readyMs'])[] = [
  ['told to release', 'releasedMs'],
  ['detected', 'detectedMs'],
  ['isolate up', 'bootedMs'],
  ['modules loaded', 'loadedMs'],
  ['started', 'startedMs'],
  ['ready', 'readyMs'],
];

/** Medians of each step's end; what was done before the fault is left out. */
function steps(ways: RestartsResult['ways']): string[] {
  const rows = entries(ways).filter(([, { restarts }]) => restarts[0]?.steps !== undefined).map(([way, { restarts }]) => [
    way,
    ...STEPS.map(([, step]) => {
      const ms = median(restarts.map((restart) => momentOf(restart, step) - restart.faultMs));
      return ms < 0 ? 'before' : ms.toFixed(2);
    }),
  ]);
  return ['', ...table([['steps, ms after the fault (p50)', ...STEPS.map(([name]) => name)], ...rows])];
}

function momentOf({ steps, ...restart }: Restart, step: keyof Steps | 'detectedMs' | 'readyMs'): number {
  return step === 'detectedMs' || step === 'readyMs' ? restart[step] : steps![step];
}

function entries(ways: RestartsResult['ways']): [Way, Report][] {
  return WAYS.flatMap((way) => (ways[way] === undefined ? [] : [[way, ways[way]]]));
}

function medianToReady(report: Report | undefined): number | undefined {
  return report === undefined ? undefined : median(report.restarts.map(({ faultMs, readyMs }) => readyMs - faultMs));
}

function lastLineOf(error: unknown): string {
  const { stderr, message } = error as { readonly stderr?: string; readonly message: string };
  const lines = (stderr ?? '').split('\n').filter((line) => /Error/.test(line));
  return lines[0] ?? message;
}
