/**
 * Groups texts of like length for a backend that computes several in one native call, where the short ones are padded
 * to the longest.
 *
 * It looks ahead into a queue, as far as a window of texts, and gives each unit the one that has waited longest and
 * those whose lengths are nearest to it. What was passed over by `PASSED_UNITS_MAX` units goes before all that are
 * only alike. So a text of the window is sent with one of the next `PASSED_UNITS_MAX` units, or as soon after as all
 * that came to the window before it fit into units.
 */
import type { JobSource } from './fair-queue.ts';
import type { TextJob } from './text-job.ts';
import type { UnitDraft } from './unit-draft.ts';

const PASSED_UNITS_MAX = 1000;

export class LikeLengths {
  readonly #source: JobSource;
  readonly #windowTexts: number;
  /** By age. */
  #window: TextJob[] = [];
  #units = 0;

  constructor(source: JobSource, windowTexts: number) {
    this.#source = source;
    this.#windowTexts = windowTexts;
  }

  /** Moves into the draft what is to go together. */
  fill(draft: UnitDraft): void {
    this.#refill();
    const [oldest] = this.#window;
    if (oldest === undefined) return;
    this.#units++;
    const isOverdue = ({ enteredAt }: TextJob): boolean => this.#units - enteredAt > PASSED_UNITS_MAX;
    const distance = ({ units }: TextJob): number => Math.abs(units - oldest.units);
    const candidates = this.#window.slice(1).toSorted((a, b) => Number(isOverdue(b)) - Number(isOverdue(a)) || (isOverdue(a) ? 0 : distance(a) - distance(b)));
    const chosen = new Set<TextJob>();
    for (const job of [oldest, ...candidates]) {
      if (!draft.tryAdd(job)) break;
      chosen.add(job);
    }
    this.#window = this.#window.filter((job) => !chosen.has(job));
  }

  #refill(): void {
    this.#window = this.#window.filter(({ isWaiting, wantsUrgent }) => isWaiting && !wantsUrgent);
    while (this.#window.length < this.#windowTexts && this.#source.peek() !== undefined) {
      const job = this.#source.take();
      job.enteredAt = this.#units;
      this.#window.push(job);
    }
  }
}
