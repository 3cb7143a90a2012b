// Which ends of a child bring it back: of its own, because of something else, and by a failure.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSystem, type Placement, type Restart } from '../../../supervisors/index.ts';
import { Suite, linesOf, workerSpec, type SupervisorUnderTest } from './supervisor-under-test.ts';

const PLACEMENTS: readonly Placement[] = ['inline', 'thread'];

let suite: Suite;
beforeAll(async () => {
  suite = await Suite.create();
});
afterAll(() => suite.close());

async function startChild(restart: Restart, placement: Placement = 'inline'): Promise<SupervisorUnderTest> {
  const sup = await suite.start();
  await sup.startWorkers(workerSpec('child1', { restart, placement }));
  return sup;
}

type End = 'stop' | 'shutdown' | 'die';

async function expectRestarted(sup: SupervisorUnderTest, end: End, restarts = 1): Promise<void> {
  (await sup.worker('child1')).tell(end, {});
  await sup.untilRestarted('child1', restarts);
  expect(await sup.incarnationOf('child1')).toBe(restarts + 1);
  expect(await sup.counts()).toEqual([1, 1, 0, 1]);
}

async function expectKept(sup: SupervisorUnderTest, end: End): Promise<void> {
  (await sup.worker('child1')).tell(end, {});
  await sup.untilState('child1', 'stopped');
  expect(await sup.counts()).toEqual([1, 0, 0, 1]);
}

async function expectForgotten(sup: SupervisorUnderTest, end: End): Promise<void> {
  (await sup.worker('child1')).tell(end, {});
  await sup.untilState('child1', undefined);
  expect(await sup.counts()).toEqual([0, 0, 0, 0]);
}

describe('a child whose work is done', () => {
  test('permanent_normal: is restarted, if it is permanent', async () => {
    await expectRestarted(await startChild('permanent'), 'stop');
  });

  test('transient_normal: is not restarted, if it is transient, and its spec stays', async () => {
    await expectKept(await startChild('transient'), 'stop');
  });

  test('temporary_normal: is forgotten, if it is temporary', async () => {
    await expectForgotten(await startChild('temporary'), 'stop');
  });
});

describe.each(PLACEMENTS)('a child placed %s that ends because something else has', (placement) => {
  test('permanent_shutdown: is restarted, if it is permanent, each time', async () => {
    const sup = await startChild('permanent', placement);
    await expectRestarted(sup, 'shutdown');
    await expectRestarted(sup, 'shutdown', 2);
  });

  test('transient_shutdown: is not restarted, if it is transient, nor the next time', async () => {
    const sup = await startChild('transient', placement);
    await expectKept(sup, 'shutdown');
    await sup.handle.restartChild('child1');
    await expectKept(sup, 'shutdown');
  });

  test('temporary_shutdown: is forgotten, if it is temporary, and so is the next of its id', async () => {
    const sup = await startChild('temporary', placement);
    await expectForgotten(sup, 'shutdown');
    await sup.startWorkers(workerSpec('child1', { restart: 'temporary', placement }));
    await expectForgotten(sup, 'shutdown');
  });
});

describe('a child that fails', () => {
  test('permanent_abnormal: is restarted, if it is permanent', async () => {
    await expectRestarted(await startChild('permanent'), 'die');
  });

  test('transient_abnormal: is restarted, if it is transient', async () => {
    await expectRestarted(await startChild('transient'), 'die');
  });

  test('temporary_abnormal: is forgotten, if it is temporary', async () => {
    await expectForgotten(await startChild('temporary'), 'die');
  });
});

test.each(PLACEMENTS)('faulty_application_shutdown: an application whose first children do not start is refused with what kept the last of them, which was placed %s', async (placement) => {
  const journal = suite.path();
  const server = { ...workerSpec('server', { placement }), start: { module: new URL('./actors/undefined.ts', import.meta.url).href, export: 'worker' } };
  const starting = createSystem({ logLevel: 'error', children: [workerSpec('first', { args: { journal } }), { id: 'app', type: 'supervisor', children: [server] }] });
  await expect(starting).rejects.toMatchObject({ code: 'actor_start_failed', message: expect.stringMatching(/Supervisor app did not start: .*app\/server.*undefined\.ts/) as string });
  expect(linesOf(journal)).toEqual(['first started', 'first stopping shutdown', 'first stopped']);
});
