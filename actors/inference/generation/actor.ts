/**
 * A generator actor: one thread or process, one model, one context with several sequences.
 *
 * Each request is a streaming answer (generation-task.ts), so the actor takes others in between and its
 * sequences compute together. It ends in order only: `stop` waits for the call in flight, because a thread that is
 * left during a native call takes the process with it.
 */
import { SpillwayError, defineActor } from '../../../kernel/index.ts';
import { proveBindingOnce } from '../binding-test.ts';
import { chooseModel, type CheckedModel } from '../model-choice.ts';
import { SEQUENCES_DEFAULT, type GenerationBackend, type GenerationBackendOptions } from './generation-backend.ts';
import { checkRequest } from './generation-request.ts';
import { GenerationTask, type TaskHost } from './generation-task.ts';
import { generationProtocol, type GenerationSpec } from './messages.ts';
import { SequenceSlots } from './sequence-slots.ts';

export interface GenerationArgs extends Pick<GenerationBackendOptions, 'sequences' | 'contextTokens' | 'threads' | 'batching'> {
  /** A model that was chosen before, or what to choose it by, on this actor's own thread. */
  readonly model: CheckedModel | { readonly source: string; readonly cacheDir?: string };
  /** Requests that may wait for a sequence. Default 32. */
  readonly waitingMax?: number;
  /** When the model is loaded. Default: first_use. */
  readonly load?: 'start' | 'first_use';
}

export const GENERATION_COUNTERS = ['requests', 'promptTokens', 'tokens', 'overloaded'] as const;
const WAITING_DEFAULT = 32;
const SEEDS = 2 ** 32;
const DEADLINE_MS_MAX = 31 * 24 * 3_600_000;

export const generation = defineActor<GenerationSpec, GenerationArgs>({
  protocol: generationProtocol,
  counters: GENERATION_COUNTERS,
  async start(context, { model, waitingMax = WAITING_DEFAULT, load, ...options }) {
    const { clock, counters, random } = context;
    const nowMs = (): number => clock.monotonicMs();
    const slots = new SequenceSlots(options.sequences ?? SEQUENCES_DEFAULT, waitingMax, nowMs);
    const tasks = new Set<GenerationTask>();
    let loading: Promise<GenerationBackend> | undefined;
    const backend = (): Promise<GenerationBackend> => (loading ??= open());
    const open = async (): Promise<GenerationBackend> => {
      const { path, sha256 } = 'sha256' in model ? model : await chooseModel(model.source, { purpose: 'generate', ...(model.cacheDir === undefined ? {} : { cacheDir: model.cacheDir }) });
      // With the first use, like the model: a thread that only has the actor needs no native library.
      proveBindingOnce();
      const { loadLlamaGeneration } = await import('./llama-generation.ts');
      return loadLlamaGeneration(path, { ...options, sha256, log: (line) => context.log.warn('native', { line }) });
    };
    if (load === 'start') await backend();
    const host: TaskHost = {
      backend,
      nowMs,
      after: (delayMs, run) => context.after(delayMs, run),
      count: (name, amount) => counters.add(name, amount),
      onEnd: (task) => tasks.delete(task),
    };
    return {
      handlers: {
        generate({ deadlineMs, schema, ...asked }, message) {
          if (!(deadlineMs <= nowMs() + DEADLINE_MS_MAX)) throw new SpillwayError('generation_invalid', `deadlineMs is ${deadlineMs}; expected a time within 31 days, and now it is ${nowMs()}.`, { details: { option: 'deadlineMs' } });
          const request = checkRequest(asked.prompt, { ...asked, ...(schema === undefined ? {} : { schema: schemaOf(schema) }) }, () => random.int(SEEDS));
          let slot;
          try {
            slot = slots.enter();
          } catch (error) {
            counters.add('overloaded', 1);
            throw error;
          }
          counters.add('requests', 1);
          const task = new GenerationTask(request, deadlineMs, message, slot, host);
          tasks.add(task);
          return task;
        },
        async load() {
          const { id, model: { name, sha256, contextTokens }, sequences } = await backend();
          return { backend: id, name, sha256, contextTokens, sequences };
        },
      },
      async stop() {
        await Promise.all([...tasks].map((task) => task.stop()));
        // A load that failed has nothing to close, and its error was the answer to whoever asked.
        const loaded = await loading?.catch(() => undefined);
        await loaded?.close();
      },
    };
  },
});

/** The text came from `JSON.stringify`; of another sender's the check says what is wrong with it. */
function schemaOf(text: string): object {
  try {
    return JSON.parse(text) as object;
  } catch {
    return [text];
  }
}
