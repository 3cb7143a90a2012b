/**
 * A cheap, model-free estimate of how many tokens a text has, on the safe side.
 *
 * Chunks are planned before any model sees them, on another thread, so the planner needs a figure
 * that is additive (the sum over lines is the figure of the text), fast, and rarely too low. The
 * weights follow what WordPiece vocabularies of English BERT models do, the least generous kind in
 * use: white space is free, every punctuation mark is a token, a word is a token and some pieces,
 * letters of other alphabets go nearly one by one, Hangul comes apart into its jamo, and what is
 * not in the vocabulary may fall back to bytes.
 *
 * Everything is counted in quarters of a token, so that sums stay integers and cuts deterministic.
 */

/** Code units of a word (letters and digits) after which pieces get shorter: hashes, base64. */
const LONG_WORD_UNITS = 12;

/** Quarters for a code unit that begins a word or stands alone; 0 is white space. */
const FIRST = new Uint8Array(0x1_0000).fill(8);
/** Quarters for a code unit inside a word; 0 for units that are not part of words. */
const WITHIN = new Uint8Array(0x1_0000);

function assign(from: number, to: number, first: number, within: number): void {
  FIRST.fill(first, from, to + 1);
  WITHIN.fill(within, from, to + 1);
}

assign(0x00, 0x7f, 4, 0);
assign(0x30, 0x39, 4, 2);
assign(0x41, 0x5a, 4, 2);
assign(0x61, 0x7a, 4, 1);
assign(0x80, 0xbf, 4, 0);
assign(0xc0, 0x24f, 4, 2);
assign(0x250, 0x36f, 4, 4);
// Greek, Cyrillic, Armenian, Hebrew, Arabic and their like.
assign(0x370, 0x8ff, 4, 3);
// The scripts of India and South-East Asia, Georgian, Ethiopic and so on.
assign(0x900, 0x1fff, 4, 4);
assign(0x2000, 0x2bff, 4, 0);
assign(0x2c00, 0x2dff, 4, 4);
// Symbols, kana, ideographs, Yi.
assign(0x2e00, 0xa4cf, 4, 0);
assign(0xa4d0, 0xabff, 4, 4);
for (let code = 0xac00; code <= 0xd7a3; code += 1) FIRST[code] = (code - 0xac00) % 28 === 0 ? 8 : 12;
assign(0xf900, 0xfaff, 4, 0);
assign(0xff00, 0xffef, 4, 0);
for (let code = 0; code < 0x1_0000; code += 1) {
  if (String.fromCharCode(code).trim() === '') assign(code, code, 0, 0);
}

/** Whether a code unit is white space as `String.prototype.trim` sees it. */
export function isSpace(code: number): boolean {
  return FIRST[code] === 0;
}

/** The weight of the code unit `code` after `run` units of the same word, in quarters of a token. */
function weight(code: number, run: number): number {
  const within = WITHIN[code]!;
  if (run === 0 || within === 0) return FIRST[code]!;
  return run < LONG_WORD_UNITS ? within : within + 1;
}

/** The estimate for a part of a text, in quarters of a token. It is 0 exactly for white space. */
export function quartersOf(text: string, start: number, end: number): number {
  let sum = 0;
  let run = 0;
  for (let index = start; index < end; index += 1) {
    const code = text.charCodeAt(index);
    sum += weight(code, run);
    run = WITHIN[code] === 0 ? 0 : run + 1;
  }
  return sum;
}

/** How many tokens a text is likely to have at most; an estimate, not a bound. */
export function estimateTokens(text: string): number {
  return Math.ceil(quartersOf(text, 0, text.length) / 4);
}

/**
 * Where to cut a line that is too long: the end of the longest piece from `start` that stays
 * within `quartersMax` and `unitsMax` code units, moved back to the end of a sentence, else a
 * space, else punctuation, as long as at least half of the piece remains. Returns `end` when all
 * of it fits; never cuts a surrogate pair, and hardly ever a grapheme.
 */
export function cutLine(text: string, start: number, end: number, quartersMax: number, unitsMax: number): number {
  let sum = 0;
  let run = 0;
  let sentence = start;
  let space = start;
  let punctuation = start;
  for (let index = start; index < end; index += 1) {
    const code = text.charCodeAt(index);
    sum += weight(code, run);
    run = WITHIN[code] === 0 ? 0 : run + 1;
    if (sum > quartersMax || index - start >= unitsMax) {
      const half = start + (index - start) / 2;
      for (const cut of [sentence, space, punctuation]) if (cut > half) return cut;
      return characterBoundary(text, start, index, end);
    }
    if (FIRST[code] === 0) {
      space = index + 1;
      if (index > start && ENDS_SENTENCE.has(text.charCodeAt(index - 1))) sentence = index + 1;
    } else if (ENDS_SENTENCE_ALONE.has(code)) sentence = index + 1;
    else if (SEPARATES.has(code)) punctuation = index + 1;
  }
  return end;
}

const codes = (characters: string): ReadonlySet<number> => new Set(Array.from(characters, (character) => character.charCodeAt(0)));
const ENDS_SENTENCE = codes('.!?…:;؟।');
const ENDS_SENTENCE_ALONE = codes('。！？；．');
const SEPARATES = codes(',;})]>|&，、');

/** Whether a unit ends a sentence when white space or the end of a line follows. */
export function endsSentence(code: number): boolean {
  return ENDS_SENTENCE.has(code) || ENDS_SENTENCE_ALONE.has(code);
}

/** Marks, joiners, variation selectors and skin tones: what continues the grapheme before it. */
const CONTINUES = /^[\p{M}\u200D\p{Emoji_Modifier}]/u;
/** A grapheme of more code points than this is cut; it is an attack, not a letter. */
const GRAPHEME_POINTS_MAX = 16;

function characterBoundary(text: string, start: number, wanted: number, end: number): number {
  const first = start + (text.codePointAt(start)! > 0xffff ? 2 : 1);
  let index = Math.max(wanted, first);
  if (isLowSurrogate(text, index)) index -= 1;
  const floor = Math.max(index, first);
  for (let points = 0; points < GRAPHEME_POINTS_MAX && index > first && index < end; points += 1) {
    const joined = text.charCodeAt(index - 1) === 0x200d;
    if (!joined && !CONTINUES.test(text.slice(index, index + 2))) return index;
    index -= isLowSurrogate(text, index - 1) ? 2 : 1;
  }
  return index > first && index < end ? index : floor;
}

function isLowSurrogate(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  const before = text.charCodeAt(index - 1);
  return code >= 0xdc00 && code <= 0xdfff && before >= 0xd800 && before <= 0xdbff;
}
