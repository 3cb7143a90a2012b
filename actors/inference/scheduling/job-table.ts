/** The jobs that are not done, by what makes two texts the same: the text, and what becomes of it if it is too long. */
import type { TruncatePolicy } from '../backend.ts';
import type { TextJob } from './text-job.ts';

export class JobTable {
  /** By the text itself: V8 keeps a string's hash, and compares only what has the same. */
  readonly #byPolicy = new Map<TruncatePolicy | undefined, Map<string, TextJob>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(truncate: TruncatePolicy | undefined, text: string): TextJob | undefined {
    return this.#byPolicy.get(truncate)?.get(text);
  }

  add(job: TextJob): void {
    let jobs = this.#byPolicy.get(job.truncate);
    if (jobs === undefined) this.#byPolicy.set(job.truncate, (jobs = new Map()));
    jobs.set(job.text, job);
    this.#size++;
  }

  remove({ truncate, text }: TextJob): void {
    if (this.#byPolicy.get(truncate)?.delete(text) === true) this.#size--;
  }
}
