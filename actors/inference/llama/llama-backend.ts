/**
 * Embeds text with llama.cpp through node-llama-cpp.
 *
 * Four findings shape this file and `llama-route.ts`.
 * - Each context has one thread. With the library's default of at least four threads, a machine
 *   with two cores spends its time in spin barriers.
 * - Flash attention pays for long texts only, so an encoder has two contexts, and each text goes
 *   to the one that suits its length.
 * - A text longer than `batchSize` silently gets a wrong vector, so `batchSize` is `contextSize`.
 * - A native call cannot be stopped, and a thread that ends during one aborts the process. Cancel
 *   and deadline are asked before every text, and `close` waits.
 *
 * Texts run one after another: fusing several in one native call does not pay on a CPU. Two are
 * kept in flight, so that the library's bookkeeping for the next overlaps the computation.
 */
import assert from 'node:assert';
import { getLlama, type Llama, type LlamaEmbeddingContext, type Token } from 'node-llama-cpp';
import { SpillwayError } from '../../../kernel/index.ts';
import type {
  BackendCapabilities, BackendOptions, EmbedControl, EmbedResult, EmbeddingBackend, BackendProvider, LoadedModel, TextOutcome, TruncatePolicy,
} from '../backend.ts';
import { checkGgufHeader, hashModel } from '../gguf/header.ts';
import { planRoutes, type LoadedRoute, type Route } from './llama-route.ts';
import { NativeLogger } from './native-logger.ts';
import { normalizeInto } from '../unit-vector.ts';

/** Texts with fewer tokens go to the context without flash attention: llama.cpp's tiled kernel takes over at 64. */
export const FLASH_ATTENTION_TOKENS_MIN = 64;
const TOKENS_MAX_DEFAULT = 2_048;
const TEXT_BYTES_MAX_DEFAULT = 256 * 1024;
const SELF_TEST_TEXT = 'spillway';

export interface LlamaBackendOptions extends BackendOptions {
  /** Texts with at least this many tokens use flash attention; 0 for all, and one load less. Default `FLASH_ATTENTION_TOKENS_MIN`. */
  readonly flashAttentionTokensMin?: number;
  /** Whether every weight is checked for NaN and infinities while loading; reads the whole file. Default true. */
  readonly checkWeights?: boolean;
  /** Whether the context of long texts is loaded at once rather than for the first long text. Default false. */
  readonly preloadAll?: boolean;
}

interface LlamaProvider extends BackendProvider {
  load(modelPath: string, options?: LlamaBackendOptions): Promise<EmbeddingBackend>;
}

/**
 * The provider of this backend. `load` throws the errors of the header check (`model_…`), and
 * `backend_unavailable`, `backend_load_failed` or `backend_self_test_failed`.
 */
export const llamaBackend: LlamaProvider = { id: 'llama', load };

async function load(modelPath: string, options: LlamaBackendOptions = {}): Promise<EmbeddingBackend> {
  const summary = checkGgufHeader(modelPath);
  const logger = new NativeLogger(options.log);
  // The library tries its binary in a child process first, which takes most of the time of
  // loading a small model; the hash is computed meanwhile.
  const [initialized, hashed] = await Promise.allSettled([
    initialize(logger),
    options.sha256 ?? hashModel(modelPath),
  ]);
  if (initialized.status === 'rejected') throw initialized.reason;
  const llama = initialized.value;
  try {
    if (hashed.status === 'rejected') throw hashed.reason;
    const tokensMax = options.tokensMax ?? TOKENS_MAX_DEFAULT;
    const contextSize = Math.min(summary.contextLength, tokensMax + 1);
    const threshold = summary.isEncoder ? options.flashAttentionTokensMin ?? FLASH_ATTENTION_TOKENS_MIN : 0;
    const routes = planRoutes({ llama, logger, modelPath, contextSize }, threshold);
    const first = await routes[0].open(options.checkWeights ?? true);
    const dimensions = await selfTest(first.context, summary.name);
    if (options.preloadAll === true) for (const route of routes) await route.open();
    // The library keeps one token of a context for itself.
    const model = { name: summary.name, sha256: hashed.value, dimensions, tokensMax: contextSize - 1 };
    NativeLogger.silence(llama);
    return new LlamaBackend(llama, routes, first, model, options);
  } catch (cause) {
    NativeLogger.silence(llama);
    // Disposes what was loaded, too.
    await llama.dispose();
    throw cause;
  }
}

async function initialize(logger: NativeLogger): Promise<Llama> {
  try {
    return await getLlama({
      gpu: false, build: 'never', skipDownload: true, progressLogs: false, maxThreads: 1,
      logLevel: logger.level, logger: logger.receive,
    });
  } catch (cause) {
    throw new SpillwayError(
      'backend_unavailable',
      `the native library of node-llama-cpp could not be loaded for ${process.platform}-${process.arch} (${(cause as Error).message}); reinstall the package on this machine`,
      { cause },
    );
  }
}

/** Embeds one text and answers the length of the vector. */
async function selfTest(context: LlamaEmbeddingContext, name: string): Promise<number> {
  const { vector } = await context.getEmbeddingFor(SELF_TEST_TEXT);
  const status = normalizeInto(vector, new Float32Array(vector.length));
  if (status === 'ok') return vector.length;
  throw new SpillwayError('backend_self_test_failed', `model ${name}: its vector for a short text is ${status === 'empty' ? 'zero' : 'not finite'}; choose another model`);
}

const UNTOUCHED: TextOutcome = { status: 'cancelled', tokens: 0, truncated: false };

