/**
 * The order in which texts reach the native library: urgent ones first.
 *
 * One runner takes texts one after another. Before each it asks both queues anew, so an urgent batch waits for
 * the text that runs and for no other, however many texts the batch in hand still has. Texts of one class begin in
 * their order. With the direct way to a context (text-context.ts), tokenizing the next text while one
 * computes would save nothing that can be measured (`npm run bench -- llama-ways`).
 *
 * An urgent text that finds the runner busy need not even wait for that: it may go to the express runner, which has
 * contexts of its own and takes urgent texts only. The operating system then shares the processors between the two, so
 * a short text overtakes a long one that has begun. Native calls run on libuv's pool, first come, first served; if it
 * has no thread to spare, the urgent text waits for whichever running text ends first. The express contexts are opened
 * when the first text could have used them, and until they are, the one runner serves all.
 */
import assert from 'node:assert';
import { otherEvents } from '../other-events.ts';

export type Runner = 'ordinary' | 'express';

/**
 * Begins the text at `index` of a batch, on the contexts of `runner`, and deals with its result. Answers undefined
 * when the text was dealt with at once, a promise when it runs. It rejects, or throws, when the whole batch is broken.
 */
export type BeginText = (index: number, runner: Runner) => Promise<void> | undefined;

interface Batch {
  readonly size: number;
  readonly begin: BeginText;
  /** The first text that has not begun. */
  next: number;
  /** How many are dealt with. */
  done: number;
  readonly resolve: () => void;
  readonly reject: (cause: unknown) => void;
}

/** So many texts may be dealt with at once before other events have their turn, an urgent batch among them. */
const AT_ONCE_MAX = 64;

export class TextQueue {
  readonly #urgent: Batch[] = [];
  readonly #ordinary: Batch[] = [];
  readonly #openExpress: (() => Promise<void>) | undefined;
  readonly #busy = new Set<Runner>();
  /** What is under way: runners, and the opening of the express contexts. */
  readonly #underWay = new Set<Promise<void>>();
  #express: 'unopened' | 'opening' | 'open' | 'unavailable' = 'unopened';
  #closing: Promise<void> | undefined;

  /** @param openExpress opens the contexts of the express runner; without it there is none */
  constructor(openExpress?: () => Promise<void>) {
    this.#openExpress = openExpress;
  }

  /** Serves a batch of `size` texts. Resolves when its last text is dealt with. */
  serve(size: number, urgent: boolean, begin: BeginText): Promise<void> {
    this.assertOpen();
    if (size === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      (urgent ? this.#urgent : this.#ordinary).push({ size, begin, next: 0, done: 0, resolve, reject });
      if (!this.#busy.has('ordinary')) this.#start('ordinary');
      else if (urgent) this.#startExpress();
    });
  }

  /** Serves what was accepted before, then calls `dispose`. A second close is the first. */
  close(dispose: () => Promise<void>): Promise<void> {
    this.#closing ??= this.#drain(dispose);
    return this.#closing;
  }

  /** Whoever uses a model that is closed is in error, not the machine. */
  assertOpen(): void {
    assert(this.#closing === undefined, 'the backend is closed: it must not be used after close()');
  }

  async #drain(dispose: () => Promise<void>): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
    await dispose();
  }

  #startExpress(): void {
    if (this.#express === 'open' && !this.#busy.has('express') && this.#urgent.length > 0) this.#start('express');
    if (this.#express === 'unopened' && this.#openExpress !== undefined) this.#track(this.#open(this.#openExpress));
  }

  async #open(openExpress: () => Promise<void>): Promise<void> {
    this.#express = 'opening';
    try {
      await openExpress();
    } catch {
      // A want of memory, perhaps: the one runner goes on serving all, which is slower and no error.
      this.#express = 'unavailable';
      return;
    }
    this.#express = 'open';
    this.#startExpress();
  }

  #start(runner: Runner): void {
    this.#busy.add(runner);
    this.#track(this.#run(runner));
  }

  #track(work: Promise<void>): void {
    this.#underWay.add(work);
    void work.finally(() => this.#underWay.delete(work));
  }

  async #run(runner: Runner): Promise<void> {
    for (let atOnce = 0; ; ) {
      const queue = this.#urgent.length > 0 || runner === 'express' ? this.#urgent : this.#ordinary;
      const batch = queue[0];
      if (batch === undefined) break;
      const index = batch.next++;
      if (batch.next === batch.size) queue.shift();
      try {
        const running = batch.begin(index, runner);
        if (running !== undefined) {
          atOnce = 0;
          await running;
        } else if (++atOnce >= AT_ONCE_MAX) {
          atOnce = 0;
          await otherEvents();
        }
        batch.done++;
        if (batch.done === batch.size) batch.resolve();
      } catch (cause) {
        batch.reject(cause);
        const at = queue.indexOf(batch);
        if (at >= 0) queue.splice(at, 1);
      }
    }
    this.#busy.delete(runner);
  }
}
