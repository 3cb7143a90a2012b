export type { StorageArgs } from './actor.ts';
export { STORAGE_ERRORS } from './error-codes.ts';
export type { StorageErrorCode } from './error-codes.ts';
export { storageProtocol } from './messages.ts';
export type { StorageSpec } from './messages.ts';
export { storageSpec } from './spec.ts';
export { HIT_LIMIT } from './vector-index.ts';
export type { EmbeddingModel, Hit, IndexReader, IndexStatus, IndexWriter, VectorIndex } from './vector-index.ts';
