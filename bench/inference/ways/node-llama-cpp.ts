/**
 * node-llama-cpp on the application's own thread, as people write it.
 *
 *   in turn              one context with one thread, `await getEmbeddingFor` in a loop
 *   Promise.all          the same context, all texts at once
 *   a context per core   as many contexts with one thread each, one loop for each: the hand-tuned way
 *   defaults             no options at all
 */
import { getLlama, type LlamaEmbeddingContext } from 'node-llama-cpp';
import type { Entrant } from '../task.ts';
import { onlyVariant, type EmbeddingWay, type Variants } from '../way.ts';

export async function nodeLlamaCpp({ way, model: { path }, cores }: Entrant): Promise<Variants> {
  const isDefault = way === 'node-llama-cpp, defaults';
  const count = way === 'node-llama-cpp, a context per core' ? cores : 1;
  const llama = await getLlama({ gpu: false, build: 'never', ...(isDefault ? {} : { maxThreads: count }) });
  const model = await llama.loadModel({ modelPath: path });
  const contexts: LlamaEmbeddingContext[] = [];
  for (let index = 0; index < count; index++) contexts.push(await model.createEmbeddingContext(isDefault ? {} : { threads: 1 }));
  const first = contexts[0]!;

  const embedders: Partial<Record<Entrant['way'], EmbeddingWay['embed']>> = {
    'node-llama-cpp, Promise.all': async (texts) => (await Promise.all(texts.map((text) => first.getEmbeddingFor(text)))).map(({ vector }) => vector),
  };
  const inLoops: EmbeddingWay['embed'] = async (texts) => {
    const rows: (readonly number[])[] = [];
    let next = 0;
    await Promise.all(contexts.map(async (context) => {
      while (next < texts.length) {
        const index = next++;
        rows[index] = (await context.getEmbeddingFor(texts[index]!)).vector;
      }
    }));
    return rows;
  };
  return onlyVariant({ embed: embedders[way] ?? inLoops, close: () => llama.dispose() });
}
