/**
 * transformers.js as its documentation shows: the feature-extraction pipeline with mean pooling and
 * normalization, 32 texts in a call or one by one.
 */
import { basename, dirname } from 'node:path';
import { env, pipeline } from '@huggingface/transformers';
import type { Entrant } from '../task.ts';
import type { EmbeddingWay, Variants } from '../way.ts';

const DTYPES: Readonly<Record<string, 'fp32' | 'q8'>> = { fp32: 'fp32', int8: 'q8' };

export async function transformers({ model: { path, type } }: Entrant): Promise<Variants> {
  env.allowRemoteModels = false;
  env.localModelPath = dirname(path);
  const extract = await pipeline('feature-extraction', basename(path), { dtype: DTYPES[type]! });
  const inCallsOf = (size: number): EmbeddingWay => ({
    async embed(texts) {
      const rows: Float32Array[] = [];
      for (let start = 0; start < texts.length; start += size) {
        const batch = texts.slice(start, start + size);
        const { data, dims } = await extract(batch, { pooling: 'mean', normalize: true });
        const dimensions = dims.at(-1)!;
        for (let row = 0; row < batch.length; row++) rows.push((data as Float32Array).subarray(row * dimensions, (row + 1) * dimensions));
      }
      return rows;
    },
    close: async () => {},
  });
  return new Map([['32 per call', inCallsOf(32)], ['one by one', inCallsOf(1)]]);
}
