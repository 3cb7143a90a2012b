/**
 * One model that is ready: its inference actors under a supervisor of their own, and the scheduler in front of them.
 *
 * The supervisor is temporary: a model whose actors fail more often than it permits takes nothing else along.
 * Whoever uses the model holds a lease, and it is closed when the last one is given back, so what has begun with a
 * model also ends with it; see ModelSlot.
 */
import { join } from 'node:path';
import { SpillwayError, cacheFolder, systemClock, type ActorRef } from '../../../kernel/index.ts';
import type { System } from '../../../supervisors/index.ts';
import type { InferenceArgs } from '../actor.ts';
import { inferenceProtocol, type InferenceSpec } from '../messages.ts';
import type { CheckedModel } from '../model-choice.ts';
import { inferenceSpec } from '../spec.ts';
import { actorWorker } from '../scheduling/actor-worker.ts';
import { EmbedScheduler, type SchedulerOptions } from '../scheduling/scheduler.ts';
import { ensureTrusted } from '../models/quarantine.ts';

export interface ModelInfo {
  readonly backend: string;
  readonly name: string;
  /** Vectors of different hashes must never be compared. */
  readonly sha256: string;
  /** Values in each vector; 0 for a model that ranks. */
  readonly dimensions: number;
  readonly tokensMax: number;
  /** Whether it gives vectors of the spans of a text. */
  readonly spans: boolean;
  readonly rank: boolean;
  readonly fusedTextsMax: number;
  readonly fusedTokensMax: number;
  readonly overlaps: boolean;
}

export interface LoadOptions extends Partial<Pick<SchedulerOptions, 'limits' | 'cacheBytes' | 'quota'>> {
  /** Name of its supervisor; its actors are `<id>/0`, `<id>/1`, ... */
  readonly id: string;
  readonly actors: number;
  readonly args: Omit<InferenceArgs, 'model' | 'load' | 'calibrateIn'>;
  /** Whether its actors are processes of their own for good. */
  readonly isolate: boolean;
  /** Whether a model that was never loaded here is first tried in a sandboxed process. */
  readonly quarantine: boolean;
  readonly cacheDir: string | undefined;
}

/** Generous: a model that crashes on one text in a hundred is still served, one that crashes at each is given up. */
const RESTARTS = { intensity: 50, periodMs: 60_000 } as const;
const LOAD_MS = 120_000;

export class LoadedModel {
  readonly info: ModelInfo;
  readonly checked: CheckedModel;
  readonly scheduler: EmbedScheduler;
  readonly loadMs: number;
  readonly #system: System;
  readonly #id: string;
  readonly #members: { readonly ref: ActorRef<InferenceSpec>; inFlight: number }[];
  #leases = 0;
  #isGone = false;
  #onIdle: (() => void) | undefined;
  #onClosed: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  lastUsedMs: number;

