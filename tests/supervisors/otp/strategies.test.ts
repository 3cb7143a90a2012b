// What is restarted when a child fails, and what becomes of a supervisor whose children fail too often.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../kernel/condition.ts';
import { workerProtocol } from './actors/worker.ts';
import { Suite, ask, linesOf, workerSpec, type SupervisorUnderTest, type Worker } from './supervisor-under-test.ts';

let suite: Suite;
beforeAll(async () => {
  suite = await Suite.create();
});
afterAll(() => suite.close());

async function die(sup: SupervisorUnderTest, id: string): Promise<void> {
  (await sup.worker(id)).tell('die', {});
}

/** One failure too many: the supervisor ends, and all its children with it. */
async function expectEndWith(sup: SupervisorUnderTest, id: string, others: readonly Worker[]): Promise<void> {
  await die(sup, id);
  await sup.untilEnded();
  for (const other of others) await expect(other.ask('life', {}, ask)).rejects.toMatchObject({ code: 'actor_stopped' });
}

const livesOf = async (sup: SupervisorUnderTest, ...ids: string[]): Promise<number[]> => Promise.all(ids.map((id) => sup.incarnationOf(id)));

describe('one_for_one', () => {
  test('one_for_one: restarts the child that failed and leaves the other alone, two times, and ends with the third', async () => {
    const sup = await suite.start({ strategy: 'one_for_one' });
    const workers = await sup.startWorkers(workerSpec('child1'), workerSpec('child2'));
    await die(sup, 'child1');
    await sup.untilRestarted('child1');
    expect(await livesOf(sup, 'child1', 'child2')).toEqual([2, 1]);
    expect(await sup.counts()).toEqual([2, 2, 0, 2]);
    await die(sup, 'child2');
    await sup.untilRestarted('child2');
    await expectEndWith(sup, 'child1', workers);
  });

  test('one_for_one_escalation: a child that cannot be started again is tried until that is too often, and then all ends', async () => {
    const gate = suite.gate();
    const sup = await suite.start({ strategy: 'one_for_one', intensity: 4 });
    const [, other] = await sup.startWorkers(workerSpec('child1', { args: { failWhile: gate.path } }), workerSpec('child2'));
    gate.shut();
    await expectEndWith(sup, 'child1', [other!]);
  });
});

describe('one_for_all', () => {
  test('one_for_all: restarts all children, two times, and ends with the third failure', async () => {
    const journal = suite.path();
    const sup = await suite.start({ strategy: 'one_for_all' });
    const workers = await sup.startWorkers(workerSpec('child1', { args: { journal } }), workerSpec('child2', { args: { journal } }));
    await die(sup, 'child1');
    await until(() => linesOf(journal).length >= 8, 'both were started again');
    expect(linesOf(journal)).toEqual([
      'child1 started',
      'child2 started',
      'child1 stopping crashed',
      'child1 stopped',
      'child2 stopping shutdown',
      'child2 stopped',
      'child1 started',
      'child2 started',
    ]);
    expect(await livesOf(sup, 'child1', 'child2')).toEqual([2, 2]);
    expect(await sup.counts()).toEqual([2, 2, 0, 2]);
    await die(sup, 'child2');
    await until(async () => (await livesOf(sup, 'child1', 'child2')).join() === '3,3', 'both were started again');
    await expectEndWith(sup, 'child2', workers);
  });

  test('one_for_all_escalation: a child that cannot be started again ends the supervisor and the other, too', async () => {
    const gate = suite.gate();
    const sup = await suite.start({ strategy: 'one_for_all', intensity: 4 });
    const workers = await sup.startWorkers(workerSpec('child1'), workerSpec('child2', { args: { failWhile: gate.path } }));
    gate.shut();
    await expectEndWith(sup, 'child1', workers);
  });

  test('one_for_all_other_child_fails_restart: a child that has just been started again is stopped when another one is not', async () => {
    const journal = suite.path();
    const sup = await suite.start({ strategy: 'one_for_all', intensity: 3 }, [workerSpec('child1', { args: { journal } }), workerSpec('child2', { args: { journal, failStartOf: [2] } })]);
    await die(sup, 'child1');
    await until(() => linesOf(journal).filter((line) => line === 'child2 started').length === 2, 'child2 was started again');
    expect(linesOf(journal).slice(6)).toEqual(['child1 started', 'child1 stopping shutdown', 'child1 stopped', 'child1 started', 'child2 started']);
    expect(await sup.isAlive()).toBe(true);
  });
});

