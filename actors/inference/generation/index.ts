export { Generation } from './generation.ts';
export type { GenerateOptions, GenerationPiece, GenerationResult } from './generation.ts';
export { MAX_TOKENS_DEFAULT, checkRequest } from './generation-request.ts';
export type { SamplingOptions } from './generation-request.ts';
export { TextGenerator, createGenerator } from './generator.ts';
export type { GeneratorModel, GeneratorOptions } from './generator.ts';
