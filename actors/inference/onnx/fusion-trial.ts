/**
 * Which texts a model may compute together without changing what becomes of them.
 *
 * In floating point a text comes out the same in any company, but for rounding. A model that quantizes while it computes
 * takes its scale from all tokens of a call, so each token gets another error. Over the tokens of a text these errors
 * average out: the shorter the text, the further it is from what it would be alone. So lengths are tried from long to
 * short, each with neighbours that need padding, until one comes out too far; shorter texts are computed alone.
 */
import { FUSION, ONE_BY_ONE, type FusionLimits } from './batch-plan.ts';
import type { TokenRow } from './native-session.ts';

export interface TriedModel<Result> {
  /** A text of `length` tokens, special ones included, or of as many as the model takes; another one for each `variant`. */
  text(length: number, variant: number): TokenRow;
  alone(text: TokenRow): Promise<Result>;
  /** A result for each text, or `undefined` when the model cannot take them together. */
  together(texts: readonly TokenRow[]): Promise<Result[] | undefined>;
  /** 0 for results that are alike; at 0.0001 they are as far apart as the promise permits. */
  distance(together: Result, alone: Result): number;
}

/** 1 - 0.9999, the least cosine that is promised. */
const DISTANCE_MAX = 1e-4;
/** Of the bound, since the furthest of thousands of texts is about two thirds as far again as the furthest of these few. */
const TRIED_PART = 0.5;
/** Nearer than this at the first length, and it is rounding. */
const ROUNDING_MAX = DISTANCE_MAX / 10;
/** Fusing pays for short texts, and a model that changes these would change all that matter. */
const LENGTHS = [32, 24, 16, 12, 10, 8, 6, 4] as const;
const TEXTS = 4;
/** Tokens between each text and the next; the shorter ones are padded. */
const LENGTH_STEP = 2;

/** @throws what `alone` throws */
export async function triedFusion<Result>(model: TriedModel<Result>): Promise<FusionLimits> {
  let textTokensMin: number | undefined;
  for (const length of LENGTHS) {
    const distance = await distanceAt(length, model);
    if (length === LENGTHS[0] && distance <= ROUNDING_MAX) return FUSION;
    if (!(distance <= DISTANCE_MAX * TRIED_PART)) break;
    textTokensMin = length;
  }
  return textTokensMin === undefined ? ONE_BY_ONE : { ...FUSION, textTokensMin };
}

/** How far the furthest of some texts is from what it is alone; infinite when they cannot be computed together. */
async function distanceAt<Result>(length: number, { text, alone, together, distance }: TriedModel<Result>): Promise<number> {
  const texts = Array.from({ length: TEXTS }, (_, i) => text(length + i * LENGTH_STEP, length + i));
  const results = await together(texts);
  if (results === undefined) return Infinity;
  let furthest = 0;
  for (const [i, one] of texts.entries()) furthest = Math.max(furthest, distance(results[i]!, await alone(one)));
  return furthest;
}
