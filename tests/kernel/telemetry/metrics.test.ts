import { metrics } from '@opentelemetry/api';
import { DataPointType, MeterProvider, MetricReader, type MetricData } from '@opentelemetry/sdk-metrics';
import { afterEach, describe, expect, test } from 'vitest';
import { ActorSeriesChoice } from '../../../kernel/telemetry/actor-series.ts';
import type { Inspection } from '../../../kernel/telemetry/inspection.ts';
import { registerMetrics } from '../../../kernel/telemetry/metrics.ts';
import { THREAD_COUNTERS } from '../../../kernel/thread-block.ts';
import { actor, countersWith, countsWith, inspection, lanesWith, latencyOf, thread } from './sample-inspection.ts';

class Reader extends MetricReader {
  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }

  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
}

function readerOfGlobalMeters(): Reader {
  const reader = new Reader();
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  return reader;
}

async function collected(reader: Reader): Promise<Map<string, MetricData>> {
  const { resourceMetrics, errors } = await reader.collect();
  expect(errors).toEqual([]);
  return new Map(resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics).map((metric) => [metric.descriptor.name, metric]));
}

/** Value by the attributes beyond the thread's, written out. */
function points(metric: MetricData | undefined): Record<string, unknown> {
  const shown = (metric?.dataPoints ?? []).map(({ attributes, value }) => {
    const rest = Object.entries(attributes).filter(([name]) => !name.startsWith('thread.'));
    return [rest.map(([, each]) => String(each)).join(' '), value];
  });
  return Object.fromEntries(shown) as Record<string, unknown>;
}

const store = thread(2, 'store', {
  state: 'running',
  restarts: 3,
  turns: 77,
  handling: { actor: 'writer', forMs: 1_500 },
  // Each counter is another prime-like number, so that none can be taken for another.
  counters: countersWith(Object.fromEntries(THREAD_COUNTERS.map((name, index) => [name, 1_000 + index]))),
  lanes: lanesWith({ data: { levelBytes: 300, offered: 20, consumed: 10, refused: 5, pressured: true, latency: latencyOf(1_000, 1_000) } }),
  actors: [
    actor(7, 'writer', { mode: 'drop', level: 4, counts: countsWith({ arrived: 9, handled: 2, deadLettered: 1 }), latency: latencyOf(2_000) }),
    ...[1, 2, 3].map((index) => actor(100 + index, `session-${index}`, { light: true, level: index, mode: index === 1 ? 'sync' : 'async' })),
  ],
});

afterEach(() => metrics.disable());

