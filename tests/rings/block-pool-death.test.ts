/**
 * What an owner's death leaves behind, step by step, and what happens when another thread comes in
 * between two steps.
 *
 * The memory is copied before each store and each atomic operation of a call, which is exactly what a
 * thread that died there would have left. `block-pool-threads.test.ts` kills real threads.
 */
import { describe, expect, it, vi } from 'vitest';
import { BACK_PRESSURED, BlockOwner, BlockPool, NOT_OWNED, createBlockPool } from 'atomics-ring-buffer';

const OPERATIONS = ['load', 'store', 'compareExchange'] as const;
const COUNT = 4;

function copyOf(buffer: SharedArrayBuffer): SharedArrayBuffer {
  const copy = new SharedArrayBuffer(buffer.byteLength);
  new Uint8Array(copy).set(new Uint8Array(buffer));
  return copy;
}

function makePool(): SharedArrayBuffer {
  return createBlockPool({ classes: [{ blockBytes: 64, count: COUNT }], owners: 4 });
}

/** Calls `between` before each access of `run` that is atomic, or a plain load or store of `end`'s, and after the last. */
function betweenSteps(end: BlockPool, run: () => void, between: () => void): void {
  const words = Reflect.get(end, 'words') as Int32Array;
  const watched = new Proxy(words, {
    get(target, key) {
      if (typeof key === 'string' && /^\d+$/.test(key)) between();
      return Reflect.get(target, key) as unknown;
    },
    set(target, key, value: number) {
      between();
      return Reflect.set(target, key, value);
    },
  });
  Reflect.set(end, 'words', watched);
  const spies = OPERATIONS.map((name) => {
    const operation = Atomics[name] as (...parameters: unknown[]) => unknown;
    return vi.spyOn(Atomics, name).mockImplementation(((...parameters: unknown[]) => {
      if (parameters[0] === watched) between();
      return operation(...parameters.map((parameter) => (parameter === watched ? words : parameter)));
    }) as never);
  });
  try {
    run();
  } finally {
    for (const spy of spies) spy.mockRestore();
    Reflect.set(end, 'words', words);
  }
  between();
}

/** The memory as a death at each step of `run` leaves it. */
function deathsDuring(buffer: SharedArrayBuffer, end: BlockPool, run: () => void): SharedArrayBuffer[] {
  const copies: SharedArrayBuffer[] = [];
  betweenSteps(end, run, () => copies.push(copyOf(buffer)));
  return copies;
}

/** Every block is free or held, once each, and every count says so. @returns how many are in use */
function expectAllAccounted(buffer: SharedArrayBuffer, owner = 4): number {
  const { acquired, released, reclaimed, inUse } = new BlockPool(buffer).counters;
  expect(acquired, 'acquired = released + reclaimed + in use').toBe(released + reclaimed + inUse);
  const rest = new BlockOwner(copyOf(buffer), owner);
  const places = new Set<number>();
  for (let handle = rest.acquire(1); handle !== BACK_PRESSURED; handle = rest.acquire(1)) places.add(rest.offsetOf(handle));
  expect(places.size, 'all that is not in use can be acquired').toBe(COUNT - inUse);
  return inUse;
}

interface Scene {
  readonly buffer: SharedArrayBuffer;
  readonly mortal: BlockOwner;
  readonly other: BlockOwner;
  /** Held by the mortal one, handed over by it, handed over to it, held by the other one. */
  readonly held: number;
  readonly given: number;
  readonly offered: number;
}

function makeScene(): Scene {
  const buffer = makePool();
  const [mortal, other] = [new BlockOwner(buffer, 1), new BlockOwner(buffer, 2)];
  const [held, given] = [mortal.acquire(1), mortal.acquire(1)];
  mortal.handOver(given);
  const offered = other.acquire(1);
  other.handOver(offered);
  // A fourth block that was in use before, so that an acquisition has one to find.
  other.release(other.acquire(1));
  return { buffer, mortal, other, held, given, offered };
}

