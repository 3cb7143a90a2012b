/**
 * The soak: actors of every placement at full load, a fault every second, and from time to time a quiet moment at
 * which everything must add up: no ask is open, every message that came to an actor is accounted for, there were as
 * many restarts as lives were ended, and the process holds no more than at the first such moment.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { seededRandom, type Inspection } from '../../kernel/index.ts';
import { createSystem, type ChildSpec, type System } from '../../supervisors/index.ts';
import { gaugeProtocol } from './actors/gauge.ts';
import { LEDGER_COUNTERS, mortalProtocol } from './actors/mortal.ts';
import { Faults, type Target } from './faults.ts';
import { Load } from './load.ts';
import { SETTLE_LOOK_MS, SETTLE_MS, evenly, settled } from './quiet.ts';
import { measureResources, type Resources } from './resources.ts';
import { GAUGE, MORTAL, RESTART_ALWAYS } from './restarts.ts';
import { judgeCounts, judgeMemory, judgeSlope, type TimedSample } from './thresholds.ts';

export interface SoakOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly onSample?: (progress: SoakProgress) => void;
}

export interface SoakProgress {
  readonly atMs: number;
  readonly resources: Resources;
  readonly works: number;
  readonly faults: number;
  /** All so far. */
  readonly violations: readonly string[];
}

export interface SoakReport {
  readonly seed: number;
  readonly minutes: number;
  readonly works: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  readonly restarts: number;
  /** Until an actor answered again, over all faults that ended a life. */
  readonly recoveriesMs: readonly number[];
  readonly quietMoments: number;
  readonly samples: readonly TimedSample[];
  readonly before: Resources;
  readonly after: Resources;
  readonly violations: readonly string[];
}

const FAULT_EVERY_MS = 1_000;
/** Between two quiet moments, and at most this part of the run. */
const QUIET_EVERY_MS = 15_000;
const QUIET_PART = 1 / 12;
/** What is compiled and allocated in this part of the run, or this time, is not judged. */
const WARM_UP_PART = 1 / 4;
const WARM_UP_MAX_MS = 300_000;
const CLOSE_MS = 60_000;
/** Samples that the memory is judged by. */
const JUDGED = 9;
const VIOLATIONS_SHOWN = 100;

/** Of every placement one, and of threads what differs from thread to thread. */
const CHILDREN: readonly ChildSpec[] = [
  { id: 'hasty', start: MORTAL, hungAfterMs: 1_000 },
  { id: 'narrow', start: MORTAL, mailbox: { dataBytes: 16_384 } },
  { id: 'ledger', start: { ...MORTAL, export: 'ledger' }, delivery: { guarantee: 'at_least_once', maxRedeliveries: 1_000 } },
  { id: 'pooled', start: MORTAL, placement: 'pool' },
  { id: 'pooled-too', start: MORTAL, placement: 'pool' },
  { id: 'inline', start: MORTAL, placement: 'inline' },
  { id: 'apart', start: MORTAL, placement: 'process' },
];

