/**
 * The soak: actors of every placement at full load, a fault every second, and from time to time a quiet moment at
 * which everything must add up: no ask is open, every message that came to an actor is accounted for, there were as
 * many restarts as lives were ended, and the process holds no more than at the first such moment.
 */
import { seededRandom, type Inspection } from '../../kernel/index.ts';
import { createSystem, type ChildSpec, type System } from '../../supervisors/index.ts';
import { gaugeProtocol } from './actors/gauge.ts';
import { LEDGER_COUNTERS, mortalProtocol } from './actors/mortal.ts';
import { Faults, type Target } from './faults.ts';
import { Load } from './load.ts';
import { closingReport, lastingComplaints, memoryComplaints, runCourse, type CourseReport, type SoakOptions, type SoakSample } from './course.ts';
import { measureResources, type Resources } from './resources.ts';
import { GAUGE, MORTAL, RESTART_ALWAYS } from './restarts.ts';

interface Counted {
  readonly works: number;
  readonly faults: number;
}

export type FaultSoakSample = SoakSample & Counted;

export interface SoakReport extends CourseReport {
  readonly seed: number;
  readonly minutes: number;
  readonly works: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  readonly restarts: number;
  /** Until an actor answered again, over all faults that ended a life. */
  readonly recoveriesMs: readonly number[];
  readonly before: Resources;
  readonly after: Resources;
}

const FAULT_EVERY_MS = 1_000;
/** Between two quiet moments, and at most this part of the run. */
const QUIET_EVERY_MS = 15_000;
const QUIET_PART = 1 / 12;
const CLOSE_MS = 60_000;

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

export async function soak({ minutes, seed, onSample = () => {} }: SoakOptions<Counted>): Promise<SoakReport> {
  const lengthMs = minutes * 60_000;
  const random = seededRandom(seed);
  const before = await measureResources();
  const system = await createSystem({ logLevel: 'error', supervisor: RESTART_ALWAYS });
  const shed: string[] = [];
  const gauge = await system.spawn({ id: 'gauge', start: GAUGE, placement: 'inline' }, gaugeProtocol);
  const targets: Target[] = [];
  for (const spec of CHILDREN) targets.push({ spec, actor: await system.spawn(spec, mortalProtocol) });
  const load = new Load(targets.map(({ actor }) => actor), random.fork('load'));
  const faults = new Faults(system, targets, random.fork('faults'), (name) => load.notes.set(name, (load.notes.get(name) ?? 0) + 1));
  await system.onDeadLetter(({ reason, actor, message }) => {
    if (reason === 'lane_full' && message !== 'trivia') shed.push(`${actor} has shed '${message}', which is not telemetry`);
  });
  const found = (): string[] => [...load.violations, ...faults.violations, ...shed];
  const course = await runCourse({
    lengthMs, gauge, found,
    lanes: load.lanes,
    troubleEveryMs: FAULT_EVERY_MS,
    trouble: () => faults.strike(),
    quietEveryMs: Math.min(QUIET_EVERY_MS, lengthMs * QUIET_PART),
    quietComplaints: () => lastingComplaints(async () => [...accountingComplaints(system.inspect()), ...(await restartComplaints(system, faults)), ...ledgerComplaints(system, load)]),
    onSample: (sample) => onSample({ ...sample, works: load.ended, faults: total(faults.tally) }),
  });
  const restarts = (await system.children()).reduce((sum, child) => sum + child.restarts, 0);
  await system.close(CLOSE_MS);
  const report = await closingReport(before, course, found(), memoryComplaints(course.samples));
  return { seed, minutes, works: load.tally, faults: faults.tally, restarts, recoveriesMs: faults.recoveriesMs, before, ...report };
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
