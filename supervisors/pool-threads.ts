/**
 * The threads that the tree keeps for children placed `pool`: made with the first such child, supervised like
 * any others, out of sight. A child is placed on the thread where the fewest live, and stays there; when its
 * thread has crashed it is begun again on that thread's next life, under the address that it had.
 *
 * What comes for such a child while its whole thread is down ends unhandled, since its mailbox was on it.
 */
import { availableParallelism } from 'node:os';
import { SpillwayError, siblingModule, type ActorContext, type ActorRef, type ActorSource, type Address, type HeapLimits, type Started } from '../kernel/index.ts';
import type { ChildExit, ChildPlace } from './child-place.ts';
import { FOREVER_MS, type ChildSpec } from './child-spec.ts';
import { poolHostProtocol, type PoolHostSpec } from './pool-messages.ts';
import type { Supervisor } from './supervisor.ts';

/** What an end may take beyond its deadline: the way to the thread and back. */
const MARGIN_MS = 5_000;
const POOL = 'pool';

export interface PoolThreadsSpec {
  /** Default: one for each core. */
  readonly threads?: number;
  /** How long one handler may hold its thread before that is ended, and all that live there restarted. Default: it is only told. */
  readonly hungAfterMs?: number;
  readonly resourceLimits?: HeapLimits;
}

export interface PoolThreadsOptions {
  readonly context: ActorContext;
  readonly spec: PoolThreadsSpec;
  /** Makes the supervisor of the threads; it gives them the places that it is told. */
  supervise(path: string, children: readonly ChildSpec[], onLost: (thread: string) => void): Supervisor;
}

interface PoolThread {
  readonly name: string;
  readonly address: Address;
  readonly host: ActorRef<PoolHostSpec>;
  /** Numbers of the children that live there. */
  readonly children: Set<number>;
}

export class PoolThreads {
  readonly #options: PoolThreadsOptions;
  readonly #places = new Map<number, PoolPlace>();
  #threads: Promise<readonly PoolThread[]> | undefined;
  /** The same once they are up. */
  #started: readonly PoolThread[] = [];
  #supervisor: Supervisor | undefined;
  #lastNumber = 0;

  constructor(options: PoolThreadsOptions) {
    this.#options = options;
  }

  place(spec: ChildSpec, name: string): ChildPlace {
    const number = ++this.#lastNumber;
    const place = new PoolPlace({
      context: this.#options.context,
      number,
      source: spec.start,
      name,
      thread: () => this.#thread(number),
      onRemoved: () => this.#removed(number),
    });
    this.#places.set(number, place);
    return place;
  }

  /** A life has ended by itself, as its thread tells. */
  lifeEnded(number: number, exit: ChildExit): void {
    this.#places.get(number)?.ended(exit);
  }

  async shutdown(deadlineMs: number): Promise<string[]> {
    return (await this.#supervisor?.shutdown(deadlineMs)) ?? [];
  }

  async #thread(number: number): Promise<PoolThread> {
    const starting = (this.#threads ??= this.#start());
    let threads: readonly PoolThread[];
    try {
      threads = await starting;
    } catch (error) {
      // The next child tries again.
      if (this.#threads === starting) this.#threads = undefined;
      throw error;
    }
    const least = threads.reduce((best, thread) => (thread.children.size < best.children.size ? thread : best));
    least.children.add(number);
    return least;
  }

  async #start(): Promise<readonly PoolThread[]> {
    const start: ActorSource = { module: siblingModule('pool-host', import.meta.url), export: 'poolHost' };
    const { threads = availableParallelism(), ...spec } = this.#options.spec;
    const children = Array.from({ length: threads }, (_, index): ChildSpec => ({ ...spec, id: String(index + 1), start }));
    const supervisor = this.#options.supervise(POOL, children, (thread) => this.#lost(thread));
    this.#supervisor = supervisor;
    await supervisor.start();
    this.#started = children.map(({ id }): PoolThread => {
      const address = supervisor.placeOfChild(id)?.address;
      if (address === undefined) throw new SpillwayError('actor_start_failed', 'A thread of the pool has ended while the others started.');
      const host = this.#options.context.ref(address, poolHostProtocol);
      return { name: `${POOL}/${id}`, address, host, children: new Set() };
    });
    return this.#started;
  }

  /** A thread has crashed, and those that lived there with it. */
  #lost(name: string): void {
    const thread = this.#started.find((candidate) => candidate.name === name);
    for (const number of thread?.children ?? []) this.#places.get(number)?.threadLost();
  }

  #removed(number: number): void {
    this.#places.delete(number);
    for (const { children } of this.#started) children.delete(number);
  }
}

