/**
 * Loads one model and tries it, in a process made for that. What it answers is the word of a process that has run
 * the model: a model that takes it over can lie here, as it could anywhere, but in a sandbox to nobody's harm.
 * What the quarantine is for is the end of this process, which nobody can lie about.
 */
import { SpillwayError, defineActor, defineProtocol, type MessageContext } from '../../../kernel/index.ts';
import type { InferenceArgs } from '../actor.ts';
import { isolatedInference } from '../isolated-actor.ts';

export const quarantineProtocol = defineProtocol('quarantine', {
  /** Loads the model, has it compute twice, and compares. */
  try: {
    request: { properties: {} },
    reply: { properties: { dimensions: { type: 'uint32' }, loadMs: { type: 'float64' }, rssBytes: { type: 'float64' } } },
  },
});

/** Texts of every kind of length that a route or a padded batch may be made for. */
const TEXTS = ['a', 'the quick brown fox jumps over the lazy dog', 'one text that is somewhat longer than the others, as texts are. '.repeat(6)];
const QUERY = 'which animal jumps?';
/** Between two results for one text, each from -1 to 1. A library that computes on several threads may add in another order. */
const DIFFERENCE_MAX = 1e-4;

export const quarantine = defineActor<typeof quarantineProtocol.spec, InferenceArgs>({
  protocol: quarantineProtocol,
  counters: ['texts', 'tokens', 'truncated'],
  async start(context, args) {
    const { handlers, stop } = await isolatedInference.start(context, { ...args, truncate: 'right' });
    const compute = async (message: MessageContext): Promise<Float32Array> => {
      if (args.purpose === 'rank') {
        const { scores, outcomes } = await handlers.rank({ query: QUERY, documents: [...TEXTS] }, message);
        assertComputed(outcomes);
        return Float32Array.from(scores);
      }
      const { vectors, outcomes } = await handlers.embed({ texts: [...TEXTS] }, message);
      assertComputed(outcomes);
      return Float32Array.from(vectors);
    };
    return {
      handlers: {
        async try(_, message) {
          const beganMs = context.clock.monotonicMs();
          const { dimensions } = await handlers.load({}, message);
          const loadMs = context.clock.monotonicMs() - beganMs;
          const first = await compute(message);
          const second = await compute(message);
          if (first.some((value, index) => Math.abs(value - second[index]!) > DIFFERENCE_MAX)) throw failed('it gives other vectors when it is asked again');
          return { dimensions, loadMs, rssBytes: process.resourceUsage().maxRSS * 1024 };
        },
      },
      ...(stop === undefined ? {} : { stop }),
    };
  },
});

function assertComputed(outcomes: readonly { readonly status: string; readonly reason?: string }[]): void {
  const bad = outcomes.find(({ status }) => status !== 'ok');
  if (bad !== undefined) throw failed(`it has no result for a simple text: ${bad.status}${bad.reason === undefined ? '' : ` (${bad.reason})`}`);
}

function failed(what: string): SpillwayError {
  return new SpillwayError('backend_self_test_failed', `the model loaded, but ${what}; choose another model`);
}
