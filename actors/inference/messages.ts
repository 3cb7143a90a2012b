/** What an inference actor understands. */
import { defineProtocol } from '../../kernel/index.ts';

export const inferenceProtocol = defineProtocol('inference', {
  /** Embeds a batch; what becomes of each text is said for that text. */
  embed: {
    request: { properties: { texts: { elements: { type: 'string' } } } },
    reply: {
      properties: {
        /** Row-major, one row of `dimensions` for each text; rows that are not `ok` are zero. */
        vectors: { elements: { type: 'float32' }, metadata: { typedArray: true } },
        dimensions: { type: 'uint32' },
        outcomes: {
          elements: {
            properties: {
              status: {
                enum: ['ok', 'empty', 'too_long', 'too_many_bytes', 'cancelled', 'deadline', 'not_finite', 'failed'],
              },
              tokens: { type: 'uint32' },
              truncated: { type: 'boolean' },
            },
            optionalProperties: { limit: { type: 'uint32' }, reason: { type: 'string' } },
          },
        },
      },
    },
  },
  /** Loads the model unless it is loaded, and says what it is. */
  load: {
    request: { properties: {} },
    reply: {
      properties: {
        name: { type: 'string' },
        sha256: { type: 'string' },
        dimensions: { type: 'uint32' },
        tokensMax: { type: 'uint32' },
      },
    },
  },
});

export type InferenceSpec = typeof inferenceProtocol.spec;
