import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ActorRef } from '../../../kernel/index.ts';
import { createSystem, type System } from '../../../supervisors/index.ts';
import { until } from '../condition.ts';
import { collectorProtocol, modelProtocol, parentProtocol, writerProtocol, type ModelArgs } from './actors.ts';
import { makeJournal } from './journal.ts';

const module = new URL('./actors.ts', import.meta.url).href;
const ask = { deadlineMs: 20_000 };
const flags = { intensity: 1_000, backoff: { minMs: 0, maxMs: 0, jitter: 0 } };

let system: System;
let journal: ReturnType<typeof makeJournal>;
let spawned = 0;

beforeAll(async () => {
  system = await createSystem({ logLevel: 'error', supervisor: flags });
});
afterAll(() => system.close());
beforeEach(() => {
  journal = makeJournal();
});
afterEach(() => journal.remove());

type Model = ActorRef<typeof modelProtocol.spec>;

async function spawnModel(standby: number, args: Omit<ModelArgs, 'journal'> = {}, home = system): Promise<{ readonly model: Model; readonly id: string }> {
  const id = `model-${++spawned}`;
  const model = await home.spawn({ id, standby, start: { module, export: 'model', args: { journal: journal.path, ...args } } }, modelProtocol);
  return { model, id };
}

function threadsThat(did: string): number[] {
  return journal.lines().filter((line) => line.startsWith(did)).map((line) => Number(line.split(' ')[1]));
}

/** Resolves once so many threads have begun to prepare. */
function preparations(count: number): Promise<void> {
  return until(() => threadsThat('prepares').length >= count, `${count} threads prepare`);
}

describe('a thread that stands by', () => {
  test('takes the next life, with what it has prepared', async () => {
    const { model, id } = await spawnModel(1);
    const first = await model.ask('where', {}, ask);
    expect(first.preparedOn).toBe(first.livesOn);
    await preparations(2);
    const standby = threadsThat('prepares')[1]!;
    model.tell('fail', {});
    expect(await model.ask('where', {}, ask)).toEqual({ preparedOn: standby, livesOn: standby, incarnation: 2 });
    await system.terminate(id);
  });

  test('has a successor, so that every life is handed over', async () => {
    const { model, id } = await spawnModel(1);
    for (let life = 2; life <= 4; life++) {
      await preparations(life);
      model.tell('fail', {});
      const { livesOn, incarnation } = await model.ask('where', {}, ask);
      expect([livesOn, incarnation]).toEqual([threadsThat('prepares')[life - 1], life]);
    }
    await system.terminate(id);
  });

  test('gives back what it has prepared when its actor is terminated', async () => {
    const { id } = await spawnModel(2);
    await preparations(3);
    await system.terminate(id);
    await until(() => threadsThat('discarded').length === 2, 'both are given back');
    expect(new Set(threadsThat('discarded'))).toEqual(new Set(threadsThat('prepares').slice(1)));
  });

  test('gives it back when the system closes, also if it is still at it', async () => {
    const home = await createSystem({ logLevel: 'error', supervisor: flags });
    await spawnModel(1, { prepareMs: 300 }, home);
    await preparations(2);
    await home.close();
    expect(threadsThat('discarded')).toEqual([threadsThat('prepares')[1]]);
  });

  test.each(['throws', 'exits', 'rejects later'] as const)('is replaced when its preparation %s', async (fault) => {
    const { model, id } = await spawnModel(1, { faultAfter: 1, fault });
    // The actor's own is the first, the faulty one the second.
    await preparations(3);
    model.tell('fail', {});
    expect((await model.ask('where', {}, ask)).livesOn).toBe(threadsThat('prepares')[2]);
    await system.terminate(id);
  });

  test('takes the life also while it prepares, so that nothing is prepared twice', async () => {
    const { model, id } = await spawnModel(1, { prepareMs: 300 });
    await preparations(2);
    model.tell('fail', {});
    expect((await model.ask('where', {}, ask)).livesOn).toBe(threadsThat('prepares')[1]);
    await system.terminate(id);
  });
});

describe('without one', () => {
  test('the same life prepares and starts', async () => {
    const { model, id } = await spawnModel(0);
    model.tell('fail', {});
    const { preparedOn, livesOn, incarnation } = await model.ask('where', {}, ask);
    expect([preparedOn, incarnation]).toEqual([livesOn, 2]);
    expect(threadsThat('prepares')).toHaveLength(2);
    await system.terminate(id);
  });

  test('a light actor prepares on its thread', async () => {
    const parent = await system.spawn({ id: 'parent', start: { module, export: 'parent', args: { journal: journal.path } } }, parentProtocol);
    const { preparedOn, livesOn } = await parent.ask('spawn', {}, ask);
    expect(preparedOn).toBe(livesOn);
    await system.terminate('parent');
  });

  test('what was prepared is given back when the start fails', async () => {
    await expect(spawnModel(0, { failsToStart: true })).rejects.toMatchObject({ message: expect.stringContaining('cannot start') as string });
    expect(threadsThat('discarded')).toEqual(threadsThat('prepares'));
  });

  test('a preparation that fails is a start that fails', async () => {
    await expect(spawnModel(0, { faultAfter: 0, fault: 'throws' })).rejects.toMatchObject({ message: expect.stringContaining('no model today') as string });
  });
});

test('a listener of exit that throws does not keep a thread from ending', async () => {
  const { model, id } = await spawnModel(0, { throwsAtExit: true });
  model.tell('fail', {});
  expect((await model.ask('where', {}, ask)).incarnation).toBe(2);
  expect(await system.terminate(id)).toBe(true);
});

test('no write of a former life comes after the first of the next', async () => {
  const LIVES = 6;
  const collector = await system.spawn({ id: 'collector', start: { module, export: 'collector' } }, collectorProtocol);
  const writer = await system.spawn(
    { id: 'writer', standby: 1, start: { module, export: 'writer', args: { collector: collector.address, journal: journal.path } } },
    writerProtocol,
  );
  for (let life = 1; life < LIVES; life++) {
    await until(() => threadsThat('prepared').length > life, 'the next life is prepared');
    await until(async () => (await collector.ask('read', {}, ask)).life === life, 'this life writes');
    writer.tell('fail', {});
  }
  await until(async () => (await collector.ask('read', {}, ask)).life === LIVES, 'the last life writes');
  const { disorder, ended } = await collector.ask('read', {}, ask);
  expect(disorder).toEqual([]);
  expect(ended).toEqual(Array.from({ length: LIVES - 1 }, (_, index) => index + 1));
  await system.terminate('writer');
  await system.terminate('collector');
});
