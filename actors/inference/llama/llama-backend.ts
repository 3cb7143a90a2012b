/**
 * Embeds and ranks text with llama.cpp through node-llama-cpp.
 *
 * Four findings shape this folder.
 * - Each context has one thread. With the library's default of at least four threads, a machine
 *   with two cores spends its time in spin barriers.
 * - Flash attention pays for long texts only, so an encoder has two contexts (llama-contexts.ts).
 * - A native call cannot be stopped, and a thread that ends during one aborts the process. Cancel
 *   and deadline are asked before every text, and `close` waits (text-queue.ts).
 * - The library's own way to a vector takes a tenth of a short text's time (text-context.ts).
 *
 * Texts run one after another: fusing several in one native call does not pay on a CPU.
 */
import { cpus } from 'node:os';
import type { Llama } from 'node-llama-cpp';
import { SpillwayError } from '../../../kernel/index.ts';
import { TOKENS_MAX_DEFAULT, type BackendOptions, type BackendProvider, type EmbeddingBackend, type Pooling, type RankingBackend } from '../backend.ts';
import { POOLING_TYPE } from '../gguf/architecture.ts';
import { checkGgufHeader, type GgufSummary } from '../gguf/header.ts';
import { normalizeInto } from '../unit-vector.ts';
import { CalibrationFile, type CalibrationKey } from './calibration-file.ts';
import { FLASH_ATTENTION_TOKENS_MIN, measureFlashAttention } from './flash-attention.ts';
import { LlamaContexts, loadFailure } from './llama-contexts.ts';
import { LlamaEmbedder } from './llama-embedder.ts';
import { withLlama, type StartedLibrary } from './llama-library.ts';
import { LlamaRanker } from './llama-ranker.ts';

export interface LlamaBackendOptions extends BackendOptions {
  /** Texts with at least this many tokens use flash attention; 0 for all, `Infinity` for none. Default: what `calibrate` finds, else 64. */
  readonly flashAttentionTokensMin?: number;
  /**
   * Whether that length is measured, once for each model and machine, which takes less than two seconds and is
   * remembered in the cache folder. Default false, so that a search with one query does not wait for it.
   */
  readonly calibrate?: boolean;
  /** Where it is remembered. Default: the folder `calibration` of the user's cache folder. */
  readonly calibrationFolder?: string;
  /** Whether every weight is checked for NaN and infinities while loading; reads the whole file. Default true. */
  readonly checkWeights?: boolean;
  /** Whether the context of long texts is opened at once rather than for the first long text. Default false. */
  readonly preloadAll?: boolean;
}

interface LlamaProvider extends BackendProvider {
  load(modelPath: string, options?: LlamaBackendOptions): Promise<EmbeddingBackend>;
  loadRanking(modelPath: string, options?: LlamaBackendOptions): Promise<RankingBackend>;
}

/**
 * The provider of this backend. `load` and `loadRanking` throw the errors of the header check (`model_…`), and
 * `pooling_unsupported`, `backend_unavailable`, `backend_load_failed` or `backend_self_test_failed`.
 */
export const llamaBackend: LlamaProvider = { id: 'llama', load, loadRanking };

const SELF_TEST_TEXT = 'spillway';

function load(modelPath: string, options: LlamaBackendOptions = {}): Promise<EmbeddingBackend> {
  return withChecked(modelPath, 'embed', options, async (summary, library) => {
    const { llama, logger, sha256 } = library;
    const contextSize = contextSizeOf(summary, options);
    const { isEncoder } = summary;
    const key = keyOf(llama, sha256);
    const calibration = isEncoder && options.calibrate === true && options.flashAttentionTokensMin === undefined ? new CalibrationFile(options.calibrationFolder) : undefined;
    const measured = calibration?.read(key);
    const isProvisional = calibration !== undefined && measured === undefined;
    const contexts = await LlamaContexts.open({
      llama, logger, modelPath, contextSize, isEncoder, isProvisional,
      flashAttentionTokensMin: isEncoder ? options.flashAttentionTokensMin ?? measured ?? FLASH_ATTENTION_TOKENS_MIN : 0,
      checkWeights: options.checkWeights ?? true,
    });
    // The library keeps one token of a context for itself.
    const model = { name: summary.name, sha256, dimensions: checkedVector(summary, contexts.probe), tokensMax: contextSize - 1 };
    if (isProvisional) {
      contexts.flashAttentionTokensMin = await measureFlashAttention(contexts, (count) => repeated(contexts, count), model.tokensMax);
      calibration.write(key, contexts.flashAttentionTokensMin);
    }
    if (options.preloadAll === true) await contexts.forLength(model.tokensMax);
    return new LlamaEmbedder(llama, contexts, model, options);
  });
}

