import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AdminClient } from '../../kernel/index.ts';
import { until } from '../kernel/condition.ts';
import { LightSystem, NEVER_MS, ask } from './light-system.ts';

let light: LightSystem;
beforeAll(async () => {
  light = await LightSystem.create();
});
afterAll(() => light.close());

async function codeOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(() => 'answered', ({ code }: { code: unknown }) => code);
}

describe.each(['light', 'parkedLight'])('the thread of an actor of kind %s', (kind) => {
  let admin: AdminClient;
  beforeAll(async () => {
    await light.spawn({ id: kind, export: kind });
    admin = await light.system.admin(kind);
  });
  afterAll(() => admin.close());

  test('tells of its memory', async () => {
    const { usage, heap } = await admin.memory();
    expect(usage.heapUsed).toBeGreaterThan(0);
    expect(heap.heap_size_limit).toBeGreaterThan(usage.heapUsed);
  });

  test('is profiled', async () => {
    const { nodes, startTime, endTime } = await admin.cpuProfile({ durationMs: 20 });
    expect(nodes.length).toBeGreaterThan(0);
    expect(endTime).toBeGreaterThan(startTime);
  });

  test('measures how late its event loop is', async () => {
    expect((await admin.eventLoopDelay({ durationMs: 100 })).samples).toBeGreaterThan(0);
  });

  test('writes a snapshot of its heap', async () => {
    const path = light.path(`${kind}.heapsnapshot`);
    const { sizeBytes } = await admin.heapSnapshot({ path });
    const snapshot = readFileSync(path, 'utf8');
    expect(Buffer.byteLength(snapshot)).toBe(sizeBytes);
    expect(JSON.parse(snapshot)).toHaveProperty('snapshot.meta');
    expect(await codeOf(admin.heapSnapshot({ path }))).toBe('admin_file_exists');
  });
});

describe('an administrative client', () => {
  test('reaches the guardian', async () => {
    const guardian = await light.system.admin('guardian');
    expect((await guardian.memory()).usage.heapUsed).toBeGreaterThan(0);
    guardian.close();
  });

  test('reaches the thread of a light actor by the name that it has registered', async () => {
    const actor = await light.spawnOn(await light.spawn());
    await actor.ask('register', { name: 'registered' }, ask);
    const admin = await light.system.admin('registered');
    expect((await admin.memory()).usage.heapUsed).toBeGreaterThan(0);
    admin.close();
  });

  test('of nobody is refused', async () => {
    await expect(light.system.admin('nobody')).rejects.toMatchObject({ code: 'actor_unknown', details: { name: 'nobody' } });
  });

  test('is one of many of the same thread', async () => {
    await light.spawn({ id: 'popular' });
    const clients = await Promise.all(Array.from({ length: 5 }, () => light.system.admin('popular')));
    const memories = await Promise.all(clients.map((client) => client.memory()));
    expect(memories).toHaveLength(5);
    for (const client of clients) client.close();
    expect(await codeOf(clients[0]!.memory())).toBe('admin_closed');
  });

  test('ends with its thread; the next life has another', async () => {
    const actor = await light.spawn({ id: 'mortal' });
    const admin = await light.system.admin('mortal');
    const calling = codeOf(admin.cpuProfile({ durationMs: 60_000 }));
    await admin.memory();
    actor.tell('crash', {});
    expect(await calling).toBe('thread_ended');
    expect(await codeOf(admin.memory())).toBe('thread_ended');
    expect((await actor.ask('notes', {}, ask)).incarnation).toBe(2);
    const next = await light.system.admin('mortal');
    expect((await next.memory()).usage.heapUsed).toBeGreaterThan(0);
    next.close();
  });

  test('of a thread that waits to be started again is refused', async () => {
    const other = await LightSystem.create({ supervisor: { backoff: { minMs: NEVER_MS, maxMs: NEVER_MS, jitter: 0 } } });
    const actor = await other.spawn({ id: 'down' });
    actor.tell('crash', {});
    await until(() => other.system.health('down').state === 'restarting', 'it is down');
    await expect(other.system.admin('down')).rejects.toMatchObject({ code: 'thread_ended' });
    await other.close();
  });

  test('of a thread that is held ends at its deadline, and the thread answers the next one when it is let go', async () => {
    const actor = await light.spawn({ id: 'held' });
    const gate = light.gate();
    actor.tell('hold', { path: gate.path });
    await until(() => light.system.inspect().threads.some(({ handling }) => handling?.actor === 'held'), 'it is held');
    const admin = await light.system.admin('held', { deadlineMs: 50 });
    expect(await codeOf(admin.memory())).toBe('admin_deadline');
    gate.open();
    admin.close();
    const patient = await light.system.admin('held');
    expect((await patient.memory()).usage.heapUsed).toBeGreaterThan(0);
    patient.close();
  });
});
