/**
 * How many tokens a text is likely to have, by its length: the special ones, and a share for each UTF-16 unit that
 * is corrected by what the workers report.
 *
 * One figure for all texts is wrong for a single one, but right for their sum, and that is what budgets and waits are
 * made of. It is linear, so queues need to count texts and units only, and what they have waiting follows every
 * correction.
 */

/** The one before the text and the one behind it. */
const SPECIAL_TOKENS = 2;
/** Four units to a token, as English has, and as sure of it as after a few units of texts. */
const PRIOR_TOKENS = 500;
const PRIOR_UNITS = 2_000;
/** What remains of the older answers' weight after each new one: the last ten or twenty count. */
const DECAY = 0.9;

export class TokenScale {
  #tokens = PRIOR_TOKENS;
  #units = PRIOR_UNITS;

  get tokensPerUnit(): number {
    return this.#tokens / this.#units;
  }

  tokensOf(texts: number, units: number): number {
    return texts * SPECIAL_TOKENS + units * this.tokensPerUnit;
  }

  /** Takes in what a worker reported of texts that it tokenized. */
  correct(texts: number, units: number, tokens: number): void {
    if (units === 0) return;
    // A script that has as many tokens as the special ones alone would make texts free.
    this.#tokens = this.#tokens * DECAY + Math.max(units / 1_000, tokens - texts * SPECIAL_TOKENS);
    this.#units = this.#units * DECAY + units;
  }
}
