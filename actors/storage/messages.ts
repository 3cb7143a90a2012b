/** What the storage actor understands: the calls of `VectorIndex`, as messages. */
import { defineProtocol } from '../../kernel/index.ts';

const model = {
  properties: { name: { type: 'string' }, sha256: { type: 'string' }, dimensions: { type: 'uint32' } },
} as const;

const chunk = {
  properties: {
    ordinal: { type: 'uint32' },
    id: { type: 'string' },
    startByte: { type: 'uint32' },
    endByte: { type: 'uint32' },
    startLine: { type: 'uint32' },
    endLine: { type: 'uint32' },
    text: { type: 'string' },
  },
} as const;

const vector = { elements: { type: 'float32' }, metadata: { typedArray: true } } as const;
const paths = { properties: { paths: { elements: { type: 'string' } } } } as const;

export const storageProtocol = defineProtocol('storage', {
  /** Opens the index for writing and starts a run, or goes on with it. Again after a restart of the actor. */
  begin: {
    request: {
      properties: {
        runId: { type: 'string' },
        root: { type: 'string' },
        model,
        /** JSON-able. */
        settings: {},
        rebuild: { type: 'boolean' },
      },
    },
    reply: { properties: { generation: { type: 'uint32' }, resumed: { type: 'boolean' } } },
  },
  compare: {
    request: {
      properties: {
        files: { elements: { properties: { path: { type: 'string' }, hash: { type: 'string' } } } },
      },
    },
    reply: { properties: { comparisons: { elements: { enum: ['unchanged', 'changed', 'new'] } } } },
  },
  touch: { request: paths, reply: { properties: {} } },
  drop: { request: paths, reply: { properties: { dropped: { type: 'uint32' } } } },
  put: {
    request: {
      properties: {
        segments: {
          elements: {
            properties: {
              path: { type: 'string' },
              hash: { type: 'string' },
              sizeBytes: { type: 'uint32' },
              chunkCount: { type: 'uint32' },
              chunks: { elements: chunk },
              vectors: vector,
            },
          },
        },
      },
    },
    reply: {
      properties: {
        storedChunks: { type: 'uint32' },
        repeatedChunks: { type: 'uint32' },
        completedFiles: { type: 'uint32' },
      },
    },
  },
  removeUnseen: {
    request: { properties: { prefixes: { elements: { type: 'string' } } } },
    reply: { properties: { removed: { type: 'uint32' } } },
  },
  publish: {
    request: { properties: {} },
    reply: {
      properties: {
        generation: { type: 'uint32' },
        changed: { type: 'boolean' },
        files: { type: 'uint32' },
        chunks: { type: 'uint32' },
        removedChunks: { type: 'uint32' },
        incompleteFiles: { type: 'uint32' },
      },
    },
  },
  search: {
    request: { properties: { vector, limit: { type: 'uint32' } } },
    reply: {
      properties: {
        hits: {
          elements: {
            properties: { ...chunk.properties, path: { type: 'string' }, score: { type: 'float64' } },
          },
        },
      },
    },
  },
  /** The IndexStatus, as untyped value. */
  status: { lane: 'control', request: { properties: {} }, reply: { properties: { status: {} } } },
});

export type StorageSpec = typeof storageProtocol.spec;
