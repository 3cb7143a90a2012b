/**
 * The contexts of one embedding model, each for texts of certain lengths, and for one runner of the queue.
 *
 * Flash attention slows short texts down, because its tiled kernel begins at 64 tokens. So an encoder has two
 * contexts, with and without it, and each text goes to the one that suits its length. All but the first are opened
 * when a text needs them: a search sends one short query, and should not wait for the context of long texts.
 * Without flash attention memory grows with the square of the length, so that context is no larger than its texts.
 *
 * All belong to one loaded model. The library sets flash attention for a model, and lets only contexts for
 * generation differ; whether a context opened that way embeds as it should is therefore tried on one text. If it does
 * not, the model is loaded a second time, which takes as much memory again where the library repacks weights.
 */
import type { Llama, LlamaContext, LlamaContextOptions, LlamaModel } from 'node-llama-cpp';
import { SpillwayError } from '../../../kernel/index.ts';
import type { NativeLogger } from './native-logger.ts';
import { directContext, libraryContext, type TextContext } from './text-context.ts';
import type { Runner } from './text-queue.ts';
import { TokenFrame } from './token-frame.ts';
import { cosine } from '../unit-vector.ts';

export interface ContextSettings {
  readonly llama: Pick<Llama, 'loadModel'>;
  readonly logger: NativeLogger;
  readonly modelPath: string;
  /** Tokens of the longest text and one more, which the library keeps for itself. */
  readonly contextSize: number;
  /** Tokens see each other in both directions, so flash attention is a question of length. */
  readonly isEncoder: boolean;
  /** Texts with at least this many tokens use flash attention. */
  readonly flashAttentionTokensMin: number;
  /** Whether the length above may change once the contexts are open. */
  readonly isProvisional: boolean;
  /** Whether every weight is checked for NaN and infinities while loading, which reads the whole file. */
  readonly checkWeights: boolean;
}

const PROBE_TEXT = 'spillway';
/** No vocabulary needs as many tokens for it. */
const SIZE_MIN = 64;
/** Two ways of computing one text differ by rounding; a wrong one differs in the first digit. */
const AGREEING_COSINE = 0.9999;

export class LlamaContexts {
  /** Texts with at least this many tokens use flash attention. */
  flashAttentionTokensMin: number;
  readonly model: LlamaModel;
  readonly frame: TokenFrame;
  /** The vector of a short text, as the library itself gives it. */
  readonly probe: ArrayLike<number>;
  readonly isEncoder: boolean;
  readonly #settings: ContextSettings;
  readonly #models: LlamaModel[];
  readonly #contexts = new Map<`${Runner}/${boolean}`, Promise<TextContext>>();

  private constructor(settings: ContextSettings, model: LlamaModel, first: TextContext, probe: ArrayLike<number>) {
    this.#settings = settings;
    this.isEncoder = settings.isEncoder;
    this.model = model;
    this.frame = new TokenFrame(model);
    this.probe = probe;
    this.flashAttentionTokensMin = settings.flashAttentionTokensMin;
    this.#models = [model];
    this.#contexts.set(`ordinary/${this.flashAttentionTokensMin <= 0}`, Promise.resolve(first));
  }

  /** Loads the model with the context of short texts. @throws SpillwayError `backend_load_failed`. */
  static async open(settings: ContextSettings): Promise<LlamaContexts> {
    return explained(settings, async () => {
      const flashAttention = settings.flashAttentionTokensMin <= 0;
      const model = await load(settings, flashAttention, settings.checkWeights);
      const library = await model.createEmbeddingContext(sizeOf(settings, flashAttention));
      const { vector } = await library.getEmbeddingFor(probeTokens(model));
      const direct = directContext(library);
      const context = (await agrees(direct, model, vector)) ? direct! : libraryContext(library);
      return new LlamaContexts(settings, model, context, vector);
    });
  }