const CALLS: readonly [name: string, call: (scene: Scene) => number][] = [
  ['acquire', ({ mortal }) => mortal.acquire(1)],
  ['release', ({ mortal, held }) => mortal.release(held)],
  ['handOver', ({ mortal, held }) => mortal.handOver(held)],
  ['takeBack', ({ mortal, given }) => mortal.takeBack(given)],
  ['takeOver', ({ mortal, offered }) => mortal.takeOver(offered)],
];

describe('an owner that dies', () => {
  it.each(CALLS)('in %s, at whichever step, leaves no block lost or doubled, and its counts are put right', (_, call) => {
    const scene = makeScene();
    const deaths = deathsDuring(scene.buffer, scene.mortal, () => expect(call(scene)).toBeGreaterThanOrEqual(0));
    expect(deaths.length).toBeGreaterThan(1);
    for (const left of deaths) {
      const pool = new BlockPool(left);
      pool.reclaim(1);
      const handed = pool.counters.handed;
      expect(expectAllAccounted(left), 'what is on its way is left').toBe(handed);
      pool.reclaimUnpublished(1);
      // What the other one has handed over is its own affair.
      const ownAffair = pool.counters.handed;
      expect(expectAllAccounted(left, 1)).toBe(ownAffair);
      expect(ownAffair).toBeLessThanOrEqual(1);
      // The successor comes to hold, in other ways, what the dead one may have meant to acquire.
      const [giver, successor] = [new BlockOwner(left, 3), new BlockOwner(left, 1)];
      for (let handle = giver.acquire(1); handle !== BACK_PRESSURED; handle = giver.acquire(1)) {
        giver.handOver(handle);
        expect(successor.takeOver(handle)).toBeGreaterThanOrEqual(0);
      }
      expect(pool.reclaim(1)).toBe(COUNT - ownAffair);
      expect(expectAllAccounted(left)).toBe(ownAffair);
    }
  });

  it('in a call that is refused leaves its counts right', () => {
    const { buffer, mortal, held } = makeScene();
    mortal.release(held);
    const full = new BlockOwner(buffer, 3);
    while (full.acquire(1) !== BACK_PRESSURED);
    for (const refused of [() => mortal.acquire(1), () => mortal.release(held), () => mortal.takeOver(held)]) {
      const deaths = deathsDuring(buffer, mortal, () => expect(refused()).toBeLessThan(0));
      for (const left of deaths) {
        new BlockPool(left).reclaim(1);
        expect(expectAllAccounted(left)).toBe(COUNT);
      }
    }
  });

  it('after it lost a race for a block that it later took over is not counted as having acquired it', () => {
    let [steps, lost] = [Infinity, 0];
    for (let at = 0; at < steps; at++) {
      const buffer = createBlockPool({ classes: [{ blockBytes: 64, count: 1 }], owners: 4 });
      const [mortal, other] = [new BlockOwner(buffer, 1), new BlockOwner(buffer, 2)];
      other.release(other.acquire(1));
      let [step, won, acquired] = [0, 0, 0];
      betweenSteps(mortal, () => (acquired = mortal.acquire(1)), () => {
        if (step++ === at) won = other.acquire(1);
      });
      steps = step;
      expect([won, acquired]).toContain(BACK_PRESSURED);
      if (acquired === BACK_PRESSURED) {
        lost++;
        other.handOver(won);
        expect(mortal.takeOver(won)).toBeGreaterThanOrEqual(0);
      }
      expect(new BlockPool(buffer).reclaim(1)).toBe(1);
      expect(new BlockPool(buffer).counters).toMatchObject({ acquired: 2, released: 1, reclaimed: 1, inUse: 0 });
    }
    expect(lost).toBeGreaterThan(3);
  });

  it('while it attaches leaves a number that can be attached again', () => {
    for (const hasDeparted of [false, true]) {
      const buffer = makePool();
      if (hasDeparted) {
        const [former, receiver] = [new BlockOwner(buffer, 1), new BlockOwner(buffer, 2)];
        const handle = former.acquire(1);
        former.handOver(handle);
        new BlockPool(buffer).reclaim(1);
        receiver.takeOver(handle);
      }
      const left: SharedArrayBuffer[] = [];
      const compareExchange = Atomics.compareExchange.bind(Atomics) as (...parameters: unknown[]) => number;
      const spy = vi.spyOn(Atomics, 'compareExchange').mockImplementation(((...parameters: unknown[]) => {
        left.push(copyOf(buffer));
        const found = compareExchange(...parameters);
        left.push(copyOf(buffer));
        return found;
      }) as never);
      void new BlockOwner(buffer, 1);
      spy.mockRestore();
      expect(left).toHaveLength(hasDeparted ? 4 : 2);
      for (const copy of left) {
        new BlockPool(copy).reclaim(1);
        expect(new BlockOwner(copy, 1).acquire(1)).toBeGreaterThanOrEqual(0);
      }
    }
  });
});

