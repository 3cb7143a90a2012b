/**
 * What a drill is: something that is believed of a system, and a fault that puts it to the proof. Hypothesis,
 * blast radius and abort rule are written down before anything is broken (Gremlin's discipline); what is
 * then found is told in Jepsen's words.
 */
import type { Lane, Random } from '../../kernel/index.ts';
import type { Placement } from '../child-spec.ts';
import type { LaneTally } from './attempts.ts';

/** Milliseconds since the fault; undefined for what did not happen, or was over before anyone looked. */
export interface DrillTimeline {
  /** The supervisor, or whoever waited for an answer, knew. */
  readonly detectedMs?: number;
  /** The system said that it is not ready. */
  readonly notReadyMs?: number;
  /** The start of the next life was called. */
  readonly restartedMs?: number;
  /** The next life has handled its first message; without a restart, the system works as before. */
  readonly readyMs?: number;
}

export interface DrillCheck {
  readonly name: string;
  readonly passed: boolean;
  /** What was found, where that is not what was expected. */
  readonly found?: string;
}

/** What one run has shown. */
export interface DrillRecord {
  readonly timeline: DrillTimeline;
  readonly lanes: Readonly<Record<Lane, LaneTally>>;
  readonly restarts: number;
  readonly checks: readonly DrillCheck[];
  /** Lines for the reader, of what no count can tell. */
  readonly notes?: readonly string[];
}

export interface DrillRun {
  /** From 1; 0 is the rehearsal without the fault. */
  readonly number: number;
  readonly withFault: boolean;
  readonly placement: Placement;
  readonly random: Random;
  /** Aborted by the abort rule: everything that waits ends with `drill_aborted`. */
  readonly signal: AbortSignal;
}

/** What is configured, and so is no merit or fault of the restart itself. */
export interface ConfiguredWaits {
  /** Back-off before the first restart; 0 where there is none. */
  readonly backoffMs: number;
  /** How long it is to take until the fault counts as one, where that is a limit of time. */
  readonly detectionMs?: number;
}

export interface Drill {
  readonly name: string;
  readonly hypothesis: string;
  /** What may be touched, and what may not. */
  readonly blastRadius: string;
  /** A run that takes longer than this ends the drill. */
  readonly abortAfterMs: number;
  /** What the abort rule watches beside the time, in words. */
  readonly abortRule?: string;
  /** Where its subject may run; the first one unless another is asked for. */
  readonly placements: readonly Placement[];
  readonly waits: ConfiguredWaits;
  readonly intensity: { readonly restarts: number; readonly periodMs: number };
  /** Restarts that one fault is to cause. */
  readonly restartsExpected: number;
  /** Why it cannot be held here, such as a right that is missing. */
  unavailable?(placement: Placement): string | undefined;
  /** One run from an empty system to a closed one. */
  hold(run: DrillRun): Promise<DrillRecord>;
}

/** @param found told if it is not as expected */
export function drillCheck(name: string, passed: boolean, found: string | number): DrillCheck {
  return passed ? { name, passed } : { name, passed, found: String(found) };
}
