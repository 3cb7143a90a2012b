// Children whose end by themselves ends their supervisor.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../kernel/condition.ts';
import type { AutoShutdown, Restart, Strategy } from '../../../supervisors/index.ts';
import { workerProtocol } from './actors/worker.ts';
import { Suite, workerSpec, type SupervisorUnderTest } from './supervisor-under-test.ts';

const MODES: readonly AutoShutdown[] = ['never', 'any_significant', 'all_significant'];

let suite: Suite;
beforeAll(async () => {
  suite = await Suite.create();
});
afterAll(() => suite.close());

type End = 'stop' | 'die' | 'kill';

async function end(sup: SupervisorUnderTest, id: string, how: End): Promise<void> {
  if (how === 'kill') expect(await sup.handle.killChild(id)).toBe(true);
  else (await sup.worker(id)).tell(how, {});
}

/** Two significant children and one that is not, all of one kind of restart. */
async function startThree(restart: Restart, autoShutdown: AutoShutdown): Promise<SupervisorUnderTest> {
  const sup = await suite.start({ intensity: 5, autoShutdown });
  await sup.startWorkers(
    workerSpec('child1', { restart, significant: true }),
    workerSpec('child2', { restart, significant: true }),
    workerSpec('child3', { restart, significant: false }),
  );
  return sup;
}

/** Nothing of a supervisor that shuts down would still run: its right-most child is the first to go. */
async function expectGoingOn(sup: SupervisorUnderTest, ...running: string[]): Promise<void> {
  const states = await sup.states();
  for (const id of running) expect(states).toContainEqual([id, 'running']);
  expect(await sup.isAlive()).toBe(true);
}

test.each(MODES)('nonsignificant_temporary: no end of a temporary child that is not significant ends its supervisor, with autoShutdown %s', async (autoShutdown) => {
  const sup = await suite.start({ autoShutdown });
  const child = workerSpec('child1', { restart: 'temporary', significant: false });
  await sup.startWorkers(workerSpec('other'), child);
  expect(await sup.handle.terminateChild('child1')).toBe(true);
  await expectGoingOn(sup, 'other');
  for (const how of ['kill', 'die', 'stop'] as const) {
    await sup.startWorkers(child);
    await end(sup, 'child1', how);
    await sup.untilState('child1', undefined);
    await expectGoingOn(sup, 'other');
  }
  expect(await sup.end()).toBe(true);
});

test.each(MODES)('nonsignificant_transient: no end of a transient child that is not significant ends its supervisor, with autoShutdown %s', async (autoShutdown) => {
  const sup = await suite.start({ intensity: 5, autoShutdown });
  await sup.startWorkers(workerSpec('other'), workerSpec('child1', { restart: 'transient', significant: false }));
  expect(await sup.handle.terminateChild('child1')).toBe(true);
  await expectGoingOn(sup, 'other');
  await sup.handle.restartChild('child1');
  for (const [index, how] of (['kill', 'die'] as const).entries()) {
    await end(sup, 'child1', how);
    await sup.untilRestarted('child1', index + 1);
    await expectGoingOn(sup, 'other');
  }
  await end(sup, 'child1', 'stop');
  await sup.untilState('child1', 'stopped');
  await expectGoingOn(sup, 'other');
  expect(await sup.end()).toBe(true);
});

test('significant_temporary: any end by itself of a temporary significant child ends its supervisor; being terminated does not; with all_significant the last one does', async () => {
  const sup = await startThree('temporary', 'any_significant');
  expect(await sup.handle.terminateChild('child1')).toBe(true);
  await expectGoingOn(sup, 'child2', 'child3');
  await sup.startWorkers(workerSpec('child1', { restart: 'temporary', significant: true }));
  await end(sup, 'child1', 'kill');
  await sup.untilEnded();
  for (const how of ['die', 'stop'] as const) {
    const next = await startThree('temporary', 'any_significant');
    await end(next, 'child1', how);
    await next.untilEnded();
  }
  const last = await startThree('temporary', 'all_significant');
  await end(last, 'child1', 'stop');
  await last.untilState('child1', undefined);
  await expectGoingOn(last, 'child2', 'child3');
  await end(last, 'child2', 'stop');
  await last.untilEnded();
});

