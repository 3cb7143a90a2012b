import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { echoProtocol } from '../actors/echo.ts';
import { streamerProtocol } from '../actors/streamer.ts';
import { until } from '../condition.ts';
import { ECHO, STREAMER, SmallSystem } from './small-system.ts';

const DEADLINE = { deadlineMs: 20_000 };

describe('an actor in a process of its own', () => {
  let system: SmallSystem;
  let echoThread: number;
  beforeAll(async () => {
    system = await SmallSystem.create();
    echoThread = await system.start({ name: 'echo', source: ECHO });
    await Promise.all([system.start({ name: 'outcast' }), system.start({ name: 'streamer', source: STREAMER }), system.start({ name: 'neighbour', source: ECHO, process: undefined as never })]);
  });
  afterAll(() => system.close());

  it('lives in another process', async () => {
    const outcast = await system.outcast('outcast');
    expect((await outcast.ask('pid', {}, DEADLINE)).pid).not.toBe(process.pid);
  });

  it('answers asks, and takes messages in the order in which they were told', async () => {
    const outcast = await system.outcast('outcast');
    for (let number = 0; number < 2_000; number++) expect(outcast.tell('note', { number })).toBe(0);
    const { numbers } = await outcast.ask('notes', {}, DEADLINE);
    expect(numbers).toEqual(Array.from({ length: 2_000 }, (_, number) => number));
  });

  it('finds other actors, asks them, and is found by them', async () => {
    const echo = await system.application.resolve('echo', echoProtocol);
    expect(await echo.ask('relay', { name: 'neighbour', text: 'there and back' }, DEADLINE)).toEqual({ text: 'there and back', incarnation: 1 });
    const neighbour = await system.application.resolve('neighbour', echoProtocol);
    expect(await neighbour.ask('relayOften', { name: 'echo', times: 100 }, DEADLINE)).toEqual({ answers: 100 });
  });

  it('takes a record of as many bytes as its lane takes', async () => {
    const outcast = await system.outcast('outcast');
    const bytes = new Uint8Array(500 * 1024).fill(7);
    for (let time = 0; time < 8; time++) expect(await outcast.ask('size', { bytes }, DEADLINE)).toEqual({ length: bytes.length });
  });

  it('gives streams', async () => {
    const streamer = await system.application.resolve('streamer', streamerProtocol);
    const numbers: number[] = [];
    for await (const { number } of streamer.stream('numbers', { count: 200 }, DEADLINE)) numbers.push(number);
    expect(numbers).toEqual(Array.from({ length: 200 }, (_, number) => number));
  });

  it('sees that a message was cancelled', async () => {
    const echo = await system.application.resolve('echo', echoProtocol);
    const neighbour = await system.application.resolve('neighbour', echoProtocol);
    const before = (await neighbour.ask('notes', {}, DEADLINE)).numbers.length;
    const cancel = new AbortController();
    const asked = echo.ask('noteCancelled', { name: 'neighbour' }, { ...DEADLINE, signal: cancel.signal }).catch((error: { code: string }) => error.code);
    await until(async () => (await neighbour.ask('notes', {}, DEADLINE)).numbers.length === before + 1, 'the handler has begun');
    cancel.abort();
    expect(await asked).toBe('ask_cancelled');
    await until(async () => (await neighbour.ask('notes', {}, DEADLINE)).numbers.length === before + 2, 'the handler has seen its cancel');
  });

  it('tells an operating error from a defect', async () => {
    const echo = await system.application.resolve('echo', echoProtocol);
    await expect(echo.ask('fail', { code: 'told_to_fail' }, DEADLINE)).rejects.toMatchObject({ code: 'told_to_fail' });
    expect(await system.ends('echo')).toEqual([]);
  });

  it('shows its state, its counts and its own counters to all, and the actors it has spawned', async () => {
    const echo = await system.application.resolve('echo', echoProtocol);
    const block = system.application.block(echoThread);
    const handled = block.counters.read('handled');
    await echo.ask('echo', { text: '' }, DEADLINE);
    await until(() => block.counters.read('handled') > handled, 'the answer is counted');
    expect(block.state).toBe('running');
    expect(block.actorCounters(['notes', 'startedAtMs']).read('startedAtMs')).toBeGreaterThan(0);
    const outcast = await system.outcast('outcast');
    await outcast.ask('spawn', { count: 3 }, DEADLINE);
    const seen = () => system.application.inspect().threads.find(({ name }) => name === 'outcast')!;
    await until(() => seen().actorsLeftOut === 3, 'the spawned actors are shown');
    expect(seen().actors[0]!.counts.handled).toBeGreaterThan(2_000);
  });

  it('gets control messages while its data lane is full', async () => {
    const outcast = await system.outcast('outcast');
    const held = outcast.ask('hold', {}, DEADLINE);
    const { arrived } = system.actor('outcast').counts;
    await until(() => system.actor('outcast').counts.arrived > arrived, 'the handler has begun');
    const bytes = new Uint8Array(60 * 1024);
    while (outcast.tell('size', { bytes }) === 0);
    while (outcast.tell('note', { number: 0 }) === 0);
    // By the control lane.
    await outcast.ask('release', {}, DEADLINE);
    await held;
    await until(() => outcast.tell('note', { number: 0 }) === 0, 'there is room again');
  });

  it('is given nothing of its parent\'s environment but where compiled code is kept', async () => {
    const outcast = await system.outcast('outcast');
    const { names } = await outcast.ask('environment', {}, DEADLINE);
    expect(names.filter((name) => name !== 'NODE_COMPILE_CACHE')).toEqual([]);
  });
});
