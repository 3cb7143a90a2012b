/**
 * An inference actor: one thread, one model, its native contexts.
 *
 * A batch is the unit of dispatch: it handles one at a time, asks before every text whether that text
 * is still wanted, and answers with one block of vectors. An urgent one comes by the control lane, past the
 * batch in hand, and goes before its texts. The model is loaded with the first message, or in `start` if
 * `load` says so. It ends in order only: `stop` waits for the call in flight, because a thread that is left
 * during a native call takes the process with it.
 */
import { SpillwayError, defineActor, type MessageContext } from '../../kernel/index.ts';
import type { BackendOptions, BackendProvider, EmbedControl, EmbedResult, EmbeddingBackend, ModelBackend, RankingBackend, SpanBackend, TruncatePolicy } from './backend.ts';
import { proveBindingOnce } from './binding-test.ts';
import { lowerComputePriority } from './compute-priority.ts';
import { inferenceProtocol, type InferenceSpec } from './messages.ts';
import { chooseModel, type CheckedModel } from './model-choice.ts';

export interface InferenceArgs extends Pick<BackendOptions, 'truncate' | 'pooling' | 'fuse' | 'tokensMax' | 'textBytesMax'> {
  /** A model that was chosen before, or what to choose it by, on this actor's own thread. */
  readonly model: CheckedModel | ModelQuery;
  /** What the model is for. Default: embed. */
  readonly purpose?: 'embed' | 'rank';
  /** When the model is loaded. Default: first_use. */
  readonly load?: 'start' | 'first_use';
  /**
   * Folder where a backend that has something to measure of this model on this machine does so once and remembers it.
   * Default: it goes by what is usual.
   */
  readonly calibrateIn?: string;
}

export interface ModelQuery {
  /** A path or an `hf:` URI; absent for the built-in model. */
  readonly source?: string;
  readonly cacheDir?: string;
}

export const inference = defineActor<InferenceSpec, InferenceArgs>({
  protocol: inferenceProtocol,
  counters: ['texts', 'tokens', 'truncated'],
  async start(context, { model, purpose = 'embed', load, calibrateIn, ...options }) {
    let loading: Promise<ModelBackend> | undefined;
    const backend = (): Promise<ModelBackend> => (loading ??= open());
    const open = async (): Promise<ModelBackend> => {
      const checked = 'sha256' in model ? model : await chooseModel(model.source, cacheOf(model));
      const provider = await providerOf(checked, calibrateIn);
      const backendOptions: BackendOptions = {
        ...options,
        sha256: checked.sha256,
        nowMs: () => context.clock.monotonicMs(),
        log: (line) => context.log.warn('native', { line }),
      };
      if (purpose === 'rank' && provider.loadRanking === undefined) throw incapable(checked.name, 'rank');
      const loaded = await (purpose === 'rank' ? provider.loadRanking!(checked.path, backendOptions) : provider.load(checked.path, backendOptions));
      lowerComputePriority(checked.backend === 'onnx' ? 'caller' : 'pool');
      return loaded;
    };
    if (load === 'start') await backend();
    const counted = ({ vectors, dimensions, outcomes }: EmbedResult, { model: { sha256 } }: ModelBackend) => {
      context.counters.add('texts', outcomes.length);
      context.counters.add('tokens', outcomes.reduce((sum, { tokens }) => sum + tokens, 0));
      context.counters.add('truncated', outcomes.filter(({ truncated }) => truncated).length);
      return { vectors, dimensions, sha256, outcomes: [...outcomes] };
    };
    const embed = async (texts: readonly string[], control: EmbedControl) => {
      const loaded = embedding(await backend());
      return counted(await loaded.embed(texts.map(composed), control), loaded);
    };
    return {
      handlers: {
        embed: ({ texts, truncate }, message) => embed(texts, controlOf(message, truncate)),
        embedUrgent: ({ texts, truncate }, message) => embed(texts, { ...controlOf(message, truncate), urgent: true }),
        async embedSpans({ text, starts, ends }, message) {
          const loaded = spanning(await backend());
          const spans = starts.map((start, index) => ({ start, end: ends[index] ?? start }));
          return counted(await loaded.embedSpans(text, spans, controlOf(message)), loaded);
        },
        async rank({ query, documents }, message) {
          const { scores, outcomes } = await ranking(await backend()).rank(composed(query), documents.map(composed), controlOf(message));
          return { scores, outcomes: [...outcomes] };
        },
        async load() {
          const { id, model: { name, sha256, dimensions, tokensMax }, capabilities } = await backend();
          const { spans, rank, fusedTextsMax, fusedTokensMax, overlaps } = capabilities;
          return { backend: id, name, sha256, dimensions, tokensMax, spans, rank, fusedTextsMax, fusedTokensMax, overlaps };
        },
      },
      async stop() {
        // A load that failed has nothing to close, and its error was the answer to whoever asked.
        const loaded = await loading?.catch(() => undefined);
        await loaded?.close();
      },
    };
  },
});

/** With the first use, like the model: a run that finds nothing to embed needs no native library. */
async function providerOf({ backend, builtIn }: CheckedModel, calibrateIn: string | undefined): Promise<BackendProvider> {
  if (backend === 'onnx') return (await import('./onnx/onnx-backend.ts')).onnxBackend;
  proveBindingOnce();
  const { llamaBackend } = await import('./llama/llama-backend.ts');
  // With the single head of the built-in model, flash attention is the faster route at every length.
  const route = builtIn ? { flashAttentionTokensMin: 0 } : calibrateIn === undefined ? {} : { calibrate: true, calibrationFolder: calibrateIn };
  return { ...llamaBackend, load: (path, options) => llamaBackend.load(path, { ...options, ...route }) };
}

function controlOf(message: MessageContext, truncate?: TruncatePolicy): EmbedControl {
  return { cancelled: () => message.cancelled, deadlineMs: message.deadlineMs, ...(truncate === undefined ? {} : { truncate }) };
}

function embedding(backend: ModelBackend): EmbeddingBackend {
  if (!backend.capabilities.embed) throw incapable(backend.model.name, 'embed');
  return backend as EmbeddingBackend;
}

function spanning(backend: ModelBackend): SpanBackend {
  if (!backend.capabilities.spans) throw incapable(backend.model.name, 'embed spans of');
  return backend as SpanBackend;
}

function ranking(backend: ModelBackend): RankingBackend {
  if (!backend.capabilities.rank) throw incapable(backend.model.name, 'rank');
  return backend as RankingBackend;
}

function incapable(name: string, deed: string): SpillwayError {
  return new SpillwayError('model_unsupported', `model ${name}: it cannot ${deed} text as it was loaded here; choose a model made for that`);
}

function cacheOf({ cacheDir }: ModelQuery): { cacheDir?: string } {
  return cacheDir === undefined ? {} : { cacheDir };
}

/** Tokenizers are made for composed characters; a decomposed accent would be a piece of its own. */
function composed(text: string): string {
  return text.normalize('NFC');
}