describe('rest_for_one', () => {
  test('rest_for_one: restarts the child that failed and those after it, two times, and ends with the third failure', async () => {
    const sup = await suite.start({ strategy: 'rest_for_one' });
    const workers = await sup.startWorkers(workerSpec('child1'), workerSpec('child2'), workerSpec('child3'));
    expect(await sup.counts()).toEqual([3, 3, 0, 3]);
    await die(sup, 'child2');
    await until(async () => (await livesOf(sup, 'child1', 'child2', 'child3')).join() === '1,2,2', 'two were started again');
    expect(await sup.counts()).toEqual([3, 3, 0, 3]);
    await die(sup, 'child3');
    await until(async () => (await livesOf(sup, 'child1', 'child2', 'child3')).join() === '1,2,3', 'one was started again');
    await expectEndWith(sup, 'child2', workers);
  });

  test('rest_for_one_escalation: a child that cannot be started again after one before it ends the supervisor', async () => {
    const gate = suite.gate();
    const sup = await suite.start({ strategy: 'rest_for_one', intensity: 4 });
    const workers = await sup.startWorkers(workerSpec('child1'), workerSpec('child2', { args: { failWhile: gate.path } }));
    gate.shut();
    await expectEndWith(sup, 'child1', workers);
  });

  test('rest_for_one_other_child_fails_restart: a child that has just been started again is left alone when one after it is not', async () => {
    const journal = suite.path();
    const sup = await suite.start({ strategy: 'rest_for_one', intensity: 3 }, [workerSpec('child1', { args: { journal } }), workerSpec('child2', { args: { journal, failStartOf: [2] } })]);
    await die(sup, 'child1');
    await until(() => linesOf(journal).filter((line) => line === 'child2 started').length === 2, 'child2 was started again');
    expect(linesOf(journal).slice(6)).toEqual(['child1 started', 'child2 started']);
    expect(await livesOf(sup, 'child1', 'child2')).toEqual([2, 3]);
    expect(await sup.isAlive()).toBe(true);
  });
});

describe('simple_one_for_one', () => {
  const dynamic = (flags = {}, options = {}): Promise<SupervisorUnderTest> => suite.start({ strategy: 'simple_one_for_one', ...flags }, [workerSpec('child', options)]);
  const spawn = (sup: SupervisorUnderTest, id: string, args = {}): Promise<Worker> => sup.handle.spawn({ id, args }, workerProtocol);

  test('simple_one_for_one: restarts the child that failed and leaves the other alone, two times, and ends with the third', async () => {
    const sup = await dynamic();
    const workers = [await spawn(sup, 'a'), await spawn(sup, 'b')];
    await die(sup, 'a');
    await sup.untilRestarted('a');
    expect(await livesOf(sup, 'a', 'b')).toEqual([2, 1]);
    expect(await sup.counts()).toEqual([1, 2, 0, 2]);
    await die(sup, 'b');
    await sup.untilRestarted('b');
    await expectEndWith(sup, 'a', workers);
  });

  test('simple_one_for_one_shutdown: all are told to stop at once, each has its time, and who is late is killed', async () => {
    const [gate, never] = [suite.gate().shut(), suite.gate().shut()];
    const journal = suite.path();
    const sup = await dynamic({}, { shutdownMs: 2_000, args: { journal, lingerWhile: gate.path } });
    await spawn(sup, 'a');
    await spawn(sup, 'b');
    await spawn(sup, 'late', { lingerWhile: never.path });
    const ending = sup.end();
    await until(() => linesOf(journal).filter((line) => line.endsWith('stopping shutdown')).length === 3, 'all of them stop');
    expect(linesOf(journal).filter((line) => line.endsWith('stopped'))).toEqual([]);
    gate.open();
    expect(await ending).toBe(true);
    expect(linesOf(journal).filter((line) => line.endsWith('stopped')).toSorted()).toEqual(['a stopped', 'b stopped']);
    never.open();
  });

  test('simple_one_for_one_extra: children that say something of themselves are restarted like all others', async () => {
    const sup = await dynamic({}, { args: { info: 'extra' } });
    for (const id of ['a', 'b']) expect(await sup.handle.startChild({ id })).toMatchObject({ id, info: 'extra' });
    await die(sup, 'a');
    await sup.untilRestarted('a');
    expect(await livesOf(sup, 'a', 'b')).toEqual([2, 1]);
    expect(await sup.counts()).toEqual([1, 2, 0, 2]);
    await die(sup, 'b');
    await sup.untilRestarted('b');
    await expectEndWith(sup, 'b', [await sup.worker('a')]);
  });

  test('simple_one_for_one_escalation: a child that cannot be started again ends the supervisor and the other, too', async () => {
    const gate = suite.gate();
    const sup = await dynamic({ intensity: 4 });
    await spawn(sup, 'a', { failWhile: gate.path });
    const other = await spawn(sup, 'b');
    gate.shut();
    await expectEndWith(sup, 'a', [other]);
  });

  test('simple_one_for_one_corruption: once a temporary child has failed, what the next one is started with is not kept either', async () => {
    const sup = await dynamic({}, { restart: 'temporary', args: { info: 'template' } });
    await spawn(sup, 'a');
    await die(sup, 'a');
    await sup.untilState('a', undefined);
    const load = 'x'.repeat(20_000);
    const b = await spawn(sup, 'b', { load });
    // What it was given would be here, had the supervisor kept it.
    expect((await sup.handle.childSpec('b')).start).toEqual({ module: expect.any(String) as string, export: 'worker' });
    b.tell('die', {});
    await sup.untilState('b', undefined);
    expect(await sup.handle.startChild({ id: 'c' })).toMatchObject({ info: 'template' });
    expect(await sup.isAlive()).toBe(true);
  });
});
