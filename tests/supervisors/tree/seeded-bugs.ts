/** Bugs that are put into the engine on purpose: the check has to find each of them. */
import type { ChildExit, ChildPlace } from '../../../supervisors/child-place.ts';
import type { CheckedSetup } from '../../../supervisors/spec-check.ts';

export interface SeededBug {
  readonly name: string;
  /** What the engine is given in place of flags and specs. */
  setup?(setup: CheckedSetup): CheckedSetup;
  /** In place of a delay that the engine asks for. */
  delayMs?(delayMs: number): number;
  /** What stands between the engine and a child. */
  place?(place: ChildPlace): ChildPlace;
  /** Whether a supervisor does not tell of such an end of its own. */
  isDeafTo?(exit: ChildExit): boolean;
  /** Changes the engine's classes. @returns puts them right again */
  patch?(): () => void;
}

export const SEEDED_BUGS: readonly SeededBug[] = [];
