import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TimerQueue, type Timer } from '../../kernel/timer-queue.ts';

describe('the timer queue', () => {
  test('runs what is due in order of due time and leaves the rest', () => {
    const queue = new TimerQueue();
    const ran: number[] = [];
    for (const dueMs of [30, 10, 20, 40]) queue.schedule(dueMs, () => ran.push(dueMs));
    expect(queue.advance(30)).toBe(3);
    expect(ran).toEqual([10, 20, 30]);
    expect(queue.nextDueMs).toBe(40);
  });

  test('knows no next time when it is empty', () => {
    expect(new TimerQueue().nextDueMs).toBe(Infinity);
  });

  test('runs what a timer schedules for the same moment in the same advance', () => {
    const queue = new TimerQueue();
    const ran: string[] = [];
    queue.schedule(5, () => {
      ran.push('first');
      queue.schedule(5, () => ran.push('second'));
    });
    queue.advance(5);
    expect(ran).toEqual(['first', 'second']);
  });

  test('does what a sorted list does, whatever is scheduled, cancelled and advanced', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant('schedule' as const), dueMs: fc.nat(1_000) }),
        fc.record({ kind: fc.constant('cancel' as const), which: fc.nat(200) }),
        fc.record({ kind: fc.constant('advance' as const), byMs: fc.nat(100) }),
      ),
      { maxLength: 400 },
    );
    fc.assert(
      fc.property(steps, (script) => {
        const queue = new TimerQueue();
        const timers: Timer[] = [];
        let waiting: { id: number; dueMs: number }[] = [];
        let nowMs = 0;
        let ran: number[] = [];
        for (const step of script) {
          if (step.kind === 'schedule') {
            const id = timers.length;
            const dueMs = nowMs + step.dueMs;
            waiting.push({ id, dueMs });
            timers.push(queue.schedule(dueMs, () => ran.push(dueMs)));
          } else if (step.kind === 'cancel' && timers.length > 0) {
            const id = step.which % timers.length;
            timers[id]!.cancel();
            waiting = waiting.filter((timer) => timer.id !== id);
          } else if (step.kind === 'advance') {
            nowMs += step.byMs;
          }
          ran = [];
          const due = waiting.filter(({ dueMs }) => dueMs <= nowMs).map(({ dueMs }) => dueMs).sort((a, b) => a - b);
          queue.advance(nowMs);
          expect(ran).toEqual(due);
          waiting = waiting.filter(({ dueMs }) => dueMs > nowMs);
          expect(queue.nextDueMs).toBe(Math.min(Infinity, ...waiting.map(({ dueMs }) => dueMs)));
        }
      }),
    );
  });

  test('keeps nothing of many cancelled timers', () => {
    const queue = new TimerQueue();
    const timers = Array.from({ length: 10_000 }, (_, index) => queue.schedule(index, () => {}));
    queue.schedule(20_000, () => {});
    for (const timer of timers) timer.cancel();
    expect(queue.size).toBeLessThan(64);
    expect(queue.nextDueMs).toBe(20_000);
  });

  test('takes no notice of a cancel that comes after the timer has run', () => {
    const queue = new TimerQueue();
    const fired = Array.from({ length: 1_000 }, () => queue.schedule(1, () => {}));
    queue.advance(1);
    for (const timer of fired) timer.cancel();
    const living = Array.from({ length: 400 }, () => queue.schedule(5, () => {}));
    const cancelled = Array.from({ length: 100 }, () => queue.schedule(6, () => {}));
    for (const timer of cancelled) timer.cancel();
    // A queue that counted the late cancels would think that hardly any live and sweep at each of these.
    expect(queue.size).toBe(living.length + cancelled.length);
  });
});
