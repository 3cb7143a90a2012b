/** What an actor is given to work with: its own view of its thread. One object for each actor, with nothing in it that it does not use. */
import type { SharedCounters } from 'atomics-ring-buffer';
import type { ActorCell } from './actor-cell.ts';
import { ActorRef, type Addressed, type Courier } from './actor-ref.ts';
import type { SpawnOptions } from './actor-table.ts';
import { ActorLives, type LivesOptions } from './actor-lives.ts';
import type { ActorContext, ActorDefinition, SelfStopReason } from './actor.ts';
import { slotOf, threadOf, type Address } from './address.ts';
import type { Terminated } from './bonds.ts';
import type { Clock } from './clock.ts';
import { SpillwayError } from './errors.ts';
import type { CancelScope, ScopeOptions } from './flow/cancel-scope.ts';
import type { Group, Groups } from './groups.ts';
import type { Handlers } from './handlers.ts';
import type { Log } from './log.ts';
import { Sender } from './post.ts';
import type { Protocol, ProtocolSpec } from './protocol.ts';
import type { ThreadHost } from './thread-host.ts';
import type { ThreadRuntime } from './thread-runtime.ts';
import type { Random } from './time/random.ts';
import type { Timer } from './time/timer-wheel.ts';

/** What the contexts of one thread share. */
export interface ContextHost {
  readonly runtime: ThreadRuntime;
  readonly groups: Groups;
  readonly random: Random;
  /** Ends the thread's own actor, and the thread. */
  stopThread(reason: SelfStopReason): void;
  resolve(name: string): Promise<Address>;
  register(name: string, address: Address): Promise<void>;
  log(actor: string): Log;
  readonly host: ThreadHost | undefined;
}

/** Timers of one actor that may wait at once. */
const MAX_TIMERS = 4_096;

export class CellContext implements ActorContext {
  readonly incarnation: number;
  readonly #shared: ContextHost;
  readonly #cell: ActorCell;
  readonly #definition: ActorDefinition;
  #sender: Courier | undefined;

  constructor(shared: ContextHost, cell: ActorCell, definition: ActorDefinition, incarnation: number) {
    this.#shared = shared;
    this.#cell = cell;
    this.#definition = definition;
    this.incarnation = incarnation;
  }

  get name(): string {
    return this.#cell.name;
  }

  get self(): Address {
    return this.#cell.address;
  }

  get clock(): Clock {
    return this.#shared.runtime.clock;
  }

  get random(): Random {
    return this.#shared.random;
  }

  get log(): Log {
    return this.#shared.log(this.name);
  }

  get host(): ThreadHost {
    return this.#shared.host!;
  }

