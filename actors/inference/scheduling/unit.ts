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
  readonly controller: AbortController;
}
