/**
 * What holds for every way to wait. Time is the strategies' own affair: that a wait ends in time is shown
 * by what it asks of the clock, of `Atomics.wait` and of its timer, not by how long it took.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  BusySpinWait,
  Doorbell,
  EventLoopWait,
  ParkingWait,
  PhasedWait,
  SharedWords,
  SpscConsumer,
  SpscProducer,
  YieldingWait,
  createSpscRing,
  type WaitStrategy,
} from 'atomics-ring-buffer';
import { PUBLISHER_WORDS, type PublisherData } from './wait-publisher-data.ts';

/** Far beyond what any of these tests takes: a wait that runs this long has lost its wake-up. */
const LOST_MS = 10_000;
const SEED = Number(process.env['SPILLWAY_TEST_SEED'] ?? Date.now() % 1_000_000);

type AnyWait = WaitStrategy | EventLoopWait;

const BLOCKING: Readonly<Record<string, (doorbell: Doorbell) => WaitStrategy>> = {
  BusySpinWait: () => new BusySpinWait(),
  YieldingWait: () => new YieldingWait(),
  ParkingWait: (doorbell) => new ParkingWait(doorbell),
  PhasedWait: (doorbell) => new PhasedWait(doorbell),
  'PhasedWait that never spins': (doorbell) => new PhasedWait(doorbell, { maxSpins: 0 }),
};
const ALL: Readonly<Record<string, (doorbell: Doorbell) => AnyWait>> = {
  ...BLOCKING,
  EventLoopWait: (doorbell) => new EventLoopWait(doorbell),
};

function makeBell(): Doorbell {
  return new Doorbell(new Int32Array(new SharedArrayBuffer(4)), 0);
}

afterEach(() => void vi.restoreAllMocks());

describe.each(Object.entries(ALL))('%s', (_name, make) => {
  it('answers at once when there is work, and neither pauses nor sleeps', async () => {
    const spies = (['pause', 'wait', 'waitAsync'] as const).map((name) => vi.spyOn(Atomics, name));
    expect(await make(makeBell()).wait(() => true, LOST_MS)).toBe(true);
    for (const spy of spies) expect(spy).not.toHaveBeenCalled();
  });

  it('looks once, and neither pauses nor sleeps, when it is given no time', async () => {
    const spies = (['pause', 'wait', 'waitAsync'] as const).map((name) => vi.spyOn(Atomics, name));
    const waiting = make(makeBell());
    for (const timeoutMs of [0, -1, -Infinity, NaN]) {
      let looks = 0;
      expect(await waiting.wait(() => ++looks > 1, timeoutMs)).toBe(false);
      expect(looks).toBe(1);
    }
    for (const spy of spies) expect(spy).not.toHaveBeenCalled();
  });

  it('gives up when its time is over, and leaves the bell disarmed', async () => {
    const doorbell = makeBell();
    const waiting = make(doorbell);
    for (let count = 0; count < 3; count++) {
      expect(await waiting.wait(() => false, 2)).toBe(false);
      expect(doorbell.ring()).toBe(false);
    }
  });

  it('finds work that comes after any of its looks but the last, rung for or not', async () => {
    for (const after of [1, 2]) {
      let looks = 0;
      expect(await make(makeBell()).wait(() => looks++ >= after, 1)).toBe(true);
    }
  });

  it('hands on what a look throws, and can wait again', async () => {
    for (const failing of [1, 2, 3]) {
      const doorbell = makeBell();
      const waiting = make(doorbell);
      let looks = 0;
      const hasWork = (): boolean => {
        if (++looks === failing) throw new Error('The ring was not there.');
        return false;
      };
      await expect((async () => waiting.wait(hasWork, 1))()).rejects.toThrow('The ring was not there.');
      expect(doorbell.ring()).toBe(false);
      expect(await waiting.wait(() => true, LOST_MS)).toBe(true);
    }
  });

  it('ends by the close of a ring', async () => {
    const ring = createSpscRing({ capacityBytes: 64 });
    const consumer = new SpscConsumer(ring);
    new SpscProducer(ring).close();
    expect(await make(consumer.doorbell).wait(() => consumer.hasRecord || consumer.closed, LOST_MS)).toBe(true);
  });
});

