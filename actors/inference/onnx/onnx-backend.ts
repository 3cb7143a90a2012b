/**
 * Embeds and ranks text with onnxruntime through onnxruntime-node, from model folders as Hugging Face has them.
 *
 * Four findings shape this folder.
 * - A native call runs on the thread that makes it. It blocks the actor, so urgent texts pass between calls
 *   (turn-queue.ts), and there is nothing to overlap it with: what is done around it must be short.
 * - Unlike llama.cpp, onnxruntime computes several short texts faster together than one by one (batch-plan.ts).
 * - Models with integers inside choose their scale over all texts of a call, so the vector of a short text depends on
 *   its neighbours. Which lengths bear company is tried when the model is loaded (fusion-trial.ts).
 * - Tokenizing took a twentieth of a short text's time with the library alone (text-tokenizer.ts).
 */
import { SpillwayError } from '../../../kernel/index.ts';
import { TOKENS_MAX_DEFAULT, type BackendOptions, type BackendProvider, type Pooling, type RankingBackend, type SpanBackend } from '../backend.ts';
import { modelError } from '../gguf/parser.ts';
import { ONE_BY_ONE } from './batch-plan.ts';
import { triedFusion, type TriedModel } from './fusion-trial.ts';
import { checkOnnxModel, hashOnnxModel, scoreOutput, vectorOutput, type OnnxModelFiles } from './model-folder.ts';
import { NativeSession, type NativeOutput, type TokenRow } from './native-session.ts';
import { OnnxEmbedder } from './onnx-embedder.ts';
import { OnnxRanker } from './onnx-ranker.ts';
import { loadOnnxRuntime, type OnnxRuntime } from './onnx-runtime.ts';
import { Pooler } from './pooling.ts';
import { TextTokenizer } from './text-tokenizer.ts';
import { cosine } from '../unit-vector.ts';

export interface OnnxBackendOptions extends BackendOptions {
  /** How onnxruntime-node is imported. */
  readonly importRuntime?: () => Promise<OnnxRuntime>;
}

interface OnnxProvider extends BackendProvider {
  load(modelPath: string, options?: OnnxBackendOptions): Promise<SpanBackend>;
  loadRanking(modelPath: string, options?: OnnxBackendOptions): Promise<RankingBackend>;
}

/**
 * The provider of this backend. `load` and `loadRanking` throw the errors of `checkOnnxModel` and `hashOnnxModel`, and
 * `pooling_unsupported`, `backend_unavailable`, `backend_load_failed` or `backend_self_test_failed`.
 */
export const onnxBackend: OnnxProvider = { id: 'onnx', load, loadRanking };

/** Tokens of the text that a model is tried with first. */
const SELF_TEST_TOKENS = 16;
/** Numbers far apart in the vocabulary, and coprime to most sizes of it. */
const TOKEN_STEP = 7_919;

async function load(modelPath: string, options: OnnxBackendOptions = {}): Promise<SpanBackend> {
  const files = checkOnnxModel(modelPath);
  const pooling = options.pooling ?? files.pooling;
  if (pooling === undefined) {
    throw modelError('pooling_unsupported', modelPath, 'does not say how token vectors become one; give the option `pooling`: mean, cls or last');
  }
  return withSession(files, vectorOutput(files, pooling).name, options, async (open) => {
    const { session, tokenizer, sha256, tokensMax } = open;
    const text = testText(open, SELF_TEST_TOKENS);
    const first = await computedAlone(open, text);
    const dimensions = first.dims.at(-1)!;
    const vectorsOf: ReadResults<Float32Array> = (output, texts) => texts.map((one, position) => vectorOf(output, position, one, pooling, dimensions, files));
    vectorsOf(first, [text]);
    const fusion = options.fuse === false ? ONE_BY_ONE : await triedFusion(triedModel(open, vectorsOf, (a, b) => 1 - cosine(a, b)));
    return new OnnxEmbedder({ session, tokenizer, model: { name: files.name, sha256, dimensions, tokensMax }, pooling, fusion }, options);
  });
}

async function loadRanking(modelPath: string, options: OnnxBackendOptions = {}): Promise<RankingBackend> {
  const files = checkOnnxModel(modelPath);
  return withSession(files, scoreOutput(files).name, options, async (open) => {
    const { session, tokenizer, sha256, tokensMax } = open;
    const scoresOf: ReadResults<number> = ({ data }, texts) => {
      if (data.length !== texts.length) throw modelError('model_unsupported', files.modelPath, `gives ${data.length / texts.length} scores for each text; expected one, how well it matches`);
      if (!data.every(Number.isFinite)) throw selfTestFailed(files, 'its score is not finite');
      return [...data];
    };
    const text = testText(open, SELF_TEST_TOKENS);
    scoresOf(await computedAlone(open, text), [text]);
    const fusion = options.fuse === false ? ONE_BY_ONE : await triedFusion(triedModel(open, scoresOf, (a, b) => Math.abs(sigmoid(a) - sigmoid(b))));
    return new OnnxRanker({ session, tokenizer, model: { name: files.name, sha256, dimensions: 0, tokensMax }, fusion }, options);
  });
}

