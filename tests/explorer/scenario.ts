/**
 * What a scenario is: a few threads with programs over shared memory, and what must hold in the end.
 *
 * A program is ordinary code that uses the rings. It is run again and again, for as far as it is known
 * what its operations answer, so all that it knows must come from shared memory or from its `Thread`:
 * no clock, no randomness, no variable that outlives it.
 */
import type { Note } from './note-list.ts';
import type { RingSource } from './ring-source.ts';

export interface Scenario {
  /** A sentence without its full stop: who does what to whom. */
  readonly name: string;
  /** How many threads may be ended in one schedule. */
  readonly deaths?: number;
  /** Schedules are walked up to so many preemptions. Default: all of them. */
  readonly preemptionsMax?: number;
  /** Takes seconds to minutes: for the nightly run. */
  readonly isLong?: boolean;
  /** Whether benign races also show what weakly ordered processors do; see reordering.ts. */
  readonly isReordered?: boolean;
  readonly prepare: (source: RingSource) => Prepared;
}

export interface Prepared {
  readonly processes: readonly Process[];
  /** Judges a finished schedule, reading the rings as they were left. @throws AssertionError */
  readonly check: (outcome: Outcome) => void;
  /** Words (by their names, up to a '+') that may be read and written at once although one side does so plainly, each with the reason. */
  readonly benignRaces?: Readonly<Record<string, string>>;
  /** Names for bytes of the first shared buffer that rings/layout.ts has no name for. */
  readonly nameOf?: (byte: number) => string | undefined;
}

/** A thread and, after its death, its successors. */
export interface Process {
  readonly name: string;
  /** May be ended before and after each of its operations. */
  readonly mortal?: boolean;
  readonly run: (thread: Thread) => void;
}

/** What a program is told by the scheduler and tells it. */
export interface Thread {
  /** 0 for the first life; each successor is started when its predecessor's end is known. */
  readonly life: number;
  /** Threads get here one after the other before any schedule begins: for attaching, where that is not the matter. */
  start(): void;
  /** What the predecessors noted, life by life. */
  readonly before: readonly (readonly Note[])[];
  /** Puts something down for the check. */
  note(what: string, ...values: number[]): void;
  /**
   * Waits until a word that this thread has read since its last `idle` holds something else. It stands
   * for polling again and again: whoever finds nothing would find nothing until then.
   */
  idle(): void;
  /**
   * Says all that the program still knows from before: every object and value that it will use again,
   * save constants. Histories that know the same go on as one, which keeps their number small. Where
   * something is left out, the explorer may take different states for one. It comes before a look, not
   * between a look and the `idle` that follows it.
   */
  checkpoint(...state: unknown[]): void;
}

export interface Outcome {
  /** The notes of each life of a process. */
  readonly lives: (process: string) => readonly (readonly Note[])[];
}
