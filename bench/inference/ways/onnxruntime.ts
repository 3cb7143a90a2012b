/**
 * onnxruntime-node as somebody would tune it who has the time: batches of 1, 8 or 32 texts of like length, either
 * in one session whose operators use all cores, or in one session for each core on a thread of its own.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Entrant } from '../task.ts';
import type { EmbeddingWay, Variants } from '../way.ts';
import { OnnxSession } from './onnx-session.ts';
import type { Share } from './onnx-session-entry.ts';

const BATCHES = [1, 8, 32];
/** Texts that a thread is handed at a time: enough for a full batch, few enough to end together. */
const SHARE = 32;

export async function onnxruntime({ model, cores }: Entrant): Promise<Variants> {
  const session = await OnnxSession.open(model, cores);
  const threads = await Promise.all(Array.from({ length: cores }, async () => {
    const worker = new Worker(new URL('./onnx-session-entry.ts', import.meta.url), { workerData: model });
    await once(worker, 'message');
    return worker;
  }));
  const variants = new Map<string, EmbeddingWay>();
  for (const perCall of BATCHES) {
    variants.set(`${perCall} per call, 1 x ${cores} threads`, {
      embed: (texts) => session.embed(texts, perCall),
      close: async () => {},
    });
    variants.set(`${perCall} per call, ${cores} x 1 thread`, {
      embed: (texts) => inShares(threads, texts, perCall),
      close: async () => {},
    });
  }
  // Whoever closes one closes all: they share their sessions.
  const [first] = variants.values();
  variants.set([...variants.keys()][0]!, {
    ...first!,
    async close() {
      await session.dispose();
      for (const worker of threads) {
        const ended = once(worker, 'exit');
        worker.postMessage('close');
        await ended;
      }
    },
  });
  return variants;
}

/** Each thread takes the next share as soon as it is done with one; sorted first, so that a share is of like length. */
async function inShares(threads: readonly Worker[], texts: readonly string[], perCall: number): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  const order = texts.map((_, index) => index).sort((a, b) => texts[b]!.length - texts[a]!.length);
  let next = 0;
  await Promise.all(threads.map(async (worker) => {
    while (next < order.length) {
      const share = order.slice(next, next + SHARE);
      next += SHARE;
      worker.postMessage({ texts: share.map((index) => texts[index]!), perCall } satisfies Share);
      const [vectors] = (await once(worker, 'message')) as [Float32Array[]];
      for (const [row, index] of share.entries()) rows[index] = vectors[row]!;
    }
  }));
  return rows;
}
