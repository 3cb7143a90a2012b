/** One of the two threads of a pair. It loads nothing but what its way needs, so that V8 sees only that. */
import { parentPort, workerData } from 'node:worker_threads';
import type { FlowReport, RecordWay, ScenarioNamed, Task, TripReport } from './task.ts';

type RecordTask = Task<ScenarioNamed<'records'>>;
interface Way {
  produce(task: RecordTask): void | Promise<FlowReport>;
  /** Missing where the way brings its own receiving thread. */
  consume?(task: RecordTask): FlowReport | Promise<FlowReport>;
}

const WAYS: Readonly<Record<RecordWay, () => Promise<Way>>> = {
  ring: () => import('./records-ring.ts'),
  'ringbuf.js': () => import('./records-ringbuf.ts'),
  'thread-stream': () => import('./records-thread-stream.ts'),
  port: () => import('./records-port.ts'),
  'wasm steps': () => import('../alternatives/records-wasm.ts'),
  'wasm whole': () => import('../alternatives/records-wasm.ts'),
};

const task = workerData as Task;
parentPort!.postMessage(await run(task));
task.port.close();

async function run(task: Task): Promise<FlowReport | TripReport | void> {
  switch (task.scenario.name) {
    case 'records': {
      const way = await WAYS[task.scenario.way]();
      return task.role === 'a' ? way.produce(task as RecordTask) : way.consume?.(task as RecordTask);
    }
    case 'trips': {
      const { makeTrips } = await import('./trips.ts');
      const report = await makeTrips(task as Task<ScenarioNamed<'trips'>>);
      return task.role === 'a' ? report : undefined;
    }
    case 'objects': {
      const { receiveObjects, sendObjects } = await import('./objects.ts');
      return task.role === 'a' ? sendObjects(task as Task<ScenarioNamed<'objects'>>) : receiveObjects(task as Task<ScenarioNamed<'objects'>>);
    }
  }
}
