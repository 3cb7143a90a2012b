/**
 * The wheel against a sorted list, over random scripts of schedule, cancel and advance. Timers also schedule,
 * cancel and throw while they run, and distances reach from parts of a millisecond to decades.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TimerWheel, type Timer } from '../../../kernel/time/timer-wheel.ts';

/** What a timer does when it runs. */
type Deed =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'schedule'; readonly afterMs: number }
  | { readonly kind: 'cancel'; readonly which: number }
  | { readonly kind: 'throw' };

type Step =
  | { readonly kind: 'schedule'; readonly afterMs: number; readonly deed: Deed }
  | { readonly kind: 'cancel'; readonly which: number }
  | { readonly kind: 'advance'; readonly byMs: number }
  | { readonly kind: 'sleep' };

const NOTHING: Deed = { kind: 'nothing' };

interface Waiting {
  readonly id: number;
  readonly dueMs: number;
  readonly deed: Deed;
}

/** What a wheel should do, in the plainest way; ids count up, so they are the order of scheduling. */
class ListModel {
  readonly ran: number[] = [];
  waiting: Waiting[] = [];
  /** Found due by an advance in which a timer threw before they ran. */
  #left: Waiting[] = [];
  #nowMs: number;
  #ids = 0;

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  schedule(dueMs: number, deed: Deed): void {
    this.waiting.push({ id: this.#ids++, dueMs, deed });
  }

  cancel(which: number): void {
    if (this.#ids === 0) return;
    const others = ({ id }: Waiting): boolean => id !== which % this.#ids;
    this.waiting = this.waiting.filter(others);
    this.#left = this.#left.filter(others);
  }

  /** @returns how many ran, or 'threw' */
  advance(nowMs: number): number | 'threw' {
    this.#nowMs = Math.max(this.#nowMs, nowMs);
    this.#left = [...this.#left, ...this.waiting.filter(({ dueMs }) => dueMs <= this.#nowMs)].sort(
      (a, b) => a.dueMs - b.dueMs || a.id - b.id,
    );
    this.waiting = this.waiting.filter(({ dueMs }) => dueMs > this.#nowMs);
    let ran = 0;
    for (let timer = this.#left.shift(); timer !== undefined; timer = this.#left.shift()) {
      ran++;
      this.ran.push(timer.id);
      if (timer.deed.kind === 'throw') return 'threw';
      if (timer.deed.kind === 'schedule') this.schedule(this.#nowMs + timer.deed.afterMs, NOTHING);
      if (timer.deed.kind === 'cancel') this.cancel(timer.deed.which);
    }
    return ran;
  }

  get size(): number {
    return this.waiting.length + this.#left.length;
  }

  get nextDueMs(): number {
    return Math.min(Infinity, ...[...this.waiting, ...this.#left].map(({ dueMs }) => dueMs));
  }
}

/** The wheel, driven as the model is. */
class Driven {
  readonly wheel: TimerWheel;
  readonly ran: number[] = [];
  readonly #timers: Timer[] = [];
  #nowMs: number;

  constructor(startMs: number) {
    this.#nowMs = startMs;
    this.wheel = new TimerWheel(startMs);
  }

  schedule(dueMs: number, deed: Deed): void {
    const id = this.#timers.length;
    this.#timers.push(
      this.wheel.schedule(dueMs, () => {
        this.ran.push(id);
        if (dueMs > this.#nowMs) throw new RangeError(`Timer ${id}, due at ${dueMs}, ran at ${this.#nowMs}.`);
        if (deed.kind === 'throw') throw new Error('deed');
        if (deed.kind === 'schedule') this.schedule(this.#nowMs + deed.afterMs, NOTHING);
        if (deed.kind === 'cancel') this.cancel(deed.which);
      }),
    );
  }

  cancel(which: number): void {
    if (this.#timers.length > 0) this.#timers[which % this.#timers.length]!.cancel();
  }

  advance(nowMs: number): number | 'threw' {
    this.#nowMs = Math.max(this.#nowMs, nowMs);
    try {
      return this.wheel.advance(nowMs);
    } catch (error) {
      if ((error as Error).message === 'deed') return 'threw';
      throw error;
    }
  }
}

/** Eighths of a millisecond are exact, so that equal times come about and sums of them are equal too. */
const eighths = (maxMs: number): fc.Arbitrary<number> => fc.nat(maxMs * 8).map((count) => count / 8);
/** Of every size, and often around the ends of slots and blocks. */
const distanceMs = fc.oneof(
  eighths(4),
  eighths(70),
  eighths(3_000),
  eighths(100_000),
  fc.record({ level: fc.integer({ min: 1, max: 8 }), slots: fc.integer({ min: 1, max: 33 }), beside: eighths(2) }).map(
    ({ level, slots, beside }) => Math.max(0, slots * 32 ** (level - 1) + beside - 1),
  ),
);
const afterMs = fc.oneof({ weight: 9, arbitrary: distanceMs }, { weight: 1, arbitrary: eighths(40).map((ms) => -ms) });
const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 6, arbitrary: fc.constant(NOTHING) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('schedule' as const), afterMs }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which: fc.nat(300) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'throw' as const }) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('schedule' as const), afterMs, deed }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which: fc.nat(300) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('advance' as const), byMs: afterMs }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'sleep' as const }) },
);
const startMs = fc.oneof(fc.constant(0), eighths(50_000_000), eighths(2_000).map((ms) => -ms));

