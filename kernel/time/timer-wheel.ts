/**
 * The timers of one thread: a hierarchical timing wheel, advanced by the thread's loop.
 *
 * Nearly every timer is the deadline of an ask that is answered, so it is scheduled and soon cancelled. A
 * wheel does both in constant time and keeps nothing of what was cancelled; a heap pays a logarithm and has
 * to be swept. `setTimeout` is no choice, because a thread that parks in shared memory does not serve its
 * event loop meanwhile.
 *
 *   level 0   32 slots of 1 ms        the 32 ms that the current tick lies in
 *   level 1   32 slots of 32 ms       the 1,024 ms that it lies in
 *   …
 *   level 7   32 slots of 2^35 ms     all 2^40 ms, which are 34 years
 *
 * A timer waits on the lowest level whose present block its due time falls in. Therefore no block wraps
 * around, all timers of a level are due before all of the next one, and the earliest is in the first
 * occupied slot of the lowest occupied level. An advance empties the slots that it comes to: what is due
 * runs, and the rest of the slot in which the new tick lies moves down. It looks at occupied slots only, so
 * hours that pass at once cost no more than the timers that lie in them. The price is that the timers of a slot
 * move down together: many that are due within a second of each other cost one advance the time to move them all.
 *
 * After G. Varghese and T. Lauck, "Hashed and Hierarchical Timing Wheels" (SOSP 1987), scheme 7. That levels
 * are aligned blocks with a bit for each occupied slot is as in the timer of Tokio; that a slot keeps exact
 * due times and not ticks, so that nothing runs early, is as in Agrona's DeadlineTimerWheel.
 */

export interface Timer {
  /** Has no effect once the timer has run or begun to. */
  cancel(): void;
}

const LEVELS = 8;
const SLOT_BITS = 5;
const SLOTS = 1 << SLOT_BITS;
/** Of one slot of each level, and last of the whole wheel. A tick is a millisecond. */
const WIDTHS_TICKS = Float64Array.from({ length: LEVELS + 1 }, (_, level) => SLOTS ** level);
/** Later timers wait in the last slot until then, or for good: due times are compared and never the ticks. */
const LAST_TICK = SLOTS ** LEVELS - 1;
const ALL_SLOTS = -1;

/** How many timers wait. Each has a hold of it, to count itself off without knowing the slot that it is in. */
interface Tally {
  waiting: number;
}

/** A timer in a circular list; or the head of one, which belongs to no timer and has nothing to run. */
class Entry implements Timer {
  next: Entry;
  previous: Entry;
  /** In the head of a slot, no later than the due time of any timer in it; has no meaning while it is empty. */
  dueMs: number;
  /** Undefined once it has run or is cancelled, so that a handle that is kept holds nothing else. */
  run: (() => void) | undefined;
  readonly tally: Tally;

  constructor(dueMs: number, run: (() => void) | undefined, tally: Tally) {
    this.next = this;
    this.previous = this;
    this.dueMs = dueMs;
    this.run = run;
    this.tally = tally;
  }

  cancel(): void {
    if (this.run === undefined) return;
    this.take();
  }

  /** Leaves its list. @returns what it was to run */
  take(): () => void {
    const run = this.run!;
    this.run = undefined;
    this.tally.waiting--;
    this.previous.next = this.next;
    this.next.previous = this.previous;
    this.next = this;
    this.previous = this;
    return run;
  }

  get isEmpty(): boolean {
    return this.next === this;
  }

  /** Puts a timer that is in no list at the end of the one whose head this is. */
  append(entry: Entry): void {
    const last = this.previous;
    entry.previous = last;
    entry.next = this;
    last.next = entry;
    this.previous = entry;
  }

  /** Moves all timers of another list to the end of the one whose head this is. */
  appendAll(other: Entry): void {
    if (other.isEmpty) return;
    other.next.previous = this.previous;
    this.previous.next = other.next;
    other.previous.next = this;
    this.previous = other.previous;
    other.next = other;
    other.previous = other;
  }
}

export class TimerWheel {
  readonly #startMs: number;
  readonly #tally: Tally = { waiting: 0 };
  /** Heads of the lists of all slots, level by level. */
  readonly #slots: Entry[];
  /** A bit for each slot of a level; one may be set though its slot is empty, since a cancel does not look. */
  readonly #occupied = new Int32Array(LEVELS);
  /** First tick behind the block of each level that the present tick lies in. */
  readonly #blockEnds = WIDTHS_TICKS.slice(1);
  /** What the last advance found due and, because one of them threw, did not come to. In order of due time. */
  readonly #due: Entry;
  /** What an advance has taken out of its slots; empty between advances. */
  readonly #reached: Entry;
  /** Latest reading of the clock. */
  #nowMs: number;
  /** Whole milliseconds from the start to that reading. */
  #tick = 0;

