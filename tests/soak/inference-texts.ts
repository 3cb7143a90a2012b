/**
 * What the soak of inference embeds: a fixed set of texts of 3 to 511 tokens, texts that are longer than the model
 * takes, and texts that have no vector. Of each it is known beforehand what has to become of it.
 *
 * Each good text is made of a handful of words of its own: with words of the whole vocabulary, long texts would have
 * vectors so alike that one taken for another would not be seen.
 */
import type { Random } from '../../kernel/index.ts';
import type { TextStatus, TruncatePolicy } from '../../actors/inference/backend.ts';

/** One that may be sent, and what is expected of it. */
export interface SoakText {
  readonly text: string;
  readonly status: TextStatus;
  /** The special ones included; 0 for one that is never tokenized. */
  readonly tokens: number;
  /** The text whose vector it has when it is cut at this side; absent for one that is not too long. */
  readonly cut?: Readonly<Record<Exclude<TruncatePolicy, 'refuse'>, string>>;
}

export interface SoakTexts {
  readonly good: readonly SoakText[];
  readonly overlong: readonly SoakText[];
  /** Without those of `overlong`. */
  readonly bad: readonly SoakText[];
  /** All that have a vector, those that are cut included. */
  readonly embeddable: readonly string[];
}

/** Of the models of tests/inference/tiny-bert.ts, special tokens included. */
const TOKENS_MAX = 511;
const TOKENS_MIN = 3;
const SPECIAL_TOKENS = 2;
const VOCABULARY = 200;
const GOOD = 160;
/** By enough for its beginning and its end to have vectors of their own. */
const OVERLONG_TOKENS = [640, 700, 800, 1_000, 1_500, 2_000] as const;
const WORDS_OF_ONE = 6;
/** More than the 256 KiB that a text may have. */
const LARGE_WORDS = 100_000;

export function soakTexts(random: Random): SoakTexts {
  const ratio = Math.log(TOKENS_MAX / TOKENS_MIN);
  const good = Array.from({ length: GOOD }, (_, index): SoakText => {
    // The shortest and the longest are always among them.
    const part = index === 0 ? 0 : index === 1 ? 1 : random.next();
    const tokens = Math.round(TOKENS_MIN * Math.exp(ratio * part));
    return { text: wordsFor(tokens, random).join(' '), status: 'ok', tokens };
  });
  const overlong = OVERLONG_TOKENS.map((tokens): SoakText => {
    const half = Math.floor(tokens / 2);
    const words = [...wordsFor(half + SPECIAL_TOKENS, random), ...wordsFor(tokens - half, random)];
    const kept = TOKENS_MAX - SPECIAL_TOKENS;
    return { text: words.join(' '), status: 'too_long', tokens, cut: { right: words.slice(0, kept).join(' '), left: words.slice(-kept).join(' ') } };
  });
  const bad: SoakText[] = [
    { text: '', status: 'empty', tokens: 0 },
    { text: ' \n\t ', status: 'empty', tokens: 0 },
    { text: 'w1 \uD800 w2', status: 'not_unicode', tokens: 0 },
    { text: 'w7 '.repeat(LARGE_WORDS), status: 'too_many_bytes', tokens: 0 },
  ];
  return { good, overlong, bad, embeddable: [...new Set([...good.map(({ text }) => text), ...overlong.flatMap(({ cut }) => Object.values(cut!))])] };
}

function wordsFor(tokens: number, random: Random): string[] {
  const own = Array.from({ length: WORDS_OF_ONE }, () => `w${random.int(VOCABULARY)}`);
  return Array.from({ length: tokens - SPECIAL_TOKENS }, () => own[random.int(WORDS_OF_ONE)]!);
}
