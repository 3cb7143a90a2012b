// What many children cost. What grew with their square would outlast the time that a test has.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Restart, Strategy } from '../../../supervisors/index.ts';
import { PuppetPlace, PuppetSupervisor } from '../puppet-places.ts';
import { Suite, ask, workerSpec, type Worker } from './supervisor-under-test.ts';

test('simple_one_for_one_scale_many_temporary_children: a thousand and ten thousand come and go, and none is left', async () => {
  const { supervisor, places } = new PuppetSupervisor({ strategy: 'simple_one_for_one' }, [workerSpec('child', { restart: 'temporary' })]);
  for (const count of [1_000, 10_000]) {
    const ids: string[] = [];
    for (let index = 0; index < count; index++) ids.push((await supervisor.startChild({})).id);
    expect(supervisor.countChildren()).toEqual({ specs: 1, active: count, supervisors: 0, workers: count });
    for (const id of ids) expect(await supervisor.terminateChild(id)).toBe(true);
    expect(supervisor.countChildren()).toEqual({ specs: 1, active: 0, supervisors: 0, workers: 0 });
    expect([...places.values()].every((place) => place.isRemoved && !place.isAlive)).toBe(true);
  }
});

test('scale_start_stop_many_children: a hundred thousand permanent children start and stop, and keep their specs', async () => {
  const puppets = new PuppetSupervisor({ strategy: 'one_for_one' }, []);
  const { supervisor } = puppets;
  const count = 100_000;
  const ids = Array.from({ length: count }, (_, index) => String(index));
  const { start } = workerSpec('any');
  for (const id of ids) await supervisor.startChild({ id, placement: 'inline', start });
  expect(supervisor.countChildren()).toEqual({ specs: count, active: count, supervisors: 0, workers: count });
  for (const id of ids) await supervisor.terminateChild(id);
  expect(supervisor.countChildren()).toEqual({ specs: count, active: 0, supervisors: 0, workers: count });
  expect([...puppets.places.values()].some(({ isAlive }: PuppetPlace) => isAlive)).toBe(false);
});

describe('what children were started with', () => {
  const STRATEGIES: readonly Strategy[] = ['one_for_all', 'one_for_one', 'rest_for_one', 'simple_one_for_one'];
  /** Many, so that what else the thread lets go meanwhile, some hundreds of kilobytes, decides nothing. */
  const CHILDREN = 250;
  const load = 'x'.repeat(20_000);

  let suite: Suite;
  let gauge: Worker;
  beforeAll(async () => {
    suite = await Suite.create();
    [gauge] = (await (await suite.start()).startWorkers(workerSpec('gauge'))) as [Worker];
  });
  afterAll(() => suite.close());

  const usedBytes = async (): Promise<number> => (await gauge.ask('heap', {}, ask)).usedBytes;

  /** How much the thread of the tree holds more for so many children of that kind. */
  async function growthBytes(strategy: Strategy, restart: Restart): Promise<number> {
    const isSimple = strategy === 'simple_one_for_one';
    const sup = await suite.start({ strategy }, isSimple ? [workerSpec('child', { restart })] : []);
    const before = await usedBytes();
    for (let index = 0; index < CHILDREN; index++) await sup.handle.startChild(isSimple ? { args: { load } } : workerSpec(String(index), { restart, args: { load } }));
    // It is left as it is, so that nothing of it is freed while the next one is measured.
    return (await usedBytes()) - before;
  }

  test.each(STRATEGIES)('do_not_save_start_parameters_for_temporary_children: is kept for those that may be started again, and for no others, with %s', async (strategy) => {
    // The first children of all bring code with them that stays.
    await growthBytes(strategy, 'permanent');
    const kept = [await growthBytes(strategy, 'permanent'), await growthBytes(strategy, 'transient')];
    for (const bytes of kept) expect(bytes).toBeGreaterThan(0.7 * CHILDREN * load.length);
    expect(await growthBytes(strategy, 'temporary')).toBeLessThan(0.3 * CHILDREN * load.length);
  });
});