describe('the timer wheel', () => {
  test('does what a sorted list does, whatever is scheduled, cancelled and advanced', () => {
    fc.assert(
      fc.property(startMs, fc.array(step, { maxLength: 300, size: 'max' }), (start, script) => {
        const model = new ListModel(start);
        const driven = new Driven(start);
        let nowMs = start;
        for (const step of script) {
          if (step.kind === 'schedule') {
            for (const side of [model, driven]) side.schedule(nowMs + step.afterMs, step.deed);
          } else if (step.kind === 'cancel') {
            for (const side of [model, driven]) side.cancel(step.which);
          } else {
            // A loop sleeps until the next due time and advances then. What is scheduled is finite.
            const toMs = step.kind === 'advance' ? nowMs + step.byMs : Math.max(nowMs, driven.wheel.nextDueMs);
            if (toMs === Infinity) continue;
            expect(driven.advance(toMs)).toBe(model.advance(toMs));
            nowMs = Math.max(nowMs, toMs);
          }
          expect(driven.ran).toEqual(model.ran);
          expect(driven.wheel.size).toBe(model.size);
          expect(driven.wheel.nextDueMs).toBeLessThanOrEqual(model.nextDueMs);
          if (model.size === 0) expect(driven.wheel.nextDueMs).toBe(Infinity);
        }
      }),
      { numRuns: 400 },
    );
  });

  test('tells the next due time exactly as long as nothing is cancelled', () => {
    const steps = fc.array(fc.record({ afterMs: distanceMs, byMs: distanceMs }), { maxLength: 100 });
    fc.assert(
      fc.property(startMs, steps, (start, script) => {
        const model = new ListModel(start);
        const driven = new Driven(start);
        let nowMs = start;
        for (const { afterMs, byMs } of script) {
          for (const side of [model, driven]) side.schedule(nowMs + afterMs, NOTHING);
          expect(driven.wheel.nextDueMs).toBe(model.nextDueMs);
          nowMs += byMs;
          expect(driven.advance(nowMs)).toBe(model.advance(nowMs));
          expect(driven.wheel.nextDueMs).toBe(model.nextDueMs);
        }
      }),
    );
  });

  test('wakes a loop early at most once for each cancelled timer', () => {
    const timers = fc.array(fc.record({ afterMs: distanceMs, isCancelled: fc.boolean() }), { maxLength: 100 });
    fc.assert(
      fc.property(startMs, timers, (start, script) => {
        const wheel = new TimerWheel(start);
        const scheduled = script.map(({ afterMs }) => wheel.schedule(start + afterMs, () => {}));
        script.forEach(({ isCancelled }, index) => isCancelled && scheduled[index]!.cancel());
        let early = 0;
        while (wheel.size > 0) if (wheel.advance(wheel.nextDueMs) === 0) early++;
        expect(early).toBeLessThanOrEqual(script.filter(({ isCancelled }) => isCancelled).length);
      }),
    );
  });
});
