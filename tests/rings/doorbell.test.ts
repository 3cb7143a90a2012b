/**
 * The doorbell on one thread: every interleaving of a sleeper's three steps with a ringer's two is
 * played by hand. `threads.test.ts` lets real threads race.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Doorbell, EventLoopWait, ParkingWait, SpscConsumer, SpscProducer, createSpscRing } from 'atomics-ring-buffer';

function makeBell(): { words: Int32Array; doorbell: Doorbell } {
  const words = new Int32Array(new SharedArrayBuffer(8));
  return { words, doorbell: new Doorbell(words, 1) };
}

/** Far beyond what any of these tests takes: a wait that runs this long has lost its wake-up. */
const LOST_MS = 5_000;

afterEach(() => void vi.restoreAllMocks());

describe('a doorbell', () => {
  it('rings for a sleeper only, and once', () => {
    const { doorbell } = makeBell();
    expect(doorbell.ring()).toBe(false);
    doorbell.arm();
    expect([doorbell.ring(), doorbell.ring()]).toEqual([true, false]);
    doorbell.arm();
    doorbell.disarm();
    expect(doorbell.ring()).toBe(false);
  });

  it('makes no system call while nobody sleeps', () => {
    const { doorbell } = makeBell();
    const notify = vi.spyOn(Atomics, 'notify');
    for (let count = 0; count < 10; count++) doorbell.ring();
    expect(notify).not.toHaveBeenCalled();
    doorbell.arm();
    doorbell.ring();
    expect(notify).toHaveBeenCalledTimes(1);
  });

  it('touches the word it was given and no other', () => {
    const { words, doorbell } = makeBell();
    for (const act of ['arm', 'ring', 'ringAnew', 'arm', 'disarm'] as const) {
      const before = words[1];
      doorbell[act]();
      expect([act, words[0], words[1] === before]).toEqual([act, 0, false]);
    }
  });

  it('ends a park at once when it rang between the arming and the park', () => {
    const { doorbell } = makeBell();
    const wait = vi.spyOn(Atomics, 'wait');
    doorbell.arm();
    doorbell.ring();
    doorbell.park(LOST_MS);
    expect(wait.mock.results[0]!.value).toBe('not-equal');
    expect(doorbell.parkAsync(LOST_MS)).toBeUndefined();
  });

  it('ends an asynchronous park by a ring that comes later', async () => {
    const { doorbell } = makeBell();
    doorbell.arm();
    const woken = doorbell.parkAsync(LOST_MS);
    doorbell.ring();
    expect(await woken).toBe('ok');
  });

  it('rings anew also where the word says that nobody sleeps', async () => {
    const { doorbell } = makeBell();
    doorbell.arm();
    const woken = doorbell.parkAsync(LOST_MS);
    doorbell.disarm();
    expect(doorbell.ring()).toBe(false);
    doorbell.ringAnew();
    expect(await woken).toBe('ok');
    doorbell.arm();
    doorbell.ringAnew();
    expect(doorbell.ring()).toBe(false);
  });
});

describe('one doorbell of two rings', () => {
  it('wakes its sleeper whichever of the two gets a record', async () => {
    const { doorbell } = makeBell();
    const rings = [0, 1].map(() => createSpscRing({ capacityBytes: 64 }));
    const producers = rings.map((ring) => new SpscProducer(ring, { doorbell }));
    const consumers = rings.map((ring) => new SpscConsumer(ring));
    const waits = new EventLoopWait(doorbell);
    const hasWork = (): boolean => consumers.some((consumer) => consumer.hasRecord);
    for (const [index, producer] of producers.entries()) {
      const waiting = waits.wait(hasWork, LOST_MS);
      producer.offer(1, new Uint8Array(8));
      expect(await waiting).toBe(true);
      expect(consumers.map((consumer) => consumer.poll(() => {}, 1))).toEqual(index === 0 ? [1, 0] : [0, 1]);
    }
  });
});