  /** The context for a text of `length` tokens, special ones included. @throws SpillwayError `backend_load_failed`. */
  forLength(length: number, runner: Runner = 'ordinary'): Promise<TextContext> {
    return this.withFlashAttention(length >= this.flashAttentionTokensMin, runner);
  }

  withFlashAttention(flashAttention: boolean, runner: Runner = 'ordinary'): Promise<TextContext> {
    const key = `${runner}/${flashAttention}` as const;
    let context = this.#contexts.get(key);
    if (context === undefined) {
      context = this.#openOther(flashAttention);
      this.#contexts.set(key, context);
      // A failure is for whoever asked, and may have been a want of memory that passes.
      context.catch(() => this.#contexts.delete(key));
    }
    return context;
  }

  async close(): Promise<void> {
    for (const opening of this.#contexts.values()) {
      // A context that failed to open has told its caller so, and there is nothing to free.
      const context = await opening.catch(() => undefined);
      await context?.dispose();
    }
    for (const model of this.#models) await model.dispose();
  }

  #openOther(flashAttention: boolean): Promise<TextContext> {
    const settings = this.#settings;
    return explained(settings, async () => {
      const shared = await openShared(this.model, settings, flashAttention);
      if (await agrees(shared, this.model, this.probe)) return shared!;
      await shared?.dispose();
      const model = await load(settings, flashAttention, false);
      this.#models.push(model);
      return libraryContext(await model.createEmbeddingContext(sizeOf(settings, flashAttention)));
    });
  }
}

function load({ llama, modelPath }: ContextSettings, flashAttention: boolean, checkWeights: boolean): Promise<LlamaModel> {
  return llama.loadModel({
    modelPath, gpuLayers: 0, useMmap: true, checkTensors: checkWeights,
    // "auto" is what the library does by default: on, where the model allows it.
    defaultContextFlashAttention: flashAttention ? 'auto' : false,
  });
}

/** A text longer than `batchSize` silently gets a wrong vector, so it is the context's size. */
function sizeOf({ contextSize, flashAttentionTokensMin, isProvisional }: ContextSettings, flashAttention: boolean): { contextSize: number; batchSize: number; threads: number } {
  const size = flashAttention || isProvisional ? contextSize : Math.min(contextSize, Math.max(flashAttentionTokensMin, SIZE_MIN));
  return { contextSize: size, batchSize: size, threads: 1 };
}

async function openShared(model: LlamaModel, settings: ContextSettings, flashAttention: boolean): Promise<TextContext | undefined> {
  const embedding: LlamaContextOptions & { readonly _embeddings: true } = { ...sizeOf(settings, flashAttention), sequences: 1, flashAttention: flashAttention ? 'auto' : false, _embeddings: true };
  const context: LlamaContext = await model.createContext(embedding);
  const direct = directContext(context);
  if (direct === undefined) await context.dispose();
  return direct;
}

/** Whether `context` gives the probe text the vector it should have. */
async function agrees(context: TextContext | undefined, model: LlamaModel, expected: ArrayLike<number>): Promise<boolean> {
  if (context === undefined) return false;
  try {
    const vector = await context.compute(new TokenFrame(model).around(probeTokens(model)));
    return vector.length === expected.length && cosine(vector, expected) >= AGREEING_COSINE;
  } catch {
    // Calls that take other arguments than these are another library's, and the documented way remains.
    return false;
  }
}

function probeTokens(model: LlamaModel): ReturnType<LlamaModel['tokenize']> {
  return model.tokenize(PROBE_TEXT);
}

async function explained<Result>({ modelPath, logger }: ContextSettings, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    throw loadFailure(modelPath, logger, cause);
  }
}

/** An error for a model that the native library refused. */
export function loadFailure(modelPath: string, logger: NativeLogger, cause: unknown): SpillwayError {
  return new SpillwayError(
    'backend_load_failed',
    `model ${modelPath}: llama.cpp refused it (${(cause as Error).message}, ${logger.explain()}); choose another model, or convert it again`,
    { cause, details: { path: modelPath } },
  );
}
