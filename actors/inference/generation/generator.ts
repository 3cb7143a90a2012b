/**
 * The application's own way to generate: a supervised actor with one model, whose texts are streamed and which
 * never blocks the thread it is called on.
 */
import { systemClock, type ActorRef } from '../../../kernel/index.ts';
import type { System } from '../../../supervisors/index.ts';
import { inspectModel } from '../hosting/inspector.ts';
import type { IsolationOptions } from '../isolation.ts';
import type { CheckedModel } from '../model-choice.ts';
import { ensureTrusted } from '../models/quarantine.ts';
import type { GenerationArgs } from './actor.ts';
import { Generation, type GenerateOptions } from './generation.ts';
import { generationProtocol, type GenerationSpec } from './messages.ts';
import { generationSpec } from './spec.ts';

export interface GeneratorOptions extends Pick<GenerationArgs, 'sequences' | 'contextTokens' | 'threads' | 'batching' | 'waitingMax'> {
  /** A name of the registry, a path or an `hf:` URI, or a model that was chosen before. Default: the registry's for this purpose. */
  readonly model?: string | CheckedModel;
  /** Whether the model is kept in a process of its own, whose end costs the texts in hand and nothing else. Default false. */
  readonly isolate?: boolean;
  /** What its process is granted. */
  readonly isolation?: IsolationOptions;
  /** Whether a model that was never loaded here is first tried in a sandboxed process, unless that is where it stays. Default true. */
  readonly quarantine?: boolean;
  /** Where downloaded models are kept. Default: the user's cache folder. */
  readonly cacheDir?: string;
  /** The actor's name, if a system has several generators. Default: generator. */
  readonly name?: string;
}

export interface GeneratorModel {
  readonly name: string;
  readonly sha256: string;
  /** Tokens that a prompt and its completion may have together. */
  readonly contextTokens: number;
  /** Texts that are computed at once. */
  readonly sequences: number;
}

/** The actor has loaded its model by then. */
const LOAD_MS = 10_000;

export class TextGenerator {
  readonly model: GeneratorModel;
  readonly #system: System;
  readonly #ref: ActorRef<GenerationSpec>;
  #closing: Promise<unknown> | undefined;

  /** Use `createGenerator`. */
  constructor(system: System, ref: ActorRef<GenerationSpec>, model: GeneratorModel) {
    this.#system = system;
    this.#ref = ref;
    this.model = model;
  }

  /** Goes on with `prompt`. Read the pieces in a loop, or call `complete`; what is wrong with the request is thrown there. */
  generate(prompt: string, options: GenerateOptions = {}): Generation {
    return new Generation(prompt, options, {
      ref: this.#ref,
      nowMs: () => systemClock.monotonicMs(),
      randomSeed: () => Math.floor(Math.random() * 2 ** 32),
    });
  }

  /** Stops the actor; the system goes on. Texts on their way end with `actor_stopped`. */
  async close(): Promise<void> {
    this.#closing ??= this.#system.terminate(this.#ref.name);
    await this.#closing;
  }
}

/**
 * Loads a model and answers with what generates with it.
 * @throws SpillwayError `model_…` if the model is refused before native code sees it, `backend_…` if the native
 *   library refuses it; `model_quarantined` if it does not pass its first load
 * @throws RangeError if an option cannot be
 */
export async function createGenerator(system: System, options: GeneratorOptions = {}): Promise<TextGenerator> {
  const { model: source, isolate = false, isolation, quarantine = true, cacheDir, name = 'generator', ...args } = options;
  const where = { purpose: 'generate', ...(cacheDir === undefined ? {} : { cacheDir }) } as const;
  const { checked: model } = typeof source === 'object' ? { checked: source } : await inspectModel(system, { ...where, ...(source === undefined ? {} : { model: source }) });
  const spec = generationSpec(name, { ...args, model, load: 'start' }, { isolate, ...(isolation === undefined ? {} : { isolation }) });
  if (quarantine && !isolate) await ensureTrusted(system, model, where);
  const ref = await system.spawn(spec, generationProtocol);
  const { sha256, contextTokens, sequences, name: title } = await ref.ask('load', {}, { deadlineMs: LOAD_MS });
  return new TextGenerator(system, ref, { name: title, sha256, contextTokens, sequences });
}
