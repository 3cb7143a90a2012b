/** What the ingestion actor understands. */
import { defineProtocol } from '../../kernel/index.ts';

export const ingestionProtocol = defineProtocol('ingestion', {
  /**
   * Brings the index up to date with the files under `paths`; answers when it is published, or when it
   * was interrupted and all that was begun is stored. Sent again with the same `runId` it goes on.
   */
  run: {
    request: {
      properties: {
        runId: { type: 'string' },
        /** Folders or files, absolute. */
        paths: { elements: { type: 'string' } },
        /** Folders that are not entered, absolute. */
        excludedPaths: { elements: { type: 'string' } },
        maxFileBytes: { type: 'uint32' },
        /** Estimated tokens of one chunk at the most. */
        chunkTokens: { type: 'uint32' },
        rebuild: { type: 'boolean' },
        model: { properties: { name: { type: 'string' }, sha256: { type: 'string' }, dimensions: { type: 'uint32' } } },
        /** Names of the inference actors and of the storage actor. */
        embedders: { elements: { type: 'string' } },
        storage: { type: 'string' },
      },
      optionalProperties: {
        /** How texts become vectors, beside the model; equal for all runs on one index. `model.dimensions` is what is kept. */
        recipe: {
          optionalProperties: {
            pooling: { type: 'string' },
            dimensions: { type: 'uint32' },
            documentPrompt: { type: 'string' },
            queryPrompt: { type: 'string' },
          },
        },
      },
    },
    reply: {
      properties: {
        interrupted: { type: 'boolean' },
        root: { type: 'string' },
        generation: { type: 'uint32' },
        /** What the index holds for readers now. */
        indexedFiles: { type: 'uint32' },
        indexedChunks: { type: 'uint32' },
        removedFiles: { type: 'uint32' },
        removedChunks: { type: 'uint32' },
      },
    },
  },
  /** Ends the run early: nothing new is read, what is on its way is stored. */
  interrupt: { lane: 'control', request: { properties: {} } },
  /** What happened to single files since the last call, oldest first. */
  takeNotices: {
    lane: 'control',
    request: { properties: {} },
    reply: {
      properties: {
        notices: {
          elements: {
            properties: {
              kind: { enum: ['skipped', 'masked'] },
              path: { type: 'string' },
              /** Why it was skipped, or the kind of the secret. */
              reason: { type: 'string' },
              /** The system's message, or the place of the secret. */
              detail: { type: 'string' },
            },
          },
        },
        /** Notices that came faster than they were taken and were not kept. */
        lost: { type: 'uint32' },
      },
    },
  },
});

export type IngestionSpec = typeof ingestionProtocol.spec;

/** The counters of the ingestion actor, for screens. */
export const INGESTION_COUNTERS = [
  /** Text files that were read. */
  'files',
  /** Of those, files whose content is new or changed. */
  'changedFiles',
  /** Chunks planned so far. */
  'chunks',
  'embedded',
  /** Texts that an embedder has in its hands or in its lane. */
  'queued',
  /** Entries left out: links, binaries, too large, unreadable ... */
  'skipped',
  /** Secrets that were masked in files that are done with. */
  'masked',
] as const;

export type IngestionCounter = (typeof INGESTION_COUNTERS)[number];
