/**
 * What callers hand to the scheduler and get back, and what the scheduler asks of a worker.
 */
import type { ReplyOf } from '../../../kernel/index.ts';
import type { LoadedModel, TextStatus, TruncatePolicy } from '../backend.ts';
import type { InferenceSpec } from '../messages.ts';

/** From the one that goes first to the one that goes last. */
export const PRIORITIES = ['interactive', 'normal', 'bulk'] as const;
export type Priority = (typeof PRIORITIES)[number];

export type EmbedReply = ReplyOf<InferenceSpec, 'embed'>;

/** The model that all workers of one scheduler have loaded. */
export interface ScheduledModel extends Pick<LoadedModel, 'sha256' | 'dimensions' | 'tokensMax'> {
  /** As in `BackendCapabilities`: above 1, a unit is made of texts of like length. */
  readonly fusedTextsMax: number;
  readonly fusedTokensMax: number;
  /** Whether a worker computes an urgent text beside one that has begun. */
  readonly overlaps: boolean;
}

export interface UnitOptions {
  /** Whether the texts go before all others that the worker has not begun. */
  readonly urgent: boolean;
  readonly truncate?: TruncatePolicy;
  /** Milliseconds from now; finite and above zero. */
  readonly deadlineMs: number;
  /** Aborted when nobody waits for any text of the unit. */
  readonly signal?: AbortSignal;
}

/** One inference actor, or anything that answers like one: one row and one outcome for each text, in order. */
export interface EmbedWorker {
  embed(texts: readonly string[], options: UnitOptions): Promise<EmbedReply>;
}

export interface EmbedRequest {
  /** Must not be changed until the request has ended. */
  readonly texts: readonly string[];
  /** Default: normal. */
  readonly priority?: Priority;
  /** Whose request it is; keys of one class share it evenly. Default: the empty string. */
  readonly key?: string;
  /** In place of what the workers were started with. */
  readonly truncate?: TruncatePolicy;
  /** Milliseconds from now, after which texts without a vector end as `deadline`. Default: none. */
  readonly deadlineMs?: number;
  /** Once aborted, texts without a vector end as `cancelled`. */
  readonly signal?: AbortSignal;
  /** Whether vectors may come from the cache and go there. Default: true. */
  readonly cache?: boolean;
}

/** What became of one text. It may be shared with other requests, so nobody may change it. */
export interface EmbeddedText {
  /** The model's `dimensions` values, of length 1; none unless `status` is `ok`. It may be part of a larger block. */
  readonly vector: Float32Array;
  /** Tokens of the whole text, special tokens included; 0 when it was not tokenized. */
  readonly tokens: number;
  readonly truncated: boolean;
  readonly status: TextStatus;
  /** What was exceeded: tokens for `too_long`; for `too_many_bytes` bytes, or UTF-16 units where it is `TEXT_UNITS_MAX`. */
  readonly limit?: number;
  readonly reason?: string;
  /** Whether it was computed for an earlier request. */
  readonly cached: boolean;
}

const NO_VECTOR = new Float32Array(0);

/** What becomes of a text that has no vector. */
export function unembedded(status: TextStatus, details: { readonly tokens?: number; readonly limit?: number | undefined; readonly reason?: string | undefined } = {}): EmbeddedText {
  const { tokens = 0, limit, reason } = details;
  return {
    vector: NO_VECTOR,
    tokens,
    truncated: false,
    status,
    ...(limit === undefined ? {} : { limit }),
    ...(reason === undefined ? {} : { reason }),
    cached: false,
  };
}
