/**
 * Holds a drill: a rehearsal without the fault, in which everything must hold as well, then so many runs
 * with it. What is left over at the end is compared with what there was after the rehearsal, which has
 * loaded all that a run loads.
 */
import { randomInt } from 'node:crypto';
import { SpillwayError, seededRandom } from '../../kernel/index.ts';
import type { Placement } from '../child-spec.ts';
import type { Drill, DrillRun, DrillRecord } from './drill.ts';
import { describeMachine } from './machine.ts';
import { reportOf, type DrillReport } from './report.ts';
import { descriptorKinds, leakedSince, moreKinds, resourcesNow, settledResources } from './resources.ts';
import type { RunDrillOptions } from './run-drill.ts';

const DEFAULT_RUNS = 10;
const RUNS_MAX = 10_000;
const SEED_MAX = 2 ** 31;
/** What an aborted run may take to close its system. */
const GRACE_MS = 20_000;

/** As `runDrill`, whose options these are. */
export async function holdDrill(drill: Drill, options: RunDrillOptions): Promise<DrillReport> {
  const { seed = randomInt(SEED_MAX), runs = DEFAULT_RUNS, signal, onProgress } = options;
  const placement = placementOf(drill, options.placement);
  if (!Number.isInteger(runs) || runs < 1 || runs > RUNS_MAX) throw invalid(`runs must be a whole number from 1 to ${RUNS_MAX}; got ${runs}.`);
  if (!Number.isFinite(seed)) throw invalid(`seed must be a finite number; got ${seed}.`);
  const missing = drill.unavailable?.(placement);
  if (missing !== undefined) throw new SpillwayError('drill_unavailable', `Drill ${drill.name} cannot be held here: ${missing}`);

  const random = seededRandom(seed);
  const startedAt = new Date();
  const beganMs = performance.now();
  const records: DrillRecord[] = [];
  let aborted = '';
  let before = resourcesNow();
  let kindsBefore = descriptorKinds();
  for (let number = 0; number <= runs && aborted === '' && signal?.aborted !== true; number++) {
    const outcome = await hold(drill, { number, withFault: number > 0, placement, random: random.fork(`run-${number}`) });
    if (typeof outcome === 'string') aborted = outcome;
    else if (number === 0) {
      const failed = outcome.checks.find(({ passed }) => !passed);
      if (failed !== undefined) aborted = `Without any fault, already: ${failed.name} (${failed.found ?? ''})`;
      before = await settledResources();
      kindsBefore = descriptorKinds();
    } else records.push(outcome);
    const last = records.at(-1);
    onProgress?.({
      drill: drill.name,
      runsDone: records.length,
      runsWanted: runs,
      ...(last?.timeline.readyMs === undefined ? {} : { readyMs: last.timeline.readyMs }),
      failedChecks: records.reduce((sum, { checks }) => sum + checks.filter(({ passed }) => !passed).length, 0),
    });
  }
  const leaks = await leakedSince(before);
  return reportOf({
    drill,
    placement,
    seed,
    runsWanted: runs,
    records,
    ...(aborted === '' ? {} : { aborted }),
    interrupted: records.length < runs,
    before,
    ...leaks,
    leftOpen: leaks.leaked.descriptors === undefined ? [] : moreKinds(kindsBefore, descriptorKinds()),
    startedAt,
    durationMs: performance.now() - beganMs,
    machine: describeMachine(),
  });
}

/** One run. @returns its record, or why the drill ends with it */
async function hold(drill: Drill, run: Omit<DrillRun, 'signal'>): Promise<DrillRecord | string> {
  const rule = new AbortController();
  const which = run.withFault ? `run ${run.number}` : 'the rehearsal without the fault';
  const { promise: overdue, resolve: giveUp } = Promise.withResolvers<string>();
  const timers = [
    setTimeout(() => rule.abort(), drill.abortAfterMs),
    // A drill that does not even end when it is told to.
    setTimeout(() => giveUp(`The abort rule fired in ${which}, and its system did not close.`), drill.abortAfterMs + GRACE_MS),
  ];
  try {
    return await Promise.race([drill.hold({ ...run, signal: rule.signal }), overdue]);
  } catch (error) {
    const reason = error instanceof SpillwayError ? `${error.message} [${error.code}]` : ((error as Error).stack ?? String(error));
    return `In ${which}: ${reason}`;
  } finally {
    for (const timer of timers) clearTimeout(timer);
  }
}

function placementOf({ name, placements }: Drill, wanted: Placement | undefined): Placement {
  const placement = wanted ?? placements[0];
  if (placement === undefined) throw invalid(`Drill ${name} names no placement.`);
  if (!placements.includes(placement)) throw invalid(`Drill ${name} takes placement ${placements.join(', ')}; got ${placement}.`);
  return placement;
}

function invalid(message: string): SpillwayError {
  return new SpillwayError('drill_invalid', message);
}
