import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { TimerWheel, type Timer } from '../../../kernel/time/timer-wheel.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const YEAR_MS = 365 * DAY_MS;

/** A wheel and the names of the timers that have run in it. */
function recorded(startMs = 0): { wheel: TimerWheel; ran: string[]; add(name: string, dueMs: number): Timer } {
  const wheel = new TimerWheel(startMs);
  const ran: string[] = [];
  return { wheel, ran, add: (name, dueMs) => wheel.schedule(dueMs, () => ran.push(name)) };
}

describe('the order of timers', () => {
  test('what is due runs in order of due time and the rest stays', () => {
    const { wheel, ran, add } = recorded();
    for (const dueMs of [30, 10, 20, 40]) add(`${dueMs}`, dueMs);
    expect(wheel.advance(30)).toBe(3);
    expect(ran).toEqual(['10', '20', '30']);
    expect(wheel.nextDueMs).toBe(40);
  });

  test('timers due at the same time run in the order in which they were scheduled, from whatever distance', () => {
    const { wheel, ran, add } = recorded();
    add('from two hours before', 2 * HOUR_MS);
    wheel.advance(2 * HOUR_MS - 1_500);
    add('from 1,500 ms before', 2 * HOUR_MS);
    wheel.advance(2 * HOUR_MS - 40);
    add('from 40 ms before', 2 * HOUR_MS);
    wheel.advance(2 * HOUR_MS - 0.5);
    add('from half a millisecond before', 2 * HOUR_MS);
    wheel.advance(2 * HOUR_MS);
    add('from the same time', 2 * HOUR_MS);
    wheel.advance(2 * HOUR_MS);
    expect(ran).toEqual([
      'from two hours before',
      'from 1,500 ms before',
      'from 40 ms before',
      'from half a millisecond before',
      'from the same time',
    ]);
  });

  test('timers of one millisecond run by their fractions, and none of them early', () => {
    const { wheel, ran, add } = recorded(0.75);
    for (const dueMs of [5.9, 5.1, 5.5]) add(`${dueMs}`, dueMs);
    wheel.advance(5.0999);
    expect(ran).toEqual([]);
    wheel.advance(5.5);
    expect(ran).toEqual(['5.1', '5.5']);
    expect(wheel.nextDueMs).toBe(5.9);
    wheel.advance(5.9);
    expect(ran).toEqual(['5.1', '5.5', '5.9']);
  });

  test('a timer whose time has passed runs in the next advance, before later ones', () => {
    const { wheel, ran, add } = recorded(1_000);
    wheel.advance(2_000);
    add('later', 2_000);
    add('before the wheel was made', 3);
    expect(wheel.nextDueMs).toBe(3);
    expect(wheel.advance(2_000)).toBe(2);
    expect(ran).toEqual(['before the wheel was made', 'later']);
  });
});

describe('what a timer does to the wheel that runs it', () => {
  test('what it schedules for the same moment runs in the next advance', () => {
    const { wheel, ran } = recorded();
    wheel.schedule(5, () => {
      ran.push('first');
      wheel.schedule(5, () => ran.push('second'));
    });
    expect(wheel.advance(5)).toBe(1);
    // So a loop that sleeps until then does not sleep.
    expect(wheel.nextDueMs).toBe(5);
    expect(wheel.advance(5)).toBe(1);
    expect(ran).toEqual(['first', 'second']);
  });

  test('one that schedules itself again at once runs once in each advance', () => {
    const wheel = new TimerWheel(0);
    let runs = 0;
    const again = (): void => {
      runs++;
      wheel.schedule(0, again);
    };
    again();
    for (let turn = 1; turn <= 10; turn++) expect(wheel.advance(turn / 4)).toBe(1);
    expect(runs).toBe(11);
    expect(wheel.size).toBe(1);
  });

  test('one that it cancels does not run, even if both were due', () => {
    const { wheel, ran, add } = recorded();
    wheel.schedule(1, () => victim.cancel());
    const victim = add('victim', 2);
    add('bystander', 3);
    expect(wheel.advance(10)).toBe(2);
    expect(ran).toEqual(['bystander']);
    expect(wheel.size).toBe(0);
  });

  test('cancelling itself has no effect', () => {
    const wheel = new TimerWheel(0);
    const self = wheel.schedule(1, () => self.cancel());
    wheel.schedule(50, () => {});
    expect(wheel.advance(1)).toBe(1);
    expect(wheel.size).toBe(1);
  });

  test('one that throws has run, and the rest of what was due runs in the next advance', () => {
    const { wheel, ran, add } = recorded();
    wheel.schedule(1, () => {
      add('scheduled while advancing', 0);
      throw new Error('broken');
    });
    add('second', 2);
    const third = add('third', 3);
    add('fourth', 4);
    add('last', 90);
    expect(() => wheel.advance(10)).toThrow('broken');
    expect(ran).toEqual([]);
    expect(wheel.size).toBe(5);
    expect(wheel.nextDueMs).toBe(0);
    third.cancel();
    expect(wheel.advance(10)).toBe(3);
    expect(ran).toEqual(['scheduled while advancing', 'second', 'fourth']);
    expect(wheel.nextDueMs).toBe(90);
  });

  test('one that advances the wheel itself runs the others, each once', () => {
    const { wheel, ran, add } = recorded();
    wheel.schedule(1, () => {
      add('scheduled while advancing', 1);
      wheel.advance(60);
    });
    add('second', 2);
    add('third', 50);
    expect(wheel.advance(10)).toBe(1);
    expect(ran).toEqual(['scheduled while advancing', 'second', 'third']);
    expect(wheel.size).toBe(0);
  });
});

