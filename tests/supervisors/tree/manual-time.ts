/** Time that stands still until it is told to go on, and then goes from timer to timer. */
import type { Clock } from '../../../kernel/index.ts';

interface Due {
  readonly atMs: number;
  readonly run: () => void;
  isCancelled: boolean;
}

/** More timers than any fault sets off: whatever needs more goes round in circles. */
const MOST_TIMERS = 20_000;

export class ManualTime {
  nowMs = 0;
  /** In the order in which they are due, and among equals as they came. */
  #timers: Due[] = [];
  readonly clock: Clock = { monotonicMs: () => this.nowMs, wallMs: () => this.nowMs };

  get pending(): number {
    return this.#timers.length;
  }

  readonly after = (delayMs: number, run: () => void): { cancel(): void } => {
    const due: Due = { atMs: this.nowMs + delayMs, run, isCancelled: false };
    const index = this.#timers.findLastIndex(({ atMs }) => atMs <= due.atMs);
    this.#timers.splice(index + 1, 0, due);
    return { cancel: () => this.#cancel(due) };
  };

  /** Lets time pass until nothing waits for it any more. @returns whether it came to that */
  async settle(): Promise<boolean> {
    for (let count = 0; count < MOST_TIMERS; count++) {
      await allMicrotasks();
      const due = this.#timers.shift();
      if (due === undefined) return true;
      this.nowMs = due.atMs;
      due.isCancelled = true;
      due.run();
    }
    return false;
  }

  #cancel(due: Due): void {
    if (due.isCancelled) return;
    due.isCancelled = true;
    this.#timers.splice(this.#timers.indexOf(due), 1);
  }
}

/** All that promises have to do is done before the event loop comes to this. */
function allMicrotasks(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
