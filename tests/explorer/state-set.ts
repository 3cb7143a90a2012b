/**
 * The states that were explored, each as 64 bits of its hash with the number of schedules that go on
 * from it. An open hash table in three flat arrays: millions of entries without an object each.
 *
 * Two states with the same hash would be taken for one, which is what SPIN calls hash compaction: for
 * n states it happens with a chance of about n^2 / 2^65, 3 in a million for ten million states.
 */

export class StateSet {
  size = 0;
  #capacity = 1 << 16;
  #low = new Int32Array(this.#capacity);
  #high = new Int32Array(this.#capacity);
  /** 0 where the place is free. */
  #schedules = new Float64Array(this.#capacity);

  /** Schedules that go on from this state, or 0 if it was not explored. */
  schedules(low: number, high: number): number {
    return this.#schedules[this.#place(low, high)]!;
  }

  /** @param schedules at least 1 */
  add(low: number, high: number, schedules: number): void {
    if (this.size * 3 > this.#capacity * 2) this.#grow();
    const place = this.#place(low, high);
    if (this.#schedules[place] === 0) this.size++;
    this.#low[place] = low;
    this.#high[place] = high;
    this.#schedules[place] = schedules;
  }

  clear(): void {
    this.size = 0;
    this.#schedules.fill(0);
  }

  #place(low: number, high: number): number {
    const last = this.#capacity - 1;
    let place = (low ^ (high >>> 7)) & last;
    while (this.#schedules[place] !== 0 && (this.#low[place] !== low || this.#high[place] !== high)) place = (place + 1) & last;
    return place;
  }

  #grow(): void {
    const [low, high, schedules] = [this.#low, this.#high, this.#schedules];
    this.#capacity *= 2;
    this.#low = new Int32Array(this.#capacity);
    this.#high = new Int32Array(this.#capacity);
    this.#schedules = new Float64Array(this.#capacity);
    for (let old = 0; old < schedules.length; old++) {
      if (schedules[old] === 0) continue;
      const place = this.#place(low[old]!, high[old]!);
      this.#low[place] = low[old]!;
      this.#high[place] = high[old]!;
      this.#schedules[place] = schedules[old]!;
    }
  }
}
