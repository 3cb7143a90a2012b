import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ActorRef, StreamOptions } from '../../kernel/index.ts';
import { createSystem, type ChildSpec, type System } from '../../supervisors/index.ts';
import { STREAMER_COUNTERS, streamerProtocol, viewerProtocol, type Streamer } from './actors/streamer.ts';
import { until } from './condition.ts';

type Viewer = ActorRef<typeof viewerProtocol.spec>;
type Outcome = { readonly items: readonly unknown[]; readonly error?: unknown };

const module = new URL('./actors/streamer.ts', import.meta.url).href;
const ask = { deadlineMs: 20_000 };
const DEMAND = 8;

let system: System;
let spawned = 0;
let viewer: Viewer;

beforeAll(async () => {
  system = await createSystem({ logLevel: 'error', supervisor: { intensity: 1_000, backoff: { minMs: 1, maxMs: 5, jitter: 0 } } });
  viewer = await spawnViewer();
});
afterAll(() => system.close());

const spawnStreamer = (spec: Partial<ChildSpec> = {}): Promise<Streamer> =>
  system.spawn({ id: `streamer-${++spawned}`, start: { module, export: 'streamer' }, ...spec }, streamerProtocol);
const spawnViewer = (spec: Partial<ChildSpec> = {}): Promise<Viewer> =>
  system.spawn({ id: `viewer-${++spawned}`, start: { module, export: 'viewer' }, ...spec }, viewerProtocol);

const counts = ({ name }: ActorRef | Streamer | Viewer) => system.counters(name, STREAMER_COUNTERS);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, number) => number);
const numbered = (count: number): { number: number }[] => upTo(count).map((number) => ({ number }));

/** Takes a stream to its end. */
async function takeAll(stream: AsyncIterable<unknown>): Promise<Outcome> {
  const items: unknown[] = [];
  try {
    for await (const item of stream) items.push(item);
    return { items };
  } catch (error) {
    return { items, error };
  }
}

describe.each(['another thread', 'the same thread'])('a stream from %s', (where) => {
  let source: Streamer | undefined;
  let of: string;
  beforeAll(async () => {
    source = where === 'another thread' ? await spawnStreamer() : undefined;
    of = source?.name ?? '';
  });
  const produced = () => counts(source ?? viewer);

  test.each([1, 2, DEMAND, 100])('comes in order and to its end with a demand of %d', async (demand) => {
    const seen = await viewer.ask('view', { of, message: 'numbers', count: 500, demand, take: 1_000, stay: false }, ask);
    expect(seen).toMatchObject({ numbers: upTo(500), end: 'done' });
  });

  test('may be given by an iterable that is not asynchronous, or be empty', async () => {
    expect(await viewer.ask('view', { of, message: 'list', count: 50, demand: 4, take: 100, stay: false }, ask)).toMatchObject({ numbers: upTo(50), end: 'done' });
    expect(await viewer.ask('view', { of, message: 'numbers', count: 0, demand: 4, take: 100, stay: false }, ask)).toMatchObject({ numbers: [], end: 'done' });
  });

  test('is produced only as far as it is asked for', async () => {
    const before = produced();
    const { numbers } = await viewer.ask('view', { of, message: 'numbers', count: 1_000, demand: DEMAND, take: 20, stay: true }, ask);
    expect(numbers).toEqual(upTo(20));
    // Once something waits ahead, as many asks as would have let it go on are answered, and it has not.
    await until(() => produced().produced > before.produced + 20, 'items are produced ahead');
    for (let round = 0; round < 20; round++) await viewer.ask('view', { of, message: 'list', count: 1, demand: 1, take: 2, stay: false }, ask);
    expect(produced().produced - before.produced).toBeLessThanOrEqual(20 + DEMAND);
    expect(produced().ended).toBe(before.ended);
  });

  test('that is left early ends its generator, whose finally runs', async () => {
    const { ended } = produced();
    const seen = await viewer.ask('view', { of, message: 'numbers', count: 1_000_000, demand: DEMAND, take: 5, stay: false }, ask);
    expect(seen).toMatchObject({ numbers: upTo(5), end: 'left' });
    await until(() => produced().ended === ended + 1, 'the generator has ended');
  });
});

