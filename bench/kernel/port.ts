/**
 * Plain worker threads with a MessagePort between them.
 *
 * Its queue has no bound. In the row of control it is given one by credits, so that as much waits as in a
 * data lane; a control message is then one behind those that wait, or alone on a second port.
 */
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import type { Contestant } from './child.ts';
import { residentMb } from './gauges.ts';
import { RESIDENT_LIMIT_MB, type ControlReport, type FlowReport, type Scenario, type TripReport } from './task.ts';

export interface PortTask {
  readonly scenario: Scenario;
  readonly role: 'a' | 'b';
  readonly port: MessagePort;
  readonly urgentPort: MessagePort;
  /** Two words: messages that were sent, and that were taken; then whether to end. */
  readonly counts: SharedArrayBuffer;
}

export const SENT = 0;
export const TAKEN = 1;
export const ENDS = 2;
const LOOK_MS = 20;

export const port: Contestant = {
  flow: (scenario) => inWorkers<FlowReport>(scenario, 'a').report,
  trips: (scenario) => inWorkers<TripReport>(scenario, 'a').report,
  control: (scenario) => inWorkers<ControlReport>(scenario, 'b').report,
  async overload(scenario) {
    const { counts, report, stop } = inWorkers<undefined>(scenario, 'a');
    const idleRssMb = residentMb().now;
    const startedAt = performance.now();
    let stoppedAfterS: number | undefined;
    const look = setInterval(() => {
      if (residentMb().now < RESIDENT_LIMIT_MB || stoppedAfterS !== undefined) return;
      stoppedAfterS = (performance.now() - startedAt) / 1_000;
      Atomics.store(counts, ENDS, 1);
    }, LOOK_MS);
    await report;
    clearInterval(look);
    const [offered, handled] = [Atomics.load(counts, SENT), Atomics.load(counts, TAKEN)];
    const { peak: peakRssMb } = residentMb();
    await stop();
    return { offered, refused: 0, handled, queued: offered - handled, idleRssMb, peakRssMb, ...(stoppedAfterS === undefined ? {} : { stoppedAfterS }) };
  },
};

interface Pair<R> {
  readonly counts: Int32Array;
  readonly report: Promise<R>;
  stop(): Promise<unknown>;
}

/** @param reporter whose report counts; both then end by themselves unless much waits */
function inWorkers<R>(scenario: Scenario, reporter: 'a' | 'b'): Pair<R> {
  const data = new MessageChannel();
  const urgent = new MessageChannel();
  const counts = new SharedArrayBuffer(12);
  const side = (workerData: PortTask): Worker => {
    const { port, urgentPort } = workerData;
    return new Worker(new URL('./port-side.ts', import.meta.url), { workerData, transferList: [port, urgentPort] });
  };
  const workers = {
    a: side({ scenario, role: 'a', port: data.port1, urgentPort: urgent.port1, counts }),
    b: side({ scenario, role: 'b', port: data.port2, urgentPort: urgent.port2, counts }),
  };
  const report = new Promise<R>((resolve, reject) => {
    for (const worker of Object.values(workers)) worker.once('error', reject);
    workers[reporter].once('message', resolve);
  });
  return { counts: new Int32Array(counts), report, stop: () => Promise.all(Object.values(workers).map((worker) => worker.terminate())) };
}
