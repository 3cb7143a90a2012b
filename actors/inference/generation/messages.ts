/** What a generator actor understands. */
import { defineProtocol, type ItemOf } from '../../../kernel/index.ts';

/**
 * Why a text ended:
 * - `stop`: before a stop sequence.
 * - `length`: it has as many tokens as were asked for, or its context is full.
 * - `eos`: the model ended it, or it fits its schema.
 * - `cancelled`, `deadline`: it was not finished in time; what was generated until then is sound.
 */
export const FINISH_REASONS = ['stop', 'length', 'eos', 'cancelled', 'deadline'] as const;
export type FinishReason = (typeof FINISH_REASONS)[number];

export const generationProtocol = defineProtocol('generation', {
  /** Goes on with a prompt. Items are made as far as they are asked for. */
  generate: {
    request: {
      properties: {
        prompt: { type: 'string' },
        maxTokens: { type: 'uint32' },
        temperature: { type: 'float64' },
        topK: { type: 'uint32' },
        topP: { type: 'float64' },
        seed: { type: 'uint32' },
        stop: { elements: { type: 'string' } },
        /** When it ends with what it has, on the machine's monotonic clock, its waiting included. */
        deadlineMs: { type: 'float64' },
      },
      /** A JSON schema as text. */
      optionalProperties: { schema: { type: 'string' } },
    },
    stream: {
      discriminator: 'kind',
      mapping: {
        /** It has a sequence; its prompt is read next. */
        begun: { properties: { promptTokens: { type: 'uint32' }, seed: { type: 'uint32' }, queuedMs: { type: 'float64' } } },
        /** Whole characters, and how many tokens were generated since the last item. */
        piece: { properties: { text: { type: 'string' }, tokens: { type: 'uint32' } } },
        /** Always the last one. Its text and tokens are those since the last piece. */
        end: {
          properties: {
            text: { type: 'string' },
            tokens: { type: 'uint32' },
            reason: { enum: [...FINISH_REASONS] },
            promptTokens: { type: 'uint32' },
            completionTokens: { type: 'uint32' },
            /** From the request's arrival to its first token; -1 without one. */
            ttftMs: { type: 'float64' },
            /** Of the tokens behind the first, while it was computed and not while it waited for demand; 0 without any. */
            tokensPerSecond: { type: 'float64' },
          },
          /** Which stop sequence came. */
          optionalProperties: { stop: { type: 'string' } },
        },
      },
    },
  },
  /** Loads the model unless it is loaded, and says what it is. */
  load: {
    request: { properties: {} },
    reply: {
      properties: {
        backend: { type: 'string' },
        name: { type: 'string' },
        sha256: { type: 'string' },
        contextTokens: { type: 'uint32' },
        sequences: { type: 'uint32' },
      },
    },
  },
});

export type GenerationSpec = typeof generationProtocol.spec;
export type GenerationItem = ItemOf<GenerationSpec, 'generate'>;
export type EndItem = Extract<GenerationItem, { kind: 'end' }>;
