/** How soon a placement is to be ready again, beyond its configured waits. Stated beside what was measured; no verdict. */
import type { Placement } from '../child-spec.ts';

export interface Target {
  /** For the 99th percentile of the MTTR beyond configured waits. */
  readonly p99Ms: number;
  readonly what: string;
}

const LIVING_THREAD: Target = { p99Ms: 1, what: 'an actor on a living thread' };

/** A process is a start of Node and what its actor loads; a small actor loads nothing to speak of. */
const TARGETS: Readonly<Record<Placement, Target>> = {
  inline: LIVING_THREAD,
  pool: LIVING_THREAD,
  thread: { p99Ms: 150, what: 'a thread without standby' },
  process: { p99Ms: 2_000, what: 'a process, beyond its load time' },
};

export function targetFor(placement: Placement): Target {
  return TARGETS[placement];
}
