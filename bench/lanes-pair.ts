/** Two worker threads of the lanes bench, in a process of their own: `lanes-pair.ts <way> <scenario> <count>`. */
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import { createSpscRing } from 'atomics-ring-buffer';

export interface LanesTask {
  readonly way: string;
  readonly scenario: string;
  readonly role: 'a' | 'b';
  readonly count: number;
  readonly out: SharedArrayBuffer;
  readonly in: SharedArrayBuffer;
  readonly port: MessagePort;
}

/** What one side reports: for `spsc` the time of all messages, for `ping-pong` each round trip. */
export interface LanesReport {
  readonly elapsedMs: number;
  readonly roundTripsUs: readonly number[];
}

const RING_BYTES = 1024 * 1024;

const [way, scenario, count] = process.argv.slice(2) as [string, string, string];
const there = createSpscRing({ capacityBytes: RING_BYTES });
const back = createSpscRing({ capacityBytes: RING_BYTES });
const { port1, port2 } = new MessageChannel();
const task = { way, scenario, count: Number(count) };
const [a, b] = await Promise.all([
  side({ ...task, role: 'a', in: back, out: there, port: port1 }),
  side({ ...task, role: 'b', in: there, out: back, port: port2 }),
]);
process.stdout.write(JSON.stringify(scenario === 'spsc' ? b : a));

function side(workerData: LanesTask): Promise<LanesReport> {
  const worker = new Worker(new URL('./lanes-worker.ts', import.meta.url), { workerData, transferList: [workerData.port] });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}
