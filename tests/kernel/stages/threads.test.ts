import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ActorRef } from '../../../kernel/index.ts';
import { defineStageProtocol } from '../../../kernel/index.ts';
import { createSystem, type System } from '../../../supervisors/index.ts';
import { until } from '../condition.ts';
import { collectorProtocol, number, type SinkArgs, type SourceArgs } from './actors/pipeline.ts';

const module = new URL('./actors/pipeline.ts', import.meta.url).href;
const stageProtocol = defineStageProtocol('stage', number);
const ask = { deadlineMs: 20_000 };

let system: System;
let collector: ActorRef<typeof collectorProtocol.spec>;
let stages = 0;

beforeAll(async () => {
  system = await createSystem({ logLevel: 'error', supervisor: { intensity: 100, backoff: { minMs: 1, maxMs: 5, jitter: 0 } } });
});
afterAll(() => system.close());

async function spawnStage(name: string, args: unknown, restart: 'transient' | 'temporary' = 'transient') {
  return system.spawn({ id: `${name}-${++stages}`, restart, start: { module, export: name, args }, mailbox: { dataBytes: 4_096 } }, stageProtocol);
}

async function spawnCollector(): Promise<void> {
  collector = await system.spawn({ id: `collector-${++stages}`, start: { module, export: 'collector' } }, collectorProtocol);
}

const sinkArgs = (to: string, options: object, args: Partial<SinkArgs> = {}) => ({ subscribeTo: [{ to, ...options }], args: { collector: collector.name, ...args } });

async function collected(): Promise<{ by: string; values: number[] }[]> {
  const { portions } = await collector.ask('all', {}, ask);
  return portions.map(({ by, events }) => ({ by, values: events.map(({ value }) => value) }));
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, value) => value);
const sorted = (values: readonly number[]): number[] => [...values].sort((one, other) => one - other);

test('stages on threads of their own hand on each event once, in order of its key, through lanes far smaller than the demand', async () => {
  await spawnCollector();
  const source = await spawnStage('partitionSource', { events: 3_000, keys: 7 } satisfies SourceArgs);
  const args = sinkArgs(source.name, { maxDemand: 1_000, minDemand: 900 });
  const sinks = [await spawnStage('sink', args), await spawnStage('sink', args)];
  await until(async () => (await collected()).flatMap(({ values }) => values).length >= 3_000, 'all was handled');
  const portions = await collected();
  expect(sorted(portions.flatMap(({ values }) => values))).toEqual(upTo(3_000));
  for (let key = 0; key < 7; key++) {
    const ofKey = portions.flatMap(({ by, values }) => values.filter((value) => value % 7 === key).map((value) => ({ by, value })));
    expect(new Set(ofKey.map(({ by }) => by)).size).toBe(1);
    expect(ofKey.map(({ value }) => value)).toEqual(upTo(3_000).filter((value) => value % 7 === key));
  }
  await until(async () => (await system.children()).every(({ id, state }) => ![source.name, ...sinks.map(({ name }) => name)].includes(id) || state !== 'running'), 'the stages have stopped themselves');
});

test('a slow consumer keeps its producer from making more than it asked for', async () => {
  await spawnCollector();
  const source = await spawnStage('source', { events: 100_000, keys: 1, isEndless: true } satisfies SourceArgs);
  const sink = await spawnStage('sink', sinkArgs(source.name, { maxDemand: 20, minDemand: 10 }, { handleMs: 2 }), 'temporary');
  await until(async () => (await sink.ask('stats', {}, ask)).handled >= 60, 'it has handled some');
  const { sent, queued } = await source.ask('stats', {}, ask);
  const { handled } = await sink.ask('stats', {}, ask);
  // Asked in this order, the consumer has handled at least as much as when the producer was asked.
  expect(sent - handled).toBeLessThanOrEqual(20);
  expect(queued).toBe(0);
  await system.terminate(sink.name);
});

