import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../../kernel/time/manual-clock.ts';
import { TimerWheel } from '../../../kernel/time/timer-wheel.ts';

describe('a manual clock', () => {
  test('stands still until it is advanced, and then both its hands move alike', () => {
    const clock = new ManualClock({ startMs: 100, wallMs: 5_000 });
    expect([clock.monotonicMs(), clock.wallMs()]).toEqual([100, 5_000]);
    clock.advance(0.25);
    clock.advance(10);
    clock.advance(0);
    expect([clock.monotonicMs(), clock.wallMs()]).toEqual([110.25, 5_010.25]);
  });

  test('begins at monotonic 0 in the year 2000 unless told otherwise', () => {
    const clock = new ManualClock();
    expect(clock.monotonicMs()).toBe(0);
    expect(new Date(clock.wallMs()).toISOString()).toBe('2000-01-01T00:00:00.000Z');
  });

  test('lets the wall be set forward and back, of which monotonic time takes no notice', () => {
    const clock = new ManualClock({ startMs: 7, wallMs: 1_000 });
    clock.setWall(90_000);
    expect([clock.monotonicMs(), clock.wallMs()]).toEqual([7, 90_000]);
    clock.setWall(10);
    clock.advance(1);
    expect([clock.monotonicMs(), clock.wallMs()]).toEqual([8, 11]);
  });

  test('refuses to go back or to a time that is none, and stays where it was', () => {
    const clock = new ManualClock({ startMs: 3, wallMs: 4 });
    for (const ms of [-1, NaN, Infinity]) expect(() => clock.advance(ms)).toThrow(TypeError);
    for (const ms of [NaN, Infinity, -Infinity]) expect(() => clock.setWall(ms)).toThrow(TypeError);
    expect(() => new ManualClock({ startMs: NaN })).toThrow('startMs');
    expect(() => new ManualClock({ wallMs: Infinity })).toThrow('wallMs');
    expect([clock.monotonicMs(), clock.wallMs()]).toEqual([3, 4]);
  });

  test('drives a timer wheel', () => {
    const clock = new ManualClock({ startMs: 50 });
    const wheel = new TimerWheel(clock.monotonicMs());
    let ran = 0;
    wheel.schedule(clock.monotonicMs() + 1_000, () => ran++);
    clock.advance(999.5);
    wheel.advance(clock.monotonicMs());
    expect(ran).toBe(0);
    clock.advance(0.5);
    wheel.advance(clock.monotonicMs());
    expect(ran).toBe(1);
  });
});
