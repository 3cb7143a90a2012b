/** Delivery over the lives of a thread's own actor, killed in the middle of whatever it does. */
import { afterEach, describe, expect, test } from 'vitest';
import type { DeliverySpec, SpillwayError } from '../../../kernel/index.ts';
import { createTestSystem, type TestSystem } from '../../../kernel/testkit/index.ts';
import { fencerDefinition, newNotebook, workerDefinition } from './worker.ts';

const LONG = { deadlineMs: 10_000 } as const;
const AT_LEAST_ONCE: DeliverySpec = { guarantee: 'at_least_once' };

const systems: TestSystem[] = [];
afterEach(() => systems.splice(0).forEach((system) => system.close()));

async function begin(delivery?: DeliverySpec, options: { seed?: number; restart?: 'permanent' | 'temporary' } = {}) {
  const { seed = 1, restart = 'permanent' } = options;
  const system = await createTestSystem({ seed });
  systems.push(system);
  system.onStep(() => expect(system.imbalances()).toEqual([]));
  const notebook = newNotebook();
  const worker = await system.spawn('worker', workerDefinition(notebook), undefined, { restart, ...(delivery === undefined ? {} : { delivery }) });
  return { system, worker, notebook, begun: () => notebook.begun.map(({ id, life, redeliveries }) => `${id} in life ${life}, again ${redeliveries}`) };
}

/** How an ask ends. */
const outcome = async (ask: Promise<unknown>): Promise<unknown> => ask.catch(({ code, details }: SpillwayError) => [code, details['mayHaveBeenHandled']]);

const countsOf = (system: TestSystem, name = 'worker') => {
  const thread = system.inspect().threads.find((each) => each.name === name)!;
  return { counters: thread.counters, counts: thread.actors.find((actor) => actor.name === name)!.counts };
};

