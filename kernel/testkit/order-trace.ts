/**
 * What a test system has done, step by step: a hash that tells two runs apart, and the last lines of it for
 * people. FNV-1a over the text of the steps (G. Fowler, L. Noll, P. Vo).
 */
const OFFSET_BASIS = 0x811c_9dc5;
const PRIME = 0x0100_0193;
/** Lines that are kept. */
const CAPACITY = 10_000;

export class OrderTrace {
  readonly #keepsLines: boolean;
  readonly #lines: string[] = [];
  #hash = OFFSET_BASIS;
  #length = 0;

  constructor(keepsLines: boolean) {
    this.#keepsLines = keepsLines;
  }

  add(line: string): void {
    let hash = this.#hash;
    for (let index = 0; index < line.length; index++) hash = Math.imul(hash ^ line.charCodeAt(index), PRIME);
    this.#hash = Math.imul(hash ^ 0x0a, PRIME) >>> 0;
    this.#length++;
    if (!this.#keepsLines) return;
    this.#lines.push(line);
    if (this.#lines.length > CAPACITY) this.#lines.shift();
  }

  /** Equal for equal runs. */
  get hash(): string {
    return `${this.#length}-${this.#hash.toString(16).padStart(8, '0')}`;
  }

  /** The latest lines, if they are kept. */
  get lines(): readonly string[] {
    return this.#lines;
  }
}
