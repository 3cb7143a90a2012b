// The edges of restarting, on a supervisor alone: how many, within how long, after which delay, and what a stop makes of it.
import { describe, expect, test } from 'vitest';
import type { Strategy } from '../../supervisors/index.ts';
import { NEVER_MS, workerSpec } from './otp/supervisor-under-test.ts';
import { PuppetSupervisor } from './puppet-places.ts';

const STRATEGIES: readonly Strategy[] = ['one_for_one', 'one_for_all', 'rest_for_one', 'simple_one_for_one'];
const AT_ONCE = { minMs: 0, maxMs: 0, jitter: 0 };

async function start(strategy: Strategy, intensity: number, periodMs: number): Promise<PuppetSupervisor> {
  if (strategy !== 'simple_one_for_one') return PuppetSupervisor.start({ strategy, intensity, periodMs, backoff: AT_ONCE }, ['a', 'b', 'c']);
  const puppets = new PuppetSupervisor({ strategy, intensity, periodMs, backoff: AT_ONCE }, [workerSpec('child')]);
  for (const id of ['a', 'b', 'c']) await puppets.supervisor.startChild({ id });
  return puppets;
}

async function fail(puppets: PuppetSupervisor, id: string): Promise<void> {
  puppets.place(id).exit();
  await puppets.advance(0);
  await puppets.settle();
}

const EDGES = STRATEGIES.flatMap((strategy) => [0, 1, 2, 7].map((intensity) => ({ strategy, intensity })));

describe.each(EDGES)('with $strategy and an intensity of $intensity', ({ strategy, intensity }) => {
  test('exactly so many failures within the period are survived, and one more ends all', async () => {
    const puppets = await start(strategy, intensity, 1_000);
    for (let failure = 0; failure < intensity; failure++) {
      await fail(puppets, ['a', 'b', 'c'][failure % 3]!);
      expect(puppets.supervisor.countChildren().active).toBe(3);
    }
    expect(puppets.end).toBeUndefined();
    const lives = [...puppets.places.values()].map((place) => place.lives);
    await fail(puppets, 'b');
    expect(puppets.end).toMatchObject({ reason: 'shutdown', code: 'restart_intensity', message: expect.stringContaining('sup/b') as string });
    expect(puppets.supervisor.countChildren().active).toBe(0);
    expect([...puppets.places.values()].map(({ isAlive }) => isAlive)).toEqual([false, false, false]);
    await puppets.advance(NEVER_MS);
    expect([...puppets.places.values()].map((place) => place.lives)).toEqual(lives);
    expect(puppets.reports.map(({ decision }) => decision)).toEqual([...Array<string>(intensity).fill('restarted'), 'gave_up']);
    await expect(puppets.supervisor.startChild(strategy === 'simple_one_for_one' ? {} : workerSpec('late'))).rejects.toMatchObject({ code: 'restart_intensity' });
  });
});

test.each(STRATEGIES)('with %s the window slides: failures that come slowly enough are survived without end', async (strategy) => {
  const puppets = await start(strategy, 2, 1_000);
  for (let failure = 0; failure < 50; failure++) {
    await fail(puppets, 'a');
    await puppets.advance(501);
  }
  expect(puppets.end).toBeUndefined();
  // The last two are 501 and 1,002 ms ago, so one counts.
  await fail(puppets, 'a');
  expect(puppets.end).toBeUndefined();
  await fail(puppets, 'a');
  expect(puppets.end).toMatchObject({ code: 'restart_intensity' });
});

test('the wall clock has no part in it', async () => {
  const puppets = await start('one_for_one', 1, 1_000);
  await fail(puppets, 'a');
  puppets.clock.setWall(puppets.clock.wallMs() + 86_400_000);
  await fail(puppets, 'a');
  expect(puppets.end).toMatchObject({ code: 'restart_intensity' });
});

