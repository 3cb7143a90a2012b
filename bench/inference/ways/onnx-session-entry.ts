/** A session on a thread of its own: `run` of onnxruntime-node blocks the thread that calls it. */
import { parentPort, workerData } from 'node:worker_threads';
import type { BenchModel } from '../task.ts';
import { OnnxSession } from './onnx-session.ts';

export interface Share {
  readonly texts: readonly string[];
  readonly perCall: number;
}

const session = await OnnxSession.open(workerData as BenchModel, 1);
parentPort!.on('message', (share: Share | 'close') => void serve(share));
parentPort!.postMessage('ready');

async function serve(share: Share | 'close'): Promise<void> {
  if (share === 'close') {
    await session.dispose();
    parentPort!.close();
    return;
  }
  const rows = await session.embed(share.texts, share.perCall);
  parentPort!.postMessage(rows, rows.map(({ buffer }) => buffer as ArrayBuffer));
}