describe('at least once', () => {
  test('what a life had in hand when it was ended is handled again by the next one, and its asker gets one answer', async () => {
    const { system, worker, notebook, begun } = await begin(AT_LEAST_ONCE);
    notebook.times.set(1, 1);
    const first = outcome(worker.ask('job', { id: 1, how: 'wait' }, LONG));
    const second = outcome(worker.ask('job', { id: 2, how: 'answer' }, LONG));
    await system.settle();
    expect(begun()).toEqual(['1 in life 1, again 0']);
    system.kill(worker);
    expect(await system.run(first)).toEqual({ id: 1, life: 2, redeliveries: 1 });
    expect(await system.run(second)).toEqual({ id: 2, life: 2, redeliveries: 0 });
    expect(begun()).toEqual(['1 in life 1, again 0', '1 in life 2, again 1', '2 in life 2, again 0']);
    const { counters, counts } = countsOf(system);
    expect(counters).toMatchObject({ redelivered: 1, abandoned: 0 });
    expect(counts).toEqual({ arrived: 2, handled: 2, failed: 0, shed: 0, expired: 0, deadLettered: 0 });
  });

  test.each(['throw', 'reject', 'answerWrongly'] as const)('a handler that is a defect (%s) leaves its message to the next life', async (how) => {
    const { system, worker, notebook } = await begin(AT_LEAST_ONCE);
    notebook.times.set(1, 2);
    expect(await system.run(outcome(worker.ask('job', { id: 1, how }, LONG)))).toEqual({ id: 1, life: 3, redeliveries: 2 });
    expect(countsOf(system).counts).toEqual({ arrived: 1, handled: 1, failed: 0, shed: 0, expired: 0, deadLettered: 0 });
    expect(countsOf(system).counters).toMatchObject({ redelivered: 2, failed: 0, handled: 1 });
  });

  test('what ended with an answer or an operating error is not handled again', async () => {
    const { system, worker, begun } = await begin(AT_LEAST_ONCE);
    for (const [id, how] of [[1, 'answer'], [2, 'release'], [3, 'refuse']] as const) await system.run(outcome(worker.ask('job', { id, how }, LONG)));
    worker.tell('note', { id: 4, how: 'answer' });
    await system.settle();
    system.kill(worker);
    expect(await system.run(outcome(worker.ask('job', { id: 5, how: 'answer' }, LONG)))).toMatchObject({ life: 2 });
    expect(begun().map((line) => line.slice(0, 11))).toEqual(['1 in life 1', '2 in life 1', '3 in life 1', '4 in life 1', '5 in life 2']);
    expect(countsOf(system).counts).toMatchObject({ arrived: 5, handled: 4, failed: 1 });
  });

  test('the next life takes it before the messages of others, which it then takes in order', async () => {
    const { system, worker, notebook, begun } = await begin(AT_LEAST_ONCE);
    const other = newNotebook();
    const sender = await system.spawn('sender', workerDefinition(other), undefined);
    notebook.times.set(10, 1);
    sender.tell('passOn', { to: worker.address, id: 10 });
    await system.settle();
    const asks = [1, 2].map((id) => outcome(worker.ask('job', { id, how: 'answer' }, LONG)));
    await system.run(Promise.all(asks));
    // Its message came by another link, and was handled at once. Now it is in hand, and others wait in the first link.
    notebook.times.set(20, 1);
    const held = outcome(worker.ask('job', { id: 20, how: 'wait' }, LONG));
    await system.settle();
    const waiting = [21, 22].map((id) => outcome(worker.ask('job', { id, how: 'answer' }, LONG)));
    sender.tell('passOn', { to: worker.address, id: 30 });
    await system.settle();
    notebook.begun.length = 0;
    system.kill(worker);
    await system.run(Promise.all([held, ...waiting]));
    await system.settle();
    expect(begun()[0]).toBe('20 in life 2, again 1');
    expect(begun().filter((line) => line.startsWith('2'))).toEqual(['20 in life 2, again 1', '21 in life 2, again 0', '22 in life 2, again 0']);
  });

  test('a message that ends its actor too often is given up as poisoned, its asker is told, and the next one is handled', async () => {
    const { system, worker, begun } = await begin({ guarantee: 'at_least_once', maxRedeliveries: 2 });
    const poison = outcome(worker.ask('job', { id: 1, how: 'throw' }, LONG));
    const next = outcome(worker.ask('job', { id: 2, how: 'answer' }, LONG));
    expect(await system.run(poison)).toEqual(['message_poisoned', true]);
    expect(await system.run(next)).toEqual({ id: 2, life: 4, redeliveries: 0 });
    expect(begun()).toEqual(['1 in life 1, again 0', '1 in life 2, again 1', '1 in life 3, again 2', '2 in life 4, again 0']);
    expect(countsOf(system).counters).toMatchObject({ poisoned: 1, redelivered: 2, abandoned: 0 });
    expect(countsOf(system).counts).toMatchObject({ arrived: 2, handled: 1, deadLettered: 1 });
  });

  test('no redelivery at all is permitted with maxRedeliveries 0, and the message is not lost silently', async () => {
    const { system, worker } = await begin({ guarantee: 'at_least_once', maxRedeliveries: 0 });
    expect(await system.run(outcome(worker.ask('job', { id: 1, how: 'throw' }, LONG)))).toEqual(['message_poisoned', true]);
    expect(countsOf(system).counters).toMatchObject({ poisoned: 1, redelivered: 0 });
  });

  test('lives that end in their start do not count against the message that waits', async () => {
    const { system, worker, notebook } = await begin({ guarantee: 'at_least_once', maxRedeliveries: 1 });
    notebook.times.set(1, 1);
    const ask = outcome(worker.ask('job', { id: 1, how: 'wait' }, LONG));
    await system.settle();
    for (const life of [2, 3, 4]) notebook.stillborn.add(life);
    system.kill(worker);
    expect(await system.run(ask)).toEqual({ id: 1, life: 5, redeliveries: 1 });
  });

  test('control overtakes the message in hand and is not delivered again', async () => {
    const { system, worker, notebook, begun } = await begin(AT_LEAST_ONCE);
    notebook.times.set(1, 1);
    const held = outcome(worker.ask('job', { id: 1, how: 'wait' }, LONG));
    const urgent = outcome(worker.ask('urgent', { id: 2, how: 'wait' }, LONG));
    await system.settle();
    expect(begun().length).toBe(2);
    system.kill(worker);
    expect(await system.run(urgent)).toEqual(['actor_restarted', true]);
    expect(await system.run(held)).toMatchObject({ id: 1, life: 2 });
    expect(begun()).not.toContain('2 in life 2, again 0');
    expect(countsOf(system).counters).toMatchObject({ abandoned: 1 });
    expect(countsOf(system).counts).toEqual({ arrived: 2, handled: 1, failed: 0, shed: 0, expired: 0, deadLettered: 1 });
  });

  test('a defect on the control lane counts against the data message in hand', async () => {
    const { system, worker, notebook } = await begin(AT_LEAST_ONCE);
    notebook.times.set(1, 1);
    const held = outcome(worker.ask('job', { id: 1, how: 'wait' }, LONG));
    await system.settle();
    worker.ask('urgent', { id: 2, how: 'throw' }, LONG).catch(() => {});
    expect(await system.run(held, 30_000)).toEqual({ id: 1, life: 2, redeliveries: 1 });
  });

  test('a cancel reaches the message in hand, also behind a restart by its deadline', async () => {
    const { system, worker, notebook, begun } = await begin(AT_LEAST_ONCE);
    const controller = new AbortController();
    const cancelled = outcome(worker.ask('job', { id: 1, how: 'wait' }, { ...LONG, signal: controller.signal }));
    await system.settle();
    controller.abort();
    expect(await system.run(cancelled)).toEqual(['ask_cancelled', true]);
    await system.settle();
    // The former life was told of the cancel; the next one is not, and works for nobody.
    notebook.times.set(1, 0);
    system.kill(worker);
    await system.advance(10);
    expect(begun()).toEqual(['1 in life 1, again 0', '1 in life 2, again 1']);
    // One whose deadline has passed meanwhile is not begun again.
    const late = outcome(worker.ask('job', { id: 2, how: 'wait' }, { deadlineMs: 5 }));
    await system.settle();
    expect(await system.run(late)).toEqual(['ask_deadline', true]);
    // The cancel of the asker reaches the former life.
    await system.settle();
    system.kill(worker);
    await system.advance(100);
    expect(begun().filter((line) => line.startsWith('2'))).toEqual(['2 in life 2, again 0']);
    expect(countsOf(system).counts).toMatchObject({ arrived: 2, handled: 1, expired: 1 });
  });

  test('a stream is over with its life, and what was handed out is not begun again', async () => {
    const { system, worker, begun } = await begin(AT_LEAST_ONCE);
    const stream = worker.stream('items', { count: 1 }, LONG);
    expect(await system.run(stream.next())).toEqual({ done: false, value: { life: 1 } });
    const end = outcome(stream.next());
    await system.settle();
    system.kill(worker);
    expect(await system.run(end)).toEqual(['actor_restarted', true]);
    await system.advance(10);
    expect(begun()).toEqual(['1 in life 1, again 0']);
  });

  test('what was forwarded before the end is forwarded again, and the asker sees one answer', async () => {
    const { system, worker } = await begin(AT_LEAST_ONCE);
    const other = newNotebook();
    const target = await system.spawn('target', workerDefinition(other), undefined);
    const ask = outcome(worker.ask('passOn', { to: target.address, id: 1 }, LONG));
    expect(await system.run(ask)).toEqual({ id: 1, life: 1, redeliveries: 0 });
    system.kill(worker);
    await system.advance(10);
    expect(other.begun).toHaveLength(2);
    expect(countsOf(system, 'target').counts).toMatchObject({ arrived: 2, handled: 2 });
    expect(system.inspect().threads.find(({ name }) => name === 'application')!.counters.stale_reply).toBe(1);
  });

  test('terminations poison like defects, and three redeliveries are the default', async () => {
    const { system, worker, begun } = await begin(AT_LEAST_ONCE);
    const held = outcome(worker.ask('job', { id: 1, how: 'wait' }, LONG));
    for (let life = 1; life <= 4; life++) {
      await system.advance(10);
      expect(begun()).toHaveLength(life);
      system.kill(worker);
    }
    expect(await system.run(held)).toEqual(['message_poisoned', true]);
  });

  test('the next life does not begin again what was fenced meanwhile, and its asker hears that it was begun', async () => {
    const { system, worker, begun } = await begin(AT_LEAST_ONCE);
    const fencer = await system.spawn('fencer', fencerDefinition, undefined);
    const end = outcome(fencer.ask('begin', { to: worker.address }, LONG));
    await system.settle();
    expect(begun()).toEqual(['7 in life 1, again 0']);
    // While the actor is dead, which it is until time goes on.
    system.kill(worker);
    fencer.tell('cancel', {});
    await system.settle();
    expect(await system.run(end)).toEqual({ code: 'ask_cancelled' });
    await system.advance(10);
    expect(begun()).toEqual(['7 in life 1, again 0']);
    expect(countsOf(system).counters).toMatchObject({ fenced: 1, redelivered: 0 });
    expect(countsOf(system).counts).toMatchObject({ arrived: 1, deadLettered: 1 });
  });

  test('an actor that ends for good has its begun message end as one that may have been handled', async () => {
    const { system, worker } = await begin(AT_LEAST_ONCE, { restart: 'temporary' });
    const held = outcome(worker.ask('job', { id: 1, how: 'wait' }, LONG));
    const waiting = outcome(worker.ask('job', { id: 2, how: 'answer' }, LONG));
    await system.settle();
    system.kill(worker);
    expect(await system.run(held)).toEqual(['actor_stopped', true]);
    expect(await system.run(waiting)).toEqual(['actor_stopped', false]);
  });

  test('what the actor tells itself, and telemetry, dies with its thread', async () => {
    const { system, worker, begun } = await begin(AT_LEAST_ONCE);
    worker.tell('gauge', { id: 1, how: 'wait' });
    await system.settle();
    system.kill(worker);
    await system.advance(10);
    expect(begun()).toEqual(['1 in life 1, again 0']);
    expect(countsOf(system).counters).toMatchObject({ abandoned: 1, redelivered: 0 });
  });
});