class LlamaBackend implements EmbeddingBackend {
  readonly id = 'llama';
  readonly model: LoadedModel;
  readonly capabilities: BackendCapabilities = { embed: true, spans: false, rank: false, generate: false, fusedTextsMax: 1, fusedTokensMax: 1, interruptible: false };
  readonly #llama: Llama;
  readonly #routes: readonly Route[];
  /** The route that is always open, which also tokenizes. */
  readonly #first: LoadedRoute;
  readonly #truncate: TruncatePolicy;
  readonly #textBytesMax: number;
  readonly #nowMs: () => number;
  /** The last batch; batches run one after another, so its end is the end of all. */
  #tail: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(llama: Llama, routes: readonly Route[], first: LoadedRoute, model: LoadedModel, options: LlamaBackendOptions) {
    this.#llama = llama;
    this.#routes = routes;
    this.#first = first;
    this.model = model;
    this.#truncate = options.truncate ?? 'refuse';
    this.#textBytesMax = options.textBytesMax ?? TEXT_BYTES_MAX_DEFAULT;
    this.#nowMs = options.nowMs ?? (() => Number(process.hrtime.bigint()) / 1e6);
  }

  countTokens(text: string): number {
    this.#assertOpen();
    const tokens = this.#tokenize(text);
    return tokens.length === 0 ? 0 : this.#lengthOf(tokens);
  }

  embed(texts: readonly string[], control: EmbedControl): Promise<EmbedResult> {
    this.#assertOpen();
    const batch = this.#tail.then(() => this.#embedBatch(texts, control));
    // A batch that rejects must not stop the next one.
    this.#tail = batch.catch(() => {});
    return batch;
  }

  close(): Promise<void> {
    this.#closing ??= this.#drainAndDispose();
    return this.#closing;
  }

  async #drainAndDispose(): Promise<void> {
    await this.#tail;
    for (const route of this.#routes) await route.close();
    await this.#llama.dispose();
  }

  #assertOpen(): void {
    assert(this.#closing === undefined, 'the backend is closed: it must not be used after close()');
  }

  /** A text is tokenized and begun while its predecessor computes, never earlier. */
  async #embedBatch(texts: readonly string[], control: EmbedControl): Promise<EmbedResult> {
    const { dimensions } = this.model;
    const vectors = new Float32Array(texts.length * dimensions);
    const outcomes: TextOutcome[] = texts.map(() => UNTOUCHED);
    let previous: Promise<void> | undefined;
    for (const [index, text] of texts.entries()) {
      const prepared = this.#stopped(control, index) ?? this.#prepare(index, text);
      if ('status' in prepared) {
        outcomes[index] = prepared;
        continue;
      }
      const current = this.#embedOne(prepared, vectors).then((outcome) => void (outcomes[index] = outcome));
      await previous;
      previous = current;
    }
    await previous;
    return { vectors, dimensions, outcomes };
  }

  async #embedOne({ index, tokens, length, tokenCount, truncated }: Prepared, vectors: Float32Array): Promise<TextOutcome> {
    const { dimensions } = this.model;
    // The last route takes any length.
    const route = this.#routes.find(({ tokensEnd }) => length < tokensEnd)!;
    const { context } = await route.open();
    let vector: readonly number[];
    try {
      ({ vector } = await context.getEmbeddingFor(tokens));
    } catch (error) {
      return { status: 'failed', tokens: tokenCount, truncated: false, reason: (error as Error).message };
    }
    const status = normalizeInto(vector, vectors.subarray(index * dimensions, (index + 1) * dimensions));
    return { status, tokens: tokenCount, truncated: truncated && status === 'ok' };
  }

  #stopped(control: EmbedControl, index: number): TextOutcome | undefined {
    if (control.cancelled(index)) return { status: 'cancelled', tokens: 0, truncated: false };
    if (this.#nowMs() >= control.deadlineMs) return { status: 'deadline', tokens: 0, truncated: false };
    return undefined;
  }

  #prepare(index: number, text: string): Prepared | TextOutcome {
    if (Buffer.byteLength(text) > this.#textBytesMax) {
      return { status: 'too_many_bytes', tokens: 0, truncated: false, limit: this.#textBytesMax };
    }
    const tokens = this.#tokenize(text);
    if (tokens.length === 0) return { status: 'empty', tokens: 0, truncated: false };
    const length = this.#lengthOf(tokens);
    const { tokensMax } = this.model;
    if (length <= tokensMax) return { index, tokens, length, tokenCount: length, truncated: false };
    if (this.#truncate === 'refuse') return { status: 'too_long', tokens: length, truncated: false, limit: tokensMax };
    // Special tokens are not in the list yet: they are put around what remains.
    const kept = tokens.slice(0, tokens.length - (length - tokensMax));
    return { index, tokens: kept, length: tokensMax, tokenCount: length, truncated: true };
  }

  /** Special tokens written out in a text are ordinary text; the library puts the real ones around it. */
  #tokenize(text: string): Token[] {
    return this.#first.model.tokenize(text);
  }

  #lengthOf(tokens: Token[]): number {
    return this.#first.context.calculateInputLength(tokens);
  }
}

/** A text that is ready for its route. */
interface Prepared {
  readonly index: number;
  /** Without special tokens. */
  readonly tokens: Token[];
  /** Tokens that will be computed, special ones included. */
  readonly length: number;
  /** Tokens of the whole text, special ones included. */
  readonly tokenCount: number;
  readonly truncated: boolean;
}
