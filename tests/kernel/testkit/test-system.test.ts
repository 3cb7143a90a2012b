import { describe, expect, test } from 'vitest';
import { createTestSystem, randomFaults, type Fault, type TestSystem, type TestSystemOptions } from '../../../kernel/testkit/index.ts';
import { seededRandom } from '../../../kernel/index.ts';
import { counter, counterProtocol } from './counter.ts';

const ask = { deadlineMs: 1_000 };

async function within(options: TestSystemOptions, run: (system: TestSystem) => Promise<void>): Promise<void> {
  const system = await createTestSystem(options);
  try {
    await run(system);
  } finally {
    system.close();
  }
}

describe('a system without threads', () => {
  test('asks, tells and streams go through it as through a real one', () =>
    within({}, async (system) => {
      const actor = await system.spawn('counter', counter, { start: 1 });
      expect(actor.tell('note', { number: 2 })).toBe(0);
      expect(await system.run(actor.ask('add', { number: 3 }, ask))).toEqual({ sum: 6 });
      const items: number[] = [];
      await system.run((async () => {
        for await (const { number } of actor.stream('upTo', { number: 40 }, { ...ask, demand: 4 })) items.push(number);
      })());
      expect(items).toEqual(Array.from({ length: 40 }, (_, number) => number));
      await expect(system.run(actor.ask('refuse', {}, ask))).rejects.toMatchObject({ code: 'told_to_refuse' });
    }));

  test('an actor finds others by name, on its thread and on another', () =>
    within({}, async (system) => {
      const first = await system.spawn('first', counter, { start: 0 });
      await system.spawn('second', counter, { start: 10 });
      const child = await system.spawn('child', counter, { start: 20 }, { thread: first });
      expect(await system.run(child.ask('askOn', { name: 'second', number: 1 }, ask))).toEqual({ sum: 11 });
      expect(await system.run((await system.resolve('second', counterProtocol)).ask('sum', {}, ask))).toEqual({ sum: 11 });
      await expect(system.resolve('nobody', counterProtocol)).rejects.toMatchObject({ code: 'actor_unknown' });
    }));

  test('time stands still until the test lets it pass', () =>
    within({}, async (system) => {
      const actor = await system.spawn('counter', counter, { start: 0 });
      let sum: number | undefined;
      void actor.ask('addLate', { number: 1, ms: 500 }, ask).then((reply) => (sum = reply.sum));
      const startMs = system.clock.monotonicMs();
      await system.settle();
      expect([system.clock.monotonicMs(), sum]).toEqual([startMs, undefined]);
      await system.advance(499);
      expect(sum).toBeUndefined();
      await system.advance(1);
      expect(sum).toBe(1);
    }));

  test('an actor that is killed is started again, with its messages, unless it is temporary', () =>
    within({}, async (system) => {
      const permanent = await system.spawn('permanent', counter, { start: 0 });
      const temporary = await system.spawn('temporary', counter, { start: 0 }, { restart: 'temporary' });
      await system.inject(permanent, 'note', { number: 5 });
      const late = permanent.ask('addLate', { number: 1, ms: 50 }, ask);
      const next = permanent.ask('add', { number: 2 }, ask);
      late.catch(() => {});
      await system.settle();
      system.kill(permanent);
      system.kill(temporary);
      await expect(system.run(late)).rejects.toMatchObject({ code: 'actor_restarted', details: { mayHaveBeenHandled: true } });
      expect(await system.run(next)).toEqual({ sum: 2 });
      await expect(system.run(temporary.ask('sum', {}, ask))).rejects.toMatchObject({ code: 'actor_stopped' });
      expect(system.ends.map(({ name, reason }) => `${name} ${reason}`).toSorted()).toEqual(['permanent crashed', 'temporary crashed']);
      expect(system.inspect().threads.find(({ name }) => name === 'permanent')).toMatchObject({ incarnation: 2, restarts: 1 });
      expect(system.imbalances()).toEqual([]);
    }));

  test('a stopped actor is not started again', () =>
    within({}, async (system) => {
      const actor = await system.spawn('counter', counter, { start: 0 });
      await system.stop(actor);
      expect(system.inspect().threads.map(({ name }) => name)).toEqual(['application', 'guardian']);
      await expect(system.run(actor.ask('sum', {}, ask))).rejects.toMatchObject({ code: 'actor_stopped' });
    }));

  test('what never comes is said to be stuck, and not waited for', () =>
    within({}, async (system) => {
      await expect(system.run(new Promise(() => {}), 1_000)).rejects.toMatchObject({ code: 'test_stuck' });
      const pending = system.settle();
      await expect(system.step()).rejects.toThrow('one caller at a time');
      await pending;
    }));

  test('the order is the seed’s, and another seed’s is another', async () => {
    const run = async (seed: number): Promise<string> => {
      const system = await createTestSystem({ seed });
      const actors = [await system.spawn('one', counter, { start: 0 }), await system.spawn('two', counter, { start: 0 })];
      for (const actor of actors) for (let number = 0; number < 10; number++) actor.tell('note', { number });
      await system.advance(100);
      system.close();
      return system.hash;
    };
    expect(await run(3)).toBe(await run(3));
    expect(await run(3)).not.toBe(await run(4));
  });
});