describe('the delay before a restart', () => {
  const flags = { intensity: 1_000, backoff: { minMs: 10, maxMs: 1_000, jitter: 0 } };
  const delaysOf = ({ reports }: PuppetSupervisor): number[] => reports.map(({ delayMs }) => delayMs);

  /** Fails after it has lived for so long, and waits until it is up again. */
  async function failAfter(puppets: PuppetSupervisor, livedMs: number, id = 'a'): Promise<void> {
    await puppets.advance(livedMs);
    puppets.place(id).exit();
    await puppets.advance(puppets.reports.at(-1)!.delayMs);
    expect(puppets.stateOf(id)).toBe('running');
  }

  test('is kept to the millisecond: not before, and then at once', async () => {
    const puppets = await PuppetSupervisor.start(flags, ['a']);
    puppets.place('a').exit();
    await puppets.advance(9);
    expect(puppets.stateOf('a')).toBe('restarting');
    await puppets.advance(1);
    expect(puppets.stateOf('a')).toBe('running');
  });

  test('grows with each failure, and begins anew after a life as long as the mean of least and most', async () => {
    const puppets = await PuppetSupervisor.start(flags, ['a']);
    for (const livedMs of [0, 0, 0, 504, 505, 0]) await failAfter(puppets, livedMs);
    expect(delaysOf(puppets)).toEqual([10, 20, 40, 80, 10, 20]);
  });

  test('begins anew after a life as long as resetMs, where that is given', async () => {
    const puppets = await PuppetSupervisor.start({ ...flags, backoff: { ...flags.backoff, resetMs: 50 } }, ['a']);
    for (const livedMs of [0, 0, 49, 50, 0]) await failAfter(puppets, livedMs);
    expect(delaysOf(puppets)).toEqual([10, 20, 40, 10, 20]);
  });

  test('is measured from when the child was ready, not from when its start began', async () => {
    const puppets = await PuppetSupervisor.start({ ...flags, backoff: { ...flags.backoff, resetMs: 50 } }, ['a']);
    const { promise, resolve } = Promise.withResolvers<{ isIgnored: boolean; info: unknown }>();
    puppets.place('a').starts.push(promise);
    puppets.place('a').exit();
    await puppets.advance(10);
    await puppets.advance(1_000);
    expect(puppets.stateOf('a')).toBe('starting');
    resolve({ isIgnored: false, info: undefined });
    await puppets.settle();
    await failAfter(puppets, 49);
    expect(delaysOf(puppets)).toEqual([10, 20]);
  });

  test('a child may have its own in part, and its siblings keep the supervisor\'s', async () => {
    const puppets = new PuppetSupervisor(flags, [workerSpec('a', { backoff: { minMs: 3 } }), workerSpec('b', { backoff: { maxMs: 15 } }), workerSpec('c')]);
    await puppets.supervisor.start();
    for (const id of ['a', 'b', 'c']) for (let failure = 0; failure < 2; failure++) await failAfter(puppets, 0, id);
    expect(delaysOf(puppets)).toEqual([3, 6, 10, 15, 10, 20]);
  });

  test('keeps within its jitter in 10,000 restarts, with each of two thousand children five times', async () => {
    const children = Array.from({ length: 2_000 }, (_, index) => String(index));
    const puppets = await PuppetSupervisor.start({ ...flags, intensity: 10_000, backoff: { minMs: 10, maxMs: 100, jitter: 0.3 } }, children, {}, Math.random);
    for (let failure = 0; failure < 5; failure++) {
      for (const id of children) puppets.place(id).exit();
      await puppets.settle();
      // All at once: a look at the timers for each would take its time.
      await puppets.advanceAll();
    }
    const delays = delaysOf(puppets);
    expect(delays).toHaveLength(10_000);
    for (const [index, delayMs] of delays.entries()) {
      const step = [10, 20, 40, 80, 100][Math.floor(index / 2_000)]!;
      expect(Math.abs(delayMs / step - 1)).toBeLessThanOrEqual(0.3 + 1e-9);
    }
  });
});

