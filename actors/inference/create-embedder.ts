/** An embedder with models of its own, which end with it. */
import type { System } from '../../supervisors/index.ts';
import type { Embedder, EmbedderDefaults } from './embedder.ts';
import { createModelHost, type ModelHostOptions } from './hosting/model-host.ts';
import type { ModelSource } from './hosting/model-source.ts';

export interface EmbedderOptions extends Omit<ModelHostOptions, 'memoryBytes'>, Omit<ModelSource, 'purpose'>, EmbedderDefaults {
  /** Models that give equal vectors, in the order in which they stand in for one that fails; such as another format of the same weights. */
  readonly fallback?: readonly string[];
}

/** The one slot of an embedder of its own. */
const ONLY = 'model';

/**
 * Loads a model and answers with what embeds with it.
 * @throws SpillwayError `model_…` if the model is refused before native code sees it, or by its first load in a process
 *   of its own; `backend_…` if the native library refuses it
 */
export async function createEmbedder(system: System, options: EmbedderOptions = {}): Promise<Embedder> {
  const { model, truncate, pooling, fuse, tokensMax, fallback = [], prompts, breaker, name = 'embedder', ...hosting } = options;
  const host = createModelHost(system, { ...hosting, name });
  const shared = { ...(truncate === undefined ? {} : { truncate }), ...(pooling === undefined ? {} : { pooling }), ...(fuse === undefined ? {} : { fuse }), ...(tokensMax === undefined ? {} : { tokensMax }) };
  host.add(ONLY, { ...shared, ...(model === undefined ? {} : { model }) });
  const standIns = fallback.map((source, index) => [`fallback-${index + 1}`, source] as const);
  for (const [alias, source] of standIns) host.add(alias, { ...shared, model: source });
  try {
    await host.load(ONLY);
  } catch (error) {
    // One of the others may do; if none does, the first one's error is the one to tell.
    for (const [alias] of standIns) {
      if (await host.load(alias).then(() => true, () => false)) return embedderOf();
    }
    await host.close();
    throw error;
  }
  return embedderOf();

  function embedderOf(): Embedder {
    const defaults = { ...(prompts === undefined ? {} : { prompts }), ...(breaker === undefined ? {} : { breaker }) };
    return host.embedder(ONLY, defaults, standIns.map(([alias]) => alias), () => host.close());
  }
}

