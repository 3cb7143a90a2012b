/** Every number that a check of a model's files finds, by name, for people and programs to read. */
import { POOLINGS } from '../backend.ts';
import { checkGgufHeader } from '../gguf/header.ts';
import type { CheckedModel } from '../model-choice.ts';
import { checkOnnxModel } from '../onnx/model-folder.ts';
import { estimateMemory } from './memory-estimate.ts';
import { marksOf, modelFiles } from './model-files.ts';
import type { Purpose } from './registry-file.ts';

/** llama.cpp's numbers of how token vectors become one. */
const POOLING_NAMES: Readonly<Record<number, string>> = { 0: 'none', ...Object.fromEntries(POOLINGS.map((name, index) => [index + 1, name])), 4: 'rank' };

/**
 * What the files of a checked model say, and what it will take of memory with so many actors.
 *
 * @throws SpillwayError those of `checkGgufHeader` and `checkOnnxModel`
 */
export function modelFacts({ path, backend }: Pick<CheckedModel, 'path' | 'backend'>, purpose: Purpose, actors: number): Record<string, string | number | boolean> {
  const sizeBytes = marksOf(modelFiles(path)).reduce((sum, mark) => sum + mark.sizeBytes, 0);
  const { sharedBytes, actorBytes, totalBytes } = estimateMemory({ backend, path, sizeBytes }, { actors, purpose });
  return { backend, ...(backend === 'onnx' ? onnxFacts(path) : ggufFacts(path, purpose)), sizeBytes, sharedBytes, actorBytes, totalBytes };
}

function ggufFacts(path: string, purpose: Purpose): Record<string, string | number | boolean> {
  const { name, architecture, isEncoder, embeddingLength, contextLength, blockCount, poolingType, fileType, tensorCount, vocabularySize } = checkGgufHeader(path, purpose);
  return {
    name, architecture, encoder: isEncoder, dimensions: embeddingLength, contextLength, blocks: blockCount,
    pooling: poolingType === undefined ? 'not stated' : (POOLING_NAMES[poolingType] ?? poolingType), fileType: fileType ?? 'not stated', tensors: tensorCount, vocabulary: vocabularySize,
  };
}

function onnxFacts(path: string): Record<string, string | number | boolean> {
  const { name, dimensions, contextLength, vocabularySize, pooling, inputs, outputs, files } = checkOnnxModel(path);
  return {
    name, dimensions, contextLength, vocabulary: vocabularySize ?? 'not stated', pooling: pooling ?? 'not stated',
    inputs: inputs.join(', '), outputs: outputs.map((output) => output.name).join(', '), files: files.length,
  };
}
