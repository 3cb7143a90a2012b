/**
 * Chooses the pieces of the built-in model.
 *
 * The tokenizer (WordPiece as in llama.cpp: `▁` before a word, then greedily the longest piece)
 * finds common words whole. Any other word is cut into n-grams of letters from its beginning, so
 * that equal words have equal pieces, and a word with a typo keeps most of its own. Which n-grams
 * are worth a piece is counted in the list of common words.
 */
import { readCommonHan, readCommonWords } from './word-list.ts';
import { hangulSyllables, letterCharacters, letterPairs, markCharacters, silentCharacters } from './scripts.ts';

/** What llama.cpp puts before a word. Alone it is a piece too, so that every other piece can follow it. */
const WORD_START = '▁';

/** The special tokens, in the order of their ids. */
export const SPECIAL_TOKENS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] as const;

/**
 * - `special`: put around a text, or never seen; only `[UNK]` stands for content.
 * - `word`: a whole word.
 * - `start`, `inner`: an n-gram of ASCII letters and digits, at the start of a word or within it.
 * - `letter`, `pair`: one or two letters of another script. `han`: a character that is a word.
 * - `mark`: punctuation and symbols. `silent`: without weight.
 */
type PieceKind = 'special' | 'word' | 'start' | 'inner' | 'letter' | 'pair' | 'han' | 'mark' | 'silent';

export interface Piece {
  /** As in the file's list of tokens. */
  readonly token: string;
  readonly kind: PieceKind;
  /** The token without `WORD_START`. */
  readonly text: string;
  /** Of words, as in `readCommonWords`; 0 for all else. */
  readonly rarity: number;
}

/** How many n-grams of each length become pieces, at the start of words and within them. */
const START_COUNTS = [0, 36, 700, 3000, 4000] as const;
const INNER_COUNTS = [0, 36, 700, 6000, 4000] as const;
const ALPHANUMERIC = 'abcdefghijklmnopqrstuvwxyz0123456789';
const DIGITS = '0123456789';
const ASCII_MARKS = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';
const RARITY_MAX = 40;

export interface LexicalVocabulary {
  /** In the order of their ids, every token distinct. */
  readonly pieces: readonly Piece[];
  /** How telling n-grams are, from 0 (in nearly every word) to 1 (unseen). */
  readonly ngramRarity: (ngram: string) => number;
}

/** Builds the vocabulary; the same on every machine. */
export function buildVocabulary(): LexicalVocabulary {
  const words = readCommonWords();
  const pieces = new Map<string, Piece>();
  const add = (token: string, kind: PieceKind, rarity = 0): void => {
    const text = kind !== 'special' && token.startsWith(WORD_START) ? token.slice(WORD_START.length) : token;
    if (!pieces.has(token)) pieces.set(token, { token, kind, text, rarity });
  };

  for (const token of SPECIAL_TOKENS) add(token, 'special');
  add(WORD_START, 'silent');
  for (const [word, rarity] of words) add(WORD_START + word, 'word', rarity);

  const { starts, inners, ngramRarity } = countNgrams(words);
  for (const character of ALPHANUMERIC) {
    add(WORD_START + character, 'start');
    add(character, 'inner');
  }
  for (const tens of DIGITS) {
    for (const ones of DIGITS) {
      add(WORD_START + tens + ones, 'start');
      add(tens + ones, 'inner');
    }
  }
  for (let length = 2; length <= 4; length++) {
    for (const ngram of mostFrequent(starts, length, START_COUNTS[length]!)) add(WORD_START + ngram, 'start');
    for (const ngram of mostFrequent(inners, length, INNER_COUNTS[length]!)) add(ngram, 'inner');
  }

  // The tokenizer makes each of these a word of its own.
  for (const character of ASCII_MARKS) add(WORD_START + character, 'mark');
  for (const character of readCommonHan()) add(WORD_START + character, 'han');
  for (const character of silentCharacters()) add(character, 'silent');
  for (const character of markCharacters()) add(character, 'mark');
  for (const character of letterCharacters()) add(character, 'letter');
  for (const syllable of hangulSyllables()) add(syllable, 'letter');
  for (const pair of letterPairs()) add(pair, 'pair');
  return { pieces: [...pieces.values()], ngramRarity };
}

type Counts = Map<string, number>;

interface NgramCounts {
  readonly starts: Counts;
  readonly inners: Counts;
  readonly ngramRarity: (ngram: string) => number;
}

/** Counts n-grams over the list of ASCII words, common words more than rare ones (by the logarithm of their frequency). */
function countNgrams(words: ReadonlyMap<string, number>): NgramCounts {
  const starts: Counts = new Map();
  const inners: Counts = new Map();
  const holders: Counts = new Map();
  let total = 0;
  const increase = (counts: Counts, key: string, by: number): void => void counts.set(key, (counts.get(key) ?? 0) + by);
  for (const [word, rarity] of words) {
    if (!/^[a-z0-9]+$/.test(word)) continue;
    const weight = Math.max(1, RARITY_MAX - rarity);
    total += weight;
    for (let length = 2; length <= 4; length++) {
      for (let i = 0; i + length <= word.length; i++) increase(i === 0 ? starts : inners, word.slice(i, i + length), weight);
    }
    for (const ngram of new Set(ngramsOf(`<${word}>`))) increase(holders, ngram, weight);
  }
  const unseen = Math.ceil(total / 50_000);
  const range = logarithm(total) - logarithm(unseen);
  const ngramRarity = (ngram: string): number => (logarithm(total) - logarithm(unseen + (holders.get(ngram) ?? 0))) / range;
  return { starts, inners, ngramRarity };
}

/** All parts of `text` with 2 to 4 characters. */
export function* ngramsOf(text: string): Generator<string> {
  for (let length = 2; length <= 4; length++) {
    for (let i = 0; i + length <= text.length; i++) yield text.slice(i, i + length);
  }
}

function mostFrequent(counts: Counts, length: number, limit: number): string[] {
  return [...counts]
    .filter(([ngram]) => ngram.length === length)
    .sort(([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1))
    .slice(0, limit)
    .map(([ngram]) => ngram);
}

/**
 * Base-2 logarithm of a positive integer below 2 ** 31, linear between powers of two. `Math.log2`
 * may round differently from one engine to the next, and the model must not.
 */
function logarithm(value: number): number {
  const exponent = 31 - Math.clz32(value);
  return exponent + value / (1 << exponent) - 1;
}
