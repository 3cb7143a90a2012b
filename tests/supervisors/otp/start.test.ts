// How supervisors and their children start, or do not.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_CHILD } from '../../../supervisors/index.ts';
import { workerProtocol } from './actors/worker.ts';
import { Suite, codeOf, linesOf, workerSpec } from './supervisor-under-test.ts';

const module = new URL('./actors/supervisors.ts', import.meta.url).href;

let suite: Suite;
beforeAll(async () => {
  suite = await Suite.create();
});
afterAll(() => suite.close());

/** A supervisor of its own among the children of the root, made by an init. */
const startInit = (name: string, args?: unknown) =>
  suite.system.supervisor().startChild({ id: name, type: 'supervisor', start: { module, export: name, ...(args === undefined ? {} : { args }) } });
const rootHas = async (id: string): Promise<boolean> => (await suite.system.children()).some((child) => child.id === id);

describe('a supervisor', () => {
  test('sup_start_normal: starts without children, and ends when it is told to', async () => {
    const sup = await suite.start();
    expect(await sup.isAlive()).toBe(true);
    expect(await sup.end()).toBe(true);
    expect(await sup.status()).toMatchObject({ state: 'stopped', restarts: 0 });
  });

  test('sup_start_ignore_init: an init that has nothing to do starts nothing, and that is no failure', async () => {
    expect(await startInit('idle')).toMatchObject({ id: 'idle', isIgnored: true });
    expect((await suite.system.children()).find(({ id }) => id === 'idle')).toMatchObject({ state: 'stopped', restarts: 0 });
    expect(await codeOf(suite.system.supervisor('idle').whichChildren())).toBe('child_unknown');
  });

  test.each([['a text', 'invalid'], ['a number', 7], ['null', null], ['a list', []], ['an unknown key', { flag: {} }], ['children that are no list', { children: {} }]])(
    'sup_start_error_return: an init that returns garbage fails the start (%s)',
    async (_, garbage) => {
      expect(await codeOf(startInit('invalid', garbage))).toBe('spec_invalid');
      expect(await rootHas('invalid')).toBe(false);
    },
  );

  test('sup_start_fail: an init that fails fails the start, with its message', async () => {
    await expect(startInit('failing')).rejects.toMatchObject({ code: 'actor_start_failed', message: expect.stringContaining('told to fail in init') as string });
    expect(await rootHas('failing')).toBe(false);
  });

  test('sup_start_map: plain objects are its specs, and what they leave out is the default', async () => {
    const { start } = workerSpec('any');
    const sup = await suite.start({}, [
      { id: 'child1', placement: 'inline', start },
      { id: 'child2', placement: 'inline', start, brutalKill: true },
      { id: 'child3', type: 'supervisor' },
    ]);
    const { restart, startMs, shutdownMs } = DEFAULT_CHILD;
    expect(await sup.handle.childSpec('child1')).toEqual({ id: 'child1', type: 'worker', start, placement: 'inline', restart, significant: false, startMs, shutdownMs });
    expect(await sup.handle.childSpec('child2')).toEqual({ id: 'child2', type: 'worker', start, placement: 'inline', restart, significant: false, startMs, brutalKill: true });
    expect(await sup.handle.childSpec('child3')).toEqual({ id: 'child3', type: 'supervisor', restart, significant: false, startMs, shutdownMs: expect.any(Number) as number });
    expect((await sup.handle.childSpec('child3')).shutdownMs).toBeGreaterThan(86_400_000);
    expect(await codeOf(sup.handle.childSpec('child4'))).toBe('child_unknown');
    expect(await sup.end()).toBe(true);
  });

  test('sup_start_map_simple: every child that is made after the template has its spec', async () => {
    const template = workerSpec('template', { restart: 'temporary' });
    const sup = await suite.start({ strategy: 'simple_one_for_one' }, [template]);
    for (const id of ['a', 'b', 'c']) {
      await sup.handle.startChild({ id });
      const { start, ...spec } = await sup.handle.childSpec(id);
      expect({ start, ...spec }).toMatchObject({ ...template, id, type: 'worker', restart: 'temporary', significant: false });
    }
    expect(await codeOf(sup.handle.childSpec('template'))).toBe('child_unknown');
    expect(await sup.end()).toBe(true);
  });

  test('sup_start_map_faulty_specs: faulty specs are refused as a whole, and nothing starts', async () => {
    const journal = suite.path();
    const { start } = workerSpec('any');
    const right = workerSpec('right', { args: { journal } });
    // An unknown key is ignored by OTP; here it is refused, since it may be a misspelt one.
    for (const faulty of [{ start }, { id: 'child2' }, { id: 'child3', start, sillyFlag: true }, 'child4']) {
      expect(await codeOf(suite.start({}, [right, faulty as never]))).toBe('spec_invalid');
    }
    expect(linesOf(journal)).toEqual([]);
  });
});