test('a consumer that crashes and is started again goes on; what it had is lost, and counted by its producer', async () => {
  await spawnCollector();
  const source = await spawnStage('source', { events: 500, keys: 1, isEndless: true } satisfies SourceArgs);
  await spawnStage('sink', sinkArgs(source.name, { maxDemand: 10, minDemand: 5 }, { crashAt: 250 }));
  const values = async (): Promise<number[]> => (await collected()).flatMap((portion) => portion.values);
  await until(async () => (await values()).includes(499), 'the next life has gone on to the end');
  const handled = await values();
  expect(handled).not.toContain(250);
  expect(new Set(handled).size).toBe(handled.length);
  await until(async () => (await source.ask('stats', {}, ask)).lost === 500 - handled.length, 'the producer has counted what is lost');
  expect(500 - handled.length).toBeLessThanOrEqual(10);
});

test('a producer that crashes takes a permanent consumer with it, and both start again', async () => {
  await spawnCollector();
  const source = await spawnStage('source', { events: 40, keys: 1, isEndless: true, crashAt: 30 } satisfies SourceArgs);
  const sink = await spawnStage('sink', sinkArgs(source.name, { maxDemand: 10 }));
  await until(() => system.health(sink.name).restarts >= 1, 'the consumer has failed too');
  await until(async () => (await collected()).flatMap(({ values }) => values).filter((value) => value === 0).length >= 2, 'the first event came again');
  await system.terminate(sink.name);
  await system.terminate(source.name);
});

test('events offered from outside are buffered, dropped beyond the buffer, and counted', async () => {
  await spawnCollector();
  const events = upTo(8).map((value) => ({ key: 0, value }));
  const oldest = await spawnStage('offered', undefined);
  const newest = await spawnStage('offeredNewest', undefined);
  expect(await oldest.ask('offer', { events }, ask)).toEqual({ dropped: 3 });
  expect(await newest.ask('offer', { events }, ask)).toEqual({ dropped: 3 });
  expect(await oldest.ask('stats', {}, ask)).toMatchObject({ queued: 5, dropped: 3 });
  const sink = await spawnStage('sink', { args: { collector: collector.name } });
  await sink.ask('subscribeTo', { name: oldest.name }, ask);
  await until(async () => (await collected()).length === 1, 'the oldest came');
  const { id } = await sink.ask('subscribeTo', { address: newest.address, cancel: 'temporary' }, ask);
  await until(async () => (await collected()).length === 2, 'the newest came');
  expect((await collected()).map(({ values }) => values)).toEqual([[0, 1, 2, 3, 4], [3, 4, 5, 6, 7]]);
  await sink.ask('cancelSubscription', { id }, ask);
  await until(async () => (await newest.ask('stats', {}, ask)).subscribers === 0, 'the subscription is over');
  expect(await sink.ask('stats', {}, ask)).toMatchObject({ subscriptions: 1, handled: 10 });
});

test('what does not fit together is refused with a code', async () => {
  await spawnCollector();
  const source = await spawnStage('partitionSource', { events: 1, keys: 1, isEndless: true });
  const sink = await spawnStage('sink', { args: { collector: collector.name } });
  const subscribe = (request: object) => sink.ask('subscribeTo', request, ask);
  await expect(subscribe({ name: source.name, maxDemand: 0 })).rejects.toMatchObject({ code: 'stage_invalid' });
  await expect(subscribe({ name: source.name, maxDemand: 5, minDemand: 5 })).rejects.toMatchObject({ code: 'stage_invalid' });
  await expect(subscribe({})).rejects.toMatchObject({ code: 'stage_invalid' });
  await expect(subscribe({ name: 'nobody' })).rejects.toMatchObject({ code: 'actor_unknown' });
  await expect(subscribe({ name: source.name, partition: 2 })).rejects.toMatchObject({ code: 'stage_invalid' });
  await expect(subscribe({ address: sink.address })).rejects.toMatchObject({ code: 'stage_mismatch' });
  await subscribe({ name: source.name, partition: 0 });
  await expect(subscribe({ name: source.name, partition: 0 })).rejects.toMatchObject({ code: 'partition_taken' });
  await expect(sink.ask('cancelSubscription', { id: 4_000_000 }, ask)).rejects.toMatchObject({ code: 'subscription_unknown' });
});
