/**
 * Things that are to be looked at again at a time each, earliest first: a binary heap.
 *
 * Not a TimerWheel, which is made for one on each thread and many cancels: each tenant with sessions has one
 * of these, nothing is ever cancelled, and an empty heap is an empty array.
 */
export interface Due {
  /** Stays as it is while the thing is in the heap. */
  dueMs: number;
}

export class DueHeap<Item extends Due> {
  readonly #items: Item[] = [];

  /** Infinity if there is nothing. */
  get nextDueMs(): number {
    return this.#items[0]?.dueMs ?? Infinity;
  }

  push(item: Item): void {
    const items = this.#items;
    let index = items.length;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (items[parent]!.dueMs <= item.dueMs) break;
      items[index] = items[parent]!;
      index = parent;
    }
    items[index] = item;
  }

  /** Takes out the earliest thing that is due, if one is. */
  take(nowMs: number): Item | undefined {
    const items = this.#items;
    if (this.nextDueMs > nowMs) return undefined;
    const top = items[0]!;
    const last = items.pop()!;
    if (items.length > 0) this.#sink(last);
    return top;
  }

  /** Puts `item` where the top was, or as far below as it belongs. */
  #sink(item: Item): void {
    const items = this.#items;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && items[child + 1]!.dueMs < items[child]!.dueMs) child++;
      if (item.dueMs <= items[child]!.dueMs) break;
      items[index] = items[child]!;
      index = child;
    }
    items[index] = item;
  }
}
