/**
 * One thread's ear to the log of llama.cpp.
 *
 * The native log has one receiver for the whole process, and when a second thread or a second load
 * takes its place, the library may lose both and print raw lines to standard output, where they
 * ruin machine-readable output. The log is therefore off, unless somebody asks for it and accepts
 * that; even then it is on only while a model loads, when it has something to explain.
 */
import { LlamaLogLevel, type Llama } from 'node-llama-cpp';

/** Enough lines to explain a failed load, and never more than that in memory. */
const KEPT_LINES = 8;

export class NativeLogger {
  /** Give this and `receive` to `getLlama`. */
  readonly level: LlamaLogLevel;
  readonly #forward: ((line: string) => void) | undefined;
  readonly #recent: string[] = [];

  constructor(forward: ((line: string) => void) | undefined) {
    this.#forward = forward;
    this.level = forward === undefined ? LlamaLogLevel.disabled : LlamaLogLevel.error;
  }

  readonly receive = (_level: LlamaLogLevel, message: string): void => {
    const line = message.trim();
    if (line === '') return;
    this.#recent.push(line);
    if (this.#recent.length > KEPT_LINES) this.#recent.shift();
    this.#forward?.(line);
  };

  /** The latest lines, for an exception that says less than the log. */
  explain(): string {
    return this.#recent.length === 0 ? 'without a logged reason' : this.#recent.join('; ');
  }

  static silence(llama: Llama): void {
    llama.logLevel = LlamaLogLevel.disabled;
  }
}