test('significant_transient: a transient significant child that fails is restarted, and one whose work is done ends its supervisor; with all_significant the last one does', async () => {
  const sup = await startThree('transient', 'any_significant');
  expect(await sup.handle.terminateChild('child1')).toBe(true);
  await expectGoingOn(sup, 'child2', 'child3');
  await sup.handle.restartChild('child1');
  for (const [index, how] of (['kill', 'die'] as const).entries()) {
    await end(sup, 'child1', how);
    await sup.untilRestarted('child1', index + 1);
    await expectGoingOn(sup, 'child2', 'child3');
  }
  await end(sup, 'child1', 'stop');
  await sup.untilEnded();
  const last = await startThree('transient', 'all_significant');
  await end(last, 'child1', 'stop');
  await last.untilState('child1', 'stopped');
  await expectGoingOn(last, 'child2', 'child3');
  await end(last, 'child2', 'stop');
  await last.untilEnded();
});

test('significant_simple: it is the same where the significant children are many of a kind', async () => {
  const child = workerSpec('child', { restart: 'temporary', significant: true });
  const any = await suite.start({ strategy: 'simple_one_for_one', autoShutdown: 'any_significant' }, [child]);
  for (const id of ['a', 'b']) await any.handle.spawn({ id }, workerProtocol);
  await end(any, 'a', 'stop');
  await any.untilEnded();
  const all = await suite.start({ strategy: 'simple_one_for_one', autoShutdown: 'all_significant' }, [child]);
  for (const id of ['a', 'b']) await all.handle.spawn({ id }, workerProtocol);
  await end(all, 'a', 'stop');
  await all.untilState('a', undefined);
  await expectGoingOn(all, 'b');
  await end(all, 'b', 'stop');
  await all.untilEnded();
});

const STRATEGIES: readonly Strategy[] = ['one_for_one', 'one_for_all', 'rest_for_one'];
const BYSTANDERS = STRATEGIES.flatMap((strategy) => (['any_significant', 'all_significant'] as const).map((autoShutdown) => ({ strategy, autoShutdown })));

test.each(BYSTANDERS)('significant_bystander: significant children that are restarted because of a sibling do not end their supervisor, with $strategy and $autoShutdown', async ({ strategy, autoShutdown }) => {
  const sup = await suite.start({ strategy, intensity: 5, autoShutdown });
  await sup.startWorkers(
    workerSpec('child1', { restart: 'transient', significant: true }),
    workerSpec('child2', { restart: 'transient', significant: false }),
    workerSpec('child3', { restart: 'transient', significant: true }),
  );
  await end(sup, 'child2', 'kill');
  const lives = { one_for_one: '1,2,1', one_for_all: '2,2,2', rest_for_one: '1,2,2', simple_one_for_one: '' }[strategy];
  await until(async () => (await Promise.all(['child1', 'child2', 'child3'].map((id) => sup.incarnationOf(id)))).join() === lives, 'they were restarted');
  await expectGoingOn(sup, 'child1', 'child2', 'child3');
  expect(await sup.end()).toBe(true);
});

describe('a supervisor that shuts down by itself', () => {
  /** Supervisor A with a supervisor B below it, which has a significant child. */
  async function startTwo(significant: boolean): Promise<SupervisorUnderTest> {
    const flags = { autoShutdown: 'any_significant' } as const;
    const a = await suite.start(flags, [{ id: 'b', type: 'supervisor', restart: 'transient', significant, flags, children: [] }]);
    await a.below('b').startWorkers(workerSpec('child1', { restart: 'transient', significant: true }));
    return a;
  }

  test('significant_escalation: ends the one above it if it is significant itself, and only then', async () => {
    const both = await startTwo(true);
    await end(both.below('b'), 'child1', 'stop');
    await both.untilEnded();
    const one = await startTwo(false);
    await end(one.below('b'), 'child1', 'stop');
    await one.below('b').untilEnded();
    expect(await one.isAlive()).toBe(true);
    expect(await one.end()).toBe(true);
  });
});
