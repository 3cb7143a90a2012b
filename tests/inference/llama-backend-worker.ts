/** A thread that loads a model, embeds, closes and leaves: the whole life of an inference actor's native part. */
import { parentPort, workerData } from 'node:worker_threads';
import { llamaBackend } from '../../actors/inference/llama/llama-backend.ts';

const { path, texts, rounds } = workerData as { path: string; texts: string[]; rounds: number };
const backend = await llamaBackend.load(path);
let vectors = new Float32Array(0);
const statuses = new Set<string>();
for (let round = 0; round < rounds; round++) {
  const result = await backend.embed(texts, { cancelled: () => false, deadlineMs: Infinity });
  for (const { status } of result.outcomes) statuses.add(status);
  vectors = result.vectors;
  parentPort!.postMessage({ round }, []);
}
await backend.close();
parentPort!.postMessage({ vectors, statuses: [...statuses] }, [vectors.buffer]);
