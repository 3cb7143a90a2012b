/** The ways to embed that benches compare, behind one shape. */
import { getLlama } from 'node-llama-cpp';
import { createEmbedder } from '../actors/index.ts';
import { createSystem } from '../supervisors/index.ts';

export interface EmbeddingWay {
  embedAll(texts: readonly string[]): Promise<unknown>;
  close(): Promise<unknown>;
}

/** Spillway with so many inference actors. */
export async function spillwayWay(modelPath: string, actors: number): Promise<EmbeddingWay> {
  const system = await createSystem();
  const embedder = await createEmbedder(system, { model: modelPath, actors });
  return { embedAll: (texts) => embedder.embed(texts), close: () => system.close() };
}

/** node-llama-cpp on the calling thread: one thread in one context, or its own defaults. */
export async function libraryWay(
  modelPath: string,
  { threads, calls }: { threads: 'one' | 'defaults'; calls: 'in turn' | 'all at once' },
): Promise<EmbeddingWay> {
  const llama = await getLlama({ gpu: false, build: 'never', ...(threads === 'one' ? { maxThreads: 1 } : {}) });
  const model = await llama.loadModel({ modelPath });
  const context = await model.createEmbeddingContext(threads === 'one' ? { threads: 1 } : {});
  return {
    async embedAll(texts) {
      if (calls === 'all at once') return Promise.all(texts.map((text) => context.getEmbeddingFor(text)));
      for (const text of texts) await context.getEmbeddingFor(text);
      return undefined;
    },
    close: () => llama.dispose(),
  };
}

/**
 * The environment of a way's process. Spillway's command line gives libuv's pool one thread for each
 * actor; whoever calls node-llama-cpp himself has what Node gives him.
 */
export function poolFor(way: string): NodeJS.ProcessEnv {
  const { UV_THREADPOOL_SIZE: _, ...env } = process.env;
  const actors = /^spillway-(\d+)$/.exec(way)?.[1];
  return actors === undefined ? env : { ...env, UV_THREADPOOL_SIZE: actors };
}