interface PoolPlaceOptions {
  readonly context: ActorContext;
  readonly number: number;
  readonly source: ActorSource;
  readonly name: string;
  /** The thread that the child is to live on. */
  thread(): Promise<PoolThread>;
  onRemoved(): void;
}

class PoolPlace implements ChildPlace {
  readonly #options: PoolPlaceOptions;
  #thread: PoolThread | undefined;
  #address: Address | undefined;
  #onExit: ((exit: ChildExit) => void) | undefined;
  /** How often it was told to end; a start that waits for its thread looks whether it is still wanted. */
  #ends = 0;

  constructor(options: PoolPlaceOptions) {
    this.#options = options;
  }

  get address(): Address | undefined {
    return this.#address;
  }

  async start(onExit: (exit: ChildExit) => void): Promise<Started> {
    const { context, number, source, name, thread } = this.#options;
    const ends = this.#ends;
    this.#thread ??= await thread();
    if (this.#ends !== ends) throw new SpillwayError('actor_start_failed', `Actor ${name} was told to end before its thread was up.`);
    const { module, export: exported, args } = source;
    const request = { child: number, module, export: exported, name, ...(args === undefined ? {} : { args }), ...(this.#address === undefined ? {} : { address: this.#address }) };
    // From here on its end may be told, even before the answer that says that it has begun.
    let early: ChildExit | undefined;
    this.#onExit = (exit) => (early = exit);
    try {
      const { address, isIgnored, info } = await this.#thread.host.ask('begin', request, { deadlineMs: FOREVER_MS });
      this.#address = address;
      context.host?.registerName(name, address);
      this.#onExit = isIgnored ? undefined : onExit;
      if (early !== undefined) queueMicrotask(() => this.ended(early!));
      return { isIgnored, info };
    } catch (error) {
      this.#onExit = undefined;
      throw error;
    }
  }

  async stop(deadlineMs: number): Promise<boolean> {
    this.#onExit = undefined;
    await this.#end(deadlineMs);
    return true;
  }

  async kill(): Promise<boolean> {
    this.#onExit = undefined;
    await this.#end(0);
    return true;
  }

  remove(exit: ChildExit | undefined): void {
    this.#ends++;
    this.#options.onRemoved();
    const { context, name, number: child } = this.#options;
    // Not only when its thread tells of its end: the next of that name may start before.
    if (this.#address !== undefined) context.host?.releaseName(name, this.#address);
    const notice = { child, hasCrashed: exit?.reason === 'crashed', message: exit?.message ?? '' };
    // If the thread has gone there is nothing to remove.
    void this.#thread?.host.send('remove', notice, { deadlineMs: MARGIN_MS }).catch(() => {});
  }

  ended(exit: ChildExit): void {
    const onExit = this.#onExit;
    this.#onExit = undefined;
    onExit?.(exit);
  }

  threadLost(): void {
    this.ended({ reason: 'crashed', whileStarting: false, code: 'actor_restarted', message: `the thread ${this.#thread?.name} that it lived on has ended`, stack: '' });
  }

  async #end(deadlineMs: number): Promise<void> {
    this.#ends++;
    const { number: child } = this.#options;
    try {
      await this.#thread?.host.ask('end', { child, deadlineMs }, { deadlineMs: Math.min(FOREVER_MS, deadlineMs + MARGIN_MS) });
    } catch {
      // Its thread has ended, or stands still: no life of it goes on that anybody waits for.
    }
  }
}
