import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { threadOf } from '../../kernel/index.ts';
import { createPool, type LightActor, type Pool } from '../../supervisors/index.ts';
import { until } from '../kernel/condition.ts';
import { lightProtocol, type LightArgs } from './actors/light.ts';
import { LIGHT_MODULE, LightSystem, NEVER_MS, ask, type Light } from './light-system.ts';

let light: LightSystem;
beforeAll(async () => {
  light = await LightSystem.create();
});
afterAll(() => light.close());

interface Some extends Omit<Partial<LightActor>, 'args'> {
  readonly args?: LightArgs;
}

const spawnIn = (pool: Pool, some: Some = {}): Promise<Light> => pool.spawn({ module: LIGHT_MODULE, export: 'light', ...some }, lightProtocol);

/** One after the other, so that each finds the others counted. */
async function many(pool: Pool, count: number): Promise<Light[]> {
  const actors: Light[] = [];
  while (actors.length < count) actors.push(await spawnIn(pool));
  return actors;
}

/** How many of these live on each thread. */
function spread(actors: readonly Light[]): number[] {
  return [...Map.groupBy(actors, ({ address }) => threadOf(address)).values()].map(({ length }) => length);
}

describe.each(['event_loop', 'park'] as const)('a pool whose threads wait as %s', (waiting) => {
  let pool: Pool;
  beforeAll(async () => {
    pool = await createPool(light.system, { id: waiting, threads: 2, waiting });
  });
  afterAll(() => pool.close());

  test('spreads its actors over its threads and lets them talk, across threads and within one', async () => {
    expect(pool.threads).toEqual([`${waiting}/1`, `${waiting}/2`]);
    const actors = await many(pool, 10);
    expect(spread(actors)).toEqual([5, 5]);
    expect(pool.size).toBe(10);
    const [first, ...others] = actors;
    for (const other of others) await first!.ask('tellNotes', { to: other.address, count: 3 }, ask);
    for (const other of others) await until(async () => (await other.ask('notes', {}, ask)).count === 3, 'its notes have come');
  });

  test('uses all of its threads for actors that come at once', async () => {
    const actors = await Promise.all(Array.from({ length: 10 }, () => spawnIn(pool)));
    expect(spread(actors)).toHaveLength(2);
    await Promise.all(actors.map((actor) => pool.stop(actor)));
  });

  test('places the next ones where the fewest live', async () => {
    const actors = await many(pool, 6);
    const fuller = threadOf(actors[0]!.address);
    const leaving = actors.filter(({ address }) => threadOf(address) === fuller);
    const before = pool.size;
    await Promise.all(leaving.map((actor) => pool.stop(actor)));
    expect(pool.size).toBe(before - leaving.length);
    const next = await many(pool, leaving.length);
    expect(next.map(({ address }) => threadOf(address))).toEqual(leaving.map(() => fuller));
  });
});

describe('a light actor of a pool', () => {
  let pool: Pool;
  beforeAll(async () => {
    pool = await createPool(light.system, { id: 'pool', threads: 2 });
  });
  afterAll(() => pool.close());

  test('has the name it is given and the arguments', async () => {
    const named = await spawnIn(pool, { name: 'named' });
    expect(named.name).toBe('named');
    const gate = light.gate();
    const waiting = named.ask('wait', { path: gate.path }, ask);
    await until(() => light.system.inspect().threads.some(({ actors }) => actors.some(({ name, address }) => name === 'named' && address === named.address)), 'the board has it');
    gate.open();
    await waiting;
  });

  test('that fails is started again as often as it may, then it has ended; its neighbours live on', async () => {
    const neighbours = await many(pool, 2);
    const fragile = await spawnIn(pool, { restarts: 1 });
    const end = new Promise((resolve) => void light.system.watch(fragile, resolve));
    fragile.tell('crash', {});
    await until(async () => (await fragile.ask('notes', {}, ask)).incarnation === 2, 'it was started again');
    fragile.tell('crash', {});
    expect(await end).toMatchObject({ address: fragile.address, reason: 'crashed', message: 'told to crash' });
    for (const neighbour of neighbours) expect(await neighbour.ask('notes', {}, ask)).toMatchObject({ incarnation: 1 });
  });

  test.each([
    ['its start fails', { args: { failStart: true } }, /told to fail in start/],
    ['its module is not there', { module: `${LIGHT_MODULE}.not` }, /light\.ts\.not/],
    ['its export is not there', { export: 'nothing' }, /an actor definition/],
    ['its export is no actor', { export: 'lightProtocol' }, /an actor definition/],
  ] as [string, Some, RegExp][])('is refused when %s, and the thread goes on', async (_, some, message) => {
    const before = pool.size;
    await expect(spawnIn(pool, some)).rejects.toMatchObject({ code: 'actor_start_failed', message: expect.stringMatching(message) as string });
    expect(pool.size).toBe(before);
    await (await spawnIn(pool)).ask('notes', {}, ask);
  });

  test('is stopped by its pool, once, and by no other', async () => {
    const actor = await spawnIn(pool);
    await pool.stop(actor);
    await expect(actor.ask('notes', {}, ask)).rejects.toMatchObject({ code: expect.stringMatching(/actor_(unknown|stopped)/) as string });
    await pool.stop(actor);
    await expect(pool.stop(await light.spawn())).rejects.toMatchObject({ code: 'not_in_pool' });
  });
});

