/**
 * One native context of an embedding model: tokens in, vector out.
 *
 * node-llama-cpp's own way computes a text through a sequence, a scheduler and a sampler, which generation needs
 * and an embedding does not: a tenth of the time of a text of 16 tokens, a twentieth at 64
 * (`npm run bench -- llama-ways`). The direct way takes the four native calls underneath. They are internal
 * to the library, whose version is pinned for that reason, so nothing is taken for granted: `directContext` looks
 * whether they are there, and whoever opens a context compares its first vector with the library's own.
 *
 * The library keeps a context from being freed while it computes; the direct way does not. Whoever disposes
 * a context has to wait for its text first.
 */
import type { LlamaContext, LlamaEmbeddingContext, Token } from 'node-llama-cpp';

export interface TextContext {
  /** Which way it takes. */
  readonly way: 'direct' | 'library';
  /** The vector of `tokens`, special ones included and fewer than the context's size. One call at a time. */
  compute(tokens: Uint32Array): Promise<ArrayLike<number>>;
  dispose(): Promise<void>;
}

/** Of the library's binding to a llama.cpp context (`AddonContext`), what an embedding needs. */
interface NativeContext {
  disposeSequence(sequence: number): void;
  initBatch(tokenCount: number): void;
  addToBatch(sequence: number, position: number, tokens: Uint32Array, outputs: Uint32Array): unknown;
  decodeBatch(): Promise<void>;
  getEmbedding(tokenCount: number): Float64Array;
}

const NATIVE_CALLS = ['disposeSequence', 'initBatch', 'addToBatch', 'decodeBatch', 'getEmbedding'] as const satisfies readonly (keyof NativeContext)[];
/** The binding reads the vector of this sequence and of no other. */
const SEQUENCE = 0;

/** The library's documented way. */
export function libraryContext(context: LlamaEmbeddingContext): TextContext {
  return {
    way: 'library',
    async compute(tokens) {
      // Special tokens that are there already are not added again.
      return (await context.getEmbeddingFor([...tokens] as Token[])).vector;
    },
    dispose: () => context.dispose(),
  };
}

/** The direct way into `context`, or undefined when the library is built otherwise than this knows. */
export function directContext(context: LlamaEmbeddingContext | LlamaContext): TextContext | undefined {
  const native = nativeContextOf(context);
  if (native === undefined) return undefined;
  let positions = new Uint32Array(0);
  return {
    way: 'direct',
    async compute(tokens) {
      const { length } = tokens;
      if (positions.length < length) positions = Uint32Array.from({ length }, (_, position) => position);
      // Decoders remember the text before; encoders have nothing to forget.
      native.disposeSequence(SEQUENCE);
      native.initBatch(length);
      // A pooled vector needs the outputs of all tokens; llama.cpp logs a warning for each text that asks for fewer.
      native.addToBatch(SEQUENCE, 0, tokens, positions.subarray(0, length));
      await native.decodeBatch();
      return native.getEmbedding(length);
    },
    dispose: () => context.dispose(),
  };
}

function nativeContextOf(context: object): NativeContext | undefined {
  const inner: unknown = '_llamaContext' in context ? context._llamaContext : context;
  if (typeof inner !== 'object' || inner === null || !('_ctx' in inner)) return undefined;
  const native = inner._ctx as Partial<NativeContext> | null | undefined;
  return NATIVE_CALLS.every((call) => typeof native?.[call] === 'function') ? (native as NativeContext) : undefined;
}
