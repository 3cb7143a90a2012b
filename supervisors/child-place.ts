/**
 * Where a child lives, through all of its lives: a thread, a process, a light actor, a whole supervisor. A
 * supervisor knows its children only as places, so one engine serves them all.
 */
import type { Address, Started, ThreadExit, ThreadRemains } from '../kernel/index.ts';

/** How a life ended. */
export type ChildExit = ThreadExit;

export interface ChildPlace {
  /** Of the child, through all its lives; undefined until it is known, and for a supervisor. */
  readonly address: Address | undefined;
  /**
   * Begins the next life. Resolves once the child is ready, or has left because it had nothing to do.
   * @param onExit called once when that life ends by itself after it was ready
   * @throws what kept it from starting; then nothing of that life is left
   */
  start(onExit: (exit: ChildExit) => void): Promise<Started>;
  /**
   * Ends the life in order, within the deadline: what is late is killed, unless it makes native calls.
   * @returns whether it has ended
   */
  stop(deadlineMs: number): Promise<boolean>;
  /** Ends the life at once. @returns whether it has ended */
  kill(): Promise<boolean>;
  /** Gives up the place: nobody reaches the child any more. @param exit how its last life ended, if it ended by itself */
  remove(exit: ChildExit | undefined): void;
  /** It will not be started again: what its start was given may be let go. */
  forgetArgs?(): void;
  /** What the life that has just ended has left behind, for the report of its crash. */
  remains?(): ThreadRemains;
}