describe('when a thread of a pool crashes', () => {
  test('its actors have ended and their watchers are told; the others live on, and new ones are placed there again', async () => {
    const pool = await createPool(light.system, { id: 'crashing', threads: 2 });
    const actors = await many(pool, 6);
    const [culprit] = actors;
    const lost = actors.filter(({ address }) => threadOf(address) === threadOf(culprit!.address));
    const left = actors.filter((actor) => !lost.includes(actor));
    const told: number[] = [];
    for (const actor of actors) light.system.watch(actor, ({ address }) => void told.push(address));
    const asked = lost[1]!.ask('wait', { path: light.gate().path }, ask).catch((error: unknown) => error);
    const watching = left[0]!.ask('ended', { address: lost[2]!.address }, ask);
    // All watchers are known there once they have answered what came after.
    await Promise.all(actors.filter((actor) => actor !== lost[1] && actor !== left[0]).map((actor) => actor.ask('notes', {}, ask)));
    culprit!.tell('crashThread', {});
    await until(() => told.length === lost.length, 'all watchers are told');
    expect(new Set(told)).toEqual(new Set(lost.map(({ address }) => address)));
    expect(await asked).toMatchObject({ code: expect.stringMatching(/actor_(stopped|restarted)/) as string, details: { mayHaveBeenHandled: true } });
    expect((await watching).reason).toMatch(/stopped|crashed/);

    const crashed = pool.threads.find((id) => light.system.inspect().threads.some(({ name, id: thread }) => name === id && thread === threadOf(culprit!.address)))!;
    await until(() => light.system.health(crashed).state === 'running' && light.system.health(crashed).incarnation === 2, 'its thread is up again');
    for (const actor of left) expect(await actor.ask('notes', {}, ask)).toMatchObject({ incarnation: 1 });
    await expect(culprit!.ask('notes', {}, ask)).rejects.toMatchObject({ code: expect.stringMatching(/actor_(unknown|stopped)/) as string });
    expect(pool.size).toBe(left.length);
    const next = await many(pool, lost.length);
    expect(next.every(({ address }) => threadOf(address) === threadOf(culprit!.address))).toBe(true);
    expect(next.some(({ address }) => lost.some((former) => former.address === address))).toBe(false);
    await pool.close();
  });

  test('and does not come back at once, the next actors are placed on those that are up', async () => {
    const other = await LightSystem.create({ supervisor: { backoff: { minMs: NEVER_MS, maxMs: NEVER_MS, jitter: 0 } } });
    const pool = await createPool(other.system, { id: 'halved', threads: 2 });
    const culprit = await spawnIn(pool);
    culprit.tell('crashThread', {});
    await until(() => pool.threads.some((id) => other.system.health(id).state === 'restarting'), 'its thread is down');
    const next = await many(pool, 4);
    expect(next.some(({ address }) => threadOf(address) === threadOf(culprit.address))).toBe(false);
    await other.close();
  });
});

describe('a pool', () => {
  test('that is closed has taken its actors along, and its name may be used again', async () => {
    for (let round = 0; round < 2; round++) {
      const pool = await createPool(light.system, { id: 'again', threads: 2 });
      const actor = await spawnIn(pool);
      expect(await pool.close()).toBe(true);
      await expect(actor.ask('notes', {}, ask)).rejects.toMatchObject({ code: 'actor_stopped' });
    }
  });

  test.each([0, 1.5, -1, 2_000])('of %s threads is refused', async (threads) => {
    await expect(createPool(light.system, { id: 'wrong', threads })).rejects.toMatchObject({ code: 'spec_invalid' });
  });

  test('that cannot start all of its threads leaves none', async () => {
    const small = await LightSystem.create({ maxThreads: 4 });
    await expect(createPool(small.system, { id: 'large', threads: 3 })).rejects.toMatchObject({ code: 'too_many_threads' });
    expect(await small.system.children()).toEqual([]);
    await small.close();
  });
});
