/**
 * The high and the low mark of a ring, and the highest level it ever had.
 *
 * Pressure begins with the record that brings the level to the high mark and ends once the level was
 * seen below the low mark. PRESSURE counts these changes, so it is odd while there is pressure, no
 * change between two looks goes unnoticed, and beginnings and ends take turns whoever makes them.
 */
import * as layout from './layout.ts';

export class Marks {
  readonly #words: Int32Array;
  readonly #highBytes: number;
  readonly #lowBytes: number;
  /** Own copy of PEAK, which only grows. */
  #peakBytes: number;

  constructor(words: Int32Array) {
    this.#words = words;
    this.#highBytes = words[layout.HIGH_MARK_WORD]!;
    this.#lowBytes = words[layout.LOW_MARK_WORD]!;
    this.#peakBytes = Atomics.load(words, layout.PEAK_WORD);
  }

  /** Whether a level of at most `levelBytes` changes nothing, so that nobody need measure it exactly. */
  areQuietAt(levelBytes: number): boolean {
    if (levelBytes > this.#peakBytes || levelBytes >= this.#highBytes) return false;
    // A plain load: an answer that is a moment old is put right with the next record.
    return (this.#words[layout.PRESSURE_WORD]! & 1) === 0;
  }

  /** Keeps peak and pressure for a level that rose from `beforeBytes`, its lowest for now, to `levelBytes`. */
  note(beforeBytes: number, levelBytes: number): void {
    if (levelBytes > this.#peakBytes) this.#raisePeak(levelBytes);
    const changes = Atomics.load(this.#words, layout.PRESSURE_WORD);
    const pressured = (changes & 1) === 1;
    const next = levelBytes >= this.#highBytes || (pressured && beforeBytes >= this.#lowBytes);
    // Several producers may see the same crossing; it is one change, made by one of them.
    if (next !== pressured) Atomics.compareExchange(this.#words, layout.PRESSURE_WORD, changes, (changes + 1) | 0);
  }

  #raisePeak(levelBytes: number): void {
    this.#peakBytes = Atomics.load(this.#words, layout.PEAK_WORD);
    while (this.#peakBytes < levelBytes) {
      const found = Atomics.compareExchange(this.#words, layout.PEAK_WORD, this.#peakBytes, levelBytes);
      this.#peakBytes = found === this.#peakBytes ? levelBytes : found;
    }
  }
}