  get counters(): SharedCounters<string> {
    const { counters = [] } = this.#definition;
    if (this.#cell.parent !== undefined) throw new TypeError(`${this.name} was spawned on a thread of another; only a thread's own actor has counters.`);
    return this.#shared.runtime.block.actorCounters(counters);
  }

  // ---- other actors

  async resolve<Spec extends ProtocolSpec>(name: string, protocol: Protocol<Spec>): Promise<ActorRef<Spec>> {
    return new ActorRef(this.#courier, name, await this.#shared.resolve(name), protocol);
  }

  ref<Spec extends ProtocolSpec>(address: Address, protocol: Protocol<Spec>): ActorRef<Spec> {
    return new ActorRef(this.#courier, protocol.name, address, protocol);
  }

  register(name: string): Promise<void> {
    return this.#shared.register(name, this.self);
  }

  group<Spec extends ProtocolSpec>(name: string, protocol: Protocol<Spec>): Promise<Group<Spec>> {
    return this.#shared.groups.open(name, protocol, this.self, this.#courier);
  }

  // ---- children

  spawn<Spec extends ProtocolSpec, Args>(definition: ActorDefinition<Spec, Args>, args: Args, options: SpawnOptions = {}): ActorRef<Spec> {
    const child = this.#shared.runtime.table.spawn(this.#cell, definition as unknown as ActorDefinition, args, options);
    return new ActorRef(this.#courier, child.name, child.address, definition.protocol);
  }

  lives(options: LivesOptions): ActorLives {
    return new ActorLives(this.#shared.runtime, this.#cell, options);
  }

  async stop(child: Addressed | Address): Promise<void> {
    const address = addressOfTarget(child);
    const { table, thread } = this.#shared.runtime;
    const cell = threadOf(address) === thread ? table.at(slotOf(address)) : undefined;
    // It may have ended by itself just now.
    if (cell === undefined) return;
    if (cell.parent !== this.#cell) throw new SpillwayError('not_a_child', `${cell.name} is no child of ${this.name}, and only its parent may stop it.`);
    await table.stop(cell, 'shutdown');
  }

  stopSelf(reason: SelfStopReason = 'normal'): void {
    const { table } = this.#shared.runtime;
    const cell = this.#cell;
    if (cell.parent === undefined) this.#shared.stopThread(reason);
    else table.stopSoon(cell, reason);
  }

  get children(): readonly Address[] {
    return [...(this.#cell.children ?? [])].map(({ address }) => address);
  }

  // ---- ends of others

  watch(target: Addressed | Address, onEnd: (end: Terminated) => void): Timer {
    return this.#shared.runtime.bonds.watch(this.#cell, addressOfTarget(target), this.#guarded(onEnd));
  }

  link(target: Addressed | Address): Timer {
    return this.#shared.runtime.bonds.link(this.#cell, addressOfTarget(target));
  }

  // ---- behaviour

  become<Spec extends ProtocolSpec>(handlers: Handlers<Spec>): Handlers<Spec> {
    const former = this.#cell.handlers as Handlers<Spec>;
    this.#cell.handlers = handlers;
    return former;
  }

  stash(): void {
    const cell = this.#cell;
    const capacity = cell.stashCapacity;
    if (capacity === 0) throw new SpillwayError('stash_undeclared', `Actor ${this.name} stashes without a bound; declare stashCapacity.`);
    const { currentCell, currentLetter } = this.#shared.runtime.handling;
    if (currentCell !== cell || currentLetter === undefined) throw new TypeError(`Actor ${this.name} stashes outside of a handler: only the message in hand can be put aside, before the handler first awaits.`);
    if (currentLetter.lane === 'control') throw new TypeError('A control message cannot be stashed: control never waits.');
    cell.stash ??= [];
    if (cell.stash.length >= capacity) {
      throw new SpillwayError('stash_full', `Actor ${this.name} has ${capacity} messages in its stash, which is the most it declares.`);
    }
    currentLetter.isPassedOn = true;
    cell.stash.push(currentLetter);
    (cell.begun ??= new WeakSet()).add(currentLetter);
    cell.showLevel();
  }

  unstashAll(): number {
    const cell = this.#cell;
    const count = cell.stash?.length ?? 0;
    cell.unstashAll();
    this.#shared.runtime.queue.schedule(cell);
    this.#shared.runtime.wake();
    return count;
  }

  // ---- time

  after(delayMs: number, run: () => void): Timer {
    requireDelay(delayMs, 0);
    return this.#schedule(delayMs, run);
  }

  every(intervalMs: number, run: () => void): Timer {
    requireDelay(intervalMs, Number.MIN_VALUE);
    let timer: Timer | undefined;
    let isOver = false;
    const again = (): void => {
      timer = this.#schedule(intervalMs, () => {
        // Scheduled first, so that a run may cancel.
        again();
        run();
      });
      if (isOver) timer.cancel();
    };
    again();
    return {
      cancel: () => {
        isOver = true;
        timer?.cancel();
      },
    };
  }

  receiveTimeout(afterMs: number | undefined, run: () => void = () => {}): void {
    const cell = this.#cell;
    cell.receiveTimeout?.timer.cancel();
    cell.receiveTimeout = undefined;
    if (afterMs === undefined) return;
    requireDelay(afterMs, Number.MIN_VALUE);
    const { runtime } = this.#shared;
    const guarded = this.#guarded(run);
    // Messages only note their time; the timer looks when it is due whether one came meanwhile.
    const look = (): void => {
      const timeout = cell.receiveTimeout;
      if (timeout === undefined) return;
      const leftMs = timeout.lastMs + afterMs - runtime.clock.monotonicMs();
      if (leftMs <= 0) {
        timeout.lastMs = runtime.clock.monotonicMs();
        timeout.timer = runtime.after(afterMs, look);
        guarded();
      } else timeout.timer = runtime.after(leftMs, look);
    };
    cell.receiveTimeout = { afterMs, run, timer: runtime.after(afterMs, look), lastMs: runtime.clock.monotonicMs() };
  }

  // ---- cancelling

  scope(options?: ScopeOptions): CancelScope {
    return this.#shared.runtime.scopes.open(options);
  }

  get #courier(): Courier {
    return (this.#sender ??= new Sender(this.#shared.runtime.post, this.self));
  }

  #schedule(delayMs: number, run: () => void): Timer {
    const cell = this.#cell;
    const timers = (cell.timers ??= new Set());
    if (timers.size >= MAX_TIMERS) throw new SpillwayError('timers_full', `Actor ${this.name} has ${MAX_TIMERS} timers waiting, which is the most.`);
    const guarded = this.#guarded(run);
    const timer = this.#shared.runtime.after(delayMs, () => {
      timers.delete(handle);
      if (cell.state !== 'stopped') guarded();
    });
    const handle: Timer = {
      cancel: () => {
        timers.delete(handle);
        timer.cancel();
      },
    };
    timers.add(handle);
    return handle;
  }

  /** What fails in a callback of the actor fails the actor, as in a handler. */
  #guarded<Parameters extends unknown[]>(run: (...parameters: Parameters) => void): (...parameters: Parameters) => void {
    return (...parameters) => {
      try {
        run(...parameters);
      } catch (error) {
        this.#shared.runtime.table.fail(this.#cell, error);
      }
    };
  }
}

function addressOfTarget(target: Addressed | Address): Address {
  return typeof target === 'number' ? target : target.address;
}

function requireDelay(delayMs: number, leastMs: number): void {
  if (delayMs >= leastMs && delayMs < Infinity) return;
  throw new SpillwayError('timer_invalid', `A timer needs a finite number of milliseconds ${leastMs === 0 ? 'from 0 on' : 'above 0'}; got ${delayMs}.`);
}
