/** Very many records of random length between two threads, from just below the wrap of the positions at 2^32. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { SharedCounters, SpscObserver, createSpscRing } from 'atomics-ring-buffer';
import type { Report, Watch } from './run.ts';

export const FOUND = ['delivered', 'torn', 'misordered'] as const;

export interface MessagesTask {
  readonly role: 'produce' | 'consume';
  readonly ring: SharedArrayBuffer;
  readonly found: SharedArrayBuffer;
  readonly messages: number;
}

export async function messages(count: number, watch: Watch): Promise<Report> {
  const ring = createSpscRing({ capacityBytes: 2 ** 18, initialPosition: 2 ** 32 - 4096 });
  const board = new SharedArrayBuffer(SharedCounters.bytes(FOUND));
  const found = new SharedCounters(board, 0, FOUND);
  const observer = new SpscObserver(ring);
  const start = (role: MessagesTask['role']): Promise<unknown> => {
    const workerData: MessagesTask = { role, ring, found: board, messages: count };
    return once(new Worker(new URL('./messages-worker.ts', import.meta.url), { workerData }), 'exit');
  };
  const began = performance.now();
  await watch(
    () => found.read('delivered') / count,
    Promise.all([start('consume'), start('produce')]),
  );
  const seconds = (performance.now() - began) / 1_000;
  const { delivered, torn, misordered } = found.snapshot();
  const { offered, consumed, bytes } = observer.counters;
  return {
    figures: {
      messages: count,
      delivered,
      lost: Math.max(0, count - delivered),
      duplicated: Math.max(0, delivered - count),
      torn,
      misordered,
      'wraps of the 32-bit position': Math.floor((bytes + 2 ** 32 - 4096) / 2 ** 32),
      'million messages/s': Number((count / seconds / 1e6).toFixed(2)),
    },
    failures: [
      delivered === count ? '' : `${delivered} of ${count} messages were delivered`,
      torn === 0 ? '' : `${torn} records were torn`,
      misordered === 0 ? '' : `${misordered} records were out of order`,
      offered === consumed && offered === count >>> 0 ? '' : `the ring counts ${offered} offered and ${consumed} consumed`,
      observer.levelBytes === 0 ? '' : `${observer.levelBytes} bytes are left in the ring`,
    ],
  };
}
