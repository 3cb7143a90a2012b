export { INGESTION_ERRORS } from './error-codes.ts';
export type { IngestionErrorCode } from './error-codes.ts';
export { INGESTION_COUNTERS, ingestionProtocol } from './messages.ts';
export type { IngestionCounter, IngestionSpec } from './messages.ts';
export type { Notice } from './notices.ts';
export { ingestionSpec } from './spec.ts';
