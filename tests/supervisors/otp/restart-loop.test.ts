// Children that are being restarted and do not come back: calls are answered meanwhile, and nothing hangs.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { workerProtocol } from './actors/worker.ts';
import { NEVER_MS, Suite, ask, codeOf, workerSpec, type Gate, type SupervisorUnderTest, type WorkerOptions } from './supervisor-under-test.ts';

let suite: Suite;
beforeAll(async () => {
  suite = await Suite.create();
});
afterAll(() => suite.close());

/** Two ways for a child not to come back: its start hangs, or its next try is far away. */
const LOOPS = [
  { loop: 'whose start hangs', state: 'starting', options: ({ path }: Gate): WorkerOptions => ({ args: { hangWhile: path } }) },
  { loop: 'whose next try is far away', state: 'restarting', options: (): WorkerOptions => ({ backoff: { minMs: NEVER_MS, maxMs: NEVER_MS } }) },
] as const;

/** The child fails, and does not come back. */
async function failAndHang(sup: SupervisorUnderTest, id: string, gate: Gate, state: 'starting' | 'restarting'): Promise<void> {
  gate.shut();
  (await sup.worker(id)).tell('die', {});
  await sup.untilState(id, state);
}

async function expectRefused(sup: SupervisorUnderTest, id: string, state: string): Promise<void> {
  await expect(sup.handle.startChild(workerSpec(id))).rejects.toMatchObject({ code: 'child_exists', details: { state } });
  await expect(sup.handle.deleteChild(id)).rejects.toMatchObject({ code: 'child_running', details: { state } });
  await expect(sup.handle.restartChild(id)).rejects.toMatchObject({ code: 'child_running', details: { state } });
}

describe.each(LOOPS)('a child $loop', ({ state, options }) => {
  test('hanging_restart_loop: is not active, can be terminated and started anew, and does not keep its supervisor from ending', async () => {
    const gate = suite.gate();
    const sup = await suite.start({ intensity: 8 });
    const [first] = await sup.startWorkers(workerSpec('child1', options(gate)));
    await failAndHang(sup, 'child1', gate, state);
    await expectRefused(sup, 'child1', state);
    expect(await sup.counts()).toEqual([1, 0, 0, 1]);

    expect(await sup.handle.terminateChild('child1')).toBe(true);
    expect(await sup.states()).toEqual([['child1', 'stopped']]);
    await expect(first!.ask('life', {}, ask)).rejects.toMatchObject({ code: 'actor_stopped' });

    gate.open();
    await sup.handle.restartChild('child1');
    await failAndHang(sup, 'child1', gate, state);
    expect(await sup.end()).toBe(true);
    expect(await sup.status()).toMatchObject({ state: 'stopped', restarts: 0 });
    gate.open();
  });

  test('hanging_restart_loop_simple: so it is with one of many of a kind, which is forgotten when it is terminated', async () => {
    const gate = suite.gate();
    const sup = await suite.start({ strategy: 'simple_one_for_one', intensity: 8 }, [workerSpec('child', options(gate))]);
    await sup.handle.spawn({ id: 'a' }, workerProtocol);
    await failAndHang(sup, 'a', gate, state);
    expect(await codeOf(sup.handle.restartChild('a'))).toBe('supervisor_dynamic');
    expect(await codeOf(sup.handle.deleteChild('a'))).toBe('supervisor_dynamic');
    expect(await sup.states()).toEqual([['a', state]]);
    expect(await sup.counts()).toEqual([1, 0, 0, 1]);

    expect(await sup.handle.terminateChild('a')).toBe(true);
    expect(await sup.states()).toEqual([]);
    gate.open();
    await sup.handle.spawn({ id: 'b' }, workerProtocol);
    await failAndHang(sup, 'b', gate, state);
    expect(await sup.end()).toBe(true);
    gate.open();
  });
});

test('hanging_restart_loop_rest_for_one: those before it go on, those after it wait, and come back without it once it is terminated', async () => {
  const gate = suite.gate();
  const sup = await suite.start({ strategy: 'rest_for_one', intensity: 8 });
  await sup.startWorkers(workerSpec('child1'), workerSpec('child2', { args: { hangWhile: gate.path } }), workerSpec('child3'));
  await failAndHang(sup, 'child2', gate, 'starting');
  await sup.untilState('child3', 'restarting');
  expect(await sup.states()).toEqual([['child1', 'running'], ['child2', 'starting'], ['child3', 'restarting']]);
  expect(await sup.counts()).toEqual([3, 1, 0, 3]);
  await expectRefused(sup, 'child2', 'starting');

  expect(await sup.handle.terminateChild('child2')).toBe(true);
  // With OTP child3 would be left stopped.
  await sup.untilState('child3', 'running');
  expect(await sup.states()).toEqual([['child1', 'running'], ['child2', 'stopped'], ['child3', 'running']]);
  gate.open();
  await sup.handle.restartChild('child2');
  await failAndHang(sup, 'child2', gate, 'starting');
  expect(await sup.end()).toBe(true);
  gate.open();
});