describe('the metrics', () => {
  test('show everything that an inspection counts', async () => {
    const reader = readerOfGlobalMeters();
    registerMetrics({ inspect: () => inspection([store, thread(3, 'empty', { state: 'vacant' })]) });
    const shown = await collected(reader);
    expect(points(shown.get('spillway.thread.state'))).toMatchObject({ running: 1, crashed: 0 });
    expect(points(shown.get('spillway.thread.restarts'))).toEqual({ '': 3 });
    expect(points(shown.get('spillway.thread.turns'))).toEqual({ '': 77 });
    expect(points(shown.get('spillway.thread.handling'))).toEqual({ '': 1.5 });
    expect(points(shown.get('spillway.lane.level'))).toEqual({ control: 0, data: 300, telemetry: 0 });
    expect(points(shown.get('spillway.lane.pressured'))).toEqual({ control: 0, data: 1, telemetry: 0 });
    expect(points(shown.get('spillway.lane.refused'))).toMatchObject({ data: 5 });
    expect(Object.keys(points(shown.get('spillway.lane.latency.quantile')))).toEqual(['data 0.5', 'data 0.9', 'data 0.99', 'data 1']);
    expect(points(shown.get('spillway.lane.latency.quantile'))).toMatchObject({ 'data 1': 0.001 });
    expect(points(shown.get('spillway.actor.arrived'))).toEqual({ writer: 9 });
    expect(points(shown.get('spillway.actor.messages'))).toMatchObject({ 'writer handled': 2, 'writer dead_lettered': 1, 'writer shed': 0 });
    expect(points(shown.get('spillway.actor.latency.quantile'))).toMatchObject({ 'writer 1': 0.002 });
    expect(points(shown.get('spillway.mailbox.level'))).toEqual({ writer: 4, '*': 6 });
    expect(points(shown.get('spillway.mailbox.mode'))).toMatchObject({ 'writer drop': 1, 'writer async': 0, '* async': 2, '* sync': 1 });
    for (const metric of shown.values()) {
      for (const { attributes } of metric.dataPoints) expect(attributes).toMatchObject({ 'thread.id': 2, 'thread.name': 'store' });
    }
  });

  test('leave out no counter of a thread', async () => {
    const reader = readerOfGlobalMeters();
    registerMetrics({ inspect: () => inspection([store]) });
    const values = [...(await collected(reader)).values()].flatMap(({ dataPoints }) => dataPoints.map(({ value }) => value));
    for (const name of THREAD_COUNTERS) expect([name, values]).toEqual([name, expect.arrayContaining([store.counters[name]])]);
  });

  test('have names, units and kinds by the conventions', async () => {
    const reader = readerOfGlobalMeters();
    registerMetrics({ inspect: () => inspection([store]) });
    const shown = await collected(reader);
    const names = [...shown.keys()];
    for (const [name, { descriptor }] of shown) {
      expect(name).toMatch(/^spillway(\.[a-z][a-z_]*)+$/);
      expect(descriptor.unit).toMatch(/^(1|s|By|\{[a-z]+\})$/);
      expect(descriptor.description).toMatch(/\.$/);
      // No metric bears the name of another one's namespace.
      expect(names.filter((other) => other.startsWith(`${name}.`))).toEqual([]);
    }
    expect(shown.get('spillway.thread.messages')).toMatchObject({ dataPointType: DataPointType.SUM, isMonotonic: true });
    expect(shown.get('spillway.mailbox.level')).toMatchObject({ dataPointType: DataPointType.SUM, isMonotonic: false });
    expect(shown.get('spillway.thread.handling')).toMatchObject({ dataPointType: DataPointType.GAUGE });
  });

  test('inspect once for each collection, and never again once they are taken away', async () => {
    const reader = readerOfGlobalMeters();
    let inspections = 0;
    const dispose = registerMetrics({
      inspect: () => {
        inspections++;
        return inspection([store]);
      },
    });
    await collected(reader);
    await collected(reader);
    expect(inspections).toBe(2);
    dispose();
    await collected(reader);
    expect(inspections).toBe(2);
  });

  test('cost nothing where no provider is registered', () => {
    const dispose = registerMetrics({
      inspect: () => {
        throw new Error('nobody collects');
      },
    });
    expect(dispose).not.toThrow();
  });

  test('tell the reader that an inspection failed', async () => {
    const reader = readerOfGlobalMeters();
    const failure = new Error('the memory has gone');
    registerMetrics({
      inspect: () => {
        throw failure;
      },
    });
    expect((await reader.collect()).errors).toEqual([failure]);
  });
});

describe('the series of actors', () => {
  const crowd = (...names: string[]): Inspection => inspection([thread(2, 'store', { actors: names.map((name, index) => actor(index, name, { level: 1 })) })]);
  const chosen = (choice: ActorSeriesChoice, ...names: string[]): Record<string, number> => {
    return Object.fromEntries(choice.seriesOf(crowd(...names)).map(({ name, level }) => [name, level]));
  };

  test('are bounded, and the rest stands together', () => {
    const names = Array.from({ length: 1_000 }, (_, index) => `a${index}`);
    const series = new ActorSeriesChoice(3).seriesOf(crowd(...names));
    expect(series.map(({ name, level }) => [name, level])).toEqual([['a0', 1], ['a1', 1], ['a2', 1], ['*', 997]]);
    // A sum of counts would fall when one of them leaves.
    expect(series.at(-1)!.counts).toBeUndefined();
  });

  test('stay with those who have them, and go to others when those have left', () => {
    const choice = new ActorSeriesChoice(2);
    expect(chosen(choice, 'b', 'c')).toEqual({ b: 1, c: 1 });
    expect(chosen(choice, 'a', 'b', 'c')).toEqual({ b: 1, c: 1, '*': 1 });
    expect(chosen(choice, 'a', 'c')).toEqual({ a: 1, c: 1 });
  });

  test('are shared by actors of one name on one thread, but not on two', () => {
    const twins = [1, 2].map((address) => actor(address, 'twin', { counts: countsWith({ handled: address }), latency: latencyOf(address) }));
    const series = new ActorSeriesChoice().seriesOf(inspection([thread(2, 'a', { actors: twins }), thread(3, 'b', { actors: twins.slice(0, 1) })]));
    expect(series.map(({ thread, counts, latency }) => [thread.id, counts?.handled, latency?.count])).toEqual([[2, 3, 2], [3, 1, 1]]);
  });
});
