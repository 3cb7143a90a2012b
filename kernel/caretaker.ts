/**
 * Every thread's own caretaker, in slot 0: it starts the thread's actor, adds links as they come, and
 * ends the thread in order.
 *
 * Both ends, by request and by crash, go the same way: no new messages, let the actor release what it
 * holds, then exit. A thread is never left by `process.exit` while a native call is in flight, because
 * that aborts the whole process; waiting for such calls is the business of the actor's `stop`.
 */
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { ActorCell } from './actor-cell.ts';
import { CellContext, type ContextHost } from './actor-context.ts';
import type { ActorRef } from './actor-ref.ts';
import { mailboxOf } from './actor-table.ts';
import { isIgnored, type Behaviour, type StopReason } from './actor.ts';
import { GUARDIAN_THREAD, KERNEL_SLOT, addressOf, threadOf, type Address } from './address.ts';
import type { DeadLetter } from './dead-letters.ts';
import { SpillwayError } from './errors.ts';
import { Groups, type Group } from './groups.ts';
import type { Handlers } from './handlers.ts';
import { completeMailboxSpec } from './mailbox/mailbox-spec.ts';
import { kernelProtocol, type KernelSpec } from './kernel-protocol.ts';
import type { Letter } from './letter.ts';
import type { PeerLink } from './link.ts';
import { ThreadIsLeft } from './native-exit.ts';
import { Sender } from './post.ts';
import { startActor, startWith, type PreparedActor } from './preparation.ts';
import type { Protocol, ProtocolSpec } from './protocol.ts';
import { MAX_ACTOR_COUNTERS } from './thread-block.ts';
import { isItem, type PortItem } from './thread-port.ts';
import type { ThreadHost } from './thread-host.ts';
import type { ThreadRuntime } from './thread-runtime.ts';
import type { ThreadRuntimeOptions } from './thread-runtime-options.ts';
import { described } from './thrown.ts';
import type { Random } from './time/random.ts';

/** How long an actor that crashed may take to release what it holds. */
const CRASH_STOP_MS = 10_000;
/** How often a stopping thread looks whether it is done. */
const LOOK_MS = 1;
/** The part of its deadline in which a stopping thread may finish what waits; the rest is for the actor's `stop`. */
const DRAIN_PART = 0.75;
/** How long the guardian may take to answer. */
const ADMIN_MS = 10_000;
/** How long an actor that stops itself may take. */
const SELF_STOP_MS = 5_000;

/** Of the caretaker itself: its messages are control. */
const MAILBOX = completeMailboxSpec<Letter>();

export interface CaretakerOptions {
  /** How the runtime is made: it needs its caretaker, who needs it. */
  makeRuntime(hooks: Pick<ThreadRuntimeOptions, 'onDefect' | 'behaviourOf' | 'connect'>): ThreadRuntime;
  readonly name: string;
  readonly random: Random;
  readonly port: LinkPort;
  /** Whether the thread must outlast its native calls, whatever the deadline; see ThreadSpec. */
  readonly native: boolean;
  /** Changes how the thread waits. */
  setWaiting(waiting: 'park' | 'event_loop'): void;
  /** Ends the thread for good. */
  exit(code: number): void;
  /** On the guardian's thread only. */
  makeHost?(runtime: ThreadRuntime): ThreadHost;
}

/** Where the memory of links comes from. */
export type LinkPort = () => PeerLink | undefined;

/** The links that lie in a message port. @param onItem takes what else lies there */
export function linksOf(port: MessagePort, onItem: (item: PortItem) => void = () => {}): LinkPort {
  return () => {
    for (;;) {
      const received = receiveMessageOnPort(port);
      if (received === undefined) return undefined;
      if (!isItem(received.message)) return received.message;
      onItem(received.message);
    }
  };
}

export class Caretaker {
  readonly runtime: ThreadRuntime;
  readonly #options: CaretakerOptions;
  readonly #host: ThreadHost | undefined;
  readonly #groups: Groups;
  readonly #deadLetterListeners = new Set<(letter: DeadLetter) => void>();
  /** Settled when the guardian tells of them; undefined while nobody listens. */
  #deadLettersFollowed: Promise<unknown> | undefined;
  #behaviour: Behaviour<ProtocolSpec> | undefined;
  #ending = false;
  /** Settled once the actor's `start` has come to its end, well or not. */
  #startEnded: Promise<void> = Promise.resolve();

