/**
 * A name under which there is one model at a time, and which model that is can change while it is used.
 *
 * A hot swap never mixes and never fails a request: the new model is loaded and tried beside the old one, then the
 * name leads to it, and the old one is ended when the last call that began with it has ended. A call takes its lease
 * once, at its beginning, so all of its vectors are of one model.
 */
import { SpillwayError, systemClock } from '../../../kernel/index.ts';
import type { LoadedModel, Lease, ModelInfo } from './loaded-model.ts';

/** How a slot makes a model of what a user named; `generation` keeps the names of its actors apart. */
export type LoadModel<Source> = (source: Source, generation: number) => Promise<LoadedModel>;

export interface SwapReport {
  readonly from: ModelInfo | undefined;
  readonly to: ModelInfo;
  /** Milliseconds until the new model was ready, the old one serving meanwhile. */
  readonly loadMs: number;
  /** Milliseconds that the old one still had work. */
  readonly drainMs: number;
  /** Whether the old one was given up before its work was done; what it still had ended with `model_unloaded`. */
  readonly isCut: boolean;
}

/** How long calls that began with the old model may go on. */
export const DRAIN_MS = 60_000;

export class ModelSlot<Source> {
  readonly #load: LoadModel<Source>;
  #source: Source;
  #former: Source | undefined;
  #current: LoadedModel | undefined;
  #loading: Promise<LoadedModel> | undefined;
  #generation = 0;
  /** Swaps, unloads and the end come one after another. */
  #changes: Promise<unknown> = Promise.resolve();
  #changing = 0;
  /** Models that were replaced and still have work. */
  readonly #draining = new Set<Promise<boolean>>();
  #isClosed = false;

  constructor(source: Source, load: LoadModel<Source>) {
    this.#source = source;
    this.#load = load;
  }

  get source(): Source {
    return this.#source;
  }

  /** What `rollback` would lead back to. */
  get former(): Source | undefined {
    return this.#former;
  }

  get current(): LoadedModel | undefined {
    return this.#current;
  }

  /** The model, loaded if need be, held until the lease is given back. @throws SpillwayError `actor_stopped` once closed; what loading throws */
  async lease(): Promise<Lease> {
    // No await lies between the last look and the lease, so that no swap can come between.
    for (;;) {
      this.#assertOpen();
      if (this.#current?.isGone === false) return this.#current.lease();
      this.#loading ??= this.#reload();
      await this.#loading;
    }
  }

  /** @throws SpillwayError what loading the new model throws; the old one then goes on as if nothing had been asked */
  async swap(source: Source, drainMs: number = DRAIN_MS): Promise<SwapReport> {
    const { old, next } = await this.#change(async () => {
      this.#assertOpen();
      const model = await this.#load(source, ++this.#generation);
      const replaced = this.#current;
      this.#former = this.#source;
      this.#source = source;
      this.#current = model;
      return { old: replaced, next: model };
    });
    const beganMs = systemClock.monotonicMs();
    const isDrained = old === undefined || (await this.#drain(old, drainMs));
    return { from: old?.info, to: next.info, loadMs: next.loadMs, drainMs: systemClock.monotonicMs() - beganMs, isCut: !isDrained };
  }

  /** Back to the model before the last swap; once more, and it is that one again. @throws SpillwayError `model_no_former` */
  rollback(drainMs: number = DRAIN_MS): Promise<SwapReport> {
    const former = this.#former;
    if (former === undefined) return Promise.reject(new SpillwayError('model_no_former', 'There is no former model to go back to: nothing was swapped yet.'));
    return this.swap(former, drainMs);
  }

  /**
   * Ends the model; the next lease loads it again. It never waits for a swap or a load, which may themselves wait for
   * the memory that this is to free.
   * @returns false if it is used or being changed, and then nothing happens
   */
  unload(): Promise<boolean> {
    if (this.#changing > 0) return Promise.resolve(false);
    return this.#change(async () => {
      const model = this.#current;
      if (model === undefined) return true;
      if (model.isLeased) return false;
      this.#current = undefined;
      await model.close();
      return true;
    });
  }

  /** What has begun ends first, for `drainMs` at the most; further leases are refused at once. */
  async close(drainMs = 0): Promise<void> {
    this.#isClosed = true;
    await this.#change(async () => {
      await this.#loading?.catch(() => undefined);
      await this.#current?.close(drainMs, closed());
    });
    await Promise.all(this.#draining);
  }

  async #drain(old: LoadedModel, drainMs: number): Promise<boolean> {
    const closing = old.close(drainMs);
    this.#draining.add(closing);
    try {
      return await closing;
    } finally {
      this.#draining.delete(closing);
    }
  }

  #reload(): Promise<LoadedModel> {
    return this.#change(async () => {
      this.#assertOpen();
      if (this.#current?.isGone === false) return this.#current;
      await this.#current?.close();
      this.#current = undefined;
      this.#current = await this.#load(this.#source, ++this.#generation);
      return this.#current;
    }).finally(() => {
      this.#loading = undefined;
    });
  }

  #change<Result>(change: () => Promise<Result>): Promise<Result> {
    this.#changing++;
    const result = this.#changes.then(change).finally(() => this.#changing--);
    this.#changes = result.catch(() => {});
    return result;
  }

  #assertOpen(): void {
    if (this.#isClosed) throw closed();
  }
}

function closed(): SpillwayError {
  return new SpillwayError('actor_stopped', 'The model is closed or closing; make another embedder, or add it to its host again.');
}
