/** The models that the soak of inference swaps, with random weights and one vocabulary, and files that no load may accept. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeGguf } from '../../actors/inference/gguf/writer.ts';
import { tinyBert } from '../inference/tiny-bert.ts';

const TINY_MODELS = 4;
const SEED = 7_919;
/** As wide and as deep as MiniLM. */
const WIDE_SHAPE = { blockCount: 6, embeddingLength: 384, feedForwardLength: 1_536 } as const;
/**
 * Of the weights, which are from -0.5 to 0.5. These are so small that the routes of the library differ by rounding
 * alone; larger ones make more of the rounding than can be told from a wrong vector.
 */
const WEIGHT_SCALE = 0.06;

/** @returns paths of models whose vectors differ for every text */
export function writeModels(folder: string, { wide }: { readonly wide: boolean }): string[] {
  const tiny = Array.from({ length: TINY_MODELS }, (_, index) => writeModel(join(folder, `tiny-${index}.gguf`), { name: `tiny bert ${index}`, seed: SEED * (index + 1) }, WEIGHT_SCALE));
  return wide ? [...tiny, writeModel(join(folder, 'wide.gguf'), { ...WIDE_SHAPE, name: 'wide bert', seed: SEED }, WEIGHT_SCALE)] : tiny;
}

/** One that is not there, one that its header tells to be none, and one that only shows it when it is loaded, in quarantine. */
export function writeSpoilt(folder: string): { path: string; code: string }[] {
  const noModel = join(folder, 'no-model.gguf');
  writeFileSync(noModel, 'This is no model.');
  const zeros = writeModel(join(folder, 'zeros.gguf'), { name: 'zeros' }, 0);
  return [{ path: join(folder, 'none.gguf'), code: 'model_missing' }, { path: noModel, code: 'model_not_gguf' }, { path: zeros, code: 'model_quarantined' }];
}

function writeModel(path: string, overrides: Parameters<typeof tinyBert>[0], scale: number): string {
  const { metadata, tensors } = tinyBert(overrides);
  const isNorm = (dims: readonly number[]): boolean => dims.length === 1 && scale > 0;
  writeGguf(path, {
    metadata,
    tensors: tensors.map((tensor) => (isNorm(tensor.dims) ? tensor : { ...tensor, values: () => (tensor.values() as Float32Array).map((value) => value * scale) })),
  });
  return path;
}
