import { BACK_PRESSURED, CLOSED, NOT_CONNECTED } from 'atomics-ring-buffer';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ActorRef } from '../../../kernel/index.ts';
import { MAX_ROUTEES, createRouter } from '../../../kernel/index.ts';
import { createSystem, type System } from '../../../supervisors/index.ts';
import { until } from '../condition.ts';
import { dispatchProtocol, routeeProtocol, type Routee } from './actors/routee.ts';

const module = new URL('./actors/routee.ts', import.meta.url).href;
const ask = { deadlineMs: 10_000 };

let system: System;
let dispatch: ActorRef<typeof dispatchProtocol.spec>;

beforeAll(async () => {
  system = await createSystem({ logLevel: 'error' });
  dispatch = await system.spawn({ id: 'dispatch', start: { module, export: 'dispatch' } }, dispatchProtocol);
});
afterAll(() => system.close());

const run = (scenario: string): Promise<unknown> => dispatch.ask('run', { scenario }, ask);

describe('on one thread', () => {
  test('round robin takes turns', async () => {
    expect(await run('takesTurns')).toEqual(['r0', 'r1', 'r2', 'r0', 'r1', 'r2', 'r0']);
  });

  test('a tell or ask that is refused goes to the next, unless that is switched off', async () => {
    expect(await run('triesNext')).toEqual({ results: [0, BACK_PRESSURED], answered: 'r1', refused: 'ask_refused', notes: [[], ['a'], []] });
  });

  test('a send waits for room with the one whose turn it is', async () => {
    expect(await run('waits')).toEqual([['waited'], [], []]);
  });

  test('the least loaded is chosen by the levels that mailboxes show', async () => {
    expect(await run('leastLoaded')).toEqual(['r1', 'r1', 'r1', 'r1']);
  });

  test('a key stays with its routee, and only the keys of one that has ended move', async () => {
    const { before, again, after } = (await run('hash')) as Record<'before' | 'again' | 'after', string[]>;
    expect(again).toEqual(before);
    expect(new Set(before)).toEqual(new Set(['r0', 'r1', 'r2']));
    expect(after).not.toContain('r0');
    for (const [index, name] of before.entries()) if (name !== 'r0') expect(after[index]).toBe(name);
  });

  test('a key whose routee refuses goes to nobody else', async () => {
    expect(await run('hashRefuses')).toEqual({ result: BACK_PRESSURED, code: 'ask_refused', notes: [] });
  });

  test('a broadcast reaches all, and an ask takes the first answer', async () => {
    const all = ['for all', 'for all again'];
    expect(await run('broadcasts')).toEqual({ result: 0, notes: [all, all, all], first: 'r2' });
  });

  test('routees that have ended are taken out, and an empty router says so with a code', async () => {
    expect(await run('empties')).toEqual({ closed: CLOSED, left: 0, result: NOT_CONNECTED, ask: 'router_empty', send: 'router_empty' });
  });

  test('the members of a group are its routees, those that come later too', async () => {
    expect(await run('group')).toEqual({ names: ['r0', 'r1', 'r2'], result: 0 });
  });
});

describe('across threads', () => {
  let refs: Routee[];
  beforeAll(async () => {
    refs = await Promise.all(['a', 'b'].map((id) => system.spawn({ id, start: { module, export: 'routee' } }, routeeProtocol)));
  });

  test('messages are shared among actors on threads of their own', async () => {
    const router = createRouter(refs, 'round_robin');
    for (let message = 0; message < 10; message++) await router.send('note', { key: String(message) }, ask);
    const keys = (): Promise<string[][]> => Promise.all(refs.map(async (ref) => (await ref.ask('noted', {}, ask)).keys));
    await until(async () => (await keys()).flat().length === 10, 'all came');
    expect(await keys()).toEqual([['0', '2', '4', '6', '8'], ['1', '3', '5', '7', '9']]);
  });

  test('one that is terminated is passed over and taken out', async () => {
    await system.terminate('a');
    const router = createRouter(refs, 'round_robin');
    for (let turn = 0; turn < 3; turn++) expect(await router.ask('who', { key: '' }, ask)).toEqual({ name: 'b' });
    expect(router.routees).toEqual([refs[1]]);
  });
});

test('a list has no doubles and a bound', () => {
  const ref = (address: number): Routee => ({ address }) as unknown as Routee;
  const router = createRouter([ref(1), ref(1)], 'round_robin');
  expect(router.routees).toHaveLength(1);
  for (let address = 2; address <= MAX_ROUTEES; address++) router.add(ref(address));
  expect(() => router.add(ref(MAX_ROUTEES + 1))).toThrow(expect.objectContaining({ code: 'router_full' }));
  router.remove(1);
  expect(router.routees).toHaveLength(MAX_ROUTEES - 1);
  router.close();
  expect(router.routees).toEqual([]);
});
