/**
 * Which texts go through the model together.
 *
 * A native call has a cost of its own, so short texts are fused; texts of one call are padded to the longest, so
 * only texts of like length are. Sorted by length, a text joins its predecessors as long as the padding that
 * they then need costs less than the call it saves. Beyond some hundred tokens a call gains nothing more: its
 * intermediate results no longer fit the caches, and a token takes longer than it would alone.
 */

/** What a native call costs by itself, in tokens that could be computed meanwhile. */
const CALL_COST_TOKENS = 8;
/** Longer texts are as fast alone, and two of them slower together where the other cores want the caches too. */
const FUSED_TEXT_TOKENS_MAX = 160;

export interface FusionLimits {
  readonly textsMax: number;
  /** Tokens of a call, padding included. One text may have more. */
  readonly tokensMax: number;
  /** Texts with fewer tokens are computed alone. */
  readonly textTokensMin: number;
}

/** Measured for models of MiniLM's size, fp32 and int8: see `npm run bench -- inference`. */
export const FUSION: FusionLimits = { textsMax: 32, tokensMax: 512, textTokensMin: 1 };

/** For models that must not, or need not, compute texts together. */
export const ONE_BY_ONE: FusionLimits = { textsMax: 1, tokensMax: 1, textTokensMin: 1 };

/**
 * Where the call ends that begins with the text at `start`.
 *
 * @param lengths in ascending order
 * @returns an index above `start`
 */
export function callEnd(lengths: readonly number[], start: number, { textsMax, tokensMax, textTokensMin }: FusionLimits): number {
  let end = start + 1;
  if (lengths[start]! < textTokensMin) return end;
  for (; end < lengths.length && end - start < textsMax; end++) {
    const length = lengths[end]!;
    const count = end - start;
    if (length > FUSED_TEXT_TOKENS_MAX || (count + 1) * length > tokensMax || (length - lengths[end - 1]!) * count > CALL_COST_TOKENS) break;
  }
  return end;
}
