/** What an inference actor understands. */
import { defineProtocol } from '../../kernel/index.ts';
import { TEXT_STATUSES, TRUNCATE_POLICIES } from './backend.ts';

const OUTCOMES = {
  elements: {
    properties: { status: { enum: [...TEXT_STATUSES] }, tokens: { type: 'uint32' }, truncated: { type: 'boolean' } },
    optionalProperties: { limit: { type: 'uint32' }, reason: { type: 'string' } },
  },
} as const;

const VECTORS = {
  properties: {
    /** Row-major, one row of `dimensions` for each text; rows that are not `ok` are zero. */
    vectors: { elements: { type: 'float32' }, metadata: { typedArray: true } },
    dimensions: { type: 'uint32' },
    /** Hash of the model that made them. */
    sha256: { type: 'string' },
    outcomes: OUTCOMES,
  },
} as const;

const TEXTS = {
  properties: { texts: { elements: { type: 'string' } } },
  optionalProperties: { truncate: { enum: [...TRUNCATE_POLICIES] } },
} as const;

export const inferenceProtocol = defineProtocol('inference', {
  /** Embeds a batch; what becomes of each text is said for that text. */
  embed: { request: TEXTS, reply: VECTORS },
  /** The same, before every text that has not begun: it comes by the control lane, past the batch in hand. */
  embedUrgent: { lane: 'control', request: TEXTS, reply: VECTORS },
  /** Vectors of the parts of one text that goes through the model as a whole; see `SpanBackend`. */
  embedSpans: {
    request: { properties: { text: { type: 'string' }, starts: { elements: { type: 'uint32' } }, ends: { elements: { type: 'uint32' } } } },
    reply: VECTORS,
  },
  /** Scores documents for a query, with a model that ranks. */
  rank: {
    request: { properties: { query: { type: 'string' }, documents: { elements: { type: 'string' } } } },
    reply: { properties: { scores: { elements: { type: 'float32' }, metadata: { typedArray: true } }, outcomes: OUTCOMES } },
  },
  /** Loads the model unless it is loaded, and says what it is. */
  load: {
    request: { properties: {} },
    reply: {
      properties: {
        backend: { type: 'string' },
        name: { type: 'string' },
        sha256: { type: 'string' },
        dimensions: { type: 'uint32' },
        tokensMax: { type: 'uint32' },
        spans: { type: 'boolean' },
        rank: { type: 'boolean' },
        fusedTextsMax: { type: 'uint32' },
        fusedTokensMax: { type: 'uint32' },
        overlaps: { type: 'boolean' },
      },
    },
  },
});

export type InferenceSpec = typeof inferenceProtocol.spec;
