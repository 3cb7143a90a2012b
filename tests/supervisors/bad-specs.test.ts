// Every wrong spec has its code, leaves nothing behind, and the rest of the tree goes on.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AnyChildSpec, SupervisorChildSpec } from '../../supervisors/index.ts';
import { Suite, ask, codeOf, workerSpec, type SupervisorUnderTest, type Worker } from './otp/supervisor-under-test.ts';

const supervisors = new URL('./otp/actors/supervisors.ts', import.meta.url).href;
const { start } = workerSpec('any');
const module = start.module;

let suite: Suite;
let sup: SupervisorUnderTest;
let neighbour: Worker;
beforeAll(async () => {
  suite = await Suite.create();
  sup = await suite.start();
  [neighbour] = (await sup.startWorkers(workerSpec('neighbour'))) as [Worker];
});
afterAll(() => suite.close());

/** As many supervisors as that, one below the other. */
function nested(levels: number): SupervisorChildSpec {
  return { id: 'nested', type: 'supervisor', ...(levels > 1 ? { children: [nested(levels - 1)] } : {}) };
}

const thread = { id: 'wrong', start };
const below = (children: readonly unknown[], flags = {}): unknown => ({ id: 'wrong', type: 'supervisor', flags, children });

const WRONG: readonly [what: string, spec: unknown, code: string, message: string][] = [
  ['significant on a permanent child', below([workerSpec('a', { significant: true })], { autoShutdown: 'any_significant' }), 'spec_invalid', 'permanent child cannot be significant'],
  ['significant where autoShutdown is never', { ...thread, restart: 'transient', significant: true }, 'spec_invalid', 'autoShutdown is never'],
  ['an id that is there', workerSpec('neighbour'), 'child_exists', 'neighbour'],
  ['ids that are there twice below', below([workerSpec('a'), workerSpec('a')]), 'child_exists', "'a'"],
  ['an unknown key', { ...thread, restarts: 1 }, 'spec_invalid', 'restarts'],
  ['an unknown key of a supervisor', { ...(below([]) as object), strategy: 'one_for_all' }, 'spec_invalid', 'strategy'],
  ['an unknown key of what is below', below([{ ...thread, restarts: 1 }]), 'spec_invalid', 'restarts'],
  ['an unknown flag below', below([], { intensities: 1 }), 'spec_invalid', 'intensities'],
  ['a time to stop of zero', { ...thread, shutdownMs: 0 }, 'spec_invalid', 'shutdownMs'],
  ['a time to start of zero', { ...thread, startMs: 0 }, 'spec_invalid', 'startMs'],
  ['a time to start without end', { ...thread, startMs: Infinity }, 'spec_invalid', 'startMs'],
  ['a time to start that is no number', { ...thread, startMs: Number.NaN }, 'spec_invalid', 'startMs'],
  ['a limit for handlers of zero', { ...thread, hungAfterMs: 0 }, 'spec_invalid', 'hungAfterMs'],
  ['a back-off that ends before it begins', { ...thread, backoff: { minMs: 5_000 } }, 'spec_invalid', 'backoff'],
  ['a back-off that begins anew at once', { ...thread, backoff: { resetMs: 0 } }, 'spec_invalid', 'backoff'],
  ['native calls inline', { ...workerSpec('wrong'), native: true }, 'spec_invalid', 'native'],
  ['a mailbox inline', { ...workerSpec('wrong'), mailbox: { dataBytes: 4_096 } }, 'spec_invalid', 'mailbox'],
  ['limits of the heap in a pool', { ...thread, placement: 'pool', resourceLimits: { maxOldGenerationSizeMb: 64 } }, 'spec_invalid', 'resourceLimits'],
  ['a limit for handlers in a pool', { ...thread, placement: 'pool', hungAfterMs: 1_000 }, 'spec_invalid', 'hungAfterMs'],
  ['to be killed in a native call', { ...thread, native: true, brutalKill: true }, 'spec_invalid', 'native calls'],
  ['to be killed in a while', { ...thread, brutalKill: true, shutdownMs: 100 }, 'spec_invalid', 'brutalKill'],
  ['a slash in the id of a supervisor', { id: 'a/b', type: 'supervisor' }, 'spec_invalid', 'slash'],
  ['both a start and children', { id: 'wrong', type: 'supervisor', start: { module: supervisors, export: 'idle' }, children: [] }, 'spec_invalid', 'either start'],
  ['supervisors nested too deep', nested(17), 'spec_invalid', 'nest deeper'],
  ['an init that nests without end', { id: 'wrong', type: 'supervisor', start: { module: supervisors, export: 'bottomless' } }, 'actor_start_failed', 'nest deeper'],
  ['arguments that cannot be sent', { ...workerSpec('wrong'), start: { ...start, args: { run() {} } } }, 'spec_invalid', 'cannot be sent'],
  ['a module that is not there', { ...workerSpec('wrong'), start: { module: `${module}.not`, export: 'worker' } }, 'actor_start_failed', 'worker.ts.not'],
  ['an export that is not there', { ...workerSpec('wrong'), start: { module, export: 'nobody' } }, 'actor_start_failed', 'nobody'],
  ['an export that is no actor', { ...workerSpec('wrong'), start: { module, export: 'workerProtocol' } }, 'actor_start_failed', 'workerProtocol'],
  ['a supervisor whose module is not there', { id: 'wrong', type: 'supervisor', start: { module: `${module}.not`, export: 'idle' } }, 'actor_start_failed', 'worker.ts.not'],
  ['a supervisor that is an actor', { id: 'wrong', type: 'supervisor', start: { module, export: 'worker' } }, 'actor_start_failed', 'supervisor definition'],
];

test.each(WRONG)('%s is refused', async (_, spec, code, message) => {
  await expect(sup.handle.startChild(spec as AnyChildSpec)).rejects.toMatchObject({ code, message: expect.stringContaining(message) as string });
  expect(await sup.states()).toEqual([['neighbour', 'running']]);
  expect(await neighbour.ask('life', {}, ask)).toEqual({ incarnation: 1 });
});

describe('depth', () => {
  test('is counted over all calls, not within one spec', async () => {
    let { path } = sup;
    for (;;) {
      const code = await codeOf(suite.system.supervisor(path).startChild({ id: 'deeper', type: 'supervisor' }));
      if (code !== 'fulfilled') {
        expect(code).toBe('spec_invalid');
        break;
      }
      path += '/deeper';
    }
    expect(path.split('/')).toHaveLength(16);
    expect(await suite.system.supervisor(path).terminateChild('deeper').catch(({ code }: { code: string }) => code)).toBe('child_unknown');
    expect(await sup.handle.removeChild('deeper')).toBe(true);
  });

  test('may be as much as is permitted', async () => {
    expect(await codeOf(suite.system.supervisor().startChild(nested(16)))).toBe('fulfilled');
    expect(await suite.system.supervisor().removeChild('nested')).toBe(true);
  });
});

test('a name that somebody else has is refused with the code of the kernel, and the child is not kept', async () => {
  await suite.system.supervisor().startChild(workerSpec(`${sup.path}/taken`));
  expect(await codeOf(sup.handle.startChild(workerSpec('taken')))).toBe('name_taken');
  expect(await sup.states()).toEqual([['neighbour', 'running']]);
});
