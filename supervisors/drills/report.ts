/** What a drill has found, as plain JSON: everything that the text and the picture show. */
import { LANES, type Lane } from '../../kernel/index.ts';
import type { Placement } from '../child-spec.ts';
import { sumOf, type LaneTally } from './attempts.ts';
import type { Drill, DrillRecord, DrillTimeline } from './drill.ts';
import type { Machine } from './machine.ts';
import type { Resources } from './resources.ts';
import { targetFor, type Target } from './targets.ts';

/** `aborted`: the abort rule fired. `interrupted`: its caller had enough; what was measured had passed. */
export type Verdict = 'passed' | 'failed' | 'aborted' | 'interrupted';

/** By nearest rank. */
export interface Spread {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface RunReport {
  readonly run: number;
  readonly timeline: DrillTimeline;
  readonly restarts: number;
  /** Names of the checks that failed. */
  readonly failed: readonly string[];
}

export interface CheckReport {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  /** What was found in the first run that failed. */
  readonly found?: string;
}

export interface DrillReport {
  readonly drill: string;
  readonly placement: Placement;
  readonly hypothesis: string;
  readonly blastRadius: string;
  readonly abortRule: string;
  readonly seed: number;
  readonly runsWanted: number;
  readonly runsDone: number;
  readonly verdict: Verdict;
  /** Why it did not pass; empty if it did. */
  readonly reasons: readonly string[];
  /** Milliseconds from the fault until it was known. */
  readonly mttdMs?: Spread;
  /** Milliseconds from the fault until the next life had handled a message. */
  readonly mttrMs?: Spread;
  /** The same without what is configured to be waited. */
  readonly mttrBeyondMs?: Spread;
  readonly configuredWaitMs: number;
  readonly target?: Target;
  readonly lanes: Readonly<Record<Lane, LaneTally>>;
  readonly restarts: { readonly total: number; readonly expected: number; readonly intensity: number; readonly periodMs: number };
  readonly checks: readonly CheckReport[];
  /** Of the last run, in the drill's own words; empty for most drills. */
  readonly notes: readonly string[];
  readonly before: Resources;
  readonly after: Resources;
  /** What there is more of than before; empty if nothing. */
  readonly leaked: Partial<Resources>;
  readonly runs: readonly RunReport[];
  readonly startedAt: string;
  readonly durationMs: number;
  readonly machine: Machine;
}

/** What happened beside the runs themselves. */
export interface Findings {
  readonly drill: Drill;
  readonly placement: Placement;
  readonly seed: number;
  readonly runsWanted: number;
  readonly records: readonly DrillRecord[];
  /** What ended the drill before all runs were done. */
  readonly aborted?: string;
  readonly interrupted: boolean;
  readonly before: Resources;
  readonly after: Resources;
  readonly leaked: Partial<Resources>;
  /** What descriptors that were left open lead to. */
  readonly leftOpen?: readonly string[];
  readonly startedAt: Date;
  readonly durationMs: number;
  readonly machine: Machine;
}

export function abortRuleOf({ abortAfterMs, abortRule }: Pick<Drill, 'abortAfterMs' | 'abortRule'>): string {
  const time = `A run that is not over after ${abortAfterMs / 1_000} s ends the drill; its system is closed.`;
  return abortRule === undefined ? time : `${time} ${abortRule}`;
}

export function reportOf(findings: Findings): DrillReport {
  const { drill, placement, records } = findings;
  const checks = checksOf(records);
  const reasons = reasonsOf(findings, checks);
  const waitMs = drill.waits.backoffMs + (drill.waits.detectionMs ?? 0);
  const recoveries = records.flatMap(({ timeline }) => (timeline.readyMs === undefined ? [] : [timeline.readyMs]));
  const mttdMs = spreadOf(records.flatMap(({ timeline }) => (timeline.detectedMs === undefined ? [] : [timeline.detectedMs])));
  const mttrMs = spreadOf(recoveries);
  const mttrBeyondMs = spreadOf(recoveries.map((readyMs) => Math.max(0, readyMs - waitMs)));
  const target = drill.restartsExpected === 0 ? undefined : targetFor(placement);
  return {
    drill: drill.name,
    placement,
    hypothesis: drill.hypothesis,
    blastRadius: drill.blastRadius,
    abortRule: abortRuleOf(drill),
    seed: findings.seed,
    runsWanted: findings.runsWanted,
    runsDone: records.length,
    verdict: verdictOf(findings, reasons),
    reasons,
    ...(mttdMs === undefined ? {} : { mttdMs }),
    ...(mttrMs === undefined ? {} : { mttrMs }),
    ...(mttrBeyondMs === undefined ? {} : { mttrBeyondMs }),
    configuredWaitMs: waitMs,
    ...(target === undefined ? {} : { target }),
    lanes: Object.fromEntries(LANES.map((lane) => [lane, sumOf(records.map(({ lanes }) => lanes[lane]))])) as Record<Lane, LaneTally>,
    restarts: {
      total: records.reduce((sum, { restarts }) => sum + restarts, 0),
      expected: records.length * drill.restartsExpected,
      intensity: drill.intensity.restarts,
      periodMs: drill.intensity.periodMs,
    },
    checks,
    notes: records.at(-1)?.notes ?? [],
    before: findings.before,
    after: findings.after,
    leaked: findings.leaked,
    runs: records.map(({ timeline, restarts, checks: ofRun }, index) => ({
      run: index + 1,
      timeline,
      restarts,
      failed: ofRun.filter(({ passed }) => !passed).map(({ name }) => name),
    })),
    startedAt: findings.startedAt.toISOString(),
    durationMs: Math.round(findings.durationMs),
    machine: findings.machine,
  };
}

function checksOf(records: readonly DrillRecord[]): CheckReport[] {
  const byName = new Map<string, { passed: number; failed: number; found?: string }>();
  for (const { name, passed, found = '' } of records.flatMap(({ checks }) => checks)) {
    const sum = byName.get(name) ?? { passed: 0, failed: 0 };
    if (passed) sum.passed++;
    else {
      sum.failed++;
      sum.found ??= found;
    }
    byName.set(name, sum);
  }
  return [...byName].map(([name, sum]) => ({ name, ...sum }));
}

function reasonsOf({ aborted, leaked, leftOpen = [] }: Findings, checks: readonly CheckReport[]): string[] {
  return [
    ...(aborted === undefined ? [] : [aborted]),
    ...checks.filter(({ failed }) => failed > 0).map(({ name, passed, failed, found = '' }) => `${name}: not so in ${failed} of ${passed + failed} runs (${found})`),
    ...Object.entries(leaked).map(([name, count]) => `leaked ${name}: ${count}${name === 'descriptors' && leftOpen.length > 0 ? ` (${leftOpen.join(', ')})` : ''}`),
  ];
}

function verdictOf({ aborted, interrupted }: Findings, reasons: readonly string[]): Verdict {
  if (aborted !== undefined) return 'aborted';
  if (reasons.length > 0) return 'failed';
  return interrupted ? 'interrupted' : 'passed';
}

/** @returns undefined for no values */
export function spreadOf(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const rank = (part: number): number => sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)]!;
  return { p50: rank(0.5), p99: rank(0.99), max: sorted.at(-1)! };
}
