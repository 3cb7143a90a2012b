/**
 * Embeds and ranks text with onnxruntime through onnxruntime-node, from model folders as Hugging Face has them.
 *
 * Four findings shape this folder.
 * - A native call runs on the thread that makes it. It blocks the actor, so urgent texts pass between calls
 *   (turn-queue.ts), and there is nothing to overlap it with: what is done around it must be short.
 * - Unlike llama.cpp, onnxruntime computes several short texts faster together than one by one (batch-plan.ts).
 * - Models with integers inside choose their scale over all texts of a call, so a text's vector depends, a little, on
 *   its neighbours. A model that fails a trial of this with a few short texts when it is loaded computes texts one by
 *   one; one that passes may still come out a little below the trial's bound with other texts. `fuse: false` rules it out.
 * - Tokenizing took a twentieth of a short text's time with the library alone (text-tokenizer.ts).
 */
import { SpillwayError } from '../../../kernel/index.ts';
import { TOKENS_MAX_DEFAULT, type BackendOptions, type BackendProvider, type Pooling, type RankingBackend, type SpanBackend } from '../backend.ts';
import { modelError } from '../gguf/parser.ts';
import { FUSION, ONE_BY_ONE } from './batch-plan.ts';
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

/** Lengths of the texts that are tried alone and together, and how alike the vectors must be, as a cosine. */
const PROBE_LENGTHS = [6, 9, 12, 16];
const COSINE_MIN = 0.9999;
/** Numbers far apart in the vocabulary, and coprime to most sizes of it. */
const PROBE_STEP = 7_919;

async function load(modelPath: string, options: OnnxBackendOptions = {}): Promise<SpanBackend> {
  const files = checkOnnxModel(modelPath);
  const pooling = options.pooling ?? files.pooling;
  if (pooling === undefined) {
    throw modelError('pooling_unsupported', modelPath, 'does not say how token vectors become one; give the option `pooling`: mean, cls or last');
  }
  const output = vectorOutput(files, pooling);
  return withSession(files, output.name, options, async ({ session, tokenizer, sha256, tokensMax }) => {
    const probes = probeRows(tokenizer, tokensMax);
    const alone = await probe(session, probes, files);
    const dimensions = alone[0]!.dims.at(-1)!;
    const vectorsAlone = alone.map((result, i) => vectorOf(result, 0, probes[i]!, pooling, dimensions, files));
    const isExact = options.fuse !== false && (await fusedVectors(session, probes, pooling, dimensions, files))?.every((vector, i) => cosine(vector, vectorsAlone[i]!) >= COSINE_MIN) === true;
    const model = { name: files.name, sha256, dimensions, tokensMax };
    return new OnnxEmbedder({ session, tokenizer, model, pooling, fusion: isExact ? FUSION : ONE_BY_ONE }, options);
  });
}

async function loadRanking(modelPath: string, options: OnnxBackendOptions = {}): Promise<RankingBackend> {
  const files = checkOnnxModel(modelPath);
  const output = scoreOutput(files);
  return withSession(files, output.name, options, async ({ session, tokenizer, sha256, tokensMax }) => {
    const probes = probeRows(tokenizer, tokensMax);
    const alone = await probe(session, probes, files);
    if (alone.some(({ data }) => data.length !== 1)) throw modelError('model_unsupported', files.modelPath, `gives ${alone[0]!.data.length} scores for each text; expected one, how well it matches`);
    if (alone.some(({ data }) => !Number.isFinite(data[0]))) throw selfTestFailed(files, 'its score is not finite');
    const together = options.fuse === false ? undefined : await session.run(probes, probes.at(-1)!.ids.length).catch(() => undefined);
    const isExact = together !== undefined && alone.every(({ data }, i) => Math.abs(sigmoid(data[0]!) - sigmoid(together.data[i] ?? NaN)) <= 1 - COSINE_MIN);
    const model = { name: files.name, sha256, dimensions: 0, tokensMax };
    return new OnnxRanker({ session, tokenizer, model, fusion: isExact ? FUSION : ONE_BY_ONE }, options);
  });
}

interface OpenModel {
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
    return await use({ session, tokenizer, sha256, tokensMax: Math.min(files.contextLength, options.tokensMax ?? TOKENS_MAX_DEFAULT) });
  } catch (cause) {
    await session.close();
    throw cause;
  }
}

/** Texts of tokens from all over the vocabulary, in ascending order of length. */
function probeRows({ frame: { before, after }, vocabularySize }: TextTokenizer, tokensMax: number): TokenRow[] {
  return PROBE_LENGTHS.map((length, row) => {
    const own = Math.max(1, Math.min(length, tokensMax) - before.length - after.length);
    return { ids: [...before, ...Array.from({ length: own }, (_, i) => ((row * length + i + 1) * PROBE_STEP) % vocabularySize), ...after] };
  });
}

async function probe(session: NativeSession, rows: readonly TokenRow[], files: OnnxModelFiles): Promise<NativeOutput[]> {
  const outputs: NativeOutput[] = [];
  try {
    for (const row of rows) outputs.push(await session.run([row], row.ids.length));
  } catch (cause) {
    throw selfTestFailed(files, `onnxruntime could not run it (${(cause as Error).message})`, cause);
  }
  return outputs;
}

/** `undefined` when the model takes one text at a time only. */
async function fusedVectors(session: NativeSession, rows: readonly TokenRow[], pooling: Pooling | 'sentence', dimensions: number, files: OnnxModelFiles): Promise<Float32Array[] | undefined> {
  const together = await session.run(rows, rows.at(-1)!.ids.length).catch(() => undefined);
  if (together === undefined || together.dims[0] !== rows.length) return undefined;
  return rows.map((row, position) => vectorOf(together, position, row, pooling, dimensions, files));
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
