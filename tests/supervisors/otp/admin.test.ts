// OTP's administrative calls: children are started, terminated, restarted and deleted on request, and counted.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AutoShutdown, Restart, SupervisorFlags } from '../../../supervisors/index.ts';
import { DEFAULT_FLAGS } from '../../../supervisors/index.ts';
import { checkChildren, completeFlags } from '../../../supervisors/spec-check.ts';
import { workerProtocol, type WorkerArgs } from './actors/worker.ts';
import { Suite, ask, codeOf, workerSpec } from './supervisor-under-test.ts';

let suite: Suite;
beforeAll(async () => {
  suite = await Suite.create();
});
afterAll(() => suite.close());

describe('children are started and ended on request', () => {
  test('child_adm: terminated children keep their specs until they are deleted, and unknown ones are refused', async () => {
    const child = workerSpec('child1');
    const sup = await suite.start({}, [child]);
    const { handle } = sup;
    const first = await sup.worker('child1');
    expect(await sup.counts()).toEqual([1, 1, 0, 1]);

    await expect(handle.startChild(child)).rejects.toMatchObject({ code: 'child_exists', details: { state: 'running' } });

    expect(await codeOf(handle.terminateChild('nobody'))).toBe('child_unknown');
    expect(await handle.terminateChild('child1')).toBe(true);
    await expect(first.ask('life', {}, ask)).rejects.toMatchObject({ code: 'actor_stopped' });
    expect(await sup.states()).toEqual([['child1', 'stopped']]);
    expect(await sup.counts()).toEqual([1, 0, 0, 1]);
    // As OTP's: what has ended is ended.
    expect(await handle.terminateChild('child1')).toBe(true);

    await expect(handle.startChild(child)).rejects.toMatchObject({ code: 'child_exists', details: { state: 'stopped' } });

    await handle.restartChild('child1');
    expect(await sup.states()).toEqual([['child1', 'running']]);
    expect(await sup.counts()).toEqual([1, 1, 0, 1]);
    await expect(handle.restartChild('child1')).rejects.toMatchObject({ code: 'child_running', details: { state: 'running' } });
    expect(await codeOf(handle.restartChild('child2'))).toBe('child_unknown');

    expect(await codeOf(handle.deleteChild('child1'))).toBe('child_running');
    expect(await codeOf(handle.deleteChild('nobody'))).toBe('child_unknown');
    expect(await handle.terminateChild('child1')).toBe(true);
    await handle.deleteChild('child1');
    expect(await codeOf(handle.restartChild('child1'))).toBe('child_unknown');
    expect(await sup.states()).toEqual([]);
    expect(await sup.counts()).toEqual([0, 0, 0, 0]);

    const { name } = await handle.startChild(child);
    expect(await sup.states()).toEqual([['child1', 'running']]);
    // A child is known to its supervisor by its id, not by the name under which others find it.
    expect(await codeOf(handle.terminateChild(name))).toBe('child_unknown');
    expect(await sup.counts()).toEqual([1, 1, 0, 1]);

    const nobody = suite.system.supervisor('nobody');
    const calls = [nobody.startChild(child), nobody.terminateChild('child1'), nobody.deleteChild('child1'), nobody.restartChild('child1'), nobody.whichChildren(), nobody.countChildren()];
    for (const code of await Promise.all(calls.map(codeOf))) expect(code).toBe('child_unknown');
  });

  test('child_adm_simple: many of a kind are started and terminated, but neither restarted nor deleted', async () => {
    const sup = await suite.start({ strategy: 'simple_one_for_one' }, [workerSpec('child')]);
    const { handle } = sup;
    expect(await sup.states()).toEqual([]);
    expect(await sup.counts()).toEqual([1, 0, 0, 0]);

    const first = await handle.startChild({});
    expect(await sup.states()).toEqual([[first.id, 'running']]);
    expect(await sup.counts()).toEqual([1, 1, 0, 1]);
    const second = await handle.startChild({});
    expect(await sup.states()).toEqual([[first.id, 'running'], [second.id, 'running']]);
    expect(await sup.counts()).toEqual([1, 2, 0, 2]);

    // The template is no child.
    expect(await codeOf(handle.terminateChild('child'))).toBe('child_unknown');
    expect(await sup.counts()).toEqual([1, 2, 0, 2]);
    expect(await handle.terminateChild(first.id)).toBe(true);
    expect(await sup.states()).toEqual([[second.id, 'running']]);
    expect(await sup.counts()).toEqual([1, 1, 0, 1]);
    expect(await codeOf(suite.system.resolve(first.name, workerProtocol))).toBe('actor_unknown');
    // An id that was forgotten is as unknown as one that never was.
    expect(await codeOf(handle.terminateChild(first.id))).toBe('child_unknown');

    expect(await codeOf(handle.restartChild(second.id))).toBe('supervisor_dynamic');
    expect(await codeOf(handle.deleteChild(second.id))).toBe('supervisor_dynamic');
    expect(await codeOf(suite.system.supervisor('nobody').startChild({}))).toBe('child_unknown');
  });

  test('extra_return: what a child says of itself is in the answer to whoever starts or restarts it', async () => {
    const info = { extra: ['return', 1], nested: { yes: true } };
    const child = workerSpec('child1', { args: { info } });
    const sup = await suite.start({}, [child]);
    const { handle } = sup;
    const unknown = [handle.terminateChild('nobody'), handle.deleteChild('nobody'), handle.restartChild('nobody')];
    for (const code of await Promise.all(unknown.map(codeOf))) expect(code).toBe('child_unknown');
    const running = [handle.deleteChild('child1'), handle.restartChild('child1')];
    for (const code of await Promise.all(running.map(codeOf))) expect(code).toBe('child_running');
    expect(await sup.counts()).toEqual([1, 1, 0, 1]);

    expect(await handle.terminateChild('child1')).toBe(true);
    expect(await sup.counts()).toEqual([1, 0, 0, 1]);
    expect(await handle.restartChild('child1')).toMatchObject({ id: 'child1', isIgnored: false, info });
    expect(await sup.counts()).toEqual([1, 1, 0, 1]);

    expect(await handle.terminateChild('child1')).toBe(true);
    expect(await handle.terminateChild('child1')).toBe(true);
    await handle.deleteChild('child1');
    expect(await sup.counts()).toEqual([0, 0, 0, 0]);

    expect(await handle.startChild(child)).toMatchObject({ info });
    (await sup.worker('child1')).tell('die', {});
    await sup.untilRestarted('child1');
    expect(await sup.counts()).toEqual([1, 1, 0, 1]);
    expect(await sup.incarnationOf('child1')).toBe(2);
  });

  test('multiple_restarts: a child that fails seldom enough is restarted again and again', async () => {
    const sup = await suite.start({ intensity: 1, periodMs: 1 }, [workerSpec('child1', { backoff: { minMs: 5, maxMs: 5 } })]);
    for (let restarts = 1; restarts <= 4; restarts++) {
      (await sup.worker('child1')).tell('die', {});
      await sup.untilRestarted('child1', restarts);
    }
    expect(await sup.isAlive()).toBe(true);
    expect(await sup.handle.terminateChild('child1')).toBe(true);
    await sup.handle.deleteChild('child1');
  });
});