describe('time', () => {
  test('that jumps by hours passes over empty slots, and runs on the way what is due in order', () => {
    const { wheel, ran, add } = recorded(17.5);
    const dueMs = [9 * HOUR_MS, 3, 40, 2_000, 70_000, 3 * HOUR_MS];
    for (const due of dueMs) add(`${due}`, due);
    // One tick after the other, this many would take hours.
    expect(wheel.advance(30 * YEAR_MS)).toBe(dueMs.length);
    expect(ran.map(Number)).toEqual(dueMs.toSorted((a, b) => a - b));
    add('after the jump', 30 * YEAR_MS + 1);
    expect(wheel.advance(30 * YEAR_MS + 0.5)).toBe(0);
    expect(wheel.advance(30 * YEAR_MS + 1)).toBe(1);
  });

  test('that goes back is taken for the latest reading', () => {
    const { wheel, ran, add } = recorded();
    wheel.advance(100);
    add('passed', 90);
    add('to come', 101);
    expect(wheel.advance(50)).toBe(1);
    expect(ran).toEqual(['passed']);
    expect(wheel.advance(101)).toBe(1);
  });

  test('that is no number is taken for the latest reading', () => {
    const { wheel, ran, add } = recorded();
    add('timer', 5);
    expect(wheel.advance(NaN)).toBe(0);
    wheel.advance(5);
    expect(ran).toEqual(['timer']);
  });

  test.each([
    ['32 ms', 32],
    ['a minute', 60_000],
    ['25 days, which are more ms than 31 bits hold', 25 * DAY_MS],
    ['50 days, which are more ms than 32 bits hold', 50 * DAY_MS],
    ['20 years', 20 * YEAR_MS],
    ['50 years, which are more than the levels hold', 50 * YEAR_MS],
  ])('may be far away: %s', (_, distanceMs) => {
    const startMs = 4_321_987.125;
    const { wheel, ran, add } = recorded(startMs);
    const dueMs = startMs + distanceMs;
    add('after it', dueMs + 0.25);
    add('at it', dueMs);
    expect(wheel.nextDueMs).toBe(dueMs);
    wheel.advance(startMs + distanceMs / 2);
    wheel.advance(dueMs - 0.5);
    expect(ran).toEqual([]);
    expect(wheel.nextDueMs).toBe(dueMs);
    wheel.advance(dueMs);
    expect(ran).toEqual(['at it']);
    wheel.advance(dueMs + 0.25);
    expect(ran).toEqual(['at it', 'after it']);
  });

  test('beyond what the levels hold goes on', () => {
    const { wheel, ran, add } = recorded();
    wheel.advance(60 * YEAR_MS);
    add('late', 60 * YEAR_MS + 2);
    add('early', 60 * YEAR_MS + 1);
    expect(wheel.advance(60 * YEAR_MS + 1)).toBe(1);
    expect(wheel.advance(60 * YEAR_MS + 2)).toBe(1);
    expect(ran).toEqual(['early', 'late']);
  });

  test('that never comes keeps a timer without waking anyone', () => {
    const { wheel, ran, add } = recorded();
    const never = add('never', Infinity);
    expect(wheel.nextDueMs).toBe(Infinity);
    expect(wheel.advance(50 * YEAR_MS)).toBe(0);
    expect(wheel.size).toBe(1);
    never.cancel();
    expect(wheel.size).toBe(0);
    expect(ran).toEqual([]);
  });

  test('must be a number', () => {
    expect(() => new TimerWheel(NaN)).toThrow(TypeError);
    expect(() => new TimerWheel(Infinity)).toThrow(TypeError);
    const wheel = new TimerWheel(0);
    expect(() => wheel.schedule(NaN, () => {})).toThrow(TypeError);
    expect(wheel.size).toBe(0);
  });
});