describe('a wait and a publication', () => {
  /** Publishes and rings just before the sleeper's atomic operation number `step`. */
  function publishAtStep(step: number, doorbell: Doorbell): { hasWork: () => boolean; steps: () => number } {
    let published = false;
    let operations = 0;
    let publishing = false;
    for (const name of ['or', 'and', 'load', 'wait', 'waitAsync'] as const) {
      const operation = Atomics[name] as (...parameters: unknown[]) => unknown;
      vi.spyOn(Atomics, name).mockImplementation(((...parameters: unknown[]) => {
        if (!publishing && operations++ === step) {
          publishing = true;
          published = true;
          doorbell.ring();
          publishing = false;
        }
        return operation(...parameters);
      }) as never);
    }
    return { hasWork: () => published, steps: () => operations };
  }

  it('never miss each other, whichever step of a blocking wait the publication precedes', () => {
    const outcomes = [0, 1, 2].map((step) => {
      const { doorbell } = makeBell();
      const { hasWork, steps } = publishAtStep(step, doorbell);
      const found = new ParkingWait(doorbell).wait(hasWork, step === 2 ? 1 : LOST_MS);
      const results = vi.mocked(Atomics.wait).mock.results.map((result) => result.value as string);
      vi.restoreAllMocks();
      return { found, results, steps: steps() };
    });
    expect(outcomes).toEqual([
      // Before the arming: the second look finds it.
      { found: true, results: [], steps: 2 },
      // Before the park: the park ends at once.
      { found: true, results: ['not-equal'], steps: 3 },
      // Before the disarming, after the park ran out: the last look finds it.
      { found: true, results: ['timed-out'], steps: 3 },
    ]);
  });

  it('never miss each other, whichever step of an asynchronous wait the publication precedes', async () => {
    for (const step of [0, 1, 2]) {
      const { doorbell } = makeBell();
      const { hasWork } = publishAtStep(step, doorbell);
      expect(await new EventLoopWait(doorbell).wait(hasWork, step === 2 ? 1 : LOST_MS)).toBe(true);
      vi.restoreAllMocks();
    }
  });
});

describe('one doorbell of two sleepers', () => {
  const SLEEPER = ['arm', 'look', 'park'] as const;
  const RINGER = ['publish', 'ring'] as const;

  /** Every order in which the steps of several threads can happen; each is named by its thread. */
  function* orders(left: readonly number[]): Generator<readonly number[]> {
    if (left.every((steps) => steps === 0)) yield [];
    for (const [thread, steps] of left.entries()) {
      if (steps > 0) for (const rest of orders(left.with(thread, steps - 1))) yield [thread, ...rest];
    }
  }

  it.each(['ring', 'ringAnew'] as const)('lets none of them sleep through a publication and a %s, in whatever order the steps of all happen', (ring) => {
    const lost: string[] = [];
    let count = 0;
    for (const order of orders([SLEEPER.length, SLEEPER.length, RINGER.length])) {
      count++;
      const words = new Int32Array(new SharedArrayBuffer(4));
      const bells = Array.from({ length: 3 }, () => new Doorbell(words, 0, { manySleepers: true }));
      const found = [false, false];
      const done = [0, 0, 0];
      let published = false;
      for (const thread of order) {
        const step = (thread === 2 ? RINGER : SLEEPER)[done[thread]!++]!;
        if (step === 'arm') bells[thread]!.arm();
        else if (step === 'look') found[thread] = published;
        else if (step === 'publish') published = true;
        else if (step === 'ring') bells[thread]![ring]();
        else if (!found[thread]) void bells[thread]!.parkAsync(Infinity);
      }
      // Whoever is still in the list of the engine has not been woken.
      if (Atomics.notify(words, 0) > 0) lost.push(order.join(''));
    }
    expect({ count, lost }).toEqual({ count: 560, lost: [] });
  });
});
