/** A ranker with a model of its own, which ends with it. */
import type { System } from '../../supervisors/index.ts';
import { createModelHost, type ModelHostOptions } from './hosting/model-host.ts';
import type { ModelSource } from './hosting/model-source.ts';
import type { Ranker } from './ranker.ts';

export interface RankerOptions extends Omit<ModelHostOptions, 'memoryBytes'>, Omit<ModelSource, 'purpose'> {}

const ONLY = 'model';

/** @throws SpillwayError as `createEmbedder` */
export async function createRanker(system: System, options: RankerOptions = {}): Promise<Ranker> {
  const { model, truncate, tokensMax, name = 'ranker', ...hosting } = options;
  const host = createModelHost(system, { ...hosting, name });
  host.add(ONLY, { purpose: 'rank', ...(model === undefined ? {} : { model }), ...(truncate === undefined ? {} : { truncate }), ...(tokensMax === undefined ? {} : { tokensMax }) });
  try {
    await host.load(ONLY);
  } catch (error) {
    await host.close();
    throw error;
  }
  return host.ranker(ONLY, () => host.close());
}
