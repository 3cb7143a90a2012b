/**
 * What each piece of the built-in model stands for, as a vector.
 *
 * A piece is a bundle of features: itself, and its letter n-grams of length 2 to 4 with the ends
 * of the word marked (as in fastText, Bojanowski et al. 2017). Each feature is a fixed, sparse,
 * pseudo-random vector of signs (random indexing, Kanerva et al. 2000), nearly at a right angle
 * to every other. Words that share most of their letters thus have similar vectors, and a word
 * that was cut into pieces is similar to the same word as one piece.
 *
 * The length of a row is how much the piece tells: rare words more than common ones. Constants
 * were chosen by the experiment of `bench/known-item.ts`; near them its figures hardly change.
 * Nothing here calls a function of `Math` that engines may round differently (`sqrt` is exact).
 */
import { type Piece, ngramsOf } from './vocabulary.ts';

/** Values of a row that carry content. */
export const CONTENT_DIMENSIONS = 352;
/** Non-zero signs of a feature. */
const FEATURE_SIGNS = 44;
const FEATURE_VALUE = 1 / Math.sqrt(FEATURE_SIGNS);

const WHOLE_WORD = 1;
const WHOLE_PIECE = 0.5;
/** By length of the n-gram. */
const NGRAM = [0, 0, 0.3, 0.3, 0.25] as const;
const LETTER_OF_PAIR = 0.3;

/** Rarity at which a word gets its full weight: one paragraph in 2 ** 16.5. */
const FULL_RARITY = 33;
const WORD_WEIGHT_MIN = 0.02;
/** By length of an ASCII piece: the shorter, the less it tells. */
const PIECE_WEIGHT = [0, 0.26, 0.42, 0.6, 0.75] as const;
const OTHER_WEIGHT = { special: 0.3, letter: 0.4, pair: 0.6, han: 0.8, mark: 0.03, silent: 0 } as const;

/** Turns pieces into rows of content. Keeps the features that pieces share. */
export class ContentEncoder {
  readonly #ngramRarity: (ngram: string) => number;
  readonly #features = new Map<string, Int16Array>();

  constructor(ngramRarity: (ngram: string) => number) {
    this.#ngramRarity = ngramRarity;
  }

  /** Overwrites the first `CONTENT_DIMENSIONS` values of `row`; they sum to 0, as layer norm would make them. */
  encodeInto(piece: Piece, row: Float32Array): void {
    const content = row.subarray(0, CONTENT_DIMENSIONS).fill(0);
    const weight = weightOf(piece);
    if (weight === 0) return;
    this.#addFeatures(piece, content);
    let sum = 0;
    for (let i = 0; i < CONTENT_DIMENSIONS; i++) sum += content[i]!;
    const mean = sum / CONTENT_DIMENSIONS;
    let squares = 0;
    for (let i = 0; i < CONTENT_DIMENSIONS; i++) {
      const value = content[i]! - mean;
      content[i] = value;
      squares += value * value;
    }
    // Between unit length and the length that the features add up to: long words tell more.
    const scale = weight / Math.sqrt(Math.sqrt(squares));
    for (let i = 0; i < CONTENT_DIMENSIONS; i++) content[i]! *= scale;
  }

  #addFeatures({ token, kind, text }: Piece, content: Float32Array): void {
    if (kind === 'word' || kind === 'start' || kind === 'inner') {
      const folded = withoutAccents(text);
      this.#add(`${kind === 'word' ? 'word' : 'piece'} ${folded}`, kind === 'word' ? WHOLE_WORD : WHOLE_PIECE, content);
      for (const ngram of ngramsOf(`${kind === 'inner' ? '' : '<'}${folded}${kind === 'word' ? '>' : ''}`)) {
        this.#add(`ngram ${ngram}`, NGRAM[ngram.length]! * Math.sqrt(this.#ngramRarity(ngram)), content);
      }
      return;
    }
    const folded = kind === 'letter' ? withoutAccents(text) : text;
    // An accented Latin letter is the letter itself to the n-grams around it.
    if (/^[a-z]$/.test(folded)) this.#add(`piece ${folded}`, WHOLE_PIECE, content);
    else this.#add(`${kind} ${kind === 'special' ? token : text}`, WHOLE_WORD, content);
    if (kind === 'pair') for (const letter of text) this.#add(`letter ${letter}`, LETTER_OF_PAIR, content);
  }

  #add(feature: string, weight: number, content: Float32Array): void {
    const value = weight * FEATURE_VALUE;
    const signs = this.#signsOf(feature);
    for (let i = 0; i < FEATURE_SIGNS; i++) {
      const signed = signs[i]!;
      if (signed > 0) content[signed - 1]! += value;
      else content[-signed - 1]! -= value;
    }
  }

  /** Where the signs of a feature are: position + 1, negative for a minus. */
  #signsOf(feature: string): Int16Array {
    const known = this.#features.get(feature);
    if (known !== undefined) return known;
    const signs = new Int16Array(FEATURE_SIGNS);
    const random = new SignSource(feature);
    for (let i = 0; i < FEATURE_SIGNS; i++) {
      const bits = random.next();
      const position = ((bits >>> 1) % CONTENT_DIMENSIONS) + 1;
      signs[i] = bits & 1 ? position : -position;
    }
    // Only these come back: every other feature belongs to one piece.
    if (feature.startsWith('ngram ') || feature.startsWith('letter ')) this.#features.set(feature, signs);
    return signs;
  }
}

function weightOf({ kind, rarity, text }: Piece): number {
  if (kind === 'word') return Math.sqrt(Math.max(WORD_WEIGHT_MIN, Math.min(1, rarity / FULL_RARITY)));
  if (kind === 'start' || kind === 'inner') return PIECE_WEIGHT[text.length]!;
  if (kind === 'special') return text === '[UNK]' ? OTHER_WEIGHT.special : 0;
  return OTHER_WEIGHT[kind];
}

function withoutAccents(text: string): string {
  return text.normalize('NFD').replace(/[\u0300-\u036f]/g, '');
}

/**
 * Pseudo-random 32-bit numbers that a string determines: FNV-1a for the seed, then a Weyl sequence
 * through the 32-bit finalizer of MurmurHash3.
 */
export class SignSource {
  #state: number;

  constructor(seed: string) {
    let hash = 0x811c9dc5;
    for (let i = 0; i < seed.length; i++) hash = Math.imul(hash ^ seed.charCodeAt(i), 0x01000193);
    this.#state = hash;
  }

  next(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let bits = this.#state;
    bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
    bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
    return (bits ^ (bits >>> 16)) >>> 0;
  }
}