  private constructor(system: System, id: string, refs: readonly ActorRef<InferenceSpec>[], checked: CheckedModel, info: ModelInfo, scheduler: EmbedScheduler, loadMs: number) {
    this.#system = system;
    this.#id = id;
    this.#members = refs.map((ref) => ({ ref, inFlight: 0 }));
    this.checked = checked;
    this.info = info;
    this.scheduler = scheduler;
    this.loadMs = loadMs;
    this.lastUsedMs = systemClock.monotonicMs();
    for (const ref of refs) system.watch(ref, () => void (this.#isGone = true));
  }

  /** @throws SpillwayError those of the quarantine and of the backend (`model_…`, `backend_…`); nothing is left of it then */
  static async load(system: System, checked: CheckedModel, options: LoadOptions): Promise<LoadedModel> {
    const beganMs = systemClock.monotonicMs();
    const { id, actors, args, isolate, quarantine, cacheDir, limits, cacheBytes, quota } = options;
    if (quarantine && !isolate) await ensureTrusted(system, checked, { purpose: args.purpose ?? 'embed', ...(cacheDir === undefined ? {} : { cacheDir }) });
    await system.supervisor().startChild({ id, type: 'supervisor', restart: 'temporary', flags: RESTARTS, children: [] });
    try {
      const supervisor = system.supervisor(id);
      // A sandboxed process may write nothing; it goes by what is usual.
      const calibration = isolate ? {} : { calibrateIn: join(cacheDir ?? cacheFolder(), 'calibration') };
      const start = (index: number): Promise<ActorRef<InferenceSpec>> =>
        supervisor.spawn(inferenceSpec(String(index), { ...args, ...calibration, model: checked, load: 'start' }, { isolate }), inferenceProtocol);
      // The first one finds out whether the model can be loaded at all, and measures what the others then know.
      const refs = [await start(0), ...(await Promise.all(Array.from({ length: actors - 1 }, (_, index) => start(index + 1))))];
      const info = await refs[0]!.ask('load', {}, { deadlineMs: LOAD_MS });
      const scheduler = new EmbedScheduler({
        workers: refs.map((ref) => actorWorker(ref, info.dimensions)),
        model: info,
        clock: systemClock,
        ...(limits === undefined ? {} : { limits }),
        ...(cacheBytes === undefined ? {} : { cacheBytes }),
        ...(quota === undefined ? {} : { quota }),
      });
      return new LoadedModel(system, id, refs, checked, info, scheduler, systemClock.monotonicMs() - beganMs);
    } catch (error) {
      await system.terminate(id).catch(() => {});
      throw error;
    }
  }

  /** Whether its actors have ended for good, so that it must be loaded again. */
  get isGone(): boolean {
    return this.#isGone;
  }

  get actors(): number {
    return this.#members.length;
  }

  /** Whether somebody uses it. */
  get isLeased(): boolean {
    return this.#leases > 0;
  }

  lease(): Lease {
    this.#leases++;
    this.lastUsedMs = systemClock.monotonicMs();
    let isHeld = true;
    return {
      model: this,
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        this.lastUsedMs = systemClock.monotonicMs();
        if (--this.#leases === 0) this.#onIdle?.();
      },
    };
  }

  /** Calls `onClosed` once its actors have ended by `close`. */
  onClosed(onClosed: () => void): void {
    this.#onClosed = onClosed;
  }

  /** Calls one actor past the scheduler, the one with the fewest such calls in hand. */
  async direct<Reply>(call: (ref: ActorRef<InferenceSpec>) => Promise<Reply>): Promise<Reply> {
    const member = this.#members.reduce((least, one) => (one.inFlight < least.inFlight ? one : least));
    member.inFlight++;
    try {
      return await call(member.ref);
    } finally {
      member.inFlight--;
    }
  }

  /**
   * Waits until nobody holds a lease, `drainMs` at the most, then ends the actors.
   * @param error what then still waits in the scheduler ends with. Default: `model_unloaded`
   * @returns whether all leases were given back in time
   */
  async close(drainMs = 0, error: SpillwayError = unloaded(this.info)): Promise<boolean> {
    const isDrained = this.#leases === 0 || (drainMs > 0 && (await this.#idle(drainMs)));
    this.#closing ??= this.#end(error);
    await this.#closing;
    return isDrained;
  }

  #idle(drainMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), drainMs);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }

  async #end(error: SpillwayError): Promise<void> {
    // What is in flight ends with the actors, which finish what they have.
    void this.scheduler.close(error);
    try {
      if (!this.#system.closing) await this.#system.terminate(this.#id);
    } catch (failure) {
      // Its actors failed more often than their supervisor permits, which then has gone by itself.
      if (!(failure instanceof SpillwayError) || failure.code !== 'child_unknown') throw failure;
    } finally {
      this.#onClosed?.();
    }
  }
}

function unloaded({ name }: ModelInfo): SpillwayError {
  return new SpillwayError('model_unloaded', `The model ${name} was unloaded; send it again to embed with the one that is there now.`);
}

export interface Lease {
  readonly model: LoadedModel;
  /** Giving it back twice is no error. */
  release(): void;
}
