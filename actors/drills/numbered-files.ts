/**
 * Numbered messages for the storage actor: one file each, so that the index itself is the ledger. What it
 * compares as unchanged has been stored.
 */
import type { ActorRef } from '../../kernel/index.ts';
import type { StorageSpec } from '../storage/index.ts';

const DIMENSIONS = 8;
/** Several pages of the index, so that each takes room and a write of its own. */
const TEXT_BYTES = 20_000;
const ASK = { deadlineMs: 30_000 } as const;

const pathOf = (number: number): string => `file-${number}`;
const hashOf = (number: number): string => `hash-${number}`;

/** Opens the index and goes on with the drill's run, also after a restart. */
export async function begin(storage: ActorRef<StorageSpec>): Promise<void> {
  const model = { name: 'drill', sha256: '0'.repeat(64), dimensions: DIMENSIONS };
  await storage.ask('begin', { runId: 'drill', root: 'drill', model, settings: {}, rebuild: false }, ASK);
}

/** @throws SpillwayError as the storage actor does */
export async function put(storage: ActorRef<StorageSpec>, number: number): Promise<void> {
  const text = `${number} `.repeat(TEXT_BYTES).slice(0, TEXT_BYTES);
  const chunk = { ordinal: 0, id: `chunk-${number}`, startByte: 0, endByte: TEXT_BYTES, startLine: 1, endLine: 1, text };
  const vectors = Float32Array.from({ length: DIMENSIONS }, (_, index) => (index === number % DIMENSIONS ? 1 : 0.1));
  const segment = { path: pathOf(number), hash: hashOf(number), sizeBytes: TEXT_BYTES, chunkCount: 1, chunks: [chunk], vectors };
  await storage.ask('put', { segments: [segment] }, ASK);
}

/** How often each of the first `count` files is in the index: 0 or 1. */
export async function stored(storage: ActorRef<StorageSpec>, count: number): Promise<Uint8Array> {
  const files = Array.from({ length: count }, (_, number) => ({ path: pathOf(number), hash: hashOf(number) }));
  const { comparisons } = await storage.ask('compare', { files }, ASK);
  return Uint8Array.from(comparisons, (comparison) => (comparison === 'unchanged' ? 1 : 0));
}
