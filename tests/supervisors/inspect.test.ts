import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Inspection, ThreadInspection } from '../../kernel/index.ts';
import { Application, siblingModule } from '../../kernel/index.ts';
import { until } from '../kernel/condition.ts';
import { LightSystem, ask } from './light-system.ts';

let light: LightSystem;
beforeAll(async () => {
  light = await LightSystem.create();
});
afterAll(() => light.close());

function threadOf(inspection: Inspection, name: string): ThreadInspection {
  const thread = inspection.threads.find((found) => found.name === name);
  return thread ?? expect.unreachable(`there is no thread ${name}`);
}
const shown = (name: string): ThreadInspection => threadOf(light.system.inspect(), name);

describe('an inspection', () => {
  test('shows every thread with what it has counted', async () => {
    const actor = await light.spawn({ id: 'counted' });
    for (let number = 0; number < 10; number++) actor.tell('note', { number });
    expect(await actor.ask('notes', {}, ask)).toEqual({ count: 10, incarnation: 1 });
    const inspection = light.system.inspect();
    expect(inspection.phase).toBe('running');
    expect(inspection.threads.map(({ name }) => name)).toEqual(expect.arrayContaining(['application', 'guardian', 'counted']));
    const thread = threadOf(inspection, 'counted');
    expect(thread).toMatchObject({ state: 'running', incarnation: 1, restarts: 0, hangs: 0, actorsLeftOut: 0 });
    expect(thread.counters).toEqual(light.system.health('counted').counters);
    expect(thread.actors).toMatchObject([{ address: actor.address, name: 'counted', light: false, state: 'running', mode: 'async' }]);
    expect(thread.actors[0]!.counts).toMatchObject({ arrived: 11, handled: 11 });
    expect(thread.lanes.data).toMatchObject({ offered: 11, consumed: 11, refused: 0, levelBytes: 0, pressured: false });
    expect(thread.lanes.data.capacityBytes).toBeGreaterThan(thread.lanes.data.highMarkBytes);
  });

  test('is plain JSON', () => {
    const inspection = light.system.inspect();
    expect(JSON.parse(JSON.stringify(inspection))).toEqual(inspection);
  });

  test('is taken while a thread is in an endless loop, and names whose handler that is', async () => {
    const { system } = light;
    const [holding, sender] = await Promise.all([light.spawn({ id: 'holding' }), light.spawn({ id: 'sender' })]);
    // The two are linked before the loop begins; nobody but they know that lane.
    await sender.ask('tellNotes', { to: holding.address, count: 1 }, ask);
    const gate = light.gate();
    holding.tell('hold', { path: gate.path });
    await until(() => shown('holding').handling?.actor === 'holding', 'it holds its thread');
    const before = shown('holding').lanes.data;
    await sender.ask('tellNotes', { to: holding.address, count: 20 }, ask);
    const { lanes, turns } = shown('holding');
    expect(lanes.data.offered).toBe(before.offered + 20);
    expect(lanes.data.consumed).toBe(before.consumed);
    expect(lanes.data.levelBytes).toBeGreaterThan(before.levelBytes);
    expect(shown('holding').turns).toBe(turns);
    gate.open();
    await until(() => shown('holding').lanes.data.levelBytes === 0, 'it goes on');
    expect((await holding.ask('notes', {}, ask)).count).toBe(21);
    expect(shown('holding').handling).toBeUndefined();
    await Promise.all(['holding', 'sender'].map((id) => system.terminate(id)));
    expect(system.inspect().threads.map(({ name }) => name)).not.toContain('holding');
  });

  test('lists light actors that have something to do, as far as it may, and counts the others', async () => {
    const parent = await light.spawn({ id: 'parent' });
    const { addresses } = await parent.ask('spawn', { count: 20 }, ask);
    expect(shown('parent')).toMatchObject({ actors: [{ name: 'parent' }], actorsLeftOut: 20 });
    const gate = light.gate();
    const busy = addresses.slice(0, 3).map((address) => light.system.ref(address, parent.protocol));
    const waiting = busy.map((actor) => actor.ask('wait', { path: gate.path }, ask));
    // The second one has most to do.
    for (let number = 0; number < 5; number++) busy[1]!.tell('note', { number });
    await until(() => shown('parent').actors.length === 4 && shown('parent').actors[1]!.level === 5, 'three have something to do');
    const thread = shown('parent');
    expect(thread.actors[1]).toMatchObject({ address: addresses[1], name: 'child-1', light: true, level: 5 });
    expect(thread.actorsLeftOut).toBe(17);
    const fewer = threadOf(light.system.inspect({ lightActorsMax: 1 }), 'parent');
    expect(fewer.actors.map(({ name }) => name)).toEqual(['parent', 'child-1']);
    expect(fewer.actorsLeftOut).toBe(19);
    gate.open();
    await Promise.all(waiting);
    await until(() => shown('parent').actorsLeftOut === 20, 'all are quiet again');
  });

  test('keeps the counts of a lane whose sender has gone', async () => {
    const [staying, leaving] = await Promise.all([light.spawn({ id: 'staying' }), light.spawn({ id: 'leaving' })]);
    await leaving.ask('tellNotes', { to: staying.address, count: 30 }, ask);
    await until(async () => (await staying.ask('notes', {}, ask)).count === 30, 'all have come');
    const before = shown('staying').lanes.data;
    await light.system.terminate('leaving');
    const after = shown('staying').lanes.data;
    expect([after.offered, after.consumed]).toEqual([before.offered, before.consumed]);
    expect(after.capacityBytes).toBeLessThan(before.capacityBytes);
  });

  test('shows nothing of the actor that was in a place before', async () => {
    const former = await light.spawn({ id: 'former' });
    await former.ask('notes', {}, ask);
    const { id } = shown('former');
    await light.system.terminate('former');
    await light.spawn({ id: 'latter' });
    const latter = shown('latter');
    expect(latter.id).toBe(id);
    expect(latter.counters.handled).toBe(0);
    expect(latter.lanes.data.latency.count).toBe(0);
  });

  test('gives rates with an earlier one', async () => {
    const actor = await light.spawn({ id: 'rated' });
    const before = light.system.inspect();
    for (let number = 0; number < 50; number++) actor.tell('note', { number });
    await actor.ask('notes', {}, ask);
    const { overMs, threads } = light.system.ratesSince(before);
    const rated = threads.find(({ name }) => name === 'rated')!;
    expect((rated.lanes.data.consumed * overMs) / 1_000).toBeCloseTo(51);
    expect((rated.actors[0]!.perSecond.handled * overMs) / 1_000).toBeCloseTo(51);
  });
});

test('a system is starting until its guardian is up, and closing from the first request to close', async () => {
  const root = { module: siblingModule('root', new URL('../../supervisors/index.ts', import.meta.url).href), export: 'root', args: { flags: {}, children: [] } };
  const application = new Application({ root, maxThreads: 3, logLevel: 'error' });
  expect(application.inspect().phase).toBe('starting');
  await application.started();
  expect(application.inspect().phase).toBe('running');
  await application.close(20_000);

  const other = await LightSystem.create();
  const closing = other.close();
  expect(other.system.inspect().phase).toBe('closing');
  await closing;
  expect(threadOf(other.system.inspect(), 'guardian').state).toBe('stopped');
});
