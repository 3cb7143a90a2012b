import { describe, expect, test } from 'vitest';
import { rates } from '../../../kernel/telemetry/inspection.ts';
import { actor, countersWith, countsWith, inspection, lanesWith, latencyOf, thread } from './sample-inspection.ts';

const AT_ONE = { takenAtMs: 1_000 };
const AT_THREE = { takenAtMs: 3_000 };

describe('the rates between two inspections', () => {
  test('are what was counted in between, per second, for threads, lanes and actors', () => {
    const before = inspection(
      [
        thread(2, 'store', {
          turns: 100,
          counters: countersWith({ handled: 10, expired: 1 }),
          lanes: lanesWith({ data: { offered: 20, consumed: 10, refused: 5, latency: latencyOf(1_000) } }),
          actors: [actor(7, 'writer', { counts: countsWith({ arrived: 8, handled: 6 }) })],
        }),
      ],
      AT_ONE,
    );
    const after = inspection(
      [
        thread(2, 'store', {
          turns: 300,
          counters: countersWith({ handled: 50, expired: 2 }),
          lanes: lanesWith({ data: { offered: 60, consumed: 50, refused: 6, latency: latencyOf(1_000, 8, 8) } }),
          actors: [actor(7, 'writer', { counts: countsWith({ arrived: 18, handled: 10 }) })],
        }),
      ],
      AT_THREE,
    );
    const { overMs, threads } = rates(before, after);
    expect(overMs).toBe(2_000);
    expect(threads[0]).toMatchObject({ id: 2, name: 'store', turnsPerSecond: 100 });
    expect(threads[0]!.perSecond).toEqual(countersWith({ handled: 20, expired: 0.5 }));
    expect(threads[0]!.lanes.data).toMatchObject({ offered: 20, consumed: 20, refused: 0.5 });
    // The slow message of before is not in the quantiles of now.
    expect(threads[0]!.lanes.data.latency).toMatchObject({ count: 2, sum: 16 });
    expect(threads[0]!.lanes.data.latency.p99).toBeLessThan(10);
    expect(threads[0]!.actors).toEqual([{ address: 7, name: 'writer', perSecond: countsWith({ arrived: 5, handled: 2 }) }]);
  });

  test('count from zero for a thread and an actor that came in between', () => {
    const newcomer = actor(9, 'b', { counts: countsWith({ handled: 4 }) });
    const before = inspection([thread(2, 'old')], AT_ONE);
    const after = inspection([thread(2, 'old', { actors: [newcomer] }), thread(3, 'new', { turns: 10, counters: countersWith({ handled: 6 }) })], AT_THREE);
    const [old, fresh] = rates(before, after).threads;
    expect(old!.actors[0]!.perSecond.handled).toBe(2);
    expect(fresh).toMatchObject({ turnsPerSecond: 5, perSecond: { handled: 3 } });
  });

  test('count from zero for a place that another thread has taken, though it has counted further', () => {
    const before = inspection([thread(2, 'old', { turns: 10, counters: countersWith({ handled: 10 }) })], AT_ONE);
    const after = inspection([thread(2, 'new', { turns: 40, counters: countersWith({ handled: 40 }) })], AT_THREE);
    expect(rates(before, after).threads[0]).toMatchObject({ turnsPerSecond: 20, perSecond: { handled: 20 } });
  });

  test('are never negative when counts were reset', () => {
    const before = inspection([thread(2, 'same', { incarnation: 3, turns: 1_000, counters: countersWith({ handled: 1_000 }) })], AT_ONE);
    const after = inspection([thread(2, 'same', { incarnation: 1, turns: 4, counters: countersWith({ handled: 2 }) })], AT_THREE);
    expect(rates(before, after).threads[0]).toMatchObject({ turnsPerSecond: 2, perSecond: { handled: 1 } });
  });

  test('see through the wrap of the turns at 2^32', () => {
    const before = inspection([thread(2, 'same', { turns: 2 ** 32 - 10 })], AT_ONE);
    const after = inspection([thread(2, 'same', { turns: 30 })], AT_THREE);
    expect(rates(before, after).threads[0]!.turnsPerSecond).toBe(20);
  });

  test('also come from turns that were read as signed', () => {
    const before = inspection([thread(2, 'same', { turns: 2 ** 31 - 10 })], AT_ONE);
    const after = inspection([thread(2, 'same', { turns: -(2 ** 31) + 10 })], AT_THREE);
    expect(rates(before, after).threads[0]!.turnsPerSecond).toBe(10);
  });

  test('leave out what has gone', () => {
    expect(rates(inspection([thread(2, 'gone')], AT_ONE), inspection([], AT_THREE)).threads).toEqual([]);
  });

  test('need a second inspection that is later', () => {
    const one = inspection([], AT_ONE);
    expect(() => rates(one, one)).toThrow(TypeError);
    expect(() => rates(inspection([], AT_THREE), one)).toThrow(/-2000 ms later/);
  });
});

test('an inspection and its rates survive JSON', () => {
  const shown = inspection([thread(1, 'a', { handling: { actor: 'x', forMs: 3 }, actors: [actor(5, 'x', { latency: latencyOf(1, 2), children: [6] })] })]);
  expect(JSON.parse(JSON.stringify(shown))).toEqual(shown);
  const between = rates({ ...shown, takenAtMs: 0 }, shown);
  expect(JSON.parse(JSON.stringify(between))).toEqual(between);
});
