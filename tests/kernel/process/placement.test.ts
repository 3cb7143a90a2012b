import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSystem, type System } from '../../../supervisors/index.ts';
import { until } from '../condition.ts';
import { outcastProtocol } from './actors/outcast.ts';
import { OUTCAST, isThere } from './small-system.ts';

const DEADLINE = { deadlineMs: 20_000 };

describe('a child that is placed in a process', () => {
  let system: System;
  beforeAll(async () => {
    system = await createSystem({ logLevel: 'error' });
  });
  afterAll(() => system.close());

  it('is restarted when its process is killed, under the same reference, and its health tells of it', async () => {
    const outcast = await system.spawn({ id: 'outcast', start: OUTCAST, placement: 'process' }, outcastProtocol);
    const { pid } = await outcast.ask('pid', {}, DEADLINE);
    expect(pid).not.toBe(process.pid);
    outcast.tell('note', { number: 1 });
    await until(() => system.counters('outcast', ['notes']).notes === 1, 'its counter is shown');
    process.kill(pid, 'SIGKILL');
    await until(() => system.health('outcast').incarnation === 2 && system.health('outcast').state === 'running', 'it is up again');
    expect((await outcast.ask('pid', {}, DEADLINE)).incarnation).toBe(2);
    expect(isThere(pid)).toBe(false);
  });

  it('is ended when its handler computes for ever, and others see what it counts', async () => {
    const endless = await system.spawn({ id: 'endless', start: OUTCAST, placement: 'process', hungAfterMs: 300 }, outcastProtocol);
    const { pid } = await endless.ask('pid', {}, DEADLINE);
    endless.tell('note', { number: 1 });
    const seen = () => system.inspect().threads.find(({ name }) => name === 'endless')!;
    await until(() => seen().actors[0]!.counts.handled === 2 && seen().counters.handled === 2, 'its counts are shown');
    expect(system.health('endless')).toMatchObject({ state: 'running', incarnation: 1, counters: { handled: 2 } });
    expect(system.counters('endless', ['notes'])).toEqual({ notes: 1 });
    endless.tell('spin', {});
    await until(() => system.health('endless').incarnation === 2, 'it is started again');
    expect(isThere(pid)).toBe(false);
    expect((await system.crashReports()).at(-1)).toMatchObject({ child: 'endless', code: 'actor_hung' });
    expect(system.counters('endless', ['notes'])).toEqual({ notes: 1 });
  });
});
