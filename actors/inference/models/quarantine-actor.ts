/**
 * Loads one model and tries it, in a process made for that. What it answers is the word of a process that has run
 * the model: a model that takes it over can lie here, as it could anywhere, but in a sandbox to nobody's harm.
 * What the quarantine is for is the end of this process, which nobody can lie about.
 */
import { SpillwayError, defineActor, defineProtocol, type ActorContext, type MessageContext } from '../../../kernel/index.ts';
import type { InferenceArgs } from '../actor.ts';
import { isolatedInference } from '../isolated-actor.ts';
import type { CheckedModel } from '../model-choice.ts';

export const quarantineProtocol = defineProtocol('quarantine', {
  /** Loads the model, has it compute twice, and compares. */
  try: {
    request: { properties: {} },
    reply: { properties: { dimensions: { type: 'uint32' }, loadMs: { type: 'float64' }, rssBytes: { type: 'float64' } } },
  },
});

export interface QuarantineArgs {
  readonly model: CheckedModel;
  readonly purpose: NonNullable<InferenceArgs['purpose']> | 'generate';
}

/** A model under trial, whatever it is for. */
interface Trial {
  /** @returns values in each vector, 0 where there are none */
  load(message: MessageContext): Promise<number>;
  /** Has it do what it is for. Called twice; what comes of it is compared, value by value. */
  compute(message: MessageContext): Promise<Float32Array>;
  stop(): Promise<void>;
}

/** Short, usual and longer than a route or a padded batch may be made for. */
const TEXTS = ['a', 'the quick brown fox jumps over the lazy dog', 'one text that is somewhat longer than the others, as texts are. '.repeat(6)];
const QUERY = 'which animal jumps?';
const TOKENS = 4;
/** Between two results for one text, each from -1 to 1. A library that computes on several threads may add in another order. */
const DIFFERENCE_MAX = 1e-4;

export const quarantine = defineActor<typeof quarantineProtocol.spec, QuarantineArgs>({
  protocol: quarantineProtocol,
  // Of the actors that do the work here.
  counters: ['texts', 'tokens', 'truncated', 'requests', 'promptTokens', 'overloaded'],
  async start(context, args) {
    const trial = args.purpose === 'generate' ? await generationTrial(context, args.model) : await inferenceTrial(context, args.model, args.purpose);
    return {
      handlers: {
        async try(_, message) {
          const beganMs = context.clock.monotonicMs();
          const dimensions = await trial.load(message);
          const loadMs = context.clock.monotonicMs() - beganMs;
          const first = await trial.compute(message);
          const second = await trial.compute(message);
          if (first.some((value, index) => Math.abs(value - second[index]!) > DIFFERENCE_MAX)) throw failed('it gives another result when it is asked again');
          return { dimensions, loadMs, rssBytes: process.resourceUsage().maxRSS * 1024 };
        },
      },
      stop: () => trial.stop(),
    };
  },
});

async function inferenceTrial(context: ActorContext, model: CheckedModel, purpose: 'embed' | 'rank'): Promise<Trial> {
  const { handlers, stop } = await isolatedInference.start(context, { model, purpose, truncate: 'right' });
  return {
    async load(message) {
      return (await handlers.load({}, message)).dimensions;
    },
    async compute(message) {
      if (purpose === 'rank') {
        const { scores, outcomes } = await handlers.rank({ query: QUERY, documents: [...TEXTS] }, message);
        return computed(scores, outcomes);
      }
      const { vectors, outcomes } = await handlers.embed({ texts: [...TEXTS] }, message);
      return computed(vectors, outcomes);
    },
    async stop() {
      await stop?.('shutdown');
    },
  };
}

async function generationTrial(context: ActorContext, model: CheckedModel): Promise<Trial> {
  const { isolatedGeneration } = await import('../generation/isolated-actor.ts');
  const { handlers, stop } = await isolatedGeneration.start(context, { model, sequences: 1 });
  return {
    async load(message) {
      await handlers.load({}, message);
      return 0;
    },
    async compute(message) {
      const request = { prompt: TEXTS[1]!, maxTokens: TOKENS, temperature: 0, topK: 1, topP: 1, seed: 1, stop: [], deadlineMs: message.deadlineMs };
      // That it comes to its end is all that can be asked: what a model writes need not be the same twice.
      for await (const item of handlers.generate(request, message)) if (item.kind === 'end') return new Float32Array(0);
      throw failed('it writes no text');
    },
    async stop() {
      await stop?.('shutdown');
    },
  };
}

function computed(values: ArrayLike<number>, outcomes: readonly { readonly status: string; readonly reason?: string }[]): Float32Array {
  const bad = outcomes.find(({ status }) => status !== 'ok');
  if (bad !== undefined) throw failed(`it has no result for a simple text: ${bad.status}${bad.reason === undefined ? '' : ` (${bad.reason})`}`);
  return Float32Array.from(values);
}

function failed(what: string): SpillwayError {
  return new SpillwayError('backend_self_test_failed', `the model loaded, but ${what}; choose another model`);
}
