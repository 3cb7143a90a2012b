/** One side of a scenario of the lanes bench. */
import { parentPort, workerData } from 'node:worker_threads';
import { BACK_PRESSURED, ParkingWait, PhasedWait, SpscConsumer, SpscProducer, compileCodec } from 'atomics-ring-buffer';
import type { LanesReport, LanesTask } from './lanes-pair.ts';

/** Two 32-bit and seven 64-bit numbers: 64 bytes. */
const reading = {
  properties: {
    id: { type: 'uint32' },
    sensor: { type: 'uint32' },
    at: { type: 'float64' },
    x: { type: 'float64' },
    y: { type: 'float64' },
    z: { type: 'float64' },
    speed: { type: 'float64' },
    heading: { type: 'float64' },
    height: { type: 'float64' },
  },
} as const;
const codec = compileCodec(reading);
const message = { id: 0, sensor: 7, at: 1.5, x: 0.25, y: 0.5, z: 0.75, speed: 12.5, heading: 270.5, height: 101.25 };
type Message = typeof message;

const KIND = 1;
const FOREVER_MS = 10_000;
const POLL_LIMIT = 256;
/** Nobody rings it: a wait on it is a short sleep. */
const sleeper = new Int32Array(new SharedArrayBuffer(4));

const task = workerData as LanesTask;
const report = await (task.way === 'lane' ? overLane() : overPort());
parentPort!.postMessage(report);
task.port.close();

async function overLane(): Promise<LanesReport> {
  const producer = new SpscProducer(task.out);
  const consumer = new SpscConsumer(task.in);
  const waiting = task.scenario === 'ping-pong' ? new ParkingWait(consumer.doorbell) : new PhasedWait(consumer.doorbell);
  const hasRecord = (): boolean => consumer.hasRecord;
  let received = 0;
  let sum = 0;
  const onRecord = (_kind: number, offset: number, length: number): void => {
    sum += codec.decode(consumer.memory, offset, length).id;
    received++;
  };
  const send = (id: number): void => {
    message.id = id;
    const bytes = codec.byteLength(message);
    let offset = producer.tryClaim(KIND, bytes);
    // A full ring: the consumer is behind. The bench has no other work, so it lets go of the core for a moment.
    for (; offset === BACK_PRESSURED; offset = producer.tryClaim(KIND, bytes)) pause();
    codec.encode(message, producer.memory, offset, bytes);
    producer.commit();
  };
  const receive = (until: number): void => {
    for (; received < until; consumer.poll(onRecord, POLL_LIMIT)) {
      if (!consumer.hasRecord) waiting.wait(hasRecord, FOREVER_MS);
    }
  };
  return measure(send, receive, () => sum);
}

async function overPort(): Promise<LanesReport> {
  const { port } = task;
  let received = 0;
  let sum = 0;
  const { promise: all, resolve: finish } = Promise.withResolvers<void>();
  const roundTripsUs: number[] = [];
  const isPingPong = task.scenario === 'ping-pong';
  let last = performance.now();
  let startedAt = 0;
  const post = (id: number): void => {
    message.id = id;
    port.postMessage(message);
  };
  port.on('message', ({ id }: Message) => {
    if (received++ === 0) startedAt = performance.now();
    sum += id;
    if (isPingPong && task.role === 'b') post(id);
    if (isPingPong && task.role === 'a') {
      const now = performance.now();
      roundTripsUs.push((now - last) * 1_000);
      last = now;
      if (received < task.count) post(received);
    }
    if (received === task.count) finish();
  });
  if (task.role === 'a' && isPingPong) post(0);
  if (task.role === 'a' && !isPingPong) for (let id = 0; id < task.count; id++) post(id);
  else await all;
  return { elapsedMs: performance.now() - startedAt, roundTripsUs: skipWarmUp(roundTripsUs) };
}

function measure(send: (id: number) => void, receive: (until: number) => void, checksum: () => number): LanesReport {
  const roundTripsUs: number[] = [];
  const { count, role, scenario } = task;
  if (scenario === 'spsc') {
    if (role === 'a') for (let id = 0; id < count; id++) send(id);
    else receive(1);
    const startedAt = performance.now();
    if (role === 'b') receive(count);
    const elapsedMs = performance.now() - startedAt;
    if (role === 'b' && checksum() !== (count * (count - 1)) / 2) throw new Error('messages were lost or changed');
    return { elapsedMs, roundTripsUs };
  }
  for (let id = 0, last = performance.now(); id < count; id++) {
    if (role === 'a') send(id);
    receive(id + 1);
    if (role === 'b') send(id);
    // One look at the clock for each trip: the end of one is the start of the next.
    const now = performance.now();
    roundTripsUs.push((now - last) * 1_000);
    last = now;
  }
  return { elapsedMs: 0, roundTripsUs: skipWarmUp(roundTripsUs) };
}

/** In the first quarter the code is still being compiled, on the same core if there is but one. */
function skipWarmUp(values: readonly number[]): number[] {
  return values.slice(Math.floor(values.length / 4));
}

/** Sleeps for a fraction of a millisecond: nobody rings when a ring gets room. */
function pause(): void {
  Atomics.wait(sleeper, 0, 0, 0.05);
}
