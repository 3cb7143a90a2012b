/** Libraries that call a function on another thread, one call after the other: tinypool, workerpool and comlink. */
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Contestant } from './child.ts';
import { nowUs } from './gauges.ts';
import { makeReading, type Reading } from './reading.ts';
import { warmUpOf, type TripReport, type Way } from './task.ts';

const CALLEE = new URL('./callee.ts', import.meta.url);

export const calls: Contestant = {
  async trips({ way, count }) {
    const { call, end } = await connect(way);
    try {
      return await timeCalls(call, count);
    } finally {
      await end();
    }
  },
};

export async function timeCalls(call: (reading: Reading) => PromiseLike<Reading>, count: number): Promise<TripReport> {
  const roundTripsUs: number[] = [];
  for (let id = 0, last = nowUs(); id < count; id++) {
    const answer = await call(makeReading(id));
    if (answer.id !== id) throw new Error('a message was lost or changed');
    const now = nowUs();
    roundTripsUs.push(now - last);
    last = now;
  }
  return { roundTripsUs: roundTripsUs.slice(warmUpOf(count)) };
}

interface Connection {
  call(reading: Reading): PromiseLike<Reading>;
  end(): unknown;
}

async function connect(way: Way): Promise<Connection> {
  const filename = fileURLToPath(CALLEE);
  if (way === 'tinypool') {
    const { Tinypool } = await import('tinypool');
    const pool = new Tinypool({ filename, name: 'echo', minThreads: 1, maxThreads: 1 });
    return { call: (reading) => pool.run(reading) as Promise<Reading>, end: () => pool.destroy() };
  }
  if (way === 'workerpool') {
    const { pool: createPool } = await import('workerpool');
    const pool = createPool(filename, { workerType: 'thread', minWorkers: 1, maxWorkers: 1, workerThreadOpts: { workerData: way } });
    return { call: (reading) => pool.exec('echo', [reading]), end: () => pool.terminate() };
  }
  const { wrap } = await import('comlink');
  const { nodeEndpoint } = await import('./comlink-endpoint.ts');
  const worker = new Worker(CALLEE, { workerData: way });
  const remote = wrap<{ echo(reading: Reading): Reading }>(nodeEndpoint(worker));
  return { call: (reading) => remote.echo(reading), end: () => worker.terminate() };
}
