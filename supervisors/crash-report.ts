/**
 * What is told of a child that has failed: enough to find out why without having been there. The sizes and
 * kinds of its last messages are in it, their contents never.
 */
import type { ThreadRemains } from '../kernel/index.ts';
import type { ChildExit } from './child-place.ts';
import { DEFAULT_CHILD, isSupervisor, type Placement, type Restart } from './child-spec.ts';
import type { Child } from './children.ts';

export interface CrashReport extends ChildExit {
  /** Its name: the ids of the supervisors above it and its own. */
  readonly child: string;
  readonly placement: Placement | 'supervisor';
  readonly restart: Restart;
  /** When, by the wall clock, in milliseconds since 1970. */
  readonly atMs: number;
  /** How long the life was, from ready to the end; 0 for one that did not become ready. */
  readonly livedMs: number;
  /** What its supervisor did about it: restart it after `delayMs`, leave it, or give up because of it. */
  readonly decision: 'restarted' | 'left' | 'gave_up';
  readonly delayMs: number;
  /** When it was to be restarted the last times, this time included, by the monotonic clock. */
  readonly restartsMs: readonly number[];
  /** Restarts of all children of its supervisor within the period, and what the supervisor permits. */
  readonly restartsInPeriod: number;
  readonly intensity: number;
  readonly periodMs: number;
  /** Names of the siblings that are restarted with it. */
  readonly siblings: readonly string[];
  /** What its thread has left: levels of its lanes, its last messages. Only of a child that has a thread or process to itself. */
  readonly remains?: ThreadRemains;
}

/** What the supervisor adds to what the child and its exit say. */
export type CrashContext = Pick<CrashReport, 'atMs' | 'livedMs' | 'decision' | 'delayMs' | 'restartsInPeriod' | 'intensity' | 'periodMs' | 'siblings'>;

export function crashReportOf({ name, spec, place, restartsMs }: Child, exit: ChildExit, context: CrashContext): CrashReport {
  const remains = place?.remains?.();
  return {
    child: name,
    placement: isSupervisor(spec) ? 'supervisor' : (spec.placement ?? DEFAULT_CHILD.placement),
    restart: spec.restart ?? DEFAULT_CHILD.restart,
    ...exit,
    ...context,
    restartsMs,
    ...(remains === undefined ? {} : { remains }),
  };
}