  constructor(options: CaretakerOptions) {
    this.#options = options;
    const shared = (): ContextHost => this.#contextHost;
    this.runtime = options.makeRuntime({
      onDefect: (error) => void this.crash(error),
      behaviourOf: (cell, definition, args, incarnation) => startActor(definition, new CellContext(shared(), cell, definition, incarnation), args),
      connect: (to) => this.#connect(to),
    });
    this.#host = options.makeHost?.(this.runtime);
    this.#groups = new Groups({
      follow: (group) => this.#guardian.ask('followGroup', { group }, { deadlineMs: ADMIN_MS }),
      join: async (group, address) => void (await this.#guardian.ask('joinGroup', { group, address }, { deadlineMs: ADMIN_MS })),
      leave: async (group, address) => void (await this.#guardian.ask('leaveGroup', { group, address }, { deadlineMs: ADMIN_MS })),
    });
    const { runtime } = this;
    const { bonds } = runtime;
    const handlers: Partial<Handlers<KernelSpec>> = {
      stop: ({ deadlineMs }) => void this.#stop(deadlineMs),
      linkReady: () => this.takeLinks(),
      unreachable: ({ to }) => runtime.unreachable(to),
      peerDown: (down) => runtime.peerDown(down.actor, down.final, down.hasStopped, { control: down.controlConsumed, data: down.dataConsumed }),
      watch: ({ target, id }, { from }) => bonds.addWatcher(target, threadOf(from), id),
      unwatch: ({ target, id }, { from }) => bonds.removeWatcher(target, threadOf(from), id),
      terminated: ({ id, ...end }) => bonds.terminated(id, end),
      link: ({ from, to }) => bonds.linkBack(from, to),
      fence: ({ scope }) => runtime.scopes.cancelled(scope),
      groupChanged: ({ group, version, members }) => this.#groups.changed(group, version, members),
      deadLetter: (letter) => this.#onDeadLetter(letter),
      ...this.#host?.handlers,
    };
    const address = addressOf(runtime.thread, KERNEL_SLOT);
    const cell = new ActorCell(runtime, 'kernel', address, kernelProtocol, undefined, MAILBOX);
    cell.handlers = handlers;
    runtime.addActor(cell);
    this.#contextHost = {
      runtime,
      groups: this.#groups,
      random: options.random,
      stopThread: (reason) => {
        if (reason === 'shutdown' && !this.#ending) this.#tellGuardian('shutsDown', { incarnation: runtime.incarnation });
        void this.#stop(SELF_STOP_MS);
      },
      resolve: (name) => this.resolve(name),
      register: async (name, registered) => void (await this.#guardian.ask('register', { name, address: registered }, { deadlineMs: ADMIN_MS })),
      log: (actor) => this.#host?.log(actor) ?? runtime.log(actor),
      host: this.#host,
    };
  }

  readonly #contextHost: ContextHost;

  /** Asks the guardian for an actor by name; it links the two threads before it answers. @throws SpillwayError `actor_unknown` */
  async resolve(name: string): Promise<Address> {
    const { address } = await this.#guardian.ask('resolve', { name }, { deadlineMs: ADMIN_MS });
    this.takeLinks();
    return address;
  }

  /** Calls the listener with each dead letter of the system that the guardian hears of. @returns takes it off */
  async onDeadLetter(listener: (letter: DeadLetter) => void): Promise<() => void> {
    // Of its own, for one function may listen twice.
    const own = (letter: DeadLetter): void => listener(letter);
    // At first, so that whoever leaves meanwhile sees that he is not the last.
    this.#deadLetterListeners.add(own);
    try {
      await (this.#deadLettersFollowed ??= this.#guardian.ask('followDeadLetters', { follow: true }, { deadlineMs: ADMIN_MS }));
    } catch (error) {
      this.#ignoreDeadLetters(own);
      throw error;
    }
    return () => this.#ignoreDeadLetters(own);
  }

  #ignoreDeadLetters(listener: (letter: DeadLetter) => void): void {
    this.#deadLetterListeners.delete(listener);
    if (this.#deadLetterListeners.size > 0 || this.#deadLettersFollowed === undefined || this.runtime.isEnded) return;
    this.#deadLettersFollowed = undefined;
    this.runtime.tell(GUARDIAN_THREAD, 'followDeadLetters', { follow: false });
  }

  #onDeadLetter(letter: DeadLetter): void {
    for (const listener of this.#deadLetterListeners) listener(letter);
  }

  /** A group as the thread itself sees it. */
  group<Spec extends ProtocolSpec>(name: string, protocol: Protocol<Spec>): Promise<Group<Spec>> {
    return this.#groups.open(name, protocol, this.runtime.self, new Sender(this.runtime.post, this.runtime.self));
  }

  /** Asks the guardian to hand on the port of this number. @throws SpillwayError `actor_unknown`, `thread_ended` */
  async openAdmin(name: string, id: number): Promise<void> {
    await this.#guardian.ask('openAdmin', { name, id }, { deadlineMs: ADMIN_MS });
  }

  get #guardian(): ActorRef<KernelSpec> {
    return this.runtime.ref('kernel', addressOf(GUARDIAN_THREAD, KERNEL_SLOT), kernelProtocol);
  }

  #connect(to: Address): void {
    if (this.#host === undefined) this.runtime.tell(GUARDIAN_THREAD, 'connect', { to });
    else this.#host.connect(this.runtime.thread, to);
  }

  /** Adds the links whose memory has come through the port. */
  takeLinks(): void {
    for (;;) {
      const link = this.#options.port();
      if (link === undefined) return;
      this.runtime.addLink(link);
    }
  }

  /** Starts the thread's actor; a failure ends the thread. */
  async start(prepare: () => Promise<PreparedActor>, args: unknown): Promise<void> {
    const { block } = this.runtime;
    block.state = 'starting';
    this.runtime.expectActor();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#startEnded = promise;
    try {
      const { definition, prepared } = await prepare();
      const { runtime } = this;
      const { counters = [] } = definition;
      if (counters.length > MAX_ACTOR_COUNTERS) {
        throw new TypeError(`Actor ${this.#options.name} declares ${counters.length} counters; at most ${MAX_ACTOR_COUNTERS} fit.`);
      }
      const cell = new ActorCell(runtime, this.#options.name, runtime.self, definition.protocol, undefined, mailboxOf(definition));
      cell.waitsInLane = definition.mailbox === undefined;
      cell.stashCapacity = definition.stashCapacity ?? 0;
      runtime.deliverTo(cell, definition);
      const behaviour = await startWith(definition, new CellContext(this.#contextHost, cell, definition, runtime.incarnation), args, prepared);
      const hasLeft = isIgnored(behaviour);
      if (!hasLeft) this.#behaviour = behaviour;
      resolve();
      if (this.#ending) return;
      const { info } = behaviour;
      this.#tellGuardian('started', { incarnation: this.runtime.incarnation, isIgnored: hasLeft, ...(info === undefined ? {} : { info }) });
      if (hasLeft) return void this.#stop(0);
      block.state = 'running';
      this.#options.setWaiting(definition.waiting ?? 'event_loop');
      cell.behaviour = behaviour;
      cell.handlers = behaviour.handlers;
      runtime.addActor(cell);
    } catch (error) {
      resolve();
      await this.crash(error);
    }
  }

  /** The actor has called `process.exit` where that must wait: it ends without a word, as it wanted to, but in order. */
  async leave(code: number): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    this.runtime.block.state = code === 0 ? 'stopping' : 'crashed';
    await this.#release(code === 0 ? 'shutdown' : 'crashed', CRASH_STOP_MS);
    this.#options.exit(code);
  }

  /** The actor has failed: report it, release what it holds, end. */
  async crash(error: unknown): Promise<void> {
    if (this.#ending) {
      if (error instanceof ThreadIsLeft) return;
      this.runtime.log(this.#options.name).error('the actor failed while it was ending', { ...described(error) });
      return;
    }
    this.#ending = true;
    const whileStarting = this.runtime.block.state === 'starting';
    this.runtime.block.state = 'crashed';
    const code = error instanceof SpillwayError ? error.code : '';
    this.#tellGuardian('crashed', { incarnation: this.runtime.incarnation, whileStarting, code, ...described(error) });
    await this.#release('crashed', CRASH_STOP_MS);
    this.#options.exit(1);
  }

  async #stop(deadlineMs: number): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    this.runtime.block.state = 'stopping';
    this.#options.setWaiting('event_loop');
    const { clock } = this.runtime;
    const beginMs = clock.monotonicMs();
    const drainEndMs = beginMs + deadlineMs * DRAIN_PART;
    while (!this.runtime.idle && clock.monotonicMs() < drainEndMs) await this.#pause(LOOK_MS);
    await this.#release('shutdown', Math.max(0, beginMs + deadlineMs - clock.monotonicMs()));
    this.runtime.block.state = 'stopped';
    this.#options.exit(0);
  }

  async #release(reason: StopReason, withinMs: number): Promise<void> {
    this.#options.setWaiting('event_loop');
    this.runtime.retireActor(reason);
    const released = this.runtime.stopChildren().then(() => this.#stopActor(reason));
    await (this.#options.native ? released : Promise.race([released, this.#pause(withinMs)]));
  }

  /** Resolves when the actor has released what it holds and its last handler has ended. Never rejects. */
  async #stopActor(reason: StopReason): Promise<void> {
    // An actor that is told to end while it starts cannot release what it does not hold yet.
    await this.#startEnded;
    try {
      await this.#behaviour?.stop?.(reason);
    } catch (error) {
      this.runtime.log(this.#options.name).error('the actor failed while it stopped', { error: String(error) });
    }
    while (this.#options.native && this.runtime.isHandling) await this.#pause(LOOK_MS);
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.runtime.after(delayMs, resolve));
  }

  #tellGuardian(name: 'started' | 'shutsDown' | 'crashed', notice: Record<string, unknown>): void {
    this.runtime.tell(GUARDIAN_THREAD, name, notice);
  }
}
