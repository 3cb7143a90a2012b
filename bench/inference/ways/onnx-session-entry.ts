/** A session on a thread of its own: `run` of onnxruntime-node blocks the thread that calls it. */
import { parentPort, workerData } from 'node:worker_threads';
import type { BenchModel } from '../task.ts';
import { OnnxSession } from './onnx-session.ts';

export interface Share {
  readonly texts: readonly string[];
  readonly perCall: number;
}

const session = await OnnxSession.open(workerData as BenchModel, 1);
let last: Promise<void> = Promise.resolve();
// One share after the other, so that answers keep the order.
parentPort!.on('message', (share: Share | 'close') => void (last = last.then(() => (share === 'close' ? close() : serve(share)))));
parentPort!.postMessage('ready');

async function serve({ texts, perCall }: Share): Promise<void> {
  const rows = await session.embed(texts, perCall);
  parentPort!.postMessage(rows, rows.map(({ buffer }) => buffer as ArrayBuffer));
}

async function close(): Promise<void> {
  await session.dispose();
  parentPort!.close();
}
