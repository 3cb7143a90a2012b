/** One way of the embed bench, in a process of its own: `embed-way.ts <way> <model> <tokens> <count>`. */
import { getLlama } from 'node-llama-cpp';
import { createEmbedder } from '../actors/index.ts';
import { createSystem } from '../supervisors/index.ts';
import type { EmbedWay } from './embed.ts';
import { textOfTokens } from './models/minilm.ts';

const [way, modelPath, tokens, count] = process.argv.slice(2) as [EmbedWay, string, string, string];
const WARM_UP_TEXTS = 8;
const texts = Array.from({ length: Number(count) }, (_, index) => textOfTokens(Number(tokens), index + 1));
const warmUp = Array.from({ length: way === 'defaults' ? 1 : WARM_UP_TEXTS }, (_, index) => textOfTokens(Number(tokens), 1_000_000 + index));

const { embedAll, close } = await (way.startsWith('spillway') ? spillway(Number(way.at(-1))) : plain());
await embedAll(warmUp);
const startedAt = performance.now();
await embedAll(texts);
const seconds = (performance.now() - startedAt) / 1_000;
await close();
console.log(JSON.stringify({ seconds }));
process.exit(0);

interface Way {
  embedAll(texts: readonly string[]): Promise<unknown>;
  close(): Promise<unknown>;
}

async function spillway(actors: number): Promise<Way> {
  const system = await createSystem();
  const embedder = await createEmbedder(system, { model: modelPath, actors });
  return { embedAll: (batch) => embedder.embed(batch), close: () => system.close() };
}

async function plain(): Promise<Way> {
  const isDefault = way === 'defaults';
  const llama = await getLlama(isDefault ? { gpu: false, build: 'never' } : { gpu: false, build: 'never', maxThreads: 1 });
  const model = await llama.loadModel({ modelPath });
  const context = await model.createEmbeddingContext(isDefault ? {} : { threads: 1 });
  return {
    async embedAll(batch) {
      if (way === 'promise-all') return Promise.all(batch.map((text) => context.getEmbeddingFor(text)));
      for (const text of batch) await context.getEmbeddingFor(text);
      return undefined;
    },
    close: () => llama.dispose(),
  };
}
