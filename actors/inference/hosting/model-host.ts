/**
 * The models of an application: each under a name, loaded when it is first used, replaced without a failed request,
 * and within a budget of memory. What has not been used for longest is unloaded for what is wanted now; what is in
 * use never is.
 */
import { availableParallelism } from 'node:os';
import { SpillwayError } from '../../../kernel/index.ts';
import type { System } from '../../../supervisors/index.ts';
import { Embedder, type EmbedderDefaults } from '../embedder.ts';
import { disableTelemetry } from '../onnx/no-telemetry.ts';
import { Ranker } from '../ranker.ts';
import { inspectModel } from './inspector.ts';
import { LoadedModel, type LoadOptions, type ModelInfo } from './loaded-model.ts';
import { DRAIN_MS, ModelSlot, type SwapReport } from './model-slot.ts';
import type { ModelSource } from './model-source.ts';

export interface ModelHostOptions extends Partial<Pick<LoadOptions, 'isolate' | 'quarantine' | 'limits' | 'cacheBytes' | 'quota'>> {
  /** Threads for each model, each with contexts of its own. Default: cores - 1, at least 1. */
  readonly actors?: number;
  /** Bytes that all loaded models may need together, by their estimates. Default: no limit. */
  readonly memoryBytes?: number;
  /** Where built-in and downloaded models and the registry are kept. Default: the user's cache folder. */
  readonly cacheDir?: string;
  /** Prefix of the names of its supervisors, if a system has several hosts. Default: models. */
  readonly name?: string;
}

export interface HostedModel {
  readonly name: string;
  readonly state: 'loaded' | 'unloaded';
  readonly info: ModelInfo | undefined;
  /** Estimated; 0 while it was never loaded. */
  readonly memoryBytes: number;
  readonly isInUse: boolean;
}

interface Entry {
  readonly slot: ModelSlot<ModelSource>;
  memoryBytes: number;
}

export class ModelHost {
  readonly #system: System;
  readonly #options: ModelHostOptions;
  readonly #entries = new Map<string, Entry>();
  /** Loads come one after another, so that two of them do not both take the last of the budget. */
  #loads: Promise<unknown> = Promise.resolve();
  /** Estimated bytes of models that are loaded, old ones that drain included. */
  #loadedBytes = 0;

  /** Use `createModelHost`. */
  constructor(system: System, options: ModelHostOptions) {
    const { actors = 1, memoryBytes = 1 } = options;
    if (!Number.isInteger(actors) || actors < 1) throw new RangeError(`actors must be a whole number above zero; got ${actors}.`);
    if (!(memoryBytes > 0)) throw new RangeError(`memoryBytes must be above zero; got ${memoryBytes}.`);
    disableTelemetry();
    this.#system = system;
    this.#options = options;
  }

