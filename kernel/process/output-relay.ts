/** What an actor's process writes to its standard output and error: handed on to this one's error output, with a bound. */
import type { Readable } from 'node:stream';

/** Bytes that are handed on in each second; what comes beyond is counted. */
const BYTES_PER_SECOND = 64 * 1024;
/** Of its last words, which go with the report of its end. */
const TAIL_CHARACTERS = 1_000;

export class OutputRelay {
  readonly #name: string;
  readonly #nowMs: () => number;
  readonly #write: (text: string) => void;
  #secondMs = 0;
  #left = BYTES_PER_SECOND;
  #dropped = 0;
  #tail = '';

  /** @param name of the actor, for the note on what was dropped */
  constructor(name: string, nowMs: () => number, write: (text: string) => void) {
    this.#name = name;
    this.#nowMs = nowMs;
    this.#write = write;
  }

  follow(output: Readable, isError: boolean): void {
    output.setEncoding('utf8');
    output.on('data', (text: string) => {
      if (isError) this.#tail = (this.#tail + text).slice(-TAIL_CHARACTERS);
      this.#relay(text);
    });
    output.on('error', () => {});
  }

  /** The end of what was written to the error output. */
  get tail(): string {
    return this.#tail.trim();
  }

  #relay(text: string): void {
    const nowMs = this.#nowMs();
    if (nowMs - this.#secondMs >= 1_000) {
      if (this.#dropped > 0) this.#write(`[${this.#name}: ${this.#dropped} characters of output were dropped]\n`);
      this.#secondMs = nowMs;
      this.#left = BYTES_PER_SECOND;
      this.#dropped = 0;
    }
    const kept = text.slice(0, this.#left);
    this.#left -= kept.length;
    this.#dropped += text.length - kept.length;
    if (kept !== '') this.#write(kept);
  }
}
