/** One of the threads among which explore.ts divides its tasks. */
import { parentPort } from 'node:worker_threads';
import { type Task, runTask } from './tasks.ts';

parentPort!.on('message', (task: Task) => {
  void runTask(task).then((result) => parentPort!.postMessage(result));
});
