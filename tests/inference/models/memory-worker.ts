/** A thread that loads a model as an inference actor does, embeds texts in every way that it has, and keeps it. */
import { parentPort, workerData } from 'node:worker_threads';
import { llamaBackend } from '../../../actors/inference/llama/llama-backend.ts';

const ROUNDS = 3;
const { path, tokensMax, texts } = workerData as { path: string; tokensMax: number; texts: string[] };
const backend = await llamaBackend.load(path, { tokensMax, sha256: '0'.repeat(64) });
const control = { cancelled: () => false, deadlineMs: Infinity };
// Urgent texts beside ordinary ones, again and again, so that every context comes to compute its longest text.
const statuses = new Set<string>();
for (let round = 0; round < ROUNDS; round++) {
  const results = await Promise.all([backend.embed(texts, control), backend.embed(texts, { ...control, urgent: true })]);
  for (const { outcomes } of results) for (const { status } of outcomes) statuses.add(status);
}
parentPort!.on('message', () => void backend.close().then(() => parentPort!.close()));
parentPort!.postMessage([...statuses]);
