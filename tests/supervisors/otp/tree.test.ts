// Trees of supervisors, what is counted of them, and the order in which children come and go.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Restart, Strategy } from '../../../supervisors/index.ts';
import { until } from '../../kernel/condition.ts';
import { workerProtocol } from './actors/worker.ts';
import { NEVER_MS, Suite, codeOf, linesOf, workerSpec, type SupervisorUnderTest } from './supervisor-under-test.ts';

let suite: Suite;
beforeAll(async () => {
  suite = await Suite.create();
});
afterAll(() => suite.close());

test('child_unlink: a supervisor does not hang while it terminates a child that ignores it', async () => {
  const gate = suite.gate().shut();
  const journal = suite.path();
  const sup = await suite.start({}, [workerSpec('naughty', { shutdownMs: NEVER_MS, args: { journal, lingerWhile: gate.path } })]);
  const terminating = sup.handle.terminateChild('naughty');
  await until(() => linesOf(journal).includes('naughty stopping shutdown'), 'it is told to stop');
  expect(await sup.states()).toEqual([['naughty', 'stopping']]);
  await sup.startWorkers(workerSpec('other'));
  expect(await sup.handle.terminateChild('other')).toBe(true);
  gate.open();
  expect(await terminating).toBe(true);
  expect(await sup.states()).toEqual([['naughty', 'stopped'], ['other', 'stopped']]);
});

test('tree: a supervisor that gives up is restarted by the one above it, with its first children and without those started later', async () => {
  const gate = suite.gate();
  const flags = { intensity: 4, periodMs: 3_600_000, backoff: { minMs: 1, maxMs: 1, jitter: 0 } };
  const top = await suite.start({ strategy: 'one_for_all', intensity: 4 });
  await top.handle.startChild({ id: 'sup1', type: 'supervisor', flags, children: [workerSpec('child1'), workerSpec('child2')] });
  await top.handle.startChild({ id: 'sup2', type: 'supervisor', flags });
  await top.handle.startChild({ id: 'sup3', type: 'supervisor', restart: 'transient', flags });
  expect(await top.handle.terminateChild('sup3')).toBe(true);
  expect(await top.counts()).toEqual([3, 2, 3, 0]);
  const [sup1, sup2, sup3] = ['sup1', 'sup2', 'sup3'].map((id) => top.below(id)) as [SupervisorUnderTest, SupervisorUnderTest, SupervisorUnderTest];
  expect(await sup1.counts()).toEqual([2, 2, 0, 2]);
  expect(await sup2.counts()).toEqual([0, 0, 0, 0]);
  expect(await codeOf(sup3.counts())).toBe('child_unknown');

  const [child3] = await sup2.startWorkers(workerSpec('child3', { args: { failWhile: gate.path } }), workerSpec('child4'));
  const former = await sup1.handle.whichChildren();
  (await sup2.worker('child4')).tell('die', {});
  await sup2.untilRestarted('child4');
  expect(await sup1.handle.whichChildren()).toEqual(former);
  expect(await sup2.incarnationOf('child3')).toBe(1);
  expect(await sup2.counts()).toEqual([2, 2, 0, 2]);

  gate.shut();
  child3!.tell('die', {});
  await until(async () => (await top.counts()).join() === '3,3,3,0', 'all three run');
  expect(await sup1.states()).toEqual([['child1', 'running'], ['child2', 'running']]);
  const latter = await sup1.handle.whichChildren();
  for (const [index, { address }] of latter.entries()) expect(address).not.toBe(former[index]!.address);
  expect(await sup2.states()).toEqual([]);
  expect(await sup3.states()).toEqual([]);
  expect((await top.handle.whichChildren()).map(({ restarts }) => restarts)).toEqual([0, 1, 0]);
});

/** So many at a time that the lane to the tree takes them. */
async function inBatches(count: number, run: (index: number) => Promise<unknown>): Promise<void> {
  for (let first = 0; first < count; first += 50) {
    await Promise.all(Array.from({ length: Math.min(50, count - first) }, (_, index) => run(first + index)));
  }
}

const MANY = 1_000;

test.each([
  ['count_children: many children of a kind are counted and listed', workerSpec('child', { restart: 'temporary' }), 'workers'],
  ['count_children_supervisor: so are many supervisors of a kind', { id: 'child', type: 'supervisor', restart: 'temporary' }, 'supervisors'],
] as const)('%s', async (_, template, kind) => {
  const sup = await suite.start({ strategy: 'simple_one_for_one' }, [template]);
  const countsOf = (active: number): number[] => (kind === 'workers' ? [1, active, 0, active] : [1, active, active, 0]);
  await inBatches(MANY, () => sup.handle.startChild({}));
  expect(await sup.counts()).toEqual(countsOf(MANY));
  expect(await sup.states()).toHaveLength(MANY);
  await inBatches(MANY, () => sup.handle.startChild({}));
  const children = await sup.states();
  expect(await sup.counts()).toEqual(countsOf(2 * MANY));
  expect(new Set(children.map(([id]) => id)).size).toBe(2 * MANY);
  expect(await sup.states()).toEqual(children);
  await inBatches(children.length, (index) => sup.handle.terminateChild(children[index]![0]));
  expect(await sup.counts()).toEqual([1, 0, 0, 0]);
});

