/** Texts that went to a worker together, until their answer is there. */
import type { Desk } from './desk.ts';
import type { TextJob } from './text-job.ts';

export interface Unit {
  readonly jobs: readonly TextJob[];
  readonly desk: Desk;
  readonly urgent: boolean;
  /** As estimated when it was sent. */
  readonly tokens: number;
  readonly sentAtMs: number;
  readonly deadlineMs: number;
  /** Whether its deadline is that of who waits for it, and so says nothing of its worker. */
  readonly isHurried: boolean;
  /** Whether another worker has the same texts, and whoever answers first ends the other's. */
  readonly isTied: boolean;
  /** Ends it when nobody waits for it any more. Tied units have it in common. */
  readonly controller: AbortController;
}