describe('a start that is tried again', () => {
  test('counts as a restart each time, and its delay grows', async () => {
    const puppets = await PuppetSupervisor.start({ intensity: 4, backoff: { minMs: 10, maxMs: 1_000, jitter: 0 } }, ['a', 'b']);
    puppets.place('a').starts.push(new Error('one'), new Error('two'), new Error('three'));
    puppets.place('a').exit();
    await puppets.advance(10 + 20 + 40 + 80);
    expect(puppets.stateOf('a')).toBe('running');
    expect(puppets.reports.map(({ delayMs, whileStarting, message }) => [delayMs, whileStarting, message])).toEqual([
      [10, false, 'it failed'],
      [20, true, expect.stringContaining('one')],
      [40, true, expect.stringContaining('two')],
      [80, true, expect.stringContaining('three')],
    ]);
    await fail(puppets, 'b');
    expect(puppets.end).toMatchObject({ code: 'restart_intensity' });
  });

  test('and takes longer than startMs is ended and tried again', async () => {
    const puppets = await PuppetSupervisor.start({ backoff: { minMs: 10, maxMs: 10, jitter: 0 } }, ['a'], { startMs: 100 });
    const place = puppets.place('a');
    place.starts.push(new Promise(() => {}));
    place.exit();
    await puppets.advance(10 + 99);
    expect(puppets.stateOf('a')).toBe('starting');
    await puppets.advance(1);
    expect(puppets.reports.at(-1)).toMatchObject({ code: 'start_deadline', whileStarting: true, decision: 'restarted' });
    await puppets.advance(10);
    expect(puppets.stateOf('a')).toBe('running');
    expect(place.lives).toBe(3);
  });

  test('and cannot be ended holds the place until it has, and only then the next life begins', async () => {
    const puppets = await PuppetSupervisor.start({ backoff: { minMs: 10, maxMs: 10, jitter: 0 } }, ['a'], { startMs: 100, shutdownMs: 50 });
    const place = puppets.place('a');
    const released = Promise.withResolvers<boolean>();
    place.onKill = () => false;
    place.onStop = () => false;
    place.starts.push(new Promise(() => {}));
    place.exit();
    await puppets.advance(10 + 100);
    expect(puppets.reports.at(-1)).toMatchObject({ code: 'start_deadline' });
    place.onStop = () => released.promise;
    await puppets.advance(10_000);
    expect(place.lives).toBe(2);
    released.resolve(true);
    await puppets.settle();
    expect(puppets.stateOf('a')).toBe('running');
    expect(place.lives).toBe(3);
  });
});

describe('a supervisor that is asked to stop while it restarts', () => {
  const flags = (strategy: Strategy) => ({ strategy, intensity: 10, backoff: { minMs: 10, maxMs: 10, jitter: 0 } });

  test.each(['one_for_one', 'one_for_all', 'rest_for_one'] as const)('before the delay is over starts nothing more, with %s', async (strategy) => {
    const puppets = await PuppetSupervisor.start(flags(strategy), ['a', 'b']);
    puppets.place('a').exit();
    await puppets.settle();
    expect(await puppets.supervisor.shutdown(1_000)).toEqual([]);
    await puppets.advance(NEVER_MS);
    expect([...puppets.places.values()].map(({ lives, isAlive, isRemoved }) => [lives, isAlive, isRemoved])).toEqual([[1, false, true], [1, false, true]]);
  });

  test.each(['one_for_all', 'rest_for_one'] as const)('while a sibling is stopped waits for that and starts nothing more, with %s', async (strategy) => {
    const puppets = await PuppetSupervisor.start(flags(strategy), ['a', 'b', 'c']);
    const stopped = Promise.withResolvers<boolean>();
    puppets.place('c').onStop = () => stopped.promise;
    puppets.place('a').exit();
    await puppets.advance(100);
    const ending = puppets.supervisor.shutdown(1_000);
    stopped.resolve(true);
    expect(await ending).toEqual([]);
    await puppets.advance(NEVER_MS);
    expect([...puppets.places.values()].map(({ lives, isAlive }) => [lives, isAlive])).toEqual([[1, false], [1, false], [1, false]]);
  });

  test.each(['one_for_one', 'one_for_all', 'rest_for_one'] as const)('while a child starts ends that too, with %s', async (strategy) => {
    const puppets = await PuppetSupervisor.start(flags(strategy), ['a', 'b']);
    const place = puppets.place('a');
    const starting = Promise.withResolvers<never>();
    place.starts.push(starting.promise);
    place.onStop = () => {
      starting.reject(new Error('told to stop'));
      return true;
    };
    place.exit();
    await puppets.advance(10);
    expect(puppets.stateOf('a')).toBe('starting');
    expect(await puppets.supervisor.shutdown(1_000)).toEqual([]);
    await puppets.advance(NEVER_MS);
    expect(puppets.supervisor.countChildren().active).toBe(0);
    expect(place.lives).toBe(2);
    expect(puppets.reports).toHaveLength(1);
  });
});
