/**
 * onnxruntime-node as somebody would tune it who has the time: batches of 1, 8 or 32 texts of like length, either
 * in one session whose operators use all cores, or in one session for each core on a thread of its own.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { BenchModel, Entrant } from '../task.ts';
import type { Variants } from '../way.ts';
import { OnnxSession } from './onnx-session.ts';
import type { Share } from './onnx-session-entry.ts';

const BATCHES = [1, 8, 32];
/** Texts that a thread is handed at a time: enough for a full batch, few enough to end together. */
const SHARE = 32;

export async function onnxruntime({ model, cores }: Entrant): Promise<Variants> {
  const session = await OnnxSession.open(model, cores);
  const threads = await Promise.all(Array.from({ length: cores }, () => SessionThread.start(model)));
  let closing: Promise<void> | undefined;
  // They share their sessions: whoever closes one variant closes all.
  const close = (): Promise<void> => (closing ??= closeAll());
  const closeAll = async (): Promise<void> => {
    await session.dispose();
    for (const thread of threads) await thread.close();
  };
  return new Map(BATCHES.flatMap((perCall) => [
    [`${perCall} per call, 1 x ${cores} threads`, { embed: (texts: readonly string[]) => session.embed(texts, perCall), close }],
    [`${perCall} per call, ${cores} x 1 thread`, { embed: (texts: readonly string[]) => inShares(threads, texts, perCall), close }],
  ] as const));
}

class SessionThread {
  readonly #worker: Worker;
  /** It answers in the order in which it is asked. */
  readonly #waiting: ((rows: Float32Array[]) => void)[] = [];

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on('message', (rows: Float32Array[]) => this.#waiting.shift()?.(rows));
  }

  static async start(model: BenchModel): Promise<SessionThread> {
    const worker = new Worker(new URL('./onnx-session-entry.ts', import.meta.url), { workerData: model });
    await once(worker, 'message');
    return new SessionThread(worker);
  }

  embed(share: Share): Promise<Float32Array[]> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#worker.postMessage(share);
    });
  }

  async close(): Promise<void> {
    const ended = once(this.#worker, 'exit');
    this.#worker.postMessage('close');
    await ended;
  }
}

/** Each thread takes the next share as soon as it is done with one; sorted first, so that a share is of like length. */
async function inShares(threads: readonly SessionThread[], texts: readonly string[], perCall: number): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  const order = texts.map((_, index) => index).sort((a, b) => texts[b]!.length - texts[a]!.length);
  let next = 0;
  await Promise.all(threads.map(async (thread) => {
    while (next < order.length) {
      const share = order.slice(next, next + SHARE);
      next += SHARE;
      const vectors = await thread.embed({ texts: share.map((index) => texts[index]!), perCall });
      for (const [row, index] of share.entries()) rows[index] = vectors[row]!;
    }
  }));
  return rows;
}