test('count_restarting_children: a child that is to be restarted is there, but not active', async () => {
  const gate = suite.gate();
  const sup = await suite.start({ strategy: 'simple_one_for_one', intensity: 1_000_000, backoff: { minMs: 20, maxMs: 20, jitter: 0 } }, [workerSpec('child', { args: { failWhile: gate.path } })]);
  const ids = ['a', 'b', 'c'];
  expect(await sup.counts()).toEqual([1, 0, 0, 0]);
  for (const [index, id] of ids.entries()) {
    await sup.handle.spawn({ id }, workerProtocol);
    expect(await sup.counts()).toEqual([1, index + 1, 0, index + 1]);
  }
  for (const id of ids) (await sup.worker(id)).tell('die', {});
  for (const id of ids) await sup.untilRestarted(id);
  expect(await sup.counts()).toEqual([1, 3, 0, 3]);
  gate.shut();
  for (const id of ['a', 'b']) (await sup.worker(id)).tell('die', {});
  // They are tried again and again, and are never active.
  await until(async () => (await sup.handle.whichChildren()).every(({ id, restarts }) => id === 'c' || restarts >= 3), 'two are tried again');
  expect(await sup.counts()).toEqual([1, 1, 0, 3]);
  gate.open();
  await until(async () => (await sup.counts()).join() === '1,3,0,3', 'they run again');
  for (const [index, id] of ids.entries()) {
    expect(await sup.handle.terminateChild(id)).toBe(true);
    expect(await sup.counts()).toEqual([1, 2 - index, 0, 2 - index]);
  }
});

test('order_of_children: children start in the order given and end in the opposite one, also when some are restarted together', async () => {
  const journal = suite.path();
  // In no other order than their own.
  const ids = ['ch7', 'ch3', 'ch10', 'ch2', 'ch5'];
  const sup = await suite.start({ strategy: 'rest_for_one' }, ids.map((id) => workerSpec(id, { args: { journal } })));
  expect(linesOf(journal)).toEqual(ids.map((id) => `${id} started`));
  (await sup.worker('ch10')).tell('die', {});
  await until(() => linesOf(journal).filter((line) => line === 'ch5 started').length === 2, 'the last was started again');
  expect(linesOf(journal).slice(5)).toEqual([
    'ch10 stopping crashed',
    'ch10 stopped',
    'ch5 stopping shutdown',
    'ch5 stopped',
    'ch2 stopping shutdown',
    'ch2 stopped',
    'ch10 started',
    'ch2 started',
    'ch5 started',
  ]);
  expect(await sup.end()).toBe(true);
  expect(linesOf(journal).slice(14)).toEqual(ids.toReversed().flatMap((id) => [`${id} stopping shutdown`, `${id} stopped`]));
});

const GROUPS: readonly Strategy[] = ['one_for_all', 'rest_for_one'];

test.each(GROUPS)('temporary_bystander: a temporary child that is stopped for the sake of a sibling is not started again, with %s', async (strategy) => {
  const sup = await suite.start({ strategy });
  await sup.startWorkers(workerSpec('child1'), workerSpec('child2', { restart: 'temporary' }));
  (await sup.worker('child1')).tell('stop', {});
  await sup.untilRestarted('child1');
  expect(await sup.states()).toEqual([['child1', 'running']]);
  expect(await sup.isAlive()).toBe(true);
});

type End = 'kill' | 'stop' | 'die' | 'terminate';
const ENDS: readonly End[] = ['kill', 'stop', 'die', 'terminate'];
const STRATEGIES: readonly Strategy[] = ['one_for_all', 'one_for_one', 'rest_for_one'];

test.each(STRATEGIES.flatMap((strategy) => ENDS.map((how) => ({ strategy, how }))))('do_not_save_child_specs_for_temporary_children: the specs of all others stay, with $strategy and after $how', async ({ strategy, how }) => {
  const sup = await suite.start({ strategy });
  for (const restart of ['permanent', 'transient', 'temporary'] as readonly Restart[]) {
    const child = workerSpec(restart, { restart });
    await sup.startWorkers(child);
    if (how === 'kill') expect(await sup.handle.killChild(restart)).toBe(true);
    else if (how === 'terminate') expect(await sup.handle.terminateChild(restart)).toBe(true);
    else (await sup.worker(restart)).tell(how, {});
    if (restart === 'temporary') {
      await sup.untilState(restart, undefined);
      expect(await sup.handle.startChild(child)).toMatchObject({ id: restart });
    } else if (how === 'terminate' || (restart === 'transient' && how === 'stop')) {
      await sup.untilState(restart, 'stopped');
      expect(await codeOf(sup.handle.startChild(child))).toBe('child_exists');
      expect(await sup.handle.restartChild(restart)).toMatchObject({ id: restart });
    } else {
      await sup.untilRestarted(restart);
      expect(await codeOf(sup.handle.startChild(child))).toBe('child_exists');
    }
  }
});