describe('at most once', () => {
  test('nothing is begun twice, and what was in hand is counted as abandoned', async () => {
    const { system, worker, begun } = await begin();
    const held = outcome(worker.ask('job', { id: 1, how: 'wait' }, LONG));
    const next = outcome(worker.ask('job', { id: 2, how: 'answer' }, LONG));
    await system.settle();
    system.kill(worker);
    expect(await system.run(held)).toEqual(['actor_restarted', true]);
    expect(await system.run(next)).toEqual({ id: 2, life: 2, redeliveries: 0 });
    expect(begun()).toEqual(['1 in life 1, again 0', '2 in life 2, again 0']);
    expect(countsOf(system).counters).toMatchObject({ abandoned: 1, redelivered: 0 });
  });
});

describe('onRestart dead_letter', () => {
  test('gives up what waited when the next life begins, and nothing that comes later', async () => {
    const { system, worker, begun } = await begin({ onRestart: 'dead_letter' });
    const held = outcome(worker.ask('job', { id: 1, how: 'wait' }, LONG));
    const waiting = [2, 3].map((id) => outcome(worker.ask('job', { id, how: 'answer' }, LONG)));
    worker.tell('note', { id: 4, how: 'answer' });
    await system.settle();
    system.kill(worker);
    expect(await system.run(held)).toEqual(['actor_restarted', true]);
    expect(await system.run(Promise.all(waiting))).toEqual([['actor_restarted', false], ['actor_restarted', false]]);
    expect(await system.run(outcome(worker.ask('job', { id: 5, how: 'answer' }, LONG)))).toEqual({ id: 5, life: 2, redeliveries: 0 });
    expect(begun()).toEqual(['1 in life 1, again 0', '5 in life 2, again 0']);
    expect(countsOf(system).counters).toMatchObject({ restarted: 3, abandoned: 1 });
    expect(countsOf(system).counts).toEqual({ arrived: 5, handled: 1, failed: 0, shed: 0, expired: 0, deadLettered: 4 });
  });
});