export async function soak({ minutes, seed, onSample = () => {} }: SoakOptions): Promise<SoakReport> {
  const lengthMs = minutes * 60_000;
  const random = seededRandom(seed);
  const before = await measureResources();
  const system = await createSystem({ logLevel: 'error', supervisor: RESTART_ALWAYS });
  const violations: string[] = [];
  const samples: TimedSample[] = [];
  const gauge = await system.spawn({ id: 'gauge', start: GAUGE, placement: 'inline' }, gaugeProtocol);
  const targets: Target[] = [];
  for (const spec of CHILDREN) targets.push({ spec, actor: await system.spawn(spec, mortalProtocol) });
  const load = new Load(targets.map(({ actor }) => actor), random.fork('load'));
  const faults = new Faults(system, targets, random.fork('faults'), (name) => load.notes.set(name, (load.notes.get(name) ?? 0) + 1));
  await system.onDeadLetter(({ reason, actor, message }) => {
    if (reason === 'lane_full' && message !== 'trivia') violations.push(`${actor} has shed '${message}', which is not telemetry`);
  });
  const beginMs = performance.now();
  const passedMs = (): number => performance.now() - beginMs;
  const quietEveryMs = Math.min(QUIET_EVERY_MS, lengthMs * QUIET_PART);
  const warmUpMs = Math.min(WARM_UP_MAX_MS, lengthMs * WARM_UP_PART);
  let quietMoments = 0;
  let nextFaultMs = 0;
  while (passedMs() < lengthMs) {
    const quietMs = Math.min(lengthMs, passedMs() + quietEveryMs);
    while (passedMs() < quietMs) {
      nextFaultMs = Math.max(nextFaultMs + FAULT_EVERY_MS, passedMs());
      await faults.strike();
      violations.push(...load.lanes.overdue());
      await pause(Math.max(0, Math.min(nextFaultMs, quietMs) - passedMs()));
    }
    if (!(await load.lanes.pause())) violations.push(`${load.lanes.open} pieces of work are open long after their deadlines`);
    quietMoments++;
    violations.push(...(await quietComplaints(system, load, faults)));
    const resources = await settled(samples[0]?.resources, gauge);
    if (passedMs() >= warmUpMs) samples.push({ atMs: passedMs(), resources });
    if (violations.length === 0) violations.push(...(samples.length === 0 ? [] : judgeCounts(samples[0]!.resources, resources)));
    onSample({ atMs: passedMs(), resources, works: load.ended, faults: total(faults.tally), violations: [...violations, ...load.violations, ...faults.violations] });
    load.lanes.resume();
  }
  await load.lanes.end();
  const restarts = (await system.children()).reduce((sum, child) => sum + child.restarts, 0);
  await system.close(CLOSE_MS);
  const after = await settled(before);
  violations.push(...judgeCounts(before, after).map((complaint) => `after the system was closed: ${complaint}`));
  violations.push(...judgeMemory(evenly(samples.map(({ resources }) => resources), JUDGED)), ...judgeSlope(samples));
  return {
    seed,
    minutes,
    works: load.tally,
    faults: faults.tally,
    restarts,
    recoveriesMs: faults.recoveriesMs,
    quietMoments,
    samples,
    before,
    after,
    violations: [...new Set([...load.violations, ...faults.violations, ...violations])].slice(0, VIOLATIONS_SHOWN),
  };
}

/** What does not add up while nothing is under way. It is looked at until it does, since counts come a moment late. */
async function quietComplaints(system: System, load: Load, faults: Faults): Promise<string[]> {
  const endMs = performance.now() + SETTLE_MS;
  for (;;) {
    const found = [...accountingComplaints(system.inspect()), ...(await restartComplaints(system, faults)), ...ledgerComplaints(system, load)];
    if (found.length === 0 || performance.now() > endMs) return found;
    await pause(SETTLE_LOOK_MS);
  }
}

/** arrived = handled + failed + shed + expired + dead-lettered, and nothing waits. */
function accountingComplaints({ threads }: Inspection): string[] {
  return threads.flatMap(({ name, lanes, actors }) => {
    const waiting = (['control', 'data'] as const).flatMap((lane) => (lanes[lane].levelBytes === 0 ? [] : [`${name} has ${lanes[lane].levelBytes} bytes in its ${lane} lanes at a quiet moment`]));
    const unaccounted = actors.flatMap(({ name: actor, level, counts }) => {
      const { arrived, handled, failed, shed, expired, deadLettered } = counts;
      const open = arrived - handled - failed - shed - expired - deadLettered;
      return open === level && level === 0 ? [] : [`${actor}: of ${arrived} messages ${open} are unaccounted for, and ${level} wait`];
    });
    return [...waiting, ...unaccounted];
  });
}

async function restartComplaints(system: System, faults: Faults): Promise<string[]> {
  return (await system.children()).flatMap(({ id, restarts, state }) => {
    const ended = faults.ended.get(id) ?? 0;
    const wrong = restarts === ended ? [] : [`${id}: ${ended} lives were ended, and there were ${restarts} restarts`];
    return state === 'running' ? wrong : [...wrong, `${id} is ${state} at a quiet moment`];
  });
}

/** At least once: no note that was taken is lost, and none is handled more often than it was delivered. */
function ledgerComplaints(system: System, load: Load): string[] {
  const taken = load.notes.get('ledger') ?? 0;
  const { notes } = system.counters('ledger', LEDGER_COUNTERS);
  const { redelivered } = system.health('ledger').counters;
  return notes >= taken && notes <= taken + redelivered ? [] : [`ledger: ${taken} notes were taken, ${notes} handled, ${redelivered} delivered again`];
}

function total(tally: Readonly<Record<string, number>>): number {
  return Object.values(tally).reduce((sum, times) => sum + times, 0);
}
