// A start that hangs ends at its deadline, wherever the child lives; what cannot be ended holds its id until it has.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../kernel/condition.ts';
import { workerProtocol, type WorkerArgs } from './otp/actors/worker.ts';
import { Suite, ask, codeOf, linesOf, workerSpec, type SupervisorUnderTest, type WorkerOptions } from './otp/supervisor-under-test.ts';

let suite: Suite;
let sup: SupervisorUnderTest;
beforeAll(async () => {
  suite = await Suite.create();
  sup = await suite.start({ intensity: 1_000 });
});
afterAll(() => suite.close());

const HANGING: readonly [what: string, options: WorkerOptions, args: (path: string) => WorkerArgs][] = [
  ['on the thread of the tree', { placement: 'inline' }, (path) => ({ hangWhile: path })],
  ['in the pool', { placement: 'pool' }, (path) => ({ hangWhile: path })],
  ['on a thread', { placement: 'thread' }, (path) => ({ hangWhile: path })],
  ['on a thread that it holds', { placement: 'thread' }, (path) => ({ holdWhile: path })],
];

describe.each(HANGING)('a start that hangs %s', (_, options, args) => {
  test('is refused with start_deadline, leaves nothing, and does not come to life later', async () => {
    const gate = suite.gate().shut();
    const journal = suite.path();
    const hanging = workerSpec('child', { ...options, startMs: 300, args: { journal, ...args(gate.path) } });
    await expect(sup.handle.startChild(hanging)).rejects.toMatchObject({ code: 'start_deadline', message: expect.stringContaining('300 ms') as string });
    expect(await sup.states()).toEqual([]);
    gate.open();
    // The same id is free at once, and the start goes well.
    const child = await sup.handle.spawn({ ...hanging, startMs: 60_000 }, workerProtocol);
    expect(await child.ask('life', {}, ask)).toEqual({ incarnation: 1 });
    expect(await sup.states()).toEqual([['child', 'running']]);
    expect(await sup.handle.removeChild('child')).toBe(true);
  });
});

test('a native thread whose start hangs is not killed: its id stays taken until the start has ended, and then it is stopped in order', async () => {
  const gate = suite.gate().shut();
  const journal = suite.path();
  const native = workerSpec('native', { placement: 'thread', native: true, startMs: 100, shutdownMs: 100, args: { journal, holdWhile: gate.path } });
  expect(await codeOf(sup.handle.startChild(native))).toBe('start_deadline');
  expect(await sup.states()).toEqual([['native', 'stopping']]);
  await expect(sup.handle.startChild(native)).rejects.toMatchObject({ code: 'child_exists', details: { state: 'stopping' } });
  gate.open();
  await until(async () => (await sup.states()).length === 0, 'it has ended');
  expect(linesOf(journal)).toEqual(['native started', 'native stopping shutdown', 'native stopped']);
  expect(await codeOf(sup.handle.startChild({ ...native, startMs: 60_000 }))).toBe('fulfilled');
  expect(await sup.handle.removeChild('native')).toBe(true);
});

test('a supervisor whose init hangs is refused with start_deadline, and its late answer is taken by nobody', async () => {
  const gate = suite.gate().shut();
  const start = { module: new URL('./otp/actors/supervisors.ts', import.meta.url).href, export: 'hanging', args: gate.path };
  const spec = { id: 'init', type: 'supervisor', start, startMs: 50 } as const;
  expect(await codeOf(sup.handle.startChild(spec))).toBe('start_deadline');
  expect(await sup.states()).toEqual([]);
  gate.open();
  expect(await codeOf(sup.handle.startChild({ ...spec, startMs: 60_000 }))).toBe('fulfilled');
  expect(await sup.states()).toEqual([['init', 'running']]);
  expect(await sup.handle.removeChild('init')).toBe(true);
});

test('a supervisor one of whose children hangs is refused with start_deadline, and those that had started are stopped', async () => {
  const gate = suite.gate().shut();
  const journal = suite.path();
  const children = [workerSpec('first', { args: { journal } }), workerSpec('second', { args: { journal, hangWhile: gate.path } })];
  expect(await codeOf(sup.handle.startChild({ id: 'below', type: 'supervisor', startMs: 100, children }))).toBe('start_deadline');
  expect(await sup.states()).toEqual([]);
  await until(() => linesOf(journal).includes('first stopped'), 'the first was stopped');
  gate.open();
  expect(linesOf(journal)).toEqual(['first started', 'first stopping shutdown', 'first stopped']);
});

test('a restart whose start hangs is tried again after its deadline', async () => {
  const gate = suite.gate();
  const child = await sup.handle.spawn(workerSpec('again', { startMs: 50, args: { hangWhile: gate.path } }), workerProtocol);
  gate.shut();
  child.tell('die', {});
  await until(async () => (await sup.handle.whichChildren()).some(({ lastError }) => lastError.includes('within 50 ms')), 'one try was too slow');
  gate.open();
  await until(async () => (await sup.stateOf('again')) === 'running', 'it runs again');
  expect((await child.ask('life', {}, ask)).incarnation).toBeGreaterThan(2);
  expect(await sup.handle.removeChild('again')).toBe(true);
});

test('the name of a child of the pool is free as soon as it is terminated, on whichever thread the next one lives', async () => {
  const next = workerSpec('named', { placement: 'pool' });
  await sup.handle.startChild(next);
  for (let round = 0; round < 20; round++) {
    expect(await sup.handle.terminateChild('named')).toBe(true);
    expect(await codeOf(suite.system.resolve(`${sup.path}/named`, workerProtocol))).toBe('actor_unknown');
    expect(await codeOf(sup.handle.restartChild('named'))).toBe('fulfilled');
  }
  expect(await sup.handle.removeChild('named')).toBe(true);
});
