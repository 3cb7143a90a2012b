/**
 * Text from tokens that hold any bytes: only whole characters leave.
 *
 * A token may end in the middle of a character, whose rest is in later ones. Decoded too early, the beginning of a
 * character shows as one replacement character at the end (WHATWG Encoding: the longest part that could still
 * become a character is replaced as one), so a replacement character at the end is held back. What comes next
 * decides whether it was the beginning of something or is wrong for good.
 */
const REPLACEMENT = '\uFFFD';
/** Beyond it tokens that are decided are let go: a model may write wrong bytes for a long time. */
const UNDECIDED_SOFT_MAX = 8;
/** No text has so many tokens in a row that all end inside of a character. */
const UNDECIDED_MAX = 64;
/** Tokens before the present ones by which some tokenizers know whether a space belongs between. */
const CONTEXT_TOKENS = 4;

/** Decodes tokens, which follow `before`. */
type Decode<Token> = (tokens: readonly Token[], before: readonly Token[]) => string;

export class TokenText<Token> {
  readonly #decode: Decode<Token>;
  #before: readonly Token[];
  /** Tokens since the last place where a character surely ended. */
  #undecided: Token[] = [];
  /** UTF-16 units of their text that have left. */
  #left = 0;

  /** @param before the last tokens of the prompt */
  constructor(decode: Decode<Token>, before: readonly Token[]) {
    this.#decode = decode;
    this.#before = before.slice(-CONTEXT_TOKENS);
  }

  /** @returns the characters that are complete with this token */
  push(token: Token): string {
    this.#undecided.push(token);
    const text = this.#decode(this.#undecided, this.#before);
    const isDecided = !text.endsWith(REPLACEMENT) || this.#undecided.length >= UNDECIDED_MAX;
    const end = isDecided ? text.length : text.length - 1;
    const piece = text.slice(this.#left, end);
    this.#left = end;
    if (isDecided) this.#letGo(this.#undecided.length, text.length);
    else if (this.#undecided.length > UNDECIDED_SOFT_MAX) this.#letDecidedGo(text);
    return piece;
  }

  /**
   * Finds a place between two tokens where no character goes across: decoded apart they give the same text as
   * together. (The two halves of a character would give a replacement character each.)
   */
  #letDecidedGo(text: string): void {
    for (let count = this.#undecided.length - 1; count > 0; count--) {
      const first = this.#decode(this.#undecided.slice(0, count), this.#before);
      const rest = this.#decode(this.#undecided.slice(count), [...this.#before, ...this.#undecided.slice(0, count)].slice(-CONTEXT_TOKENS));
      if (first + rest !== text) continue;
      this.#letGo(count, first.length);
      return;
    }
  }

  #letGo(count: number, units: number): void {
    this.#before = [...this.#before, ...this.#undecided.slice(0, count)].slice(-CONTEXT_TOKENS);
    this.#undecided = this.#undecided.slice(count);
    this.#left -= units;
  }
}
