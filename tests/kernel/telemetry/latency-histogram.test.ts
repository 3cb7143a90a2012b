import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  LATENCY_ERROR_MAX,
  LatencyHistogram,
  RESOLUTION_MICROS,
  latencyBetween,
  mergedLatency,
  type LatencySnapshot,
} from '../../../kernel/telemetry/latency-histogram.ts';

const QUANTILES = [['p50', 0.5], ['p90', 0.9], ['p99', 0.99]] as const;

function histogram(latencies: readonly number[] = []): LatencyHistogram {
  const made = new LatencyHistogram(new SharedArrayBuffer(LatencyHistogram.bytes), 0);
  for (const latency of latencies) made.record(latency);
  return made;
}

/** The nearest-rank quantile of the latencies themselves. */
function exact(latencies: readonly number[], part: number): number {
  const sorted = [...latencies].sort((a, b) => a - b);
  return sorted[Math.ceil(part * sorted.length) - 1]!;
}

function expectNear(shown: number, truth: number): void {
  expect(Math.abs(shown - truth)).toBeLessThanOrEqual(Math.max(RESOLUTION_MICROS, truth * LATENCY_ERROR_MAX));
}

/** From nothing to hours: the logarithm is spread evenly, so every bucket has its turn. */
const latency = fc.oneof(
  fc.double({ min: -6, max: 35, noNaN: true }).map((exponent) => 2 ** exponent),
  fc.integer({ min: 0, max: 1_000 }),
);

describe('a latency histogram', () => {
  test('shows quantiles within its error of the exact ones, whatever was recorded', () => {
    fc.assert(
      fc.property(fc.array(latency, { minLength: 1, maxLength: 300 }), (latencies) => {
        const shown = histogram(latencies).snapshot();
        for (const [name, part] of QUANTILES) expectNear(shown[name], exact(latencies, part));
        expect(shown.count).toBe(latencies.length);
        expect(shown.max).toBe(Math.max(...latencies));
        expect(shown.sum).toBeCloseTo(latencies.reduce((sum, each) => sum + each, 0), 3);
      }),
    );
  });

  test('puts every latency into the one bucket that spans it, and the buckets join without a gap', () => {
    let end = RESOLUTION_MICROS;
    while (end < 2 ** 36) {
      const [bucket] = histogram([end]).snapshot().buckets;
      expect(bucket).toMatchObject({ fromMicros: end, count: 1 });
      // The last double below the end belongs to this bucket and not to the next.
      expect(histogram([bucket!.toMicros * (1 - Number.EPSILON / 2)]).snapshot().buckets[0]).toEqual(bucket);
      end = bucket!.toMicros;
    }
    expect(end).toBe(2 ** 36);
  });

  test.each([
    ['zero', 0, 0],
    ['a negative one', -3, 0],
    ['no number', Number.NaN, 0],
    ['more than its range', 2 ** 50, 2 ** 36 - 1],
    ['infinity', Infinity, 2 ** 36 - 1],
  ])('counts %s without harm', (_, recorded, shown) => {
    const snapshot = histogram([recorded]).snapshot();
    expect(snapshot).toMatchObject({ count: 1, max: shown, sum: shown });
    expectNear(snapshot.p99, shown);
    expect(JSON.parse(JSON.stringify(snapshot))).toEqual(snapshot);
  });

  test('shows zeros when nothing was recorded, and again after a reset', () => {
    const empty: LatencySnapshot = { count: 0, sum: 0, p50: 0, p90: 0, p99: 0, max: 0, buckets: [] };
    const used = histogram([5, 7]);
    expect(histogram().snapshot()).toEqual(empty);
    used.reset();
    expect(used.snapshot()).toEqual(empty);
  });

  test('does not touch the memory of its neighbours', () => {
    const memory = new SharedArrayBuffer(3 * LatencyHistogram.bytes);
    const [before, middle, after] = [0, 1, 2].map((index) => new LatencyHistogram(memory, index * LatencyHistogram.bytes));
    for (const each of [0, RESOLUTION_MICROS, 17, 2 ** 40]) middle!.record(each);
    expect([before!, middle!, after!].map((each) => each.snapshot().count)).toEqual([0, 4, 0]);
  });

  test('is read by one thread while another one records', async () => {
    const memory = new SharedArrayBuffer(LatencyHistogram.bytes);
    const records = 3_000_000;
    const worker = new Worker(new URL('recording-worker.ts', import.meta.url), { workerData: { memory, records } });
    const reader = new LatencyHistogram(memory, 0);
    const exited = once(worker, 'exit').then(() => true);
    let last = 0;
    while (!(await Promise.race([exited, new Promise<boolean>((resolve) => setImmediate(resolve, false))]))) {
      const { count } = reader.snapshot();
      expect(count).toBeGreaterThanOrEqual(last);
      last = count;
    }
    const shown = reader.snapshot();
    expect(shown).toMatchObject({ count: records, max: 100 });
    expectNear(shown.p90, 90);
  });
});

describe('the latency between two snapshots', () => {
  test('is that of a histogram which recorded only in between', () => {
    fc.assert(
      fc.property(fc.array(latency, { maxLength: 50 }), fc.array(latency, { minLength: 1, maxLength: 50 }), (former, later) => {
        const both = histogram(former);
        const before = both.snapshot();
        for (const each of later) both.record(each);
        const between = latencyBetween(before, both.snapshot());
        const alone = histogram(later).snapshot();
        expect(between.count).toBe(alone.count);
        expect(between.buckets).toEqual(alone.buckets);
        for (const [name, part] of QUANTILES) expectNear(between[name], exact(later, part));
        expect(between.max).toBeGreaterThanOrEqual(alone.max);
      }),
    );
  });

  test('starts anew after a reset', () => {
    const used = histogram([1, 2, 3]);
    const before = used.snapshot();
    used.reset();
    used.record(9);
    expect(latencyBetween(before, used.snapshot())).toEqual(used.snapshot());
  });
});

describe('merged latencies', () => {
  test('are those of one histogram that recorded them all', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.nat(1_000_000), { maxLength: 20 }), { maxLength: 5 }), (lists) => {
        expect(mergedLatency(lists.map((list) => histogram(list).snapshot()))).toEqual(histogram(lists.flat()).snapshot());
      }),
    );
  });
});