describe('a probe', () => {
  test('expects, allows and disallows messages in manual time', () =>
    within({}, async (system) => {
      const actor = await system.spawn('counter', counter, { start: 0 });
      const probe = await system.probe('probe', counterProtocol, { thread: actor });
      await system.inject(actor, 'tellOn', { to: probe.ref.address, number: 7 });
      await probe.disallow('note', ({ number }) => number !== 7);
      expect(await probe.allow('crash')).toBeUndefined();
      expect((await probe.expect('note')).request).toEqual({ number: 7 });
      await expect(probe.expect('note')).rejects.toMatchObject({ code: 'probe_failed' });
      probe.ref.tell('note', { number: 8 });
      await expect(probe.disallow('note')).rejects.toMatchObject({ code: 'probe_failed' });
      await expect(probe.expect('note', ({ number }) => number === 9)).rejects.toMatchObject({ code: 'probe_failed' });
    }));

  test('answers when the test says so', () =>
    within({}, async (system) => {
      const probe = await system.probe('probe', counterProtocol, { answers: { sum: () => ({ sum: 42 }) } });
      expect(await system.run(probe.ref.ask('sum', {}, ask))).toEqual({ sum: 42 });
      await probe.expect('sum');
      const answer = probe.ref.ask('add', { number: 1 }, ask);
      (await probe.expect('add')).reply({ sum: 3 });
      expect(await system.run(answer)).toEqual({ sum: 3 });
    }));
});

describe('faults as data', () => {
  const faulted = async (fault: Fault): Promise<{ replies: unknown[]; refused: number; tookMs: number }> => {
    const system = await createTestSystem({ faults: [fault] });
    const actor = await system.spawn('victim', counter, { start: 0 }, { mailbox: { dataBytes: 1_024 } });
    const startMs = system.clock.monotonicMs();
    const replies: unknown[] = [];
    for (let number = 1; number <= 2; number++) {
      const reply = actor.ask('add', { number }, ask).then(({ sum }) => sum, (error: { code: string }) => error.code);
      replies.push(await system.run(reply));
    }
    const tookMs = system.clock.monotonicMs() - startMs;
    system.close();
    return { replies, refused: replies.filter((reply) => reply === 'ask_refused').length, tookMs };
  };
  const way = { from: 'application', to: 'victim', lane: 'data' } as const;

  test('a dropped record never comes, and its ask ends by its deadline', async () => {
    expect(await faulted({ at: 0, fault: 'drop', ...way })).toMatchObject({ replies: ['ask_deadline', 2] });
  });

  test('a record that comes twice is handled twice, and its ask answered once', async () => {
    expect(await faulted({ at: ({ message }) => message === 'add', fault: 'duplicate' })).toMatchObject({ replies: [1, 4] });
  });

  test('a delayed record comes later, by so much', async () => {
    expect(await faulted({ at: 0, fault: 'delay', forMs: 30, ...way })).toMatchObject({ replies: [1, 3], tookMs: 30 });
  });

  test('a full lane refuses until its receiver has read on', async () => {
    const system = await createTestSystem({ faults: [{ at: 40, fault: 'fill', from: 'application', to: 'victim' }] });
    const actor = await system.spawn('victim', counter, { start: 0 }, { mailbox: { dataBytes: 1_024 } });
    const results: number[] = [];
    while (!results.some((result) => result < 0) && system.steps < 200) {
      results.push(actor.tell('note', { number: 1 }));
      await system.step();
    }
    expect(results.at(-1)).toBeLessThan(0);
    await system.settle();
    expect(actor.tell('note', { number: 1 })).toBe(0);
    system.close();
  });

  test('a stalled thread goes on later', async () => {
    const system = await createTestSystem();
    const actor = await system.spawn('victim', counter, { start: 0 });
    system.stall(actor, 200);
    const startMs = system.clock.monotonicMs();
    expect(await system.run(actor.ask('add', { number: 1 }, ask))).toEqual({ sum: 1 });
    expect(system.clock.monotonicMs() - startMs).toBe(200);
    system.close();
  });

  test('a kill comes with the record that it is tied to', async () => {
    const result = await faulted({ at: ({ message }) => message === 'add', fault: 'kill', to: 'victim' });
    // The record had not arrived, so the next life takes it.
    expect(result).toMatchObject({ replies: [1, 3] });
  });

  test('are drawn by seed', () => {
    const draw = (seed: number): Fault[] => randomFaults(seededRandom(seed), { count: 5, steps: 100, threads: ['a', 'b'], kinds: ['drop', 'kill'] });
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
  });
});
