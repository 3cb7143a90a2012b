import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { prometheusText } from '../../../kernel/telemetry/prometheus.ts';
import { actor, countersWith, inspection, lanesWith, latencyOf, thread } from './sample-inspection.ts';

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Reads the text format line by line. A line that is neither a comment nor a sample is an error. */
function parse(text: string): { samples: Sample[]; types: Map<string, string> } {
  expect(text.endsWith('\n')).toBe(true);
  const types = new Map<string, string>();
  const samples = text.trimEnd().split('\n').flatMap((line): Sample[] => {
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
    if (type !== null) types.set(type[1]!, type[2]!);
    if (/^# (TYPE|HELP|UNIT) /.test(line)) return [];
    const [, name, labels, value] = /^([a-zA-Z_:][\w:]*)\{(.*)\} (\S+)$/.exec(line) ?? [];
    expect([line, name]).not.toContain(undefined);
    const pairs = [...labels!.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key!, JSON.parse(`"${text}"`) as string]);
    return [{ name: name!, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) }];
  });
  for (const { value } of samples) expect(value).not.toBeNaN();
  return { samples, types };
}

describe('the Prometheus text', () => {
  test('shows the counts as they are when it is asked for', async () => {
    let handled = 5;
    const render = prometheusText({ inspect: () => inspection([thread(2, 'store', { counters: countersWith({ handled: handled++ }) })]) });
    for (const expected of [5, 6]) {
      const { samples, types } = parse(await render());
      expect(samples).toContainEqual({
        name: 'spillway_thread_messages_total',
        labels: { thread_id: '2', thread_name: 'store', spillway_message_outcome: 'handled' },
        value: expected,
      });
      expect(types.get('spillway_thread_messages_total')).toBe('counter');
      expect(types.get('spillway_lane_level')).toBe('gauge');
    }
  });

  test('has the latency of each lane as a histogram, exact at its bounds', async () => {
    const lanes = lanesWith({ data: { latency: latencyOf(0, 0.9, 1, 1.9, 2, 1_000, 2 ** 30) } });
    const { samples, types } = parse(await prometheusText({ inspect: () => inspection([thread(2, 'store', { lanes })]) })());
    const named = (name: string): Sample[] => samples.filter((sample) => sample.name === name && sample.labels['spillway_lane'] === 'data');
    const buckets = named('spillway_lane_latency_bucket').map(({ labels, value }) => [Number(labels['le']!.replace('+Inf', 'Infinity')), value]);
    expect(types.get('spillway_lane_latency')).toBe('histogram');
    expect(buckets.slice(0, 3)).toEqual([[1e-6, 2], [2e-6, 4], [4e-6, 5]]);
    expect(buckets.find(([bound]) => bound === 1_024e-6)).toEqual([1_024e-6, 6]);
    expect(buckets.at(-2)![1]).toBe(6);
    expect(buckets.at(-1)).toEqual([Infinity, 7]);
    expect(named('spillway_lane_latency_count')[0]!.value).toBe(7);
    expect(named('spillway_lane_latency_sum')[0]!.value).toBeCloseTo((2 ** 30 + 1_005.8) / 1e6);
  });

  test('forgets an actor that has gone', async () => {
    let actors = [actor(1, 'stays', { level: 1 }), actor(2, 'goes', { level: 9 })];
    const render = prometheusText({ inspect: () => inspection([thread(2, 'store', { actors })]) });
    const levels = async (): Promise<(string | undefined)[]> => {
      const { samples } = parse(await render());
      return samples.filter(({ name }) => name === 'spillway_mailbox_level').map(({ labels }) => labels['spillway_actor_name']);
    };
    expect(await levels()).toEqual(['stays', 'goes']);
    actors = actors.slice(0, 1);
    expect(await levels()).toEqual(['stays']);
  });

  test('keeps its bound of series, also for names that would break a line', async () => {
    const nasty = 'a"b\\c\nd{e="f"} 1';
    const actors = [actor(0, nasty), ...Array.from({ length: 50 }, (_, index) => actor(index, `n${index}`))];
    const { samples } = parse(await prometheusText({ inspect: () => inspection([thread(2, 'store', { actors })]), actorSeriesMax: 2 })());
    const names = samples.filter(({ name }) => name === 'spillway_mailbox_level').map(({ labels }) => labels['spillway_actor_name']);
    expect(names).toEqual([nasty, 'n0', '*']);
  });

  test('is one text for each of many that ask at once', async () => {
    const render = prometheusText({ inspect: () => inspection([thread(2, 'store')]) });
    const texts = await Promise.all(Array.from({ length: 8 }, () => render()));
    expect(new Set(texts).size).toBe(1);
  });

  test('fails with what the inspection throws', async () => {
    const render = prometheusText({
      inspect: () => {
        throw new Error('the memory has gone');
      },
    });
    await expect(render()).rejects.toThrow('the memory has gone');
  });
});

test('what every thread loads brings no OpenTelemetry along, and the edge brings it when it is asked', async () => {
  const url = (file: string): string => JSON.stringify(new URL(`../../../kernel/telemetry/${file}.ts`, import.meta.url).href);
  const light = ['trace-context', 'tracing', 'latency-histogram', 'inspection', 'readiness', 'health-server', 'prometheus'];
  const code = `
    import { registerHooks } from 'node:module';
    const loaded = [];
    registerHooks({ load: (url, context, next) => { if (url.includes('/@opentelemetry/')) loaded.push(url); return next(url, context); } });
    for (const url of [${light.map(url).join()}]) await import(url);
    const { activeTraceContext, runInTraceContext } = await import(${url('tracing')});
    activeTraceContext();
    runInTraceContext({ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 }, 'x', () => {});
    const before = loaded.length;
    const { prometheusText } = await import(${url('prometheus')});
    await prometheusText({ inspect: () => ({ takenAtMs: 0, phase: 'running', threads: [] }) })();
    console.log(JSON.stringify([before, loaded.length > 0]));
  `;
  const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, '--input-type=module', '-e', code]);
  expect(JSON.parse(stdout)).toEqual([0, true]);
});
