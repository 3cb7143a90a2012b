// What a child says of itself when it starts travels to whoever had it started; what cannot travel fails the start.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../kernel/condition.ts';
import { Suite, linesOf, workerSpec } from './otp/supervisor-under-test.ts';

let suite: Suite;
beforeAll(async () => {
  suite = await Suite.create();
});
afterAll(() => suite.close());

describe.each(['inline', 'pool', 'thread'] as const)('a child placed %s', (placement) => {
  test('whose info is no plain data, or too long, does not start, is asked to release what it holds, and the tree goes on', async () => {
    const sup = await suite.start();
    const journal = suite.path();
    const refusal = (reason: string) => ({ code: 'actor_start_failed', message: expect.stringContaining(reason) as string });
    await expect(sup.handle.startChild(workerSpec('odd', { placement, args: { journal, hasOddInfo: true } }))).rejects.toMatchObject(refusal('plain data'));
    await expect(sup.handle.startChild(workerSpec('long', { placement, args: { journal, info: 'x'.repeat(17_000) } }))).rejects.toMatchObject(refusal('17003 bytes'));
    await until(() => linesOf(journal).length === 6, 'both have stopped');
    expect(linesOf(journal).filter((line) => line.endsWith('stopping crashed'))).toEqual(['odd stopping crashed', 'long stopping crashed']);
    const info = { text: 'x'.repeat(16_000) };
    expect(await sup.handle.startChild(workerSpec('right', { placement, args: { info } }))).toMatchObject({ info });
    expect(await sup.states()).toEqual([['right', 'running']]);
  });
});

test('an init that says what is no plain data is refused, and the tree goes on', async () => {
  const start = { module: new URL('./otp/actors/supervisors.ts', import.meta.url).href, export: 'odd' };
  await expect(suite.system.supervisor().startChild({ id: 'odd', type: 'supervisor', start })).rejects.toMatchObject({ code: 'spec_invalid', message: expect.stringContaining('plain data') as string });
  expect(await (await suite.start()).isAlive()).toBe(true);
});
