/**
 * The timers of one thread: a binary heap by due time, advanced by the thread's loop.
 *
 * The runtime does not use `setTimeout` for deadlines because a thread that parks in shared memory
 * does not serve its event loop meanwhile.
 */
export interface Timer {
  cancel(): void;
}

interface Entry extends Timer {
  dueMs: number;
  run: (() => void) | undefined;
}

export class TimerQueue {
  readonly #heap: Entry[] = [];
  #live = 0;

  schedule(dueMs: number, run: () => void): Timer {
    const entry: Entry = {
      dueMs,
      run,
      cancel: () => {
        if (entry.run === undefined) return;
        entry.run = undefined;
        this.#live--;
        this.#sweep();
      },
    };
    this.#heap.push(entry);
    this.#live++;
    this.#up(this.#heap.length - 1);
    return entry;
  }

  /** Entries held, those cancelled and not yet swept included. */
  get size(): number {
    return this.#heap.length;
  }

  /** Due time of the next timer, or Infinity. */
  get nextDueMs(): number {
    while (this.#heap.length > 0 && this.#heap[0]!.run === undefined) this.#pop();
    return this.#heap[0]?.dueMs ?? Infinity;
  }

  /** Runs what is due at `nowMs`, in order of due time. @returns how many ran */
  advance(nowMs: number): number {
    let ran = 0;
    while (this.nextDueMs <= nowMs) {
      const entry = this.#pop();
      const run = entry.run!;
      // From here on a cancel finds nothing to cancel.
      entry.run = undefined;
      this.#live--;
      ran++;
      run();
    }
    return ran;
  }

  /** Cancelled entries go when they outnumber the living, so asks that are answered leave nothing behind. */
  #sweep(): void {
    if (this.#heap.length < 64 || this.#live * 2 > this.#heap.length) return;
    const living = this.#heap.filter((entry) => entry.run !== undefined).sort((a, b) => a.dueMs - b.dueMs);
    this.#heap.length = 0;
    // A sorted array is a heap.
    for (const entry of living) this.#heap.push(entry);
  }

  #pop(): Entry {
    const top = this.#heap[0]!;
    const last = this.#heap.pop()!;
    if (this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#down(0);
    }
    return top;
  }

  #up(start: number): void {
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.#heap[parent]!.dueMs <= this.#heap[index]!.dueMs) return;
      this.#swap(index, parent);
      index = parent;
    }
  }

  #down(start: number): void {
    let index = start;
    for (;;) {
      const left = 2 * index + 1;
      const right = left + 1;
      let least = index;
      if (left < this.#heap.length && this.#heap[left]!.dueMs < this.#heap[least]!.dueMs) least = left;
      if (right < this.#heap.length && this.#heap[right]!.dueMs < this.#heap[least]!.dueMs) least = right;
      if (least === index) return;
      this.#swap(index, least);
      index = least;
    }
  }

  #swap(a: number, b: number): void {
    const entry = this.#heap[a]!;
    this.#heap[a] = this.#heap[b]!;
    this.#heap[b] = entry;
  }
}
