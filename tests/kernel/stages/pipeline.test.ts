import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ActorRef } from '../../../kernel/index.ts';
import { createSystem, type System } from '../../../supervisors/index.ts';
import { laboratoryProtocol, type Experiment, type Outcome } from './actors/pipeline.ts';

const module = new URL('./actors/pipeline.ts', import.meta.url).href;

let system: System;
let laboratory: ActorRef<typeof laboratoryProtocol.spec>;

beforeAll(async () => {
  system = await createSystem({ logLevel: 'error' });
  laboratory = await system.spawn({ id: 'laboratory', start: { module, export: 'laboratory' } }, laboratoryProtocol);
});
afterAll(() => system.close());

const PLAIN: Experiment = {
  dispatcher: 'demand',
  events: 100,
  keys: 5,
  consumers: [{ maxDemand: 10, minDemand: 5, isSlow: false }],
  via: false,
  batch: undefined,
  crashAt: undefined,
  refuseAt: undefined,
  cancel: 'permanent',
  isEndless: false,
  sourceCrashAt: undefined,
};

async function run(experiment: Partial<Experiment>): Promise<Outcome> {
  return (await laboratory.ask('run', { ...PLAIN, ...experiment }, { deadlineMs: 20_000 })) as Outcome;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, value) => value);
const sorted = (values: readonly number[]): number[] => [...values].sort((one, other) => one - other);

const consumer = fc
  .record({ maxDemand: fc.integer({ min: 1, max: 20 }), isSlow: fc.boolean() })
  .chain(({ maxDemand, isSlow }) => fc.integer({ min: 0, max: maxDemand - 1 }).map((minDemand) => ({ maxDemand, minDemand, isSlow })));
const base = {
  events: fc.integer({ min: 0, max: 150 }),
  keys: fc.integer({ min: 1, max: 6 }),
  batch: fc.option(fc.record({ batchSize: fc.integer({ min: 1, max: 10 }), batchTimeoutMs: fc.integer({ min: 1, max: 5 }) }), { nil: undefined }),
  via: fc.boolean(),
};

describe('without crashes', () => {
  test('each event reaches exactly one consumer, in order of its key, and then all stages end', async () => {
    const experiments = fc.record({ ...base, dispatcher: fc.constantFrom('demand', 'partition'), consumers: fc.array(consumer, { minLength: 2, maxLength: 2 }) });
    await fc.assert(
      fc.asyncProperty(experiments, async (experiment) => {
        const { handled, ends, sourceEnd } = await run(experiment);
        const made = experiment.via ? upTo(experiment.events).filter((value) => value % 2 === 0).flatMap((value) => [value, value]) : upTo(experiment.events);
        expect(sorted(handled.flat())).toEqual(made);
        for (const values of handled) expect(inOrderOfKey(values, experiment.keys)).toBe(true);
        if (experiment.dispatcher === 'partition' && !experiment.via) expect(keysShared(handled, experiment.keys)).toBe(false);
        expect([...ends, sourceEnd]).toEqual(['stopped', 'stopped', 'stopped']);
      }),
      { numRuns: 60 },
    );
  });

  test('a broadcast gives each event to every consumer, in order', async () => {
    const experiments = fc.record({ ...base, batch: fc.constant(undefined), via: fc.constant(false), consumers: fc.array(consumer, { minLength: 1, maxLength: 1 }) });
    await fc.assert(
      fc.asyncProperty(experiments, async (experiment) => {
        const { handled } = await run({ ...experiment, dispatcher: 'broadcast' });
        for (const values of handled) expect(values).toEqual(upTo(experiment.events));
      }),
      { numRuns: 15 },
    );
  });
});

describe('batches', () => {
  test('are handed on when they are full, and what is left at the end', async () => {
    const { batches } = await run({ events: 50, keys: 5, batch: { batchSize: 4, batchTimeoutMs: 20_000 }, consumers: [{ maxDemand: 50, minDemand: 25, isSlow: false }] });
    expect(batches.filter(({ trigger }) => trigger === 'size').map(({ size }) => size)).toEqual(Array(10).fill(4));
    expect(batches.filter(({ trigger }) => trigger === 'end').map(({ size }) => size)).toEqual(Array(5).fill(2));
  });

  test('are handed on when their first event has waited long enough', async () => {
    const { batches, handled } = await run({ events: 7, keys: 1, isEndless: true, batch: { batchSize: 10, batchTimeoutMs: 5 }, consumers: [{ maxDemand: 50, minDemand: 25, isSlow: false }] });
    expect(batches).toEqual([{ key: '0', trigger: 'timeout', size: 7 }]);
    expect(handled).toEqual([upTo(7)]);
  });
});

describe('a consumer that fails', () => {
  test('takes no more, what it had is counted as lost, and the others get the rest', async () => {
    const consumers = [
      { maxDemand: 4, minDemand: 2, isSlow: false },
      { maxDemand: 4, minDemand: 2, isSlow: true },
    ];
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 59 }), async (crashAt) => {
        const { handled, ends, sourceStats } = await run({ events: 60, consumers, crashAt, isEndless: true });
        const values = handled.flat();
        expect(new Set(values).size).toBe(values.length);
        expect(values).not.toContain(crashAt);
        expect(sourceStats!['lost']).toBe(60 - values.length);
        expect(sourceStats!['lost']).toBeLessThanOrEqual(4);
        expect(ends.filter((end) => end === 'crashed')).toHaveLength(1);
      }),
      { numRuns: 6 },
    );
  });

  test('with an operating error loses that portion alone and goes on', async () => {
    const { handled, ends } = await run({ events: 60, refuseAt: 30 });
    expect(handled[0]).not.toContain(30);
    expect(handled[0]).toContain(59);
    expect(ends).toEqual(['stopped']);
  });
});

describe('the end of a producer', () => {
  test.each([
    ['permanent', 'stopped'],
    ['transient', undefined],
    ['temporary', undefined],
  ] as const)('that is done, with %s', async (cancel, end) => {
    const { handled, ends, sourceEnd } = await run({ cancel });
    expect(sourceEnd).toBe('stopped');
    expect(handled).toEqual([upTo(100)]);
    expect(ends).toEqual([end]);
  });

  test.each([
    ['permanent', 'crashed'],
    ['transient', 'crashed'],
    ['temporary', undefined],
  ] as const)('that has crashed, with %s: what it had sent is handled before', async (cancel, end) => {
    const { handled, ends, sourceEnd } = await run({ cancel, sourceCrashAt: 33 });
    expect(sourceEnd).toBe('crashed');
    expect(handled).toEqual([upTo(33)]);
    expect(ends).toEqual([end]);
  });
});

function inOrderOfKey(values: readonly number[], keys: number): boolean {
  const latest = new Map<number, number>();
  return values.every((value) => {
    const isInOrder = value >= (latest.get(value % keys) ?? 0);
    latest.set(value % keys, value);
    return isInOrder;
  });
}

function keysShared(handled: readonly (readonly number[])[], keys: number): boolean {
  const [one = [], other = []] = handled.map((values) => new Set(values.map((value) => value % keys)));
  return [...one].some((key) => new Set(other).has(key));
}
