import { BACK_PRESSURED } from 'atomics-ring-buffer';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSystem, type ChildSpec, type System } from '../../supervisors/index.ts';
import { CAPACITY, feederProtocol, sinkProtocol, type Feeder, type Sink } from './actors/sink.ts';
import { until } from './condition.ts';

const module = new URL('./actors/sink.ts', import.meta.url).href;
const LONG_MS = 20_000;
const ask = { deadlineMs: LONG_MS };

let system: System;
let spawned = 0;

beforeAll(async () => {
  system = await createSystem({ logLevel: 'error' });
});
afterAll(() => system.close());

type SinkName = 'inLanes' | 'refuse' | 'wait';
const spawnSink = (name: SinkName, spec: Partial<ChildSpec> = {}): Promise<Sink> =>
  system.spawn({ id: `sink-${++spawned}`, shutdownMs: 500, start: { module, export: name }, ...spec }, sinkProtocol);

const upTo = (count: number): number[] => Array.from({ length: count }, (_, number) => number);
const taken = async (sink: Sink): Promise<readonly number[]> => (await sink.ask('taken', {}, ask)).numbers;
const send = (sink: Sink, number: number, options: { deadlineMs?: number; signal?: AbortSignal } = {}): Promise<void> => sink.send('put', { number, key: 0 }, { ...ask, ...options });
const ended = async (promise: Promise<unknown>): Promise<unknown> => promise.then(() => 'sent', (error: unknown) => error);

/** Whether it has come to an end by now. */
function watched(promise: Promise<unknown>): { readonly promise: Promise<unknown>; isOver: boolean } {
  const watch = { promise: ended(promise), isOver: false };
  void watch.promise.then(() => (watch.isOver = true));
  return watch;
}

/** Whether nothing waits for it, in its hands, its mailbox or its lanes. */
function isQuiet(name: string): boolean {
  const { lanes, actors } = system.inspect().threads.find((thread) => thread.name === name)!;
  const entry = actors.find((actor) => actor.name === name);
  if (entry === undefined) return false;
  const { arrived, ...ended } = entry.counts;
  return lanes.data.levelBytes === 0 && arrived === Object.values(ended).reduce((sum, count) => sum + count, 0);
}

/** Closes its gate and sends until there is no room; one number is then in its hands. @returns how many it has */
async function fill(sink: Sink, name: SinkName = 'inLanes'): Promise<number> {
  await until(() => isQuiet(sink.name), 'what came before has come to its end');
  await sink.ask('gate', { open: false }, ask);
  const before = (await taken(sink)).length;
  let count = 1;
  expect(sink.tell('put', { number: 0, key: 0 })).toBe(0);
  await until(async () => (await taken(sink)).length === before + 1, 'it has one in its hands');
  for (;;) {
    if (sink.tell('put', { number: count, key: 0 }) !== 0) return count;
    count++;
    // One after the other, so that a mailbox which is full can say so before the next. A lane says so at once.
    if (name !== 'inLanes') await until(() => sink.level === count - 1, 'it shows that it has one more');
  }
}

// A mailbox is the bound of the one, the bytes of its lane that of the other.
describe.each(['wait', 'inLanes'] as const)('a send to an actor that is full (%s)', (name) => {
  let sink: Sink;
  let full: number;
  beforeAll(async () => {
    sink = await spawnSink(name, { mailbox: { dataBytes: 4_096 } });
    full = await fill(sink, name);
  });

  test('waits for room, and then goes in order', async () => {
    const sends = upTo(200).map((index) => watched(send(sink, full + index)));
    await taken(sink);
    expect(sends.at(-1)!.isOver).toBe(false);
    await sink.ask('gate', { open: true }, ask);
    for (const { promise } of sends) expect(await promise).toBe('sent');
    await until(async () => (await taken(sink)).length === full + 200, 'all have come');
    expect(await taken(sink)).toEqual(upTo(full + 200));
  });

  test('that found no room within its deadline was not sent, and those behind it go on', async () => {
    const before = await taken(sink);
    const more = await fill(sink, name);
    const late = ended(send(sink, 1_000, { deadlineMs: 20 }));
    const next = send(sink, 1_001);
    expect(await late).toMatchObject({ code: 'send_deadline', details: { mayHaveBeenHandled: false } });
    await sink.ask('gate', { open: true }, ask);
    await next;
    await until(async () => (await taken(sink)).length === before.length + more + 1, 'all have come');
    expect((await taken(sink)).slice(before.length)).toEqual([...upTo(more), 1_001]);
  });

  test('that is taken back while it waits was not sent, and those behind it go on', async () => {
    const before = await taken(sink);
    const more = await fill(sink, name);
    const cancel = new AbortController();
    const first = ended(send(sink, 1_000, { signal: cancel.signal }));
    const next = send(sink, 1_001);
    cancel.abort();
    expect(await first).toMatchObject({ code: 'send_cancelled', details: { mayHaveBeenHandled: false } });
    expect(await ended(send(sink, 1_002, { signal: cancel.signal }))).toMatchObject({ code: 'send_cancelled' });
    await sink.ask('gate', { open: true }, ask);
    await next;
    await until(async () => (await taken(sink)).length === before.length + more + 1, 'all have come');
    expect((await taken(sink)).slice(before.length)).toEqual([...upTo(more), 1_001]);
  });

  test('is overtaken neither by a tell nor by an ask', async () => {
    const more = await fill(sink, name);
    const waiting = send(sink, more);
    expect(sink.tell('put', { number: 1, key: 0 })).toBe(BACK_PRESSURED);
    await expect(sink.ask('ask', { number: 1, key: 0 }, ask)).rejects.toMatchObject({ code: 'ask_refused', details: { mayHaveBeenHandled: false } });
    await sink.ask('gate', { open: true }, ask);
    await waiting;
    expect(sink.tell('put', { number: 2, key: 0 })).toBe(0);
  });

  test('does not keep a control message waiting', async () => {
    await fill(sink, name);
    const waiting = watched(send(sink, 7));
    await sink.send('urgent', { number: 777 }, ask);
    await until(async () => (await taken(sink)).includes(777), 'the control message has come');
    expect(waiting.isOver).toBe(false);
    await sink.ask('gate', { open: true }, ask);
    expect(await waiting.promise).toBe('sent');
  });
});

