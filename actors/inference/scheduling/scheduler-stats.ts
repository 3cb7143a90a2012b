/** A scheduler's figures, all of one moment. */
import type { TextStatus } from '../backend.ts';
import type { Desks } from './desks.ts';
import { PRIORITIES, type Priority } from './embed-request.ts';
import type { JobBoard } from './job-board.ts';
import type { RoomWaiters } from './room-waiters.ts';
import type { TokenScale } from './token-scale.ts';
import type { CacheStats, VectorCache } from './vector-cache.ts';

export interface ClassStats {
  /** Texts of unfinished requests without a result, and their bytes at two for each UTF-16 unit. */
  readonly heldTexts: number;
  readonly heldBytes: number;
  /** Texts that have not been sent, and their tokens as estimated. */
  readonly waitingTexts: number;
  readonly waitingTokens: number;
  /** Keys with unfinished requests. */
  readonly keys: number;
}

/**
 * At all times
 * `submitted = computed + deduplicated + cached + ended + rejected + held of all classes`,
 * `computed + deduplicated + cached + ended =` the sum of `outcomes`, and
 * `units.sent = units.answered + units.failed + units.withdrawn + units.inFlight`, the withdrawn being those for which nobody waited any more.
 */
export interface SchedulerStats {
  /** Texts of accepted requests. */
  readonly submitted: number;
  /** Texts for which a worker answered. */
  readonly computed: number;
  /** Texts for which a worker answered because of an equal text. */
  readonly deduplicated: number;
  readonly cached: number;
  /** Texts with an outcome that no worker gave: `deadline`, `cancelled`, `too_many_bytes`. */
  readonly ended: number;
  /** Texts whose request ended with an error because the scheduler was closed. */
  readonly rejected: number;
  /** Requests that were not accepted, and their texts. */
  readonly refusedRequests: number;
  readonly refusedTexts: number;
  readonly outcomes: Readonly<Record<TextStatus, number>>;
  readonly units: { readonly sent: number; readonly answered: number; readonly failed: number; readonly withdrawn: number; readonly inFlight: number };
  /** Texts in units that were sent, those sent again or to two workers included. */
  readonly sentTexts: number;
  /** Reported by workers. */
  readonly tokens: number;
  readonly requests: number;
  /** Different texts that wait or are on their way, as far as requests were opened. */
  readonly jobs: number;
  readonly classes: Readonly<Record<Priority, ClassStats>>;
  /** Callers that wait for room. */
  readonly roomWaiters: number;
  /** Of all workers together; undefined as long as it is not known. */
  readonly tokensPerSecond: number | undefined;
  readonly workers: { readonly present: number; readonly gone: number };
  readonly cache: CacheStats;
}

export function snapshot(board: JobBoard, desks: Desks, cache: VectorCache, scale: TokenScale, roomWaiters: RoomWaiters): SchedulerStats {
  const { ledger, queues } = board;
  const classes = Object.fromEntries(
    PRIORITIES.map((priority) => {
      const { heldTexts, heldUnits, waitingTexts, waitingUnits, lanes } = queues[priority];
      const stats: ClassStats = { heldTexts, heldBytes: heldUnits * 2, waitingTexts, waitingTokens: Math.round(scale.tokensOf(waitingTexts, waitingUnits)), keys: lanes };
      return [priority, stats];
    }),
  ) as Record<Priority, ClassStats>;
  const { submitted, computed, deduplicated, cached, ended, rejected, refusedRequests, refusedTexts, outcomes, sentTexts, tokens } = ledger;
  const { tokensPerMs } = desks;
  const gone = desks.all.filter(({ isGone }) => isGone).length;
  return {
    submitted, computed, deduplicated, cached, ended, rejected, refusedRequests, refusedTexts, sentTexts, tokens, classes,
    outcomes: { ...outcomes },
    units: { ...ledger.units, inFlight: desks.unitsInHand },
    requests: board.requests,
    jobs: board.jobs,
    roomWaiters: roomWaiters.size,
    tokensPerSecond: tokensPerMs === undefined ? undefined : tokensPerMs * 1_000,
    workers: { present: desks.all.length - gone, gone },
    cache: cache.stats,
  };
}
