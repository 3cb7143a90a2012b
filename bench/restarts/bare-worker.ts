/**
 * A Worker with the respawn that people write by hand: tasks have numbers, answers settle promises in a map,
 * and a worker that ends is made anew. What was with the dead one nobody asks about.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { nowMs } from './mortal-task.ts';
import { WAITING, type Report, type Restart } from './task.ts';

const SETTLE_MS = 300;

export async function measureBareWorker(rounds: number): Promise<Report> {
  const stamps = new Float64Array(new SharedArrayBuffer(8));
  const pending = new Map<number, (value: number) => void>();
  let lastId = 0;
  let detectedMs = 0;
  let isOver = false;
  let onRespawn = (): void => {};
  let worker = spawn();

  function spawn(): Worker {
    const made = new Worker(new URL('./bare-worker-entry.ts', import.meta.url), { workerData: stamps });
    made.on('message', ({ id, atMs }: { id: number; atMs: number }) => {
      pending.get(id)?.(atMs);
      pending.delete(id);
    });
    made.on('error', () => {});
    made.on('exit', () => {
      if (isOver) return;
      detectedMs = nowMs();
      worker = spawn();
      onRespawn();
    });
    return made;
  }

  const run = (dies: boolean): Promise<number> =>
    new Promise((resolve) => {
      const id = ++lastId;
      pending.set(id, resolve);
      worker.postMessage({ id, dies });
    });

  await run(false);
  const restarts: Restart[] = [];
  for (let round = 0; round < rounds; round++) {
    const respawned = new Promise<void>((resolve) => (onRespawn = resolve));
    void run(true);
    for (let task = 0; task < WAITING; task++) void run(false);
    await respawned;
    const readyMs = await run(false);
    restarts.push({ faultMs: stamps[0]!, detectedMs, readyMs });
  }
  await pause(SETTLE_MS);
  const hanging = pending.size;
  isOver = true;
  await worker.terminate();
  // Each round's own fault is no loss.
  return { restarts, waiting: WAITING * rounds, lost: hanging - rounds, hanging };
}
