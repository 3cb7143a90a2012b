/**
 * Embeds texts one after another with node-llama-cpp and nothing of this package, in a process of its own so that
 * nothing of it stays in the one that is measured. Its argument names a file with a `ReferenceTask`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { getLlama } from 'node-llama-cpp';
import type { ReferenceTask } from './inference-reference.ts';

const { models, texts } = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as ReferenceTask;
const llama = await getLlama({ gpu: false, build: 'never', progressLogs: false, maxThreads: 1 });
for (const { path, vectorsPath } of models) {
  const model = await llama.loadModel({ modelPath: path });
  const context = await model.createEmbeddingContext({ threads: 1 });
  const rows: number[] = [];
  for (const text of texts) {
    const { vector } = await context.getEmbeddingFor(text);
    const length = Math.hypot(...vector);
    rows.push(...vector.map((value) => value / length));
  }
  writeFileSync(vectorsPath, new Uint8Array(Float32Array.from(rows).buffer));
  await model.dispose();
}
await llama.dispose();
