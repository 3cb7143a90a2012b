/**
 * The characters and pairs of characters that the built-in model knows beyond ASCII.
 *
 * A word with one unknown character becomes `[UNK]` as a whole, so single characters are covered
 * by block. In scripts whose letters are few, single letters tell little, so neighbouring pairs are
 * pieces too. Ranges are spelt out instead of taken from the engine's Unicode tables: the model
 * must come out the same on every version of Node.
 */

type Range = readonly [first: number, last: number];

/** Combining accents, joiners and variation selectors: known, so that they spoil no word, and without weight. */
const SILENT: readonly Range[] = [[0x0300, 0x036f], [0x1ab0, 0x1aff], [0x200b, 0x200f], [0x20d0, 0x20f0], [0xfe00, 0xfe0f]];

/** Punctuation and symbols that say little about a text. */
const MARKS: readonly Range[] = [
  [0x00a1, 0x00bf], [0x00d7, 0x00d7], [0x00f7, 0x00f7], [0x2010, 0x205e], [0x2190, 0x21ff], [0x2300, 0x23ff], [0x2500, 0x25ff],
  [0x3001, 0x303f], [0xfe10, 0xfe6f], [0xff01, 0xff0f], [0xff1a, 0xff20], [0xff3b, 0xff40], [0xff5b, 0xff65],
];

const LETTERS: readonly Range[] = [
  [0x00c0, 0x00d6], [0x00d8, 0x00f6], [0x00f8, 0x02ff], // Latin, with diacritics
  [0x0370, 0x03ff], [0x1f00, 0x1fff], // Greek
  [0x0400, 0x052f], // Cyrillic
  [0x0531, 0x058a], // Armenian
  [0x0591, 0x05f4], // Hebrew
  [0x0600, 0x06ff], [0x0750, 0x077f], [0xfb1d, 0xfb4f], [0xfe70, 0xfefc], // Arabic and presentation forms
  [0x0900, 0x0df4], // Devanagari to Sinhala
  [0x0e01, 0x0e5b], [0x0e81, 0x0edf], // Thai, Lao
  [0x0f00, 0x0fda], [0x1000, 0x109f], [0x1780, 0x17f9], // Tibetan, Myanmar, Khmer
  [0x10d0, 0x10ff], // Georgian
  [0x1100, 0x11ff], [0x3131, 0x318e], // Jamo
  [0x1200, 0x137c], // Ethiopic
  [0x13a0, 0x13fd], [0x1820, 0x1878], // Cherokee, Mongolian
  [0x1e00, 0x1eff], // Latin, Vietnamese
  [0x2070, 0x209c], [0x20a0, 0x20c0], [0x2100, 0x218b], [0x2200, 0x22ff], [0x2460, 0x24ff], // Numbers, currencies, mathematics
  [0x2600, 0x27bf], [0x2b05, 0x2b55], // Pictographs
  [0x3041, 0x30ff], [0x3105, 0x312f], [0xff10, 0xff19], [0xff41, 0xff5a], [0xff66, 0xff9f], // Kana, Bopomofo, wide and narrow forms
  [0xfb00, 0xfb06], // Ligatures
  [0x1f1e6, 0x1f1ff], [0x1f300, 0x1f64f], [0x1f680, 0x1f6ff], [0x1f900, 0x1f9ff], [0x1fa70, 0x1faff], // Emoji
];

const HANGUL: Range = [0xac00, 0xd7a3];

/** Alphabets whose pairs of letters are pieces: every pair of the first list with the second. */
const PAIRED: readonly (readonly [first: string, second: string])[] = [
  ...['абвгдежзийклмнопрстуфхцчшщъыьэюяёіїєґ', 'αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώ', 'ابتثجحخدذرزسشصضطظعغفقكلمنهويةىءآأإؤئپچژگکی', 'אבגדהוזחטיכלמנסעפצקרשתםןץףך',
    'აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ', 'աբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆև'].map((letters) => [letters, letters] as const),
  // A consonant with its vowel sign. The Indic blocks are laid out alike.
  ...[0x0900, 0x0980, 0x0b80, 0x0c00].map((block) => [characters([[block + 0x15, block + 0x39]]), characters([[block + 0x3e, block + 0x4d]])] as const),
  [characters([[0x0e01, 0x0e2e]]), characters([[0x0e30, 0x0e3a], [0x0e47, 0x0e4d]])],
  [characters([[0x0e40, 0x0e44]]), characters([[0x0e01, 0x0e2e]])],
];

function characters(ranges: readonly Range[]): string {
  return ranges.map(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => String.fromCodePoint(first + i)).join('')).join('');
}

/** Capitals never reach the vocabulary, because the tokenizer lowers them first. Only blocks that are full, or long settled, are asked. */
function withoutCapitals(text: string): string[] {
  return Array.from(text).filter((character) => {
    const code = character.codePointAt(0)!;
    return !((code < 0x590 || (code >= 0x1e00 && code < 0x2000)) && Array.from(character.toLowerCase()).length === 1 && character.toLowerCase() !== character);
  });
}

export function silentCharacters(): string[] {
  return Array.from(characters(SILENT));
}

export function markCharacters(): string[] {
  return Array.from(characters(MARKS));
}

export function letterCharacters(): string[] {
  return withoutCapitals(characters(LETTERS));
}

export function hangulSyllables(): string[] {
  return Array.from(characters([HANGUL]));
}

export function letterPairs(): string[] {
  return PAIRED.flatMap(([first, second]) => Array.from(first).flatMap((a) => Array.from(second, (b) => a + b)));
}
