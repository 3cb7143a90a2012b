/**
 * Many light actors on a few threads. A pool is some supervised threads, each with a host; an actor is
 * placed on the thread where the fewest live, as the threads show it in shared memory. It stays there.
 *
 * When a thread of the pool crashes its supervisor starts it again, empty: the light actors that lived there
 * have ended. Whoever watches one is told so, what was asked of it ends with `actor_restarted` or
 * `actor_stopped`, and messages to it are dead letters; an address is not given again at once, so none of
 * them reaches a later actor. The others live on. What is to be there again is spawned again by its owner,
 * who hears of the end by `system.watch`.
 */
import {
  MAX_THREADS,
  SpillwayError,
  formatAddress,
  siblingModule,
  threadOf,
  type ActorRef,
  type ActorSource,
  type Addressed,
  type Protocol,
  type ProtocolSpec,
} from '../kernel/index.ts';
import type { ChildSpec } from './child-spec.ts';
import { poolHostProtocol, type PoolHostSpec } from './pool-messages.ts';
import type { System, ThreadView } from './system.ts';

export interface PoolOptions extends Omit<ChildSpec, 'start' | 'restart' | 'placement'> {
  /** Of the pool; its threads are called `id/1`, `id/2` and so on. */
  readonly id: string;
  readonly threads: number;
  /** How the threads wait; see ActorDefinition. Default event_loop. */
  readonly waiting?: 'park' | 'event_loop';
}

/** A light actor: where its definition is to be found, and how it is called. */
export interface LightActor extends ActorSource {
  /** For people; it need not be unique. Default: the name of its thread and a number. */
  readonly name?: string;
  /** How often it is started again when it fails, before it stops for good. Default 0. */
  readonly restarts?: number;
}

interface Place {
  readonly id: string;
  readonly host: ActorRef<PoolHostSpec>;
  readonly shown: ThreadView;
  /** Actors on their way there. One may be counted there already, before the answer that says so has come. */
  coming: number;
}

/** How long the module of a light actor may take to load. */
const DEFAULT_DEADLINE_MS = 10_000;
const DEFAULT_RESTARTS = 0;

export class Pool {
  readonly id: string;
  readonly #system: System;
  readonly #places: readonly Place[];

  /** Use `createPool`. */
  constructor(id: string, system: System, hosts: readonly ActorRef<PoolHostSpec>[]) {
    this.id = id;
    this.#system = system;
    this.#places = hosts.map((host) => ({ id: host.name, host, shown: system.thread(host.name), coming: 0 }));
  }

  /** The ids of its threads, as `health` and `inspect` have them. */
  get threads(): readonly string[] {
    return this.#places.map(({ id }) => id);
  }

  /** Light actors that live in the pool, as the threads show it. */
  get size(): number {
    return this.#places.reduce((sum, { shown }) => sum + lightOn(shown), 0);
  }

  /**
   * Places an actor. It takes messages at once; if its start takes time they wait in its mailbox.
   * @throws SpillwayError `actor_start_failed`, `too_many_actors`, `ask_deadline`, or `actor_restarted` and
   *   `actor_stopped` if the thread ended meanwhile, and the actor with it
   */
  async spawn<Spec extends ProtocolSpec>(actor: LightActor, protocol: Protocol<Spec>, { deadlineMs = DEFAULT_DEADLINE_MS } = {}): Promise<ActorRef<Spec>> {
    const place = this.#leastLoaded();
    const { module, export: name, args, restarts = DEFAULT_RESTARTS } = actor;
    place.coming++;
    try {
      const request = { module, export: name, name: actor.name ?? '', restarts, ...(args === undefined ? {} : { args }) };
      const { address } = await place.host.ask('spawn', request, { deadlineMs });
      return this.#system.ref(address, protocol, actor.name);
    } finally {
      place.coming--;
    }
  }

  /** Ends one of the pool's actors. Resolves when it has released what it holds, at once if it has ended before. */
  async stop(actor: Addressed, { deadlineMs = DEFAULT_DEADLINE_MS } = {}): Promise<void> {
    const place = this.#places.find(({ host }) => threadOf(host.address) === threadOf(actor.address));
    if (place === undefined) throw new SpillwayError('not_in_pool', `The actor at ${formatAddress(actor.address)} does not live in the pool '${this.id}'.`);
    await place.host.ask('stop', { address: actor.address }, { deadlineMs });
  }

  /** Ends the pool's threads and all that live there. @returns whether all ended within their `shutdownMs` */
  async close(): Promise<boolean> {
    const ended = await Promise.all(this.#places.map(({ id }) => this.#system.terminate(id)));
    return ended.every(Boolean);
  }

  #leastLoaded(): Place {
    // One that is being started again takes what waits for it, but only then.
    const up = this.#places.filter(({ shown }) => shown.state === 'running');
    const candidates = up.length > 0 ? up : this.#places;
    const loads = candidates.map(({ shown, coming }) => lightOn(shown) + coming);
    return candidates[loads.indexOf(Math.min(...loads))]!;
  }
}

/** The host itself is none of them; while it is not up, none is there. */
function lightOn({ actors }: ThreadView): number {
  return Math.max(0, actors - 1);
}

/**
 * Starts a pool's threads.
 * @throws SpillwayError `spec_invalid`, `child_exists`, `too_many_threads`, `actor_start_failed`; then nothing of it is left
 */
export async function createPool(system: System, options: PoolOptions): Promise<Pool> {
  const { id, threads, waiting = 'event_loop', ...spec } = options;
  if (!Number.isInteger(threads) || threads < 1 || threads > MAX_THREADS) {
    throw new SpillwayError('spec_invalid', `Pool ${id}: threads must be a whole number from 1 to ${MAX_THREADS}; got ${threads}.`);
  }
  const start = { module: siblingModule('pool-host', import.meta.url), export: waiting === 'park' ? 'parkedPoolHost' : 'poolHost' };
  const starts = Array.from({ length: threads }, (_, index) => system.spawn({ ...spec, id: `${id}/${index + 1}`, start }, poolHostProtocol));
  const hosts = await Promise.allSettled(starts);
  const failed = hosts.find((host) => host.status === 'rejected');
  const started = hosts.flatMap((host) => (host.status === 'fulfilled' ? [host.value] : []));
  if (failed === undefined) return new Pool(id, system, started);
  await Promise.all(started.map(({ name }) => system.terminate(name)));
  throw failed.reason;
}
