/**
 * A process that loads a model in so many threads and prints, as JSON, what its memory has grown by: what is its own, and what is mapped from files.
 * Usage: memory-process.ts <path> <threads> <tokensMax> <text...>
 */
import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

const [path = '', threads = '1', tokensMax = '512', ...texts] = process.argv.slice(2);

function memory(): Record<string, number> {
  const found = [...readFileSync('/proc/self/smaps_rollup', 'utf8').matchAll(/^(\w+):\s+(\d+) kB$/gm)];
  return Object.fromEntries(found.map(([, name, kilobytes]) => [name!, Number(kilobytes) * 1024]));
}

const before = memory();
const workers: Worker[] = [];
for (let i = 0; i < Number(threads); i++) {
  const worker = new Worker(new URL('./memory-worker.ts', import.meta.url), { workerData: { path, tokensMax: Number(tokensMax), texts } });
  workers.push(worker);
  const statuses = await new Promise<string[]>((resolve, reject) => {
    worker.once('message', resolve).once('error', reject);
  });
  if (statuses.some((status) => status !== 'ok')) throw new Error(`a text was not embedded: ${statuses.join(', ')}`);
}
const after = memory();
const grown = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
console.log(JSON.stringify({ anonymous: grown('Anonymous'), pss: grown('Pss'), rss: grown('Rss') }));
await Promise.all(workers.map((worker) => new Promise((resolve) => { worker.once('exit', resolve); worker.postMessage('close'); })));
