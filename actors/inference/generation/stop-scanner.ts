/**
 * Finds stop sequences in a text that comes in pieces.
 *
 * A sequence may begin in one piece and end in a later one. So the end of what has come is held back as long
 * as it is the beginning of a stop sequence; that is less than the longest of them.
 */
export class StopScanner {
  readonly #stops: readonly string[];
  #held = '';

  /** @param stops none of them empty */
  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** @returns the text that surely belongs to the answer, and the stop sequence behind it if there is one */
  push(piece: string): { readonly text: string; readonly stop: string | undefined } {
    const text = this.#held + piece;
    let end = text.length;
    let stop: string | undefined;
    for (const candidate of this.#stops) {
      const at = text.indexOf(candidate);
      // Of two that begin at one place the longer says more.
      if (at === -1 || at > end || (at === end && candidate.length <= (stop?.length ?? 0))) continue;
      end = at;
      stop = candidate;
    }
    if (stop !== undefined) {
      this.#held = '';
      return { text: text.slice(0, end), stop };
    }
    const kept = this.#beginningAtEnd(text);
    this.#held = text.slice(text.length - kept);
    return { text: text.slice(0, text.length - kept), stop };
  }

  /** What was held back, when nothing comes any more. */
  flush(): string {
    const held = this.#held;
    this.#held = '';
    return held;
  }

  /** Units at the end of `text` that begin a stop sequence; of several beginnings the longest. */
  #beginningAtEnd(text: string): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let units = Math.min(stop.length - 1, text.length); units > longest; units--) {
        if (text.endsWith(stop.slice(0, units))) longest = units;
      }
    }
    return longest;
  }
}
