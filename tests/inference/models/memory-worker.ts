/** A thread that loads a model as an inference actor does, embeds a text of each route, and keeps it. */
import { parentPort, workerData } from 'node:worker_threads';
import { llamaBackend } from '../../../actors/inference/llama/llama-backend.ts';

const { path, tokensMax, texts } = workerData as { path: string; tokensMax: number; texts: string[] };
const backend = await llamaBackend.load(path, { tokensMax, truncate: 'right', sha256: '0'.repeat(64) });
const { outcomes } = await backend.embed(texts, { cancelled: () => false, deadlineMs: Infinity });
parentPort!.on('message', () => void backend.close().then(() => parentPort!.close()));
parentPort!.postMessage(outcomes.map(({ status }) => status));