describe('the next due time', () => {
  test('is Infinity when no timer waits, whatever has waited', () => {
    const wheel = new TimerWheel(0);
    expect(wheel.nextDueMs).toBe(Infinity);
    for (const dueMs of [1, 100, DAY_MS]) wheel.schedule(dueMs, () => {}).cancel();
    expect(wheel.nextDueMs).toBe(Infinity);
  });

  test('may be that of a cancelled timer near the next one, until an advance has come there', () => {
    const wheel = new TimerWheel(0);
    const cancelled = wheel.schedule(5_000, () => {});
    wheel.schedule(5_100, () => {});
    cancelled.cancel();
    expect(wheel.nextDueMs).toBe(5_000);
    expect(wheel.advance(5_000)).toBe(0);
    expect(wheel.nextDueMs).toBe(5_100);
  });

  test('is found out within a millisecond, too', () => {
    const wheel = new TimerWheel(0);
    const cancelled = wheel.schedule(7.25, () => {});
    wheel.schedule(7.75, () => {});
    cancelled.cancel();
    expect(wheel.advance(7.25)).toBe(0);
    expect(wheel.nextDueMs).toBe(7.75);
  });
});

describe('cancelled timers', () => {
  test('leave nothing in the wheel', () => {
    const wheel = new TimerWheel(0);
    const timers = Array.from({ length: 10_000 }, (_, index) => wheel.schedule(index, () => {}));
    wheel.schedule(20_000, () => {});
    for (const timer of timers) timer.cancel();
    expect(wheel.size).toBe(1);
    expect(wheel.nextDueMs).toBe(20_000);
  });

  test('may be cancelled again', () => {
    const wheel = new TimerWheel(0);
    const timer = wheel.schedule(5, () => {});
    wheel.schedule(5, () => {});
    timer.cancel();
    timer.cancel();
    expect(wheel.size).toBe(1);
    expect(wheel.advance(5)).toBe(1);
  });

  test('take no notice of a cancel that comes after they have run', () => {
    const wheel = new TimerWheel(0);
    const fired = Array.from({ length: 100 }, () => wheel.schedule(1, () => {}));
    wheel.advance(1);
    const living = Array.from({ length: 40 }, () => wheel.schedule(5, () => {}));
    for (const timer of fired) timer.cancel();
    expect(wheel.size).toBe(living.length);
    expect(wheel.advance(5)).toBe(living.length);
  });

  test('hold nothing, though their handles and the wheel are kept', async () => {
    const wheel = new TimerWheel(0);
    // In a function of its own, so that no variable here holds what the timers would have run.
    const scheduled = (dueMs: number): { timer: Timer; held: WeakRef<object> } => {
      const held = { dueMs };
      return { timer: wheel.schedule(dueMs, () => expect(held.dueMs).toBe(dueMs)), held: new WeakRef(held) };
    };
    const cancelled = scheduled(5_000);
    const ran = scheduled(1);
    const waiting = scheduled(5_001);
    cancelled.timer.cancel();
    wheel.advance(1);
    // A WeakRef holds its target until the job that made it is over.
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
    expect(cancelled.held.deref()).toBeUndefined();
    expect(ran.held.deref()).toBeUndefined();
    expect(waiting.held.deref()).toBeDefined();
    expect(wheel.size).toBe(1);
    for (const { timer } of [cancelled, ran, waiting]) timer.cancel();
  });
});
