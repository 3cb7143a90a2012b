// How a supervisor ends its children when it is ended itself. What is killed is so on real threads.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Restart } from '../../../supervisors/index.ts';
import { until } from '../../kernel/condition.ts';
import { workerProtocol } from './actors/worker.ts';
import { Suite, ask, linesOf, workerSpec, type SupervisorUnderTest, type Worker } from './supervisor-under-test.ts';

const RESTARTS: readonly Restart[] = ['temporary', 'transient', 'permanent'];

let suite: Suite;
beforeAll(async () => {
  suite = await Suite.create();
});
afterAll(() => suite.close());

const spawn = (sup: SupervisorUnderTest, id: string): Promise<Worker> => sup.handle.spawn({ id }, workerProtocol);
/** Each in the words of the actor itself. */
const inOrder = (id: string): string[] => [`${id} stopping shutdown`, `${id} stopped`];
const endsOf = (journal: string): string[] => linesOf(journal).filter((line) => !line.endsWith('started'));

test('sup_stop_infinity: a child with no deadline, worker or supervisor, is waited for as long as it takes', async () => {
  const gate = suite.gate().shut();
  const journal = suite.path();
  const slow = { shutdownMs: Infinity, args: { journal, lingerWhile: gate.path } };
  const sup = await suite.start({}, [
    { id: 'child1', type: 'supervisor', shutdownMs: Infinity, children: [workerSpec('below', slow)] },
    workerSpec('child2', slow),
  ]);
  const ending = sup.end();
  await until(() => linesOf(journal).includes('child2 stopping shutdown'), 'child2 stops');
  expect(await sup.states()).toEqual([['child1', 'running'], ['child2', 'stopping']]);
  gate.open();
  expect(await ending).toBe(true);
  expect(endsOf(journal)).toEqual([...inOrder('child2'), ...inOrder('below')]);
});

test('sup_stop_timeout: a child that does not end within its deadline is killed, and the others end in order', async () => {
  const journal = suite.path();
  const never = suite.gate().shut();
  const sup = await suite.start();
  const [, , asleep] = await sup.startWorkers(
    workerSpec('child0', { placement: 'thread', args: { journal } }),
    workerSpec('child1', { args: { journal } }),
    workerSpec('child2', { placement: 'thread', shutdownMs: 100, args: { journal } }),
    workerSpec('child3', { placement: 'inline', shutdownMs: 20, args: { journal, lingerWhile: never.path } }),
  );
  asleep!.tell('sleep', {});
  await until(() => suite.system.inspect().threads.some(({ handling }) => handling?.actor === asleep!.name), 'it sleeps');
  expect(await sup.end()).toBe(true);
  expect(endsOf(journal)).toEqual(['child3 stopping shutdown', ...inOrder('child1'), ...inOrder('child0')]);
  never.open();
});

test('sup_stop_timeout_dynamic: so it is with many of a kind', async () => {
  const journal = suite.path();
  const sup = await suite.start({ strategy: 'simple_one_for_one' }, [workerSpec('child', { restart: 'temporary', placement: 'thread', shutdownMs: 1_500, args: { journal } })]);
  await spawn(sup, 'awake');
  const asleep = await spawn(sup, 'asleep');
  asleep.tell('sleep', {});
  await until(() => suite.system.inspect().threads.some(({ handling }) => handling?.actor === asleep.name), 'it sleeps');
  expect(await sup.end()).toBe(true);
  expect(endsOf(journal)).toEqual(inOrder('awake'));
});

test('sup_stop_brutal_kill: a child that is to be killed is not told to stop', async () => {
  const journal = suite.path();
  const sup = await suite.start();
  await sup.startWorkers(
    workerSpec('child1', { placement: 'thread', args: { journal } }),
    workerSpec('child2', { placement: 'thread', brutalKill: true, args: { journal } }),
  );
  expect(await sup.end()).toBe(true);
  expect(endsOf(journal)).toEqual(inOrder('child1'));
});

test('sup_stop_brutal_kill_dynamic: so it is with many of a kind', async () => {
  const journal = suite.path();
  const sup = await suite.start({ strategy: 'simple_one_for_one' }, [workerSpec('child', { restart: 'temporary', placement: 'thread', brutalKill: true, args: { journal } })]);
  const ids = ['a', 'b', 'c', 'd'];
  const workers = await Promise.all(ids.map((id) => spawn(sup, id)));
  expect(await sup.end()).toBe(true);
  expect(linesOf(journal).toSorted()).toEqual(ids.map((id) => `${id} started`));
  for (const worker of workers) await expect(worker.ask('life', {}, ask)).rejects.toMatchObject({ code: 'actor_stopped' });
});

test('sup_stop_race: children that end by themselves while their supervisor stops, however they do, are not started again', async () => {
  const gate = suite.gate().shut();
  const journal = suite.path();
  const sup = await suite.start({ intensity: 0 });
  const ends = RESTARTS.flatMap((restart) => (['stop', 'shutdown', 'die'] as const).map((how) => ({ restart, how, id: `${restart}-${how}` })));
  await sup.startWorkers(workerSpec('a', { restart: 'temporary', args: { journal } }));
  const workers = await sup.startWorkers(...ends.map(({ id, restart }) => workerSpec(id, { restart, args: { journal } })));
  await sup.startWorkers(workerSpec('z', { restart: 'temporary', shutdownMs: 20_000, args: { journal, lingerWhile: gate.path } }));
  const ending = sup.end();
  await until(() => linesOf(journal).includes('z stopping shutdown'), 'the last child stops');
  for (const [index, { how }] of ends.entries()) workers[index]!.tell(how, {});
  await until(() => ends.every(({ id }) => linesOf(journal).includes(`${id} stopped`)), 'the others have ended');
  gate.open();
  expect(await ending).toBe(true);
  const lines = linesOf(journal);
  expect(lines.slice(-3)).toEqual(['z stopped', ...inOrder('a')]);
  for (const { id, how } of ends) {
    expect(lines.filter((line) => line.startsWith(`${id} `))).toEqual([`${id} started`, `${id} stopping ${how === 'die' ? 'crashed' : 'shutdown'}`, `${id} stopped`]);
  }
});

test.each(RESTARTS)('sup_stop_non_shutdown_exit_dynamic: a supervisor of many of a kind, %s, ends in order though some of them do not', async (restart) => {
  const journal = suite.path();
  const sup = await suite.start({ strategy: 'simple_one_for_one', intensity: 0 }, [workerSpec('child', { restart, args: { journal } })]);
  await sup.handle.startChild({ id: 'failing', args: { failStop: true } });
  const [normal, shutdown, dying] = await Promise.all(['normal', 'shutdown', 'dying'].map((id) => spawn(sup, id)));
  const ending = sup.end();
  normal!.tell('stop', {});
  shutdown!.tell('shutdown', {});
  dying!.tell('die', {});
  expect(await ending).toBe(true);
  expect(await sup.status()).toMatchObject({ state: 'stopped', restarts: 0 });
  expect(linesOf(journal).filter((line) => line.endsWith('started'))).toHaveLength(4);
  expect(linesOf(journal).filter((line) => line.endsWith('stopped')).toSorted()).toEqual(['dying stopped', 'normal stopped', 'shutdown stopped']);
});
