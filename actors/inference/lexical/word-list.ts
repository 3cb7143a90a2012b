/**
 * Unpacks the data of `words.ts`.
 *
 * The data is a string in a module, because the compiler copies modules into the package and
 * nothing else.
 */
import { brotliDecompressSync } from 'node:zlib';
import { FUNCTION_WORDS } from './function-words.ts';
import { PACKED_HAN, PACKED_WORDS } from './words.ts';

/** Function words are listed without counts; about one paragraph in 23 has each. */
const FUNCTION_WORD_RARITY = 9;
const HAN_FIRST = 0x4e00;

/**
 * Common words with their rarity `r`: about one paragraph in `2 ** (r / 2)` has the word. Words are
 * as the tokenizer sees them, in lower case, and in the order of rarity, then of spelling.
 */
export function readCommonWords(): Map<string, number> {
  const rarities = new Map<string, number>();
  const lines = brotliDecompressSync(Buffer.from(PACKED_WORDS, 'base64')).toString().split('\n');
  for (const [rarity, line] of lines.entries()) {
    let word = '';
    for (const coded of line === '' ? [] : line.split(' ')) {
      // Each word is coded as how much of the previous one it keeps, in base 36, and the rest.
      word = word.slice(0, Number.parseInt(coded[0]!, 36)) + coded.slice(1);
      rarities.set(word, rarity);
    }
  }
  for (const word of FUNCTION_WORDS) {
    rarities.set(word, Math.min(rarities.get(word) ?? FUNCTION_WORD_RARITY, FUNCTION_WORD_RARITY));
  }
  return rarities;
}

/** The Han characters of the national standards of China, Taiwan, Japan and Korea, of about 21,000 in the basic block. */
export function readCommonHan(): string[] {
  const bitmap = brotliDecompressSync(Buffer.from(PACKED_HAN, 'base64'));
  const characters: string[] = [];
  for (let i = 0; i < bitmap.length * 8; i++) {
    if ((bitmap[i >> 3]! >> (i & 7)) & 1) characters.push(String.fromCodePoint(HAN_FIRST + i));
  }
  return characters;
}
