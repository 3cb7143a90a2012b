/** What a supervisor is given, and what it says of a child that was started on request. */
import type { Clock, Log, Started, Timer } from '../kernel/index.ts';
import type { ChildExit, ChildPlace } from './child-place.ts';
import type { AnyChildSpec } from './child-spec.ts';
import type { CrashReport } from './crash-report.ts';
import type { CheckedSetup } from './spec-check.ts';

export interface SupervisorOptions {
  /** Of the supervisors above and itself, joined by slashes; empty for the root. */
  readonly path: string;
  /** Its flags and first children, as `checkSetup` gives them. */
  readonly setup: CheckedSetup;
  /** Makes the place of a child. @throws SpillwayError where there is no room for it */
  placeOf(spec: AnyChildSpec, name: string): ChildPlace;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** Runs `run` after a delay on the supervisor's own thread. */
  after(delayMs: number, run: () => void): Pick<Timer, 'cancel'>;
  /** Takes the report of each failure of a child. */
  report?(report: CrashReport): void;
  /** The supervisor has ended by itself, after all its children. */
  onEnd?(exit: ChildExit): void;
}

/** What a child that was started on request says of itself. */
export interface StartedChild extends Started {
  readonly id: string;
  readonly place: ChildPlace | undefined;
}
