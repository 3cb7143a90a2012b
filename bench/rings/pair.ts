/** Two threads of the rings bench in a process of their own: `pair.ts <scenario as JSON>`. */
import { randomInt } from 'node:crypto';
import { MessageChannel, Worker } from 'node:worker_threads';
import { createSpscRing } from 'atomics-ring-buffer';
import { createWasmMemory } from '../alternatives/wasm-assembler.ts';
import { layoutOf } from '../alternatives/wasm-ring.ts';
import { storage } from './records-ringbuf.ts';
import { RING_BYTES } from './task.ts';
import type { FlowReport, Scenario, Task, TripReport } from './task.ts';

const scenario = JSON.parse(process.argv[2]!) as Scenario;
const first = randomInt(1, 1_000_000);
const makeRing = (): SharedArrayBuffer => createSpscRing({ capacityBytes: RING_BYTES, initialPosition: randomInt(2 ** 29) * 8 });
const [there, back] = [0, 1].map(() => {
  if (scenario.way === 'ring') return makeRing();
  return scenario.way === 'ringbuf.js' ? storage() : new SharedArrayBuffer(RING_BYTES);
}) as [SharedArrayBuffer, SharedArrayBuffer];
const wasm = scenario.name === 'records' && scenario.way.startsWith('wasm') ? { wasm: createWasmMemory(layoutOf(RING_BYTES, scenario.payloadBytes).pages) } : {};
const { port1, port2 } = new MessageChannel();
const reports = await Promise.all([
  side({ scenario, first, there, back, role: 'a', port: port1, ...wasm }),
  side({ scenario, first, there, back, role: 'b', port: port2, ...wasm }),
]);
process.stdout.write(JSON.stringify(reports.find((report) => report !== undefined)));

function side(workerData: Task): Promise<FlowReport | TripReport | undefined> {
  const worker = new Worker(new URL('./side.ts', import.meta.url), { workerData, transferList: [workerData.port] });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}
