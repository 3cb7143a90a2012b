/**
 * `spillway drill`: holds a drill and reports. The plan is shown before anything is broken; Ctrl-C ends the
 * drill after the present run, and what was measured until then is told.
 */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { SpillwayError } from '../../kernel/index.ts';
import { listDrills, renderDrillPlan, renderDrillReport, runDrill, type Drill, type DrillProgress, type DrillReport, type Placement } from '../../supervisors/index.ts';
import { MODEL_DRILLS, STORAGE_DRILLS, nativeDrill } from '../drills/index.ts';
import { EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED } from './exit-codes.ts';

/** As they come from the command line. */
export interface DrillFlags {
  readonly list: boolean;
  readonly seed: number | undefined;
  readonly runs: number | undefined;
  readonly placement: Placement | undefined;
  /** File for the page. */
  readonly html: string | undefined;
}

export interface DrillCommand extends DrillFlags {
  readonly name: string | undefined;
  readonly json: boolean;
  /** Whether standard error is a terminal that can show a live line. */
  readonly live: boolean;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly interrupt: AbortSignal;
}

/** Erases the current line of a terminal. */
const CLEAR_LINE = '\r\u001b[2K';

/** @returns the exit code. @throws SpillwayError `drill_unknown`, `drill_invalid`, `drill_unavailable`, `report_unwritable` */
export async function drillCommand(command: DrillCommand): Promise<number> {
  const drills = [...(await listDrills()), ...STORAGE_DRILLS, ...MODEL_DRILLS, nativeDrill];
  if (command.list) {
    command.stdout(drills.map((drill) => listed(drill, command.json)).join(''));
    return EXIT_DONE;
  }
  const drill = drills.find(({ name }) => name === command.name);
  if (drill === undefined) {
    const problem = command.name === undefined ? 'Name the drill.' : `There is no drill '${command.name}'.`;
    throw new SpillwayError('drill_unknown', `${problem} There are: ${drills.map(({ name }) => name).join(', ')}.`);
  }
  return hold(drill, command);
}

async function hold(drill: Drill, command: DrillCommand): Promise<number> {
  const { seed, runs, placement, html, json, live, stdout, stderr, interrupt } = command;
  if (html !== undefined) assertWritable(html);
  const event = (name: string, fields: object): void => stdout(`${JSON.stringify({ event: name, ...fields })}\n`);
  const { name, hypothesis, blastRadius, abortAfterMs } = drill;
  if (json) event('plan', { drill: name, hypothesis, blastRadius, abortAfterMs });
  else stdout(`${await renderDrillPlan(drill)}\n`);

  const report = await runDrill(drill, {
    ...(seed === undefined ? {} : { seed }),
    ...(runs === undefined ? {} : { runs }),
    ...(placement === undefined ? {} : { placement }),
    signal: interrupt,
    onProgress(progress) {
      if (json) event('progress', progress);
      else if (live) stderr(`${CLEAR_LINE}${describe(progress, interrupt.aborted)}`);
    },
  });
  if (live) stderr(CLEAR_LINE);
  if (html !== undefined) writeFileSync(html, await renderDrillReport(report, 'html'));
  if (json) event('report', report);
  else {
    stdout(await renderDrillReport(report, 'text'));
    if (html !== undefined) stdout(`page          ${html}\n`);
  }
  return exitCodeOf(report);
}

function exitCodeOf({ verdict }: DrillReport): number {
  if (verdict === 'interrupted') return EXIT_INTERRUPTED;
  return verdict === 'passed' ? EXIT_DONE : EXIT_FAILED;
}

function listed({ name, hypothesis, placements, unavailable }: Drill, json: boolean): string {
  const missing = placements[0] === undefined ? undefined : unavailable?.(placements[0]);
  if (json) return `${JSON.stringify({ drill: name, placements, hypothesis, ...(missing === undefined ? {} : { unavailable: missing }) })}\n`;
  return `${name.padEnd(21)}${placements.join(', ')}\n  ${hypothesis}\n${missing === undefined ? '' : `  Not here: ${missing}\n`}`;
}

function describe({ runsDone, runsWanted, readyMs, failedChecks }: DrillProgress, isLast: boolean): string {
  const parts = [`run ${runsDone} of ${runsWanted}`];
  if (readyMs !== undefined) parts.push(`ready after ${Math.round(readyMs)} ms`);
  if (failedChecks > 0) parts.push(`${failedChecks} checks failed`);
  if (isLast) parts.push('ending');
  return parts.join(', ');
}

/** Known before the first run: a report that cannot be kept would be found out too late. */
function assertWritable(file: string): void {
  try {
    closeSync(openSync(file, 'a'));
  } catch (error) {
    throw new SpillwayError('report_unwritable', `The report cannot be written to ${file} (${(error as NodeJS.ErrnoException).code}). Choose another path with --html.`, { cause: error });
  }
}
