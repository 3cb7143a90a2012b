// Records the latencies 1 to 100 µs again and again, so that another thread may look on.
import { workerData } from 'node:worker_threads';
import { LatencyHistogram } from '../../../kernel/telemetry/latency-histogram.ts';

const { memory, records } = workerData as { memory: SharedArrayBuffer; records: number };
const histogram = new LatencyHistogram(memory, 0);
for (let index = 0; index < records; index++) histogram.record(1 + (index % 100));
