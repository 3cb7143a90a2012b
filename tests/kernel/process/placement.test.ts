import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSystem, type System } from '../../../supervisors/index.ts';
import { probeSandbox } from '../../../kernel/sandbox/index.ts';
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

  it.runIf(probeSandbox().works.includes('seccomp'))('works in a sandbox as without', async () => {
    const outcast = await system.spawn({ id: 'boxed', start: OUTCAST, placement: 'process', process: { sandbox: {} } }, outcastProtocol);
    for (let number = 0; number < 100; number++) outcast.tell('note', { number });
    expect((await outcast.ask('notes', {}, DEADLINE)).numbers).toHaveLength(100);
    expect(await system.terminate('boxed')).toBe(true);
  });
});
