/**
 * Makes a word that a text repeats count little more than once, by the model's one attention head.
 *
 * A mean over tokens counts repetitions in full, and a text that says one word five times is then
 * about little else. Lexical search has long saturated counts: BM25 (Robertson and Walker 1994)
 * replaces a count `c` by `c / (c + k)`, up to a factor. One attention head can do just that.
 *
 * Each row ends with a code that tells its piece from all others. A token's query is its code, so
 * the head gives each of the `c` tokens of its piece a score of S, every other token one near 0,
 * and `[CLS]`, whose row is empty but for a component that every query asks for, one of S + ln k.
 * After softmax the token's own piece holds the share `c / (c + k)`, and `[CLS]` the rest. The head
 * moves content unchanged, and its output is subtracted from the token:
 *
 *     content − content · c / (c + k)  =  content · k / (c + k)
 *
 * which over the `c` tokens sums to `content · c · k / (c + k)`: the saturated count. `[CLS]` and
 * `[SEP]` ask for the same component, so they attend to `[CLS]` and keep their empty content.
 *
 * The last values of a row:
 *
 *     0 .. 27   code: 14 times +u and 14 times −u, u = 1 / sqrt(28)
 *     28, 29    +u, −u in every row: what asks for [CLS]
 *     30, 31    +u, −u in [CLS] only: what is asked for
 *
 * Pairs of opposite sign sum to 0, so that the mean which layer norm subtracts is 0 already. All
 * values have one magnitude, so Q8_0 stores them exactly.
 */
import { CONTENT_DIMENSIONS, SignSource } from './content.ts';
import type { Piece } from './vocabulary.ts';

const CODE_DIMENSIONS = 32;
/** Length of a row, and of the model's vectors; the values of the code are 0 in those. */
export const ROW_DIMENSIONS = CONTENT_DIMENSIONS + CODE_DIMENSIONS;

const CODE_SIGNS = 28;
const UNIT = 1 / Math.sqrt(CODE_SIGNS);
const ASKING = CONTENT_DIMENSIONS + CODE_SIGNS;
const ASKED = ASKING + 2;

/** S. Random codes agree by 0.19 (one standard deviation), so that even 2,000 other tokens together weigh less than a hundredth of one. */
const SCORE = 20;
/** S + ln k for k = 0.15; the logarithm is spelt out because engines may round `Math.log` differently. */
const SCORE_OF_CLS = SCORE - 1.8971;
/** llama.cpp divides scores by it. */
const SCORE_DIVISOR = Math.sqrt(ROW_DIMENSIONS);

/** Writes the last `CODE_DIMENSIONS` values of `row`. */
export function writeCode(piece: Piece, row: Float32Array): void {
  const code = row.subarray(CONTENT_DIMENSIONS, CONTENT_DIMENSIONS + CODE_DIMENSIONS).fill(0);
  row[ASKING] = UNIT;
  row[ASKING + 1] = -UNIT;
  if (piece.token === '[CLS]') {
    row[ASKED] = UNIT;
    row[ASKED + 1] = -UNIT;
  }
  if (piece.kind === 'special' && piece.token !== '[UNK]') return;
  for (let i = 0; i < CODE_SIGNS; i++) code[i] = i < CODE_SIGNS / 2 ? UNIT : -UNIT;
  // Fisher and Yates, from a source that the piece alone determines.
  const random = new SignSource(`code ${piece.token}`);
  for (let i = CODE_SIGNS - 1; i > 0; i--) {
    const j = random.next() % (i + 1);
    const kept = code[i]!;
    code[i] = code[j]!;
    code[j] = kept;
  }
}

/** The head's matrices, each `[ROW_DIMENSIONS, ROW_DIMENSIONS]`: row `o` holds the weights of output `o`. */
export function attentionMatrices(): { query: Float32Array; key: Float32Array; value: Float32Array; output: Float32Array } {
  const size = ROW_DIMENSIONS * ROW_DIMENSIONS;
  const query = new Float32Array(size);
  const key = new Float32Array(size);
  const value = new Float32Array(size);
  const output = new Float32Array(size);
  for (let i = 0; i < CONTENT_DIMENSIONS; i++) {
    value[at(i, i)] = 1;
    output[at(i, i)] = -1;
  }
  const codeGain = Math.sqrt(SCORE * SCORE_DIVISOR);
  // The asking component has length `UNIT` where a code has length 1.
  const askGain = Math.sqrt(SCORE_OF_CLS * SCORE_DIVISOR) / UNIT;
  for (let i = CONTENT_DIMENSIONS; i < ASKING; i++) {
    query[at(i, i)] = codeGain;
    key[at(i, i)] = codeGain;
  }
  query[at(ASKING, ASKING)] = askGain;
  key[at(ASKING, ASKED)] = askGain;
  return { query, key, value, output };
}

/** Index of the weight from input `column` to output `row`. */
function at(row: number, column: number): number {
  return row * ROW_DIMENSIONS + column;
}
