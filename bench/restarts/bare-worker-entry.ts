/** The worker of bare-worker.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { nowMs } from './mortal-task.ts';

const stamps = workerData as Float64Array;

parentPort!.on('message', ({ id, dies }: { id: number; dies: boolean }) => {
  if (dies) {
    stamps[0] = nowMs();
    throw new Error('told to fail');
  }
  parentPort!.postMessage({ id, atMs: nowMs() });
});