describe('a send', () => {
  test('to an actor with room resolves once it is sent', async () => {
    const sink = await spawnSink('inLanes');
    for (const number of upTo(20)) await send(sink, number);
    await until(async () => (await taken(sink)).length === 20, 'all have come');
    expect(await taken(sink)).toEqual(upTo(20));
  });

  test('slows its sender down while the mailbox is in mode sync, and no further than its deadline', async () => {
    const sink = await spawnSink('wait');
    await sink.ask('gate', { open: false }, ask);
    // The mark of `sync` is at half the capacity, and one is in the actor's hands.
    for (const number of upTo(CAPACITY / 2 + 1)) expect(sink.tell('put', { number, key: 0 })).toBe(0);
    await until(() => sink.level === CAPACITY / 2, 'it has them');
    const slowed = watched(send(sink, 100));
    const atDeadline = send(sink, 101, { deadlineMs: 20 });
    // It has the message, so there is nothing that could fail.
    await atDeadline;
    expect(slowed.isOver).toBe(false);
    // Whoever does not await is not slowed down, as there is room.
    expect(sink.tell('put', { number: 102, key: 0 })).toBe(0);
    await sink.ask('gate', { open: true }, ask);
    expect(await slowed.promise).toBe('sent');
    await until(async () => (await taken(sink)).length === CAPACITY / 2 + 4, 'all have come');
    expect((await taken(sink)).slice(-3)).toEqual([100, 101, 102]);
  });

  test('of more messages than may wait on a thread is refused', async () => {
    const sink = await spawnSink('inLanes', { mailbox: { dataBytes: 4_096 } });
    const more = await fill(sink);
    const cancel = new AbortController();
    const waiting = upTo(10_000).map((number) => ended(send(sink, more + number, { signal: cancel.signal })));
    expect(await ended(send(sink, 0))).toMatchObject({ code: 'send_refused', details: { mayHaveBeenHandled: false } });
    cancel.abort();
    expect(await Promise.all(waiting)).toHaveLength(10_000);
    await sink.ask('gate', { open: true }, ask);
    await send(sink, 9);
  });

  test('that waits for an actor which then stops ends with actor_stopped', async () => {
    const sink = await spawnSink('inLanes', { mailbox: { dataBytes: 4_096 } });
    await fill(sink);
    const waiting = ended(send(sink, 1));
    await system.terminate(sink.name);
    expect(await waiting).toMatchObject({ code: 'actor_stopped', details: { mayHaveBeenHandled: false } });
    expect(await ended(send(sink, 2))).toMatchObject({ code: 'actor_stopped' });
  });

  test('with a message that does not fit, or is longer than its lane takes, fails at once', async () => {
    const sink = await spawnSink('inLanes', { mailbox: { dataBytes: 4_096 } });
    expect(await ended(sink.send('put', { number: -1, key: 0 }, ask))).toMatchObject({ code: 'message_invalid', message: expect.stringContaining('/number') as string });
    expect(await ended(sink.send('padded', { number: 1, text: 'x'.repeat(5_000) }, ask))).toMatchObject({ code: 'message_too_large' });
  });

  test.each([0, -1, Infinity])('with the deadline %d is an error of the programmer', async (deadlineMs) => {
    const sink = await spawnSink('inLanes');
    await expect(send(sink, 1, { deadlineMs })).rejects.toThrow(TypeError);
  });

  test('waits on one thread as between two, and its scope takes it back', async () => {
    const feeder: Feeder = await system.spawn({ id: `feeder-${++spawned}`, start: { module, export: 'feeder' } }, feederProtocol);
    await feeder.ask('make', { policy: 'wait' }, ask);
    await feeder.ask('gate', { open: false }, ask);
    const { results } = await feeder.ask('tell', { first: 0, count: CAPACITY + 5 }, ask);
    expect(results.filter((result) => result === 0).length).toBe(CAPACITY);
    expect(await feeder.ask('sendInScope', { number: 1_000 }, ask)).toEqual({ code: 'send_cancelled' });
    await feeder.ask('gate', { open: true }, ask);
    await until(async () => (await feeder.ask('level', {}, ask)).level === 0, 'all are taken');
    expect((await feeder.ask('taken', {}, ask)).numbers).toEqual(upTo(CAPACITY));
  });
});