interface OpenModel {
  readonly files: OnnxModelFiles;
  readonly session: NativeSession;
  readonly tokenizer: TextTokenizer;
  readonly sha256: string;
  readonly tokensMax: number;
}

/** Opens the model and hands it on; if that fails, it is closed. */
async function withSession<T>(files: OnnxModelFiles, output: string, options: OnnxBackendOptions, use: (model: OpenModel) => Promise<T>): Promise<T> {
  const runtime = await loadOnnxRuntime(options.importRuntime);
  const tokenizer = new TextTokenizer(files.tokenizer, files.tokenizerConfig);
  if (files.vocabularySize !== undefined && tokenizer.vocabularySize > files.vocabularySize) {
    throw modelError('model_malformed', files.tokenizer.path, `has tokens up to ${tokenizer.vocabularySize - 1}; the model knows ${files.vocabularySize}`);
  }
  const sha256 = options.sha256 ?? await hashOnnxModel(files);
  const session = await NativeSession.open(runtime, files, output);
  try {
    return await use({ files, session, tokenizer, sha256, tokensMax: Math.min(files.contextLength, options.tokensMax ?? TOKENS_MAX_DEFAULT) });
  } catch (cause) {
    await session.close();
    throw cause;
  }
}

/** A text of tokens from all over the vocabulary; of fewer where the model takes no more. */
function testText({ tokenizer: { frame: { before, after }, vocabularySize }, tokensMax }: OpenModel, length: number, variant = 0): TokenRow {
  const own = Math.max(1, Math.min(length, tokensMax) - before.length - after.length);
  return { ids: [...before, ...Array.from({ length: own }, (_, i) => ((variant * length + i + 1) * TOKEN_STEP) % vocabularySize), ...after] };
}

/** What an output says of each text of its call. @throws SpillwayError when it is not what it should be */
type ReadResults<Result> = (output: NativeOutput, texts: readonly TokenRow[]) => Result[];

function triedModel<Result>(open: OpenModel, read: ReadResults<Result>, distance: TriedModel<Result>['distance']): TriedModel<Result> {
  return {
    text: (length, variant) => testText(open, length, variant),
    alone: async (text) => read(await computedAlone(open, text), [text])[0]!,
    async together(texts) {
      try {
        const output = await open.session.run(texts, Math.max(...texts.map(({ ids }) => ids.length)));
        return output.dims[0] === texts.length ? read(output, texts) : undefined;
      } catch {
        return undefined;
      }
    },
    distance,
  };
}

/** @throws SpillwayError `backend_self_test_failed` */
async function computedAlone({ files, session }: OpenModel, text: TokenRow): Promise<NativeOutput> {
  try {
    return await session.run([text], text.ids.length);
  } catch (cause) {
    throw selfTestFailed(files, `onnxruntime could not run it (${(cause as Error).message})`, cause);
  }
}

function vectorOf(output: NativeOutput, position: number, { ids }: TokenRow, pooling: Pooling | 'sentence', dimensions: number, files: OnnxModelFiles): Float32Array {
  const { dims } = output;
  const isExpected = pooling === 'sentence' ? dims.length === 2 : dims.length === 3 && dims[1]! >= ids.length;
  if (!isExpected || dims.at(-1) !== dimensions) throw selfTestFailed(files, `its output has the dimensions [${dims.join(', ')}] for a text of ${ids.length} tokens`);
  const vector = new Float32Array(dimensions);
  const status = new Pooler(dimensions).pool(output, position, ids.length, pooling, vector);
  if (status !== 'ok') throw selfTestFailed(files, `its vector for a short text is ${status === 'empty' ? 'zero' : 'not finite'}`);
  return vector;
}

function selfTestFailed({ modelPath }: OnnxModelFiles, found: string, cause?: unknown): SpillwayError {
  return new SpillwayError('backend_self_test_failed', `model ${modelPath}: ${found}; choose another model`, { details: { path: modelPath }, ...(cause === undefined ? {} : { cause }) });
}

function sigmoid(logit: number): number {
  return 1 / (1 + Math.exp(-logit));
}
