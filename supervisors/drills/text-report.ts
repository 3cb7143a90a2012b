/** A report for a terminal: the verdict first, then what it rests on. */
import { LANES } from '../../kernel/index.ts';
import type { LaneTally } from './attempts.ts';
import type { Drill } from './drill.ts';
import { abortRuleOf, type DrillReport, type Spread } from './report.ts';
import { RESOURCE_NAMES } from './resources.ts';

/** Jepsen's words, in the order in which they are told. */
export const TALLY_WORDS = ['attempts', 'acknowledged', 'handled', 'lost', 'recovered', 'unexpected', 'duplicated', 'refused', 'shed', 'deadLettered'] as const satisfies (keyof LaneTally)[];

/** What is to be read before anything is broken. */
export function renderPlan(drill: Drill): string {
  return [
    `drill         ${drill.name} (${drill.placements.join(', ')})`,
    `hypothesis    ${drill.hypothesis}`,
    `blast radius  ${drill.blastRadius}`,
    `abort rule    ${abortRuleOf(drill)}`,
    '',
  ].join('\n');
}

export function renderText(report: DrillReport): string {
  const { verdict, reasons, drill, placement, runsDone, runsWanted, seed, restarts, before, after, machine } = report;
  const lines = [
    `${verdict.toUpperCase()}  ${drill} on placement ${placement}: ${runsDone} of ${runsWanted} runs in ${(report.durationMs / 1_000).toFixed(1)} s, seed ${seed}`,
    ...reasons.map((reason) => `  ${reason}`),
    ...(report.notes.length === 0 ? [] : ['', ...report.notes]),
    '',
    `${'ms'.padEnd(16)}${['p50', 'p99', 'max'].map((name) => name.padStart(10)).join('')}`,
    spreadLine('MTTD', report.mttdMs),
    spreadLine('MTTR', report.mttrMs),
    spreadLine('  beyond waits', report.mttrBeyondMs),
    `waits ${ms(report.configuredWaitMs)} ms as configured${targetLine(report)}`,
    '',
    `${''.padEnd(13)}${LANES.map((lane) => lane.padStart(12)).join('')}`,
    ...TALLY_WORDS.map((word) => `${wordOf(word).padEnd(13)}${LANES.map((lane) => String(report.lanes[lane][word]).padStart(12)).join('')}`),
    '',
    `restarts      ${restarts.total} of ${restarts.expected} expected; the intensity permits ${restarts.intensity} in ${restarts.periodMs / 1_000} s to each run`,
    `left over     ${RESOURCE_NAMES.map((name) => `${wordOf(name)} ${before[name] ?? 'unknown'} → ${after[name] ?? 'unknown'}`).join(', ')}`,
    `checks        ${report.checks.filter(({ failed }) => failed === 0).length} of ${report.checks.length} held in every run`,
    `machine       ${machine.cpu}, ${machine.cores} cores, ${machine.system}, Node ${machine.node}, Spillway ${machine.version}${machine.commit === undefined ? '' : `, commit ${machine.commit}`}`,
  ];
  return `${lines.join('\n')}\n`;
}

function spreadLine(name: string, spread: Spread | undefined): string {
  const values = spread === undefined ? ['-', '-', '-'] : [spread.p50, spread.p99, spread.max].map(ms);
  return `${name.padEnd(16)}${values.map((value) => value.padStart(10)).join('')}`;
}

function targetLine({ target, mttrBeyondMs }: DrillReport): string {
  if (target === undefined || mttrBeyondMs === undefined) return '';
  return `; target for ${target.what}: p99 ${target.p99Ms} ms beyond them, ${mttrBeyondMs.p99 <= target.p99Ms ? 'met' : 'not met here'}`;
}

/** Enough digits for what is short, and no more for what is long. */
export function ms(value: number): string {
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}

/** `deadLettered` as people read it. */
export function wordOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
