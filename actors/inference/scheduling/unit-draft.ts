/** A unit that is being filled, and the bounds that close it. */
import type { TruncatePolicy } from '../backend.ts';
import type { TextJob } from './text-job.ts';

export interface UnitBounds {
  readonly texts: number;
  /** UTF-16 units of all texts. */
  readonly units: number;
  /** Estimated. */
  readonly tokens: number;
}

export class UnitDraft {
  readonly jobs: TextJob[] = [];
  tokens = 0;
  readonly #bounds: UnitBounds;
  readonly #cost: (job: TextJob) => number;
  #textsMax: number;
  #units = 0;
  #truncate: TruncatePolicy | undefined;

  constructor(bounds: UnitBounds, cost: (job: TextJob) => number) {
    this.#bounds = bounds;
    this.#cost = cost;
    this.#textsMax = bounds.texts;
  }

  /** Takes the job in if there is room; the first always fits. @returns false once the unit is full */
  tryAdd(job: TextJob): boolean {
    const { jobs } = this;
    const tokens = this.tokens + this.#cost(job);
    const units = this.#units + job.units;
    if (jobs.length === 0) this.#truncate = job.truncate;
    else if (
      jobs.length >= Math.min(this.#textsMax, job.companionsMax) ||
      tokens > this.#bounds.tokens ||
      units > this.#bounds.units ||
      job.truncate !== this.#truncate
    ) return false;
    jobs.push(job);
    this.tokens = tokens;
    this.#units = units;
    this.#textsMax = Math.min(this.#textsMax, job.companionsMax);
    return true;
  }
}
