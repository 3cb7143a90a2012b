/**
 * The lanes' latencies as one histogram metric. OpenTelemetry's API has no observable histogram, and to
 * record each latency a second time would cost more than sending the message; so the finished data point
 * is made from the buckets that are there. Prometheus takes quantiles over any time from it, which
 * quantiles that are ready-made do not permit.
 */
import { ValueType, type HrTime } from '@opentelemetry/api';
import { AggregationTemporality, DataPointType, type DataPoint, type Histogram, type HistogramMetricData } from '@opentelemetry/sdk-metrics';
import { LANES } from '../lanes.ts';
import type { Inspection } from './inspection.ts';
import type { LatencySnapshot } from './latency-histogram.ts';
import { threadAttributes } from './metrics.ts';

/** Powers of two from 1 µs to about 67 s. Each is where a bucket ends, so nothing is spread over two. */
const BOUNDS_MICROS = Array.from({ length: 27 }, (_, exponent) => 2 ** exponent);
const MICROS_PER_SECOND = 1_000_000;
/** Prometheus' text has no times in it. */
const NO_TIME: HrTime = [0, 0];

export function laneLatencyHistogram({ threads }: Inspection): HistogramMetricData {
  return {
    descriptor: {
      name: 'spillway.lane.latency',
      description: 'From sending to the begin of the handler, of the messages that are measured.',
      unit: 's',
      valueType: ValueType.DOUBLE,
    },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: DataPointType.HISTOGRAM,
    dataPoints: threads
      .filter(({ state }) => state !== 'vacant')
      .flatMap((thread) => LANES.map((lane) => point({ ...threadAttributes(thread), 'spillway.lane': lane }, thread.lanes[lane].latency))),
  };
}

function point(attributes: DataPoint<Histogram>['attributes'], { sum, count, buckets }: LatencySnapshot): DataPoint<Histogram> {
  const counts = [...BOUNDS_MICROS, Infinity].map((bound, index) => {
    const former = BOUNDS_MICROS[index - 1] ?? 0;
    const within = buckets.filter(({ toMicros }) => toMicros > former && toMicros <= bound);
    return within.reduce((total, bucket) => total + bucket.count, 0);
  });
  const boundaries = BOUNDS_MICROS.map((micros) => micros / MICROS_PER_SECOND);
  return { attributes, startTime: NO_TIME, endTime: NO_TIME, value: { buckets: { boundaries, counts }, sum: sum / MICROS_PER_SECOND, count } };
}
