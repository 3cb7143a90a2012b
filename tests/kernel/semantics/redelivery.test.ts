/** Delivery over the lives of a thread's own actor: docs/reference/semantics.md. More of it stands in ../delivery. */
import { afterEach, describe, expect, test } from 'vitest';
import type { DeliverySpec, SpillwayError } from '../../../kernel/index.ts';
import { createTestSystem, type TestSystem } from '../../../kernel/testkit/index.ts';
import { newNotebook, workerDefinition } from '../delivery/worker.ts';
import { siege } from '../delivery/siege.ts';

const LONG = { deadlineMs: 10_000 } as const;

const systems: TestSystem[] = [];
afterEach(() => systems.splice(0).forEach((system) => system.close()));

async function begin(delivery: DeliverySpec) {
  const system = await createTestSystem();
  systems.push(system);
  const notebook = newNotebook();
  const worker = await system.spawn('worker', workerDefinition(notebook), undefined, { delivery });
  return { system, worker, notebook };
}

const outcome = async (ask: Promise<unknown>): Promise<unknown> => ask.catch(({ code, details }: SpillwayError) => [code, details['mayHaveBeenHandled']]);

describe('at least once', () => {
  test('[S106] what was in hand is handled again, before all other data, and says so', async () => {
    const { system, worker, notebook } = await begin({ guarantee: 'at_least_once' });
    worker.tell('note', { id: 1, how: 'wait' });
    worker.tell('note', { id: 2, how: 'answer' });
    notebook.times.set(1, 1);
    await system.settle();
    system.kill(worker);
    await system.advance(10);
    expect(notebook.begun).toEqual([{ id: 1, life: 1, redeliveries: 0 }, { id: 1, life: 2, redeliveries: 1 }, { id: 2, life: 2, redeliveries: 0 }]);
  });

  test('[S107] the ask that was in hand gets one answer, from the next life', async () => {
    const { system, worker, notebook } = await begin({ guarantee: 'at_least_once' });
    notebook.times.set(1, 1);
    const ask = worker.ask('job', { id: 1, how: 'throw' }, LONG);
    expect(await system.run(ask)).toEqual({ id: 1, life: 2, redeliveries: 1 });
    expect(system.inspect().threads.find(({ name }) => name === 'application')!.counters.stale_reply).toBe(0);
  });

  test('[S108] threads killed under load lose none, and begin none again without saying so', async () => {
    const { figures, violations } = await siege({ guarantee: 'at_least_once', kills: 10, seed: 3 });
    expect(violations, JSON.stringify(figures)).toEqual([]);
    expect(figures['begun again']).toBeGreaterThan(0);
  });

  test('[S109] control, telemetry, a stream and what was told by the actor itself are begun once', async () => {
    const { system, worker, notebook } = await begin({ guarantee: 'at_least_once' });
    const urgent = outcome(worker.ask('urgent', { id: 1, how: 'wait' }, LONG));
    const stream = worker.stream('items', { count: 1 }, LONG);
    expect(await system.run(stream.next())).toEqual({ done: false, value: { life: 1 } });
    const end = outcome(stream.next());
    worker.tell('tellSelf', { id: 2, how: 'wait' });
    await system.settle();
    worker.tell('gauge', { id: 3, how: 'wait' });
    await system.settle();
    system.kill(worker);
    expect(await system.run(Promise.all([urgent, end]))).toEqual([['actor_restarted', true], ['actor_restarted', true]]);
    await system.advance(10);
    expect(notebook.begun.filter(({ life }) => life > 1)).toEqual([]);
  });

  test('[S110] a mailbox or a stash of its own is refused at its start', async () => {
    const system = await createTestSystem();
    systems.push(system);
    for (const more of [{ mailbox: {} }, { stashCapacity: 1 }]) {
      const spawning = system.spawn('worker', workerDefinition(newNotebook(), more), undefined, { delivery: { guarantee: 'at_least_once' }, restart: 'temporary' });
      await expect(spawning).rejects.toMatchObject({ code: 'delivery_invalid' });
    }
  });

  test('[S112] a message that its actor ends with too often is given up, and the next is handled', async () => {
    const { system, worker } = await begin({ guarantee: 'at_least_once', maxRedeliveries: 1 });
    const asks = [worker.ask('job', { id: 1, how: 'throw' }, LONG), worker.ask('job', { id: 2, how: 'answer' }, LONG)];
    expect(await system.run(Promise.all(asks.map(outcome)))).toEqual([['message_poisoned', true], { id: 2, life: 3, redeliveries: 0 }]);
  });
});

describe('with onRestart dead_letter', () => {
  test('[S111] what waits when a new life begins is given up, and its asks end as not handled', async () => {
    const { system, worker, notebook } = await begin({ onRestart: 'dead_letter' });
    const asks = [1, 2].map((id) => outcome(worker.ask('job', { id, how: 'wait' }, LONG)));
    await system.settle();
    system.kill(worker);
    expect(await system.run(Promise.all(asks))).toEqual([['actor_restarted', true], ['actor_restarted', false]]);
    expect(notebook.begun.map(({ id }) => id)).toEqual([1]);
  });
});