describe('specs and flags', () => {
  const spec = workerSpec('child');
  const WRONG: readonly [string, Record<string, unknown>][] = [
    ['start', { start: 'mfa' }],
    ['restart', { restart: 'prmanent' }],
    ['shutdownMs', { shutdownMs: -10 }],
    ['type', { type: 'wrker' }],
    ['module', { start: { module: 7, export: 'worker' } }],
    ['export', { start: { module: 'x' } }],
    ['significant', { significant: 'maybe' }],
    ['brutalKill', { brutalKill: 1 }],
    ['placement', { placement: 'moon' }],
  ];

  test('child_specs: faulty specs are refused, alone, in a list and among first children, and the supervisor goes on', async () => {
    const sup = await suite.start();
    expect(await codeOf(sup.handle.startChild('hej' as never))).toBe('spec_invalid');
    for (const [field, wrong] of WRONG) {
      await expect(sup.handle.startChild({ ...spec, ...wrong })).rejects.toMatchObject({ code: 'spec_invalid', message: expect.stringContaining(field) as string });
      expect(() => checkChildren([{ ...spec, ...wrong }], DEFAULT_FLAGS)).toThrow(field);
      expect(await codeOf(suite.start({}, [{ ...spec, ...wrong }]))).toBe('spec_invalid');
      expect(await codeOf(suite.start({ strategy: 'simple_one_for_one' }, [{ ...spec, ...wrong }]))).toBe('spec_invalid');
    }
    expect(await codeOf(suite.start({ strategy: 'simple_one_for_one' }, []))).toBe('spec_invalid');
    expect(await codeOf(suite.start({ strategy: 'simple_one_for_one' }, [spec, workerSpec('other')]))).toBe('spec_invalid');
    expect(await codeOf(suite.start({}, [spec, spec]))).toBe('child_exists');
    expect(await sup.states()).toEqual([]);
    await sup.startWorkers(spec);
    expect(await sup.isAlive()).toBe(true);
  });

  test('child_specs_map: of all combinations of what is right exactly those of significant with permanent or with never are refused', () => {
    const restarts: readonly (Restart | undefined)[] = [undefined, 'permanent', 'transient', 'temporary'];
    const stops = [{}, { shutdownMs: 1_000 }, { shutdownMs: Infinity }, { brutalKill: true }];
    const modes: readonly AutoShutdown[] = ['never', 'any_significant', 'all_significant'];
    const { placement, id, start } = workerSpec('child');
    let combinations = 0;
    for (const autoShutdown of modes) for (const restart of restarts) for (const stop of stops) for (const kind of [{}, { type: 'worker' }, { type: 'supervisor' }, { placement }]) for (const significant of [undefined, false, true]) {
      const given = { id, start, ...stop, ...kind, ...(restart === undefined ? {} : { restart }), ...(significant === undefined ? {} : { significant }) };
      const isWrong = significant === true && (autoShutdown === 'never' || restart === undefined || restart === 'permanent');
      const attempt = (): void => checkChildren([given], { ...DEFAULT_FLAGS, autoShutdown });
      if (isWrong) expect(attempt).toThrow(expect.objectContaining({ code: 'spec_invalid', message: expect.stringContaining('significant') as string }) as Error);
      else expect(attempt).not.toThrow();
      combinations++;
    }
    expect(combinations).toBe(3 * 4 * 4 * 4 * 3);
    expect(() => checkChildren([spec, spec], DEFAULT_FLAGS)).toThrow(expect.objectContaining({ code: 'child_exists' }) as Error);
  });

  test('sup_flags: faulty flags are refused with the name of the flag, and nothing starts', async () => {
    const wrong: readonly [string, Record<string, unknown>][] = [
      ['strategy', { strategy: 'none_for_one' }],
      ['intensity', { intensity: Infinity }],
      ['periodMs', { periodMs: 0 }],
      ['periodMs', { periodMs: Infinity }],
      ['autoShutdown', { autoShutdown: 'sometimes' }],
      // OTP ignores what it does not know; here it is refused, since it may be a misspelt flag.
      ['sillyFlag', { sillyFlag: true }],
    ];
    for (const [field, flags] of wrong) {
      await expect(suite.start(flags as Partial<SupervisorFlags>)).rejects.toMatchObject({ code: 'spec_invalid', message: expect.stringContaining(field) as string });
    }
    for (const flags of ['one_for_one', 7, null, ['one_for_one', 2]]) {
      expect(() => completeFlags(flags as never)).toThrow(expect.objectContaining({ code: 'spec_invalid' }) as Error);
    }
  });
});

test('what differs from the template is checked as well', async () => {
  const sup = await suite.start({ strategy: 'simple_one_for_one' }, [workerSpec('child', { args: { info: 'template' } satisfies WorkerArgs })]);
  for (const wrong of ['hej', 7, { id: 7 }, { restart: 'temporary' }, workerSpec('whole')]) expect(await codeOf(sup.handle.startChild(wrong as never))).toBe('spec_invalid');
  expect(await sup.states()).toEqual([]);
  expect(await sup.handle.startChild({ id: '1' })).toMatchObject({ id: '1', info: 'template' });
  expect(await sup.handle.startChild({ args: { info: 'own' } })).toMatchObject({ id: '2', info: 'own' });
});