test('no more is ever on its way or waiting than the demand, on one thread', async () => {
  const { aheadMax } = await viewer.ask('view', { of: '', message: 'numbers', count: 2_000, demand: DEMAND, take: 2_000, stay: false }, ask);
  expect(aheadMax).toBeGreaterThan(0);
  expect(aheadMax).toBeLessThanOrEqual(DEMAND);
});

describe('a stream to the application', () => {
  let source: Streamer;
  beforeAll(async () => {
    source = await spawnStreamer();
  });
  const numbers = (count: number, options: Partial<StreamOptions> = {}) => source.stream('numbers', { count }, { ...ask, ...options });

  test('comes in order and to its end, many at once', async () => {
    const streams = upTo(20).map((index) => takeAll(numbers(200, { demand: 1 + index })));
    for (const { items } of await Promise.all(streams)) expect(items).toEqual(numbered(200));
  });

  test('that is left by break ends its generator', async () => {
    const { ended } = counts(source);
    for await (const { number } of numbers(1_000_000)) if (number === 3) break;
    await until(() => counts(source).ended === ended + 1, 'the generator has ended');
  });

  test('shows a generator that waits that it is cancelled', async () => {
    const { sawCancel, hanging } = counts(source);
    const stream = source.stream('patient', {}, ask);
    expect(await stream.next()).toEqual({ done: false, value: { number: 0 } });
    await until(() => counts(source).hanging === hanging + 1, 'it waits');
    await stream.return?.();
    await until(() => counts(source).sawCancel === sawCancel + 1, 'the generator has seen it');
  });

  test('is cancelled by the signal, and says so', async () => {
    const { ended } = counts(source);
    const cancel = new AbortController();
    const stream = numbers(1_000_000, { signal: cancel.signal, demand: 1 });
    await stream.next();
    cancel.abort();
    expect((await takeAll(stream)).error).toMatchObject({ code: 'ask_cancelled', details: { mayHaveBeenHandled: true } });
    await until(() => counts(source).ended === ended + 1, 'the generator has ended');
  });

  test("brings its producer's error behind the items before it, once", async () => {
    const stream = source.stream('failing', { after: 40, how: 'operating' }, { ...ask, demand: 4 });
    expect(await takeAll(stream)).toMatchObject({ items: numbered(40), error: { code: 'told_to_fail', details: { mayHaveBeenHandled: true } } });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  test('whose handler fails at once ends with its error', async () => {
    expect(await takeAll(source.stream('failing', { after: 0, how: 'at_once' }, ask))).toMatchObject({ items: [], error: { code: 'told_to_fail' } });
  });

  test.each(['defect', 'no_iterable', 'misfit'] as const)('ends with actor_restarted when its producer fails by a defect (%s)', async (how) => {
    const { restarts } = system.health(source.name);
    expect((await takeAll(source.stream('failing', { after: 3, how }, ask))).error).toMatchObject({ code: 'actor_restarted', details: { mayHaveBeenHandled: true } });
    await until(() => system.health(source.name).restarts === restarts + 1 && system.health(source.name).state === 'running', 'it is up again');
    expect(await takeAll(numbers(10))).toEqual({ items: numbered(10) });
  });

  test("ends with a code when its producer's thread ends between two items", async () => {
    const stream = numbers(1_000_000, { demand: 2 });
    await stream.next();
    source.tell('crash', {});
    expect((await takeAll(stream)).error).toMatchObject({ code: 'actor_restarted', details: { mayHaveBeenHandled: true } });
    const other = await spawnStreamer();
    const last = other.stream('numbers', { count: 1_000_000 }, { ...ask, demand: 2 });
    await last.next();
    await system.terminate(other.name);
    expect((await takeAll(last)).error).toMatchObject({ code: 'actor_stopped' });
  });

  test("that a failed actor's stop ends is ended by the failure", async () => {
    const stream = source.stream('heldUp', {}, ask);
    await stream.next();
    source.tell('crash', {});
    expect((await takeAll(stream)).error).toMatchObject({ code: 'actor_restarted' });
    const other = await spawnStreamer();
    const last = other.stream('heldUp', {}, ask);
    await last.next();
    await system.terminate(other.name);
    expect((await takeAll(last)).error).toMatchObject({ code: 'told_to_stop' });
  });

  test('ends at the deadline of an item, but not while nobody waits for one', async () => {
    const deadlineMs = 1_000;
    const [stream, slow] = [source.stream('patient', {}, { deadlineMs }), numbers(20, { deadlineMs, demand: 2 })];
    await Promise.all([stream.next(), slow.next()]);
    await pause(deadlineMs * 1.2);
    expect((await takeAll(slow)).items).toEqual(numbered(20).slice(1));
    await expect(stream.next()).rejects.toMatchObject({ code: 'ask_deadline' });
  });

  test('whose item is longer than its lane takes ends with message_too_large', async () => {
    expect((await takeAll(source.stream('texts', { count: 1, characters: 600_000 }, ask))).error).toMatchObject({ code: 'message_too_large' });
  });

  test('goes on where the lane to the asker was full', async () => {
    // More of them at once than the lane holds, while this thread takes none.
    const streams = upTo(8).map(() => source.stream('texts', { count: 40, characters: 20_000 }, { ...ask, demand: 32 }));
    const firsts = await Promise.all(streams.map((stream) => stream.next()));
    expect(firsts.map(({ done }) => done)).toEqual(upTo(8).map(() => false));
    const endMs = performance.now() + 100;
    while (performance.now() < endMs);
    for (const stream of streams) {
      const { items } = await takeAll(stream);
      expect(items.map((item) => Number((item as { text: string }).text))).toEqual(upTo(40).slice(1));
    }
  });

  test('that is not taken keeps nobody else from his answers', async () => {
    const streams = upTo(8).map(() => source.stream('texts', { count: 40, characters: 20_000 }, { ...ask, demand: 32 }));
    await Promise.all(streams.map((stream) => stream.next()));
    const { ended } = counts(source);
    const seen = viewer.ask('view', { of: source.name, message: 'numbers', count: 300, demand: 4, take: 300, stay: false }, ask);
    // This thread takes nothing meanwhile, so that the lane to it is full.
    const endMs = performance.now() + 10_000;
    while (counts(source).ended === ended && performance.now() < endMs);
    expect(counts(source).ended).toBe(ended + 1);
    expect((await seen).numbers).toEqual(upTo(300));
    for (const stream of streams) await stream.return?.();
  });

  test('is refused beyond the streams that a thread gives at once, and taken again once one has ended', async () => {
    const streams = upTo(4_096).map(() => numbers(2, { demand: 1 }));
    await Promise.all(streams.map((stream) => stream.next()));
    await expect(numbers(2).next()).rejects.toMatchObject({ code: 'ask_refused' });
    await streams[0]!.return?.();
    await until(async () => (await takeAll(numbers(2))).items.length === 2, 'there is room again');
    for (const stream of streams) await stream.return?.();
  });

  test.each([0, -1, 1.5])('with a demand of %d is an error of the programmer', (demand) => {
    expect(() => numbers(1, { demand })).toThrow(TypeError);
  });
});

describe("the end of a stream's asker", () => {
  test('closes it when its thread ends', async () => {
    const [source, lost] = await Promise.all([spawnStreamer(), spawnViewer()]);
    await lost.ask('view', { of: source.name, message: 'numbers', count: 1_000, demand: DEMAND, take: 3, stay: true }, ask);
    expect(counts(source).ended).toBe(0);
    lost.tell('crash', {});
    await until(() => counts(source).ended === 1, 'the generator has ended');
  });

  test.each([false, true])('closes it when it was spawned (restarted: %s)', async (restart) => {
    const { ended } = counts(viewer);
    await viewer.ask('endTakingChild', { restart }, ask);
    await until(() => counts(viewer).ended === ended + 1, 'the generator has ended');
  });

  test('closes none of the others', async () => {
    const seen = viewer.ask('view', { of: '', message: 'numbers', count: 5_000, demand: 2, take: 10_000, stay: false }, ask);
    await viewer.ask('endTakingChild', { restart: false }, ask);
    expect((await seen).numbers).toEqual(upTo(5_000));
  });
});

test('a spawned producer that fails ends its stream with actor_stopped', async () => {
  const lost = await spawnViewer();
  expect(await lost.ask('fail', { after: 5, how: 'operating' }, ask)).toEqual({ numbers: upTo(5), end: 'told_to_fail' });
  expect(await lost.ask('fail', { after: 5, how: 'defect' }, ask)).toEqual({ numbers: upTo(5), end: 'actor_stopped' });
});

describe('an ask that is handed on', () => {
  let first: Streamer;
  let last: Streamer;
  beforeAll(async () => {
    [first, last] = await Promise.all([spawnStreamer(), spawnStreamer()]);
  });
  const onward = (to: string, message: 'who' | 'never' | 'passOn' = 'who'): Promise<{ name: string }> => first.ask('passOn', { to, message }, ask);

  test('is answered to its first asker, by whoever has it', async () => {
    expect(await onward(last.name)).toEqual({ name: last.name });
    expect(await onward('child')).toEqual({ name: `${first.name}'s child` });
    expect(await onward(last.name, 'passOn')).toEqual({ name: `${last.name}'s child` });
  });

  test('as a stream goes on from whoever has it, with demand', async () => {
    for (const to of [last.name, 'child']) {
      expect(await takeAll(first.stream('passOnStream', { to, count: 300 }, { ...ask, demand: 4 }))).toEqual({ items: numbered(300) });
    }
  });

  test('ends with a code when whoever has it fails or stops', async () => {
    const lost = await spawnStreamer({ shutdownMs: 200 });
    const pending = onward(lost.name, 'never');
    await until(() => counts(lost).hanging === 1, 'it has it');
    lost.tell('crash', {});
    await expect(pending).rejects.toMatchObject({ code: 'actor_restarted', details: { mayHaveBeenHandled: true } });
    const second = onward(lost.name, 'never');
    await until(() => counts(lost).hanging === 2, 'it has that too');
    await Promise.all([expect(second).rejects.toMatchObject({ code: 'actor_stopped' }), system.terminate(lost.name)]);
  });

  test('ends with a code when a spawned actor has it and fails or stops', async () => {
    for (const end of ['stopChild', 'failChild'] as const) {
      const parent = await spawnStreamer();
      const pending = parent.ask('passOn', { to: 'child', message: 'never' }, ask);
      await until(() => counts(parent).hanging === 1, 'the child has it');
      await Promise.all([expect(pending).rejects.toMatchObject({ code: 'actor_stopped', details: { mayHaveBeenHandled: true } }), parent.ask(end, {}, ask)]);
    }
  });

  test('stays with its handler if there is nobody to hand it to', async () => {
    const parent = await spawnStreamer();
    const { name } = await parent.ask('passOnToEnded', {}, ask);
    expect(Number(name)).toBeLessThan(0);
  });

  test('whose first asker ends is nobody\'s, and whoever has it goes on', async () => {
    const [lost, holder] = await Promise.all([spawnViewer(), spawnStreamer()]);
    const pending = lost.ask('askOnward', { first: first.name, last: holder.name }, ask).then(() => 'answered', (error: { code: string }) => error.code);
    await until(() => counts(holder).hanging === 1, 'it has it');
    lost.tell('crash', {});
    expect(await pending).toBe('actor_restarted');
    expect(await onward('child')).toEqual({ name: `${first.name}'s child` });
    expect(system.health(holder.name)).toMatchObject({ state: 'running', restarts: 0 });
  });
});