function loadRanking(modelPath: string, options: LlamaBackendOptions = {}): Promise<RankingBackend> {
  return withChecked(modelPath, 'rank', options, async (summary, { llama, logger, sha256 }) => {
    const contextSize = contextSizeOf(summary, options);
    try {
      const native = await llama.loadModel({ modelPath, gpuLayers: 0, useMmap: true, checkTensors: options.checkWeights ?? true });
      const context = await native.createRankingContext({ contextSize, batchSize: contextSize, threads: 1 });
      // The library answers NaN with 0, which no score is otherwise.
      if (!((await context.rank(SELF_TEST_TEXT, SELF_TEST_TEXT)) > 0)) throw selfTestFailed(summary, 'score for a short pair is not finite');
      return new LlamaRanker(llama, native, context, { name: summary.name, sha256, dimensions: 0, tokensMax: contextSize - 1 }, options);
    } catch (cause) {
      if (cause instanceof SpillwayError) throw cause;
      throw loadFailure(modelPath, logger, cause);
    }
  });
}

/** The checks that come before native code, then the library. */
async function withChecked<Result>(
  modelPath: string, purpose: 'embed' | 'rank', options: LlamaBackendOptions, use: (summary: GgufSummary, library: StartedLibrary) => Promise<Result>,
): Promise<Result> {
  const summary = checkGgufHeader(modelPath, purpose);
  checkPooling(summary, purpose, options.pooling);
  return withLlama(modelPath, options, (library) => use(summary, library));
}

/** llama.cpp could pool otherwise, but node-llama-cpp has no way to say so. */
function checkPooling({ name, poolingType }: GgufSummary, purpose: 'embed' | 'rank', asked: Pooling | undefined): void {
  if (asked === undefined) return;
  // A decoder that does not say how to pool gives the vector of its last token.
  const own = purpose === 'rank' ? POOLING_TYPE.rank : poolingType === undefined || poolingType === POOLING_TYPE.none ? POOLING_TYPE.last : poolingType;
  if (POOLING_TYPE[asked] === own) return;
  const ownName = Object.entries(POOLING_TYPE).find(([, type]) => type === own)![0];
  throw new SpillwayError('pooling_unsupported', `model ${name}: it was to pool by ${asked}, and this backend pools as the model's file says, by ${ownName}; leave the option away, or use the model's ONNX form`, {
    details: { asked, own: ownName },
  });
}

function contextSizeOf({ contextLength }: GgufSummary, { tokensMax = TOKENS_MAX_DEFAULT }: BackendOptions): number {
  return Math.min(contextLength, tokensMax + 1);
}

/** The number of values in the vector of a short text, if that is a vector. */
function checkedVector(summary: GgufSummary, vector: ArrayLike<number>): number {
  const status = normalizeInto(vector, new Float32Array(vector.length));
  if (status === 'ok') return vector.length;
  throw selfTestFailed(summary, `vector for a short text is ${status === 'empty' ? 'zero' : 'not finite'}`);
}

function selfTestFailed({ name }: GgufSummary, finding: string): SpillwayError {
  return new SpillwayError('backend_self_test_failed', `model ${name}: its ${finding}; choose another model`);
}

function keyOf(llama: Llama, sha256: string): CalibrationKey {
  return { sha256, library: `llama.cpp ${llama.llamaCppRelease.release}`, processor: `${cpus()[0]?.model ?? 'unknown'}; ${llama.systemInfo}` };
}

/** A text of `count` tokens, which says nothing. */
function repeated({ model, frame }: LlamaContexts, count: number): Uint32Array {
  const [token] = model.tokenize(SELF_TEST_TEXT);
  return frame.around(Array.from({ length: count - frame.size }, () => token!));
}
