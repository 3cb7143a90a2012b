/** A thread that loads a model as an inference actor does, embeds texts in every way that it has, and keeps it. */
import { parentPort, workerData } from 'node:worker_threads';
import { llamaBackend } from '../../../actors/inference/llama/llama-backend.ts';

const { path, tokensMax, texts } = workerData as { path: string; tokensMax: number; texts: string[] };
const backend = await llamaBackend.load(path, { tokensMax, sha256: '0'.repeat(64) });
const control = { cancelled: () => false, deadlineMs: Infinity };
// An urgent batch beside an ordinary one, so that both have contexts of their own.
const results = await Promise.all([backend.embed(texts, control), backend.embed(texts, { ...control, urgent: true })]);
parentPort!.on('message', () => void backend.close().then(() => parentPort!.close()));
parentPort!.postMessage(results.flatMap(({ outcomes }) => outcomes.map(({ status }) => status)));
