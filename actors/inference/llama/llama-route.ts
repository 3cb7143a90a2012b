/**
 * The contexts of one model, each for texts of certain lengths.
 *
 * Flash attention slows short texts down, because its tiled kernel begins at 64 tokens, and
 * node-llama-cpp sets it for a model rather than for a context. So the model is loaded once with
 * and once without it; the weights are mapped files, which the operating system shares.
 */
import type { Llama, LlamaEmbeddingContext, LlamaModel } from 'node-llama-cpp';
import { SpillwayError } from '../../../kernel/index.ts';
import type { NativeLogger } from './native-logger.ts';

/** What the routes of one model have in common. */
export interface RouteSettings {
  readonly llama: Llama;
  readonly logger: NativeLogger;
  readonly modelPath: string;
  readonly contextSize: number;
}

/** The model, loaded once, with its only context. */
export interface LoadedRoute {
  readonly model: LlamaModel;
  readonly context: LlamaEmbeddingContext;
}

/**
 * The way of texts of fewer than `tokensEnd` tokens. The model is loaded when the first such text
 * comes: a search sends one short query, and should not wait for the route of long texts.
 */
export class Route {
  readonly tokensEnd: number;
  readonly #settings: RouteSettings;
  readonly #flashAttention: boolean;
  #loaded: Promise<LoadedRoute> | undefined;

  constructor(settings: RouteSettings, tokensEnd: number, flashAttention: boolean) {
    this.#settings = settings;
    this.tokensEnd = tokensEnd;
    this.#flashAttention = flashAttention;
  }

  open(checkWeights = false): Promise<LoadedRoute> {
    this.#loaded ??= this.#load(checkWeights);
    return this.#loaded;
  }

  async close(): Promise<void> {
    // A route that failed to load has told its caller so, and there is nothing to free.
    const loaded = await this.#loaded?.catch(() => undefined);
    await loaded?.context.dispose();
    await loaded?.model.dispose();
  }

  async #load(checkWeights: boolean): Promise<LoadedRoute> {
    const { llama, logger, modelPath, contextSize } = this.#settings;
    try {
      const model = await llama.loadModel({
        modelPath, gpuLayers: 0, useMmap: true, checkTensors: checkWeights,
        // "auto" is what the library does by default: on, where the model allows it.
        defaultContextFlashAttention: this.#flashAttention ? 'auto' : false,
      });
      const context = await model.createEmbeddingContext({ contextSize, batchSize: contextSize, threads: 1 });
      return { model, context };
    } catch (cause) {
      throw new SpillwayError(
        'backend_load_failed',
        `model ${modelPath}: llama.cpp refused it (${(cause as Error).message}, ${logger.explain()}); choose another model, or convert it again`,
        { cause, details: { path: modelPath } },
      );
    }
  }
}

/** The routes in ascending order of length; the last one takes any. */
export function planRoutes(settings: RouteSettings, flashAttentionTokensMin: number): readonly [Route, ...Route[]] {
  if (flashAttentionTokensMin <= 0) return [new Route(settings, Infinity, true)];
  if (flashAttentionTokensMin >= settings.contextSize) return [new Route(settings, Infinity, false)];
  return [new Route(settings, flashAttentionTokensMin, false), new Route(settings, Infinity, true)];
}
