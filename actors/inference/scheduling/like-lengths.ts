/**
 * Groups texts of like length for a backend that computes several in one native call, where the short ones are padded
 * to the longest.
 *
 * It looks ahead into a queue, as far as a window of texts, and gives each unit the one that has waited longest and
 * those whose lengths are nearest to it. So nobody is passed over for ever: with every unit the oldest text goes, and a
 * text that came to the window goes with one of as many units as the window has texts, at the latest.
 */
import type { JobSource } from './fair-queue.ts';
import type { TextJob } from './text-job.ts';
import type { UnitDraft } from './unit-draft.ts';

export class LikeLengths {
  readonly #source: JobSource;
  readonly #windowTexts: number;
  /** By age. */
  #window: TextJob[] = [];

  constructor(source: JobSource, windowTexts: number) {
    this.#source = source;
    this.#windowTexts = windowTexts;
  }

  /** Moves into the draft what is to go together. */
  fill(draft: UnitDraft): void {
    this.#refill();
    const [oldest, ...others] = this.#window;
    if (oldest === undefined) return;
    const distance = ({ units }: TextJob): number => Math.abs(units - oldest.units);
    const chosen = new Set<TextJob>();
    for (const job of [oldest, ...others.sort((a, b) => distance(a) - distance(b))]) {
      if (!draft.tryAdd(job)) break;
      chosen.add(job);
    }
    this.#window = this.#window.filter((job) => !chosen.has(job));
  }

  #refill(): void {
    this.#window = this.#window.filter(({ isWaiting, wantsUrgent }) => isWaiting && !wantsUrgent);
    while (this.#window.length < this.#windowTexts && this.#source.peek() !== undefined) this.#window.push(this.#source.take());
  }
}