describe('a child that has nothing to do', () => {
  const idle = { args: { isIgnored: true } };

  test('sup_start_ignore_child: leaves its spec, if it is permanent', async () => {
    const sup = await suite.start();
    expect(await sup.handle.startChild(workerSpec('child1', idle))).toMatchObject({ isIgnored: true });
    await sup.startWorkers(workerSpec('child2'));
    expect(await sup.states()).toEqual([['child1', 'stopped'], ['child2', 'running']]);
    expect(await sup.counts()).toEqual([2, 1, 0, 2]);
  });

  test('sup_start_ignore_temporary_child: leaves no spec, if it is temporary and among the first children', async () => {
    const sup = await suite.start({}, [workerSpec('child1', { ...idle, restart: 'temporary' }), workerSpec('child2', { restart: 'temporary' })]);
    expect(await sup.states()).toEqual([['child2', 'running']]);
    expect(await sup.counts()).toEqual([1, 1, 0, 1]);
  });

  test('sup_start_ignore_temporary_child_start_child: leaves no spec, if it is temporary and started later', async () => {
    const sup = await suite.start();
    const started = await sup.handle.startChild(workerSpec('child1', { ...idle, restart: 'temporary' }));
    expect(started).toEqual({ id: 'child1', name: `${sup.path}/child1`, isIgnored: true });
    await sup.startWorkers(workerSpec('child2', { restart: 'temporary' }));
    expect(await sup.states()).toEqual([['child2', 'running']]);
    expect(await sup.counts()).toEqual([1, 1, 0, 1]);
  });

  test('sup_start_ignore_temporary_child_start_child_simple: leaves no spec, if it is temporary and one of many of a kind', async () => {
    const sup = await suite.start({ strategy: 'simple_one_for_one' }, [workerSpec('child', { ...idle, restart: 'temporary' })]);
    expect(await sup.handle.startChild({})).toMatchObject({ isIgnored: true });
    const { id } = await sup.handle.startChild({ args: { isIgnored: false } });
    expect(await sup.states()).toEqual([[id, 'running']]);
    expect(await sup.counts()).toEqual([1, 1, 0, 1]);
  });

  test('sup_start_ignore_permanent_child_start_child_simple: leaves no spec, if it is permanent and one of many of a kind', async () => {
    const sup = await suite.start({ strategy: 'simple_one_for_one' }, [workerSpec('child', idle)]);
    expect(await sup.handle.startChild({})).toMatchObject({ isIgnored: true });
    const { id } = await sup.handle.startChild({ args: { isIgnored: false } });
    expect(await sup.states()).toEqual([[id, 'running']]);
    expect(await sup.counts()).toEqual([1, 1, 0, 1]);
    expect(await sup.end()).toBe(true);
  });
});

describe('a child whose start fails', () => {
  test('sup_start_child_returns_error: is refused with the reason, and leaves no spec', async () => {
    const sup = await suite.start();
    const failWhile = suite.gate().shut().path;
    await expect(sup.handle.startChild(workerSpec('child1', { args: { failWhile } }))).rejects.toMatchObject({ code: 'actor_start_failed', message: expect.stringContaining('told to fail in start') as string });
    expect(await codeOf(sup.handle.startChild(workerSpec('child2', { args: { isGarbage: true } })))).toBe('actor_start_failed');
    expect(await sup.states()).toEqual([]);
    expect(await sup.isAlive()).toBe(true);
  });

  test('sup_start_restart_child_returns_error: keeps its spec, if it was there before and terminated', async () => {
    const gate = suite.gate();
    const sup = await suite.start({}, [workerSpec('child1', { args: { failWhile: gate.path } })]);
    expect(await sup.handle.terminateChild('child1')).toBe(true);
    gate.shut();
    await expect(sup.handle.restartChild('child1')).rejects.toThrow('told to fail in start');
    expect(await sup.states()).toEqual([['child1', 'stopped']]);
    gate.open();
    expect(await sup.handle.restartChild('child1')).toMatchObject({ id: 'child1', isIgnored: false });
  });

  test('sup_start_child_returns_error_simple: is refused with the reason, and leaves nothing among many of a kind', async () => {
    const sup = await suite.start({ strategy: 'simple_one_for_one' }, [workerSpec('child')]);
    const failWhile = suite.gate().shut().path;
    await expect(sup.handle.startChild({ args: { failWhile } })).rejects.toThrow('told to fail in start');
    expect(await codeOf(sup.handle.startChild({ args: { isGarbage: true } }))).toBe('actor_start_failed');
    expect(await sup.states()).toEqual([]);
    expect((await sup.handle.spawn({}, workerProtocol)).name).toContain(sup.path);
  });
});
