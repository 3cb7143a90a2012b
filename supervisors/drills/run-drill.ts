/**
 * The drills as others see them. What they need is loaded when one is held or shown, and not before: whoever
 * imports the supervisors, on every thread, passes by here.
 */
import type { Placement } from '../child-spec.ts';
import type { Drill } from './drill.ts';
import type { DrillReport } from './report.ts';

export interface RunDrillOptions {
  /** What everything that is left to chance follows. Default: a random one, told in the report. */
  readonly seed?: number;
  /** From 1 to 10,000. Default 10. */
  readonly runs?: number;
  /** Default: the first of the drill's. */
  readonly placement?: Placement;
  /** Ends the drill after the present run; what was measured is reported. */
  readonly signal?: AbortSignal;
  /** Called after each run. */
  readonly onProgress?: (progress: DrillProgress) => void;
}

export interface DrillProgress {
  readonly drill: string;
  readonly runsDone: number;
  readonly runsWanted: number;
  /** Of the last run; undefined after the rehearsal. */
  readonly readyMs?: number;
  readonly failedChecks: number;
}

/**
 * Holds a drill in this process and reports what it has found.
 * @param which the name of a built-in drill, or one of your own
 * @throws SpillwayError `drill_unknown`, `drill_invalid` for options that cannot be, `drill_unavailable` if
 *   this machine lacks what it takes
 */
export async function runDrill(which: string | Drill, options: RunDrillOptions = {}): Promise<DrillReport> {
  const { holdDrill } = await import('./rehearsal.ts');
  return holdDrill(typeof which === 'string' ? (await import('./catalog.ts')).drillNamed(which) : which, options);
}

/** The built-in drills. */
export async function listDrills(): Promise<readonly Drill[]> {
  return (await import('./catalog.ts')).DRILLS;
}

/** What is to be read before anything is broken: hypothesis, blast radius, abort rule. */
export async function renderDrillPlan(drill: Drill): Promise<string> {
  return (await import('./text-report.ts')).renderPlan(drill);
}

/** @returns text for a terminal, or a whole HTML page that needs nothing else */
export async function renderDrillReport(report: DrillReport, format: 'text' | 'html'): Promise<string> {
  return format === 'html' ? (await import('./html-report.ts')).renderHtml(report) : (await import('./text-report.ts')).renderText(report);
}
