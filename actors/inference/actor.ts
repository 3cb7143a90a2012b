/**
 * An inference actor: one thread, one model, its native contexts.
 *
 * A batch is the unit of dispatch: it handles one at a time, asks before every text whether that text
 * is still wanted, and answers with one block of vectors. The model is loaded with the first message,
 * or in `start` if `load` says so. It ends in order only: `stop` waits for the call in flight, because a
 * thread that is left during a native call takes the process with it.
 */
import { defineActor } from '../../kernel/index.ts';
import type { EmbeddingBackend, TruncatePolicy } from './backend.ts';
import { inferenceProtocol, type InferenceSpec } from './messages.ts';
import { chooseModel, type CheckedModel } from './model-choice.ts';

export interface InferenceArgs {
  /** A model that was chosen before, or what to choose it by, on this actor's own thread. */
  readonly model: CheckedModel | ModelQuery;
  /** When the model is loaded. Default: first_use. */
  readonly load?: 'start' | 'first_use';
  readonly truncate?: TruncatePolicy;
  /**
   * Tokens that a text may have even if the model takes more. llama.cpp keeps as much memory as the longest
   * text so far took, and for each token a value for every word of the vocabulary. Default: 2,048.
   */
  readonly tokensMax?: number;
}

export interface ModelQuery {
  /** A path or an `hf:` URI; absent for the built-in model. */
  readonly source?: string;
  readonly cacheDir?: string;
}

export const inference = defineActor<InferenceSpec, InferenceArgs>({
  protocol: inferenceProtocol,
  counters: ['texts', 'tokens', 'truncated'],
  async start(context, { model, load, truncate, tokensMax }) {
    let loading: Promise<EmbeddingBackend> | undefined;
    const backend = (): Promise<EmbeddingBackend> => (loading ??= open());
    const open = async (): Promise<EmbeddingBackend> => {
      const { path, sha256, builtIn } = 'sha256' in model ? model : await chooseModel(model.source, cacheOf(model));
      // With the first use, like the model: a run that finds nothing to embed needs neither.
      const { llamaBackend } = await import('./llama-backend.ts');
      return llamaBackend.load(path, {
        sha256,
        nowMs: () => context.clock.monotonicMs(),
        log: (line) => context.log.warn('native', { line }),
        // With its single head, flash attention is the faster route at every length.
        ...(builtIn ? { flashAttentionTokensMin: 0 } : {}),
        ...(truncate === undefined ? {} : { truncate }),
        ...(tokensMax === undefined ? {} : { tokensMax }),
      });
    };
    if (load === 'start') await backend();
    return {
      handlers: {
        async embed({ texts }, message) {
          const { vectors, dimensions, outcomes, truncatedCount } = await (
            await backend()
          ).embed(texts.map(composed), { cancelled: () => message.cancelled, deadlineMs: message.deadlineMs });
          context.counters.add('texts', outcomes.length);
          context.counters.add('tokens', outcomes.reduce((sum, { tokens }) => sum + tokens, 0));
          context.counters.add('truncated', truncatedCount);
          return { vectors, dimensions, outcomes: [...outcomes] };
        },
        async load() {
          const { name, sha256, dimensions, tokensMax } = (await backend()).model;
          return { name, sha256, dimensions, tokensMax };
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

function cacheOf({ cacheDir }: ModelQuery): { cacheDir?: string } {
  return cacheDir === undefined ? {} : { cacheDir };
}

/** Tokenizers are made for composed characters; a decomposed accent would be a piece of its own. */
function composed(text: string): string {
  return text.normalize('NFC');
}