  /** Gives a model a name; it is loaded when it is first used. @throws SpillwayError `model_name_taken` */
  add(name: string, source: ModelSource = {}): void {
    if (this.#entries.has(name)) throw new SpillwayError('model_name_taken', `There is a model '${name}' already; swap it, or remove it first.`, { details: { name } });
    const entry: Entry = { slot: new ModelSlot(source, (wanted, generation) => this.#load(entry, name, wanted, generation)), memoryBytes: 0 };
    this.#entries.set(name, entry);
  }

  /** Loads the model unless it is loaded. @throws SpillwayError `model_unknown`, `model_budget_exceeded`, and what loading throws (`model_…`, `backend_…`) */
  async load(name: string): Promise<ModelInfo> {
    const { model, release } = await this.#entry(name).slot.lease();
    release();
    return model.info;
  }

  /**
   * What embeds with whatever model has this name.
   * @param fallback names of models that give equal vectors, in the order in which they stand in for it
   * @param close what ends with the embedder; without it nothing, for the models are the host's
   * @throws SpillwayError `model_unknown`
   */
  embedder(name: string, defaults: EmbedderDefaults = {}, fallback: readonly string[] = [], close: () => Promise<void> = async () => {}): Embedder {
    return new Embedder([name, ...fallback].map((one) => this.#entry(one).slot), defaults, close);
  }

  /** What ranks with whatever model has this name. @throws SpillwayError `model_unknown` */
  ranker(name: string, close: () => Promise<void> = async () => {}): Ranker {
    return new Ranker(this.#entry(name).slot, close);
  }

  /** Replaces the model under a name while it is used; see ModelSlot. @throws SpillwayError as `load`; nothing has changed then */
  swap(name: string, source: ModelSource, drainMs: number = DRAIN_MS): Promise<SwapReport> {
    return this.#entry(name).slot.swap(source, drainMs);
  }

  /** Back to the model before the last swap. @throws SpillwayError `model_no_former`, and as `load` */
  rollback(name: string, drainMs: number = DRAIN_MS): Promise<SwapReport> {
    return this.#entry(name).slot.rollback(drainMs);
  }

  /** Frees its memory until it is used again. @returns false if it is in use, and then nothing happens */
  unload(name: string): Promise<boolean> {
    return this.#entry(name).slot.unload();
  }

  /** Ends the model and forgets its name. */
  async remove(name: string, drainMs: number = DRAIN_MS): Promise<void> {
    const { slot } = this.#entry(name);
    this.#entries.delete(name);
    await slot.close(drainMs);
  }

  list(): HostedModel[] {
    return [...this.#entries].map(([name, { slot, memoryBytes }]) => {
      const isLoaded = slot.current?.isGone === false;
      return { name, state: isLoaded ? 'loaded' : 'unloaded', info: slot.current?.info, memoryBytes, isInUse: slot.current?.isLeased ?? false };
    });
  }

  /** Ends all models. What they have in their lanes is finished; calls that have more to send reject. */
  async close(): Promise<void> {
    await Promise.all([...this.#entries.values()].map(({ slot }) => slot.close()));
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (entry === undefined) {
      throw new SpillwayError('model_unknown', `There is no model '${name}'; there are ${[...this.#entries.keys()].join(', ') || 'none'}.`, { details: { name } });
    }
    return entry;
  }

  #load(entry: Entry, name: string, source: ModelSource, generation: number): Promise<LoadedModel> {
    const loading = this.#loads.then(() => this.#loadNow(entry, name, source, generation));
    this.#loads = loading.catch(() => {});
    return loading;
  }

  async #loadNow(entry: Entry, name: string, { model, purpose = 'embed', ...args }: ModelSource, generation: number): Promise<LoadedModel> {
    const { actors = Math.max(1, availableParallelism() - 1), cacheDir, isolate = false, quarantine = true, limits, cacheBytes, quota, name: prefix = 'models' } = this.#options;
    const { checked, memoryBytes } = await inspectModel(this.#system, {
      purpose,
      actors,
      ...(model === undefined ? {} : { model }),
      ...(cacheDir === undefined ? {} : { cacheDir }),
      ...(args.tokensMax === undefined ? {} : { tokensMax: args.tokensMax }),
    });
    await this.#makeRoom(name, memoryBytes);
    this.#loadedBytes += memoryBytes;
    try {
      const loaded = await LoadedModel.load(this.#system, checked, {
        id: `${prefix}-${name}${generation === 1 ? '' : `-${generation}`}`,
        actors,
        args: { ...args, purpose },
        isolate,
        quarantine,
        cacheDir,
        ...(limits === undefined ? {} : { limits }),
        ...(cacheBytes === undefined ? {} : { cacheBytes }),
        ...(quota === undefined ? {} : { quota }),
      });
      entry.memoryBytes = memoryBytes;
      loaded.onClosed(() => void (this.#loadedBytes -= memoryBytes));
      return loaded;
    } catch (error) {
      this.#loadedBytes -= memoryBytes;
      throw error;
    }
  }

  /** Unloads idle models, longest unused first, until so many bytes are free. @throws SpillwayError `model_budget_exceeded` */
  async #makeRoom(name: string, neededBytes: number): Promise<void> {
    const { memoryBytes: budget = Infinity } = this.#options;
    const idle = [...this.#entries].filter(([, { slot }]) => slot.current !== undefined && !slot.current.isLeased);
    idle.sort(([, a], [, b]) => a.slot.current!.lastUsedMs - b.slot.current!.lastUsedMs);
    for (const [other, { slot }] of idle) {
      if (this.#loadedBytes + neededBytes <= budget) return;
      // Its own former model serves until the new one is there.
      if (other !== name) await slot.unload();
    }
    if (this.#loadedBytes + neededBytes <= budget) return;
    throw new SpillwayError(
      'model_budget_exceeded',
      `The model '${name}' needs about ${megabytes(neededBytes)}; models in use need ${megabytes(this.#loadedBytes)} of the ${megabytes(budget)} that memoryBytes allows. Raise memoryBytes, use fewer actors, or wait until a model is no longer used.`,
      { details: { name, neededBytes, loadedBytes: this.#loadedBytes, budgetBytes: budget } },
    );
  }
}

/** Makes a host without models; `add` and use them. */
export function createModelHost(system: System, options: ModelHostOptions = {}): ModelHost {
  return new ModelHost(system, options);
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
