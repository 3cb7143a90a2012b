/**
 * A process that loads a model in so many threads, one after the other, and prints as JSON what each of them has added
 * to its memory, in bytes: what is its own, and what of it is shared with other processes counted by its share.
 * Usage: memory-process.ts <path> <threads> <tokensMax> <text...>
 */
import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { PIPELINE_HEAP } from '../../../actors/pipeline-heap.ts';

const [path = '', threads = '1', tokensMax = '512', ...texts] = process.argv.slice(2);

function memory(): { anonymous: number; pss: number } {
  const rollup = readFileSync('/proc/self/smaps_rollup', 'utf8');
  const bytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(rollup)?.[1]) * 1024;
  return { anonymous: bytes('Anonymous'), pss: bytes('Pss') };
}

const added: { anonymous: number; pss: number }[] = [];
const workers: Worker[] = [];
for (let i = 0; i < Number(threads); i++) {
  const before = memory();
  const worker = new Worker(new URL('./memory-worker.ts', import.meta.url), { workerData: { path, tokensMax: Number(tokensMax), texts }, resourceLimits: PIPELINE_HEAP });
  workers.push(worker);
  const statuses = await new Promise<string[]>((resolve, reject) => {
    worker.once('message', resolve).once('error', reject);
  });
  if (statuses.some((status) => status !== 'ok')) throw new Error(`a text was not embedded: ${statuses.join(', ')}`);
  const after = memory();
  added.push({ anonymous: after.anonymous - before.anonymous, pss: after.pss - before.pss });
}
console.log(JSON.stringify(added));
await Promise.all(workers.map((worker) => new Promise((resolve) => { worker.once('exit', resolve); worker.postMessage('close'); })));
