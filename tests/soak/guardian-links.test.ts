/** Threads and the guardian's are linked once, whatever is resolved: a second link would be one that nobody reads. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSystem, type System } from '../../supervisors/index.ts';
import { until } from '../kernel/condition.ts';
import { mortalProtocol } from './actors/mortal.ts';
import { MORTAL, RESTART_ALWAYS } from './restarts.ts';

const ask = { deadlineMs: 20_000 };
let system: System;

beforeAll(async () => {
  system = await createSystem({ logLevel: 'error', supervisor: RESTART_ALWAYS });
});

afterAll(() => system.close());

describe('an actor on the guardian’s thread', () => {
  it('may be talked to from a thread, which is heard by the guardian in its next life', async () => {
    const caller = await system.spawn({ id: 'caller', start: MORTAL }, mortalProtocol);
    await system.spawn({ id: 'callee', start: MORTAL, placement: 'inline' }, mortalProtocol);
    await caller.ask('relay', { name: 'callee' }, ask);
    caller.tell('end', { how: 'throw' });
    await until(async () => {
      const child = (await system.children()).find(({ id }) => id === 'caller');
      return child?.restarts === 1 && child.state === 'running';
    }, 'the guardian has heard that the next life has begun');
    expect(await caller.ask('relay', { name: 'callee' }, ask)).toEqual({});
  });
});
