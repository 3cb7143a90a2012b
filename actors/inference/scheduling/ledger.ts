/**
 * What became of every text, counted when it is decided.
 *
 * At all times `submitted = computed + deduplicated + cached + ended + rejected + held`, and
 * `computed + deduplicated + cached + ended` is the sum over `outcomes`.
 */
import { TEXT_STATUSES, type TextStatus } from '../backend.ts';

/**
 * How a text got its outcome:
 * - `computed`: a worker answered for it.
 * - `deduplicated`: a worker answered for an equal text.
 * - `cached`: from the cache.
 * - `ended`: without a worker: its deadline, its cancellation, or it is too long for any.
 */
export type Source = 'computed' | 'deduplicated' | 'cached' | 'ended';

export class Ledger {
  /** Texts of accepted requests. */
  submitted = 0;
  computed = 0;
  deduplicated = 0;
  cached = 0;
  ended = 0;
  /** Texts without a result whose request ended with an error, because the scheduler was closed. */
  rejected = 0;
  /** Requests that were not accepted, and their texts, by nobody else counted. */
  refusedRequests = 0;
  refusedTexts = 0;
  readonly outcomes = Object.fromEntries(TEXT_STATUSES.map((status) => [status, 0])) as Record<TextStatus, number>;
  /** At all times `sent = answered + failed + withdrawn + in flight`; withdrawn are those for which nobody waited any more. */
  readonly units = { sent: 0, answered: 0, failed: 0, withdrawn: 0 };
  /** Texts in the units that were sent; more than `computed`, if some were sent again or to two workers. */
  sentTexts = 0;
  /** As workers reported. */
  tokens = 0;

  settled(status: TextStatus, source: Source, texts = 1): void {
    this.outcomes[status] += texts;
    this[source] += texts;
  }
}