describe.each(Object.entries(ALL))('%s, waiting for another thread', (_name, make) => {
  const ROUNDS = 1_000;

  it('finds every publication, whenever it comes', async () => {
    const buffer = new SharedArrayBuffer(SharedWords.bytes(PUBLISHER_WORDS));
    const words = new SharedWords(buffer, 0, PUBLISHER_WORDS);
    const workerData: PublisherData = { buffer, rounds: ROUNDS, seed: SEED };
    const publisher = new Worker(new URL('./wait-publisher.ts', import.meta.url), { workerData, execArgv: ['--conditions=spillway-src'] });
    try {
      // A thread that did not come up is an error here, and not a wait in vain below.
      await once(publisher, 'message');
      const waiting = make(new Doorbell(...words.place('bell')));
      for (let round = 1; round <= ROUNDS; round++) {
        words.store('begun', round);
        const hasWork = (): boolean => words.load('published') >= round;
        // The bell may still ring for the round before.
        const found = (await waiting.wait(hasWork, LOST_MS)) || (await waiting.wait(hasWork, LOST_MS));
        if (!found) throw new Error(`The wait for publication ${round} of seed ${SEED} has lost its wake-up.`);
      }
      expect(words.load('published')).toBe(ROUNDS);
    } finally {
      await publisher.terminate();
    }
  }, 3 * LOST_MS);
});

describe('a wait in vain', () => {
  /** Clocks that go on by some steps, the last of which repeats. */
  const clocks = fc.array(fc.double({ min: 0.05, max: 50, noNaN: true }), { minLength: 1, maxLength: 20 });
  const timeouts = fc.double({ min: 0.001, max: 20, noNaN: true });

  it.each([['BusySpinWait', 64, BusySpinWait], ['YieldingWait', 100, YieldingWait]] as const)('of %s looks no more than %i times after its deadline, however the clock goes', (_name, most, Strategy) => {
    // Napping is not what this is about.
    vi.spyOn(Atomics, 'wait').mockReturnValue('timed-out');
    fc.assert(fc.property(clocks, timeouts, (steps, timeoutMs) => {
      const times: number[] = [];
      let [mostLooks, looks] = [0, 0];
      const nowMs = (): number => {
        looks = 0;
        times.push((times.at(-1) ?? 0) + steps[Math.min(times.length, steps.length - 1)]!);
        return times.at(-1)!;
      };
      const hasWork = (): boolean => {
        mostLooks = Math.max(mostLooks, ++looks);
        return false;
      };
      expect(new Strategy({ nowMs }).wait(hasWork, timeoutMs)).toBe(false);
      // The first reading after the deadline ends the wait, and no reading is far from the next.
      const deadlineMs = times[0]! + timeoutMs;
      expect(times.slice(1).map((time) => time >= deadlineMs)).toEqual(times.slice(1).map((_, index, rest) => index === rest.length - 1));
      expect(mostLooks).toBeLessThanOrEqual(most);
    }));
  });

  it.each([['ParkingWait', 0], ['PhasedWait', 2_000]] as const)('of %s sleeps once, for its timeout, and looks a bounded number of times', (name, spins) => {
    const wait = vi.spyOn(Atomics, 'wait').mockReturnValue('timed-out');
    const waiting = BLOCKING[name]!(makeBell());
    fc.assert(fc.property(timeouts, (timeoutMs) => {
      wait.mockClear();
      let looks = 0;
      expect(waiting.wait(() => ++looks < 0, timeoutMs)).toBe(false);
      expect(looks).toBeLessThanOrEqual(spins + 4);
      expect(wait.mock.calls.map((call) => call[3])).toEqual([timeoutMs]);
    }));
  });

  it('of EventLoopWait ends by one timer of its timeout, rounded up, which the longest timer bounds', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const waiting = new EventLoopWait(makeBell());
      for (const [timeoutMs, delayMs] of [[0.2, 1], [1, 1], [7.5, 8], [50, 50], [Infinity, 2 ** 31 - 1]] as const) {
        const ended = vi.fn<() => void>();
        const wait = waiting.wait(() => false, timeoutMs).then(ended);
        await vi.advanceTimersByTimeAsync(delayMs - 1);
        expect([ended.mock.calls.length, vi.getTimerCount()]).toEqual([0, 1]);
        await vi.advanceTimersByTimeAsync(1);
        await wait;
        expect(vi.getTimerCount()).toBe(0);
      }
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('napping', () => {
  it('is what YieldingWait does between bursts of looks, for the shortest time that is a sleep', () => {
    const wait = vi.spyOn(Atomics, 'wait');
    let [looks, naps] = [0, [] as number[]];
    wait.mockImplementation(() => {
      naps.push(looks);
      return 'timed-out';
    });
    expect(new YieldingWait().wait(() => ++looks > 250, LOST_MS)).toBe(true);
    expect(naps).toEqual([101, 201]);
    expect(wait.mock.calls.map((call) => call[3])).toEqual([0.001, 0.001]);
  });
});