describe('in random orders', () => {
  test('an actor that is killed again and again begins every message, and marks each that it begins again', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { system, worker, notebook } = await begin({ guarantee: 'at_least_once', maxRedeliveries: 100 }, { seed });
      const ids = Array.from({ length: 40 }, (_, index) => index);
      const hows = ['answer', 'release', 'refuse', 'throw', 'wait'] as const;
      for (const id of ids) notebook.times.set(id, 1);
      const asks = ids.map((id) => outcome(worker.ask('job', { id, how: hows[system.random.int(hows.length)]! }, { deadlineMs: 60_000 })));
      const all = Promise.all(asks);
      let isOver = false;
      void all.then(() => (isOver = true));
      for (let kill = 0; kill < 80 && !isOver; kill++) {
        for (let steps = system.random.int(12); steps > 0; steps--) await system.step();
        if (system.inspect().threads.some(({ name }) => name === 'worker')) system.kill(worker);
        await system.advance(2);
      }
      const ends = await system.run(all);
      expect(ends.filter((end) => Array.isArray(end) && end[0] !== 'job_refused'), `seed ${seed}`).toEqual([]);
      const first = new Map<number, number>();
      for (const { id, redeliveries } of notebook.begun) {
        const before = first.get(id);
        expect(redeliveries > 0, `seed ${seed}: ${id} is marked`).toBe(before !== undefined);
        first.set(id, 1);
      }
      expect([...first.keys()].toSorted((a, b) => a - b)).toEqual(ids);
      system.close();
    }
  });
});