describe('a reclaimer that dies', () => {
  it('at whichever step leaves what the next one finishes, each block returned and counted once', () => {
    const scene = makeScene();
    scene.mortal.takeOver(scene.offered);
    const pool = new BlockPool(scene.buffer);
    const deaths = deathsDuring(scene.buffer, pool, () => expect(pool.reclaim(1)).toBe(2));
    deaths.push(...deathsDuring(scene.buffer, pool, () => expect(pool.reclaimUnpublished(1)).toBe(1)));
    for (const left of deaths) {
      const next = new BlockPool(left);
      next.reclaim(1);
      next.reclaimUnpublished(1);
      expect(next.counters).toMatchObject({ reclaimed: 3, inUse: 0 });
      expectAllAccounted(left, 1);
    }
  });
});

describe('two owners at once', () => {
  /** Calls of the other owner that meet those of the first one between any two of its steps. */
  const MEETING: readonly [name: string, call: (scene: Scene) => void][] = [
    ['acquires', ({ other }) => void other.acquire(1)],
    ['acquires all', ({ other }) => void [1, 2, 3, 4].map(() => other.acquire(1))],
    ['acquires and releases', ({ other }) => void other.release(other.acquire(1))],
    ['takes over what was handed to it', ({ other, given }) => void other.takeOver(given)],
    ['takes back what it had handed over', ({ other, offered }) => void other.takeBack(offered)],
    ['takes back and releases', ({ other, offered }) => void (other.takeBack(offered) === 0 && other.release(offered))],
  ];
  const meetings = CALLS.flatMap(([name, call]) => MEETING.map(([meets, meet]) => ({ name, call, meets, meet })));

  it.each(meetings)('one in $name, while the other $meets at any step, never share a block or lose one', ({ call, meet }) => {
    let steps = Infinity;
    for (let at = 0; at < steps; at++) {
      const scene = makeScene();
      let step = 0;
      betweenSteps(scene.mortal, () => call(scene), () => {
        if (step++ === at) meet(scene);
      });
      steps = step;
      const { mortal, other, held, given, offered } = scene;
      for (const handle of [held, given, offered]) {
        expect([mortal, other].filter((owner) => owner.takeBack(handle) === 0 || owner.release(handle) === 0).length).toBeLessThanOrEqual(1);
      }
      const pool = new BlockPool(scene.buffer);
      expectAllAccounted(scene.buffer);
      for (const owner of [1, 2]) pool.reclaim(owner);
      for (const owner of [1, 2]) pool.reclaimUnpublished(owner);
      expect(expectAllAccounted(scene.buffer, 1)).toBe(0);
    }
    expect(steps).toBeGreaterThan(1);
  });

  it('both find the last block, and one gets it', () => {
    for (let at = 0; at < 20; at++) {
      const buffer = makePool();
      const [one, other] = [new BlockOwner(buffer, 1), new BlockOwner(buffer, 2)];
      for (let count = 0; count < COUNT - 1; count++) one.acquire(1);
      const results: number[] = [];
      let step = 0;
      betweenSteps(one, () => results.push(one.acquire(1)), () => {
        if (step++ === at) results.push(other.acquire(1));
      });
      if (step <= at) break;
      expect(results.filter((handle) => handle >= 0)).toHaveLength(1);
      expect(results).toContain(BACK_PRESSURED);
      expect(results).not.toContain(NOT_OWNED);
      expectAllAccounted(buffer);
    }
  });
});