  /** @param startMs reading of the clock at which the wheel begins to turn; @throws TypeError if not finite */
  constructor(startMs: number) {
    if (!Number.isFinite(startMs)) throw new TypeError(`A timer wheel starts at a finite time in ms; got ${startMs}.`);
    this.#startMs = startMs;
    this.#nowMs = startMs;
    const head = (dueMs: number): Entry => new Entry(dueMs, undefined, this.#tally);
    this.#slots = Array.from({ length: LEVELS * SLOTS }, () => head(Infinity));
    this.#due = head(-Infinity);
    this.#reached = head(-Infinity);
  }

  /**
   * Has `run` called by the first advance to `dueMs` or later, which is the next one if that time has passed.
   * A timer that is due at Infinity never runs and may be cancelled like any other.
   * @throws TypeError if `dueMs` is not a number
   */
  schedule(dueMs: number, run: () => void): Timer {
    if (Number.isNaN(dueMs)) throw new TypeError('A timer is due at a time in ms; got NaN.');
    const entry = new Entry(dueMs, run, this.#tally);
    this.#tally.waiting++;
    this.#place(entry);
    return entry;
  }

  /** Timers that wait. Those that are cancelled are gone at once. */
  get size(): number {
    return this.#tally.waiting;
  }

  /**
   * Due time of the next timer, or Infinity when none waits. It is earlier than that if a cancelled timer shared
   * the slot of the next one and came before it: a loop that sleeps until then wakes once too early, and its
   * advance finds out. It is never later.
   */
  get nextDueMs(): number {
    const leftMs = this.#due.isEmpty ? Infinity : this.#due.next.dueMs;
    for (let level = 0; level < LEVELS; level++) {
      for (let bits = this.#occupied[level]!; bits !== 0; bits &= bits - 1) {
        const slot = lowestBit(bits);
        const head = this.#slots[level * SLOTS + slot]!;
        if (!head.isEmpty) return Math.min(leftMs, head.dueMs);
        this.#occupied[level]! &= ~(1 << slot);
      }
    }
    return leftMs;
  }

  /**
   * Runs what is due at `nowMs`, in order of due time; at equal times, of scheduling. A time before the latest
   * one is taken for the latest one.
   *
   * What a timer schedules runs in the next advance at the earliest, also if it is due already: one that
   * schedules itself again at once does not hold up the loop. If a timer throws, advance throws that, and
   * the rest of what was due runs in the next advance.
   * @returns how many ran
   */
  advance(nowMs: number): number {
    if (nowMs > this.#nowMs) this.#nowMs = nowMs;
    this.#reach(Math.min(Math.floor(this.#nowMs - this.#startMs), LAST_TICK));
    let ran = 0;
    while (!this.#due.isEmpty) {
      // Taken before it runs, so that a cancel from then on finds nothing to cancel.
      const run = this.#due.next.take();
      ran++;
      run();
    }
    return ran;
  }

  #place(entry: Entry): void {
    const tick = Math.min(Math.max(entry.dueMs - this.#startMs, this.#tick), LAST_TICK);
    let level = 0;
    while (tick >= this.#blockEnds[level]!) level++;
    const slot = slotOf(tick, level);
    const head = this.#slots[level * SLOTS + slot]!;
    if (head.isEmpty || entry.dueMs < head.dueMs) head.dueMs = entry.dueMs;
    head.append(entry);
    this.#occupied[level]! |= 1 << slot;
  }

  /** Turns the wheel and moves what is due to `#due`. */
  #reach(tick: number): void {
    this.#emptySlotsTo(tick);
    this.#tick = tick;
    for (let level = 0; tick >= this.#blockEnds[level]!; level++) {
      const width = WIDTHS_TICKS[level + 1]!;
      this.#blockEnds[level] = (Math.floor(tick / width) + 1) * width;
    }
    if (this.#reached.isEmpty) return;
    let inOrder = true;
    let entry = this.#reached.next;
    this.#reached.next = this.#reached;
    this.#reached.previous = this.#reached;
    while (entry !== this.#reached) {
      const next = entry.next;
      if (entry.dueMs > this.#nowMs) this.#place(entry);
      else {
        inOrder &&= entry.dueMs >= this.#due.previous.dueMs;
        this.#due.append(entry);
      }
      entry = next;
    }
    if (!inOrder) this.#sortDue();
  }

  /**
   * Moves to `#reached` the timers of all slots up to the tick's own, in which some may not be due yet. Times
   * of the same slot keep the order in which they were scheduled, here and whenever they move down: the slot
   * that they move to is empty then, as timers came to its level in an earlier block only.
   */
  #emptySlotsTo(tick: number): void {
    for (let level = 0; level < LEVELS; level++) {
      const isLast = tick < this.#blockEnds[level]!;
      // Shifted by 32, 2 is 0 and the mask has all bits.
      const reached = this.#occupied[level]! & (isLast ? (2 << slotOf(tick, level)) - 1 : ALL_SLOTS);
      this.#occupied[level]! ^= reached;
      for (let bits = reached; bits !== 0; bits &= bits - 1) {
        const slot = lowestBit(bits);
        const head = this.#slots[level * SLOTS + slot]!;
        // The present millisecond is looked at again and again; until one of its timers is due, they stay.
        if (level === 0 && head.dueMs > this.#nowMs) this.#occupied[0]! |= 1 << slot;
        else this.#reached.appendAll(head);
      }
      // Behind it the blocks of all higher levels are the same as before, and so their present slots are empty.
      if (isLast) return;
    }
  }

  #sortDue(): void {
    const entries: Entry[] = [];
    for (let entry = this.#due.next; entry !== this.#due; entry = entry.next) entries.push(entry);
    // Sorting is stable, so those of equal times stay as they were scheduled.
    entries.sort((a, b) => a.dueMs - b.dueMs);
    this.#due.next = this.#due;
    this.#due.previous = this.#due;
    for (const entry of entries) this.#due.append(entry);
  }
}

/** Which slot of its block on a level a tick lies in. It may have a fraction, which `&` drops, and exceed 32 bits. */
function slotOf(tick: number, level: number): number {
  return (tick / WIDTHS_TICKS[level]!) & (SLOTS - 1);
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}
