/**
 * The context of an actor that runs alone: what it does to others is written down instead of done, and time is
 * the test's. Everything of `ActorContext` is there; actors that it would spawn are not started.
 */
import { SharedCounters } from 'atomics-ring-buffer';
import type { AnyHandlers } from '../actor-cell.ts';
import { ActorRef, type Addressed, type Courier } from '../actor-ref.ts';
import type { SpawnOptions } from '../actor-table.ts';
import type { ActorContext, ActorDefinition } from '../actor.ts';
import { ACTOR_SLOT, addressOf, spawnedSlot, type Address } from '../address.ts';
import type { Terminated } from '../bonds.ts';
import { SpillwayError } from '../errors.ts';
import { CancelScope, scopeIds, type ScopeOptions } from '../flow/cancel-scope.ts';
import { Group } from '../groups.ts';
import type { Handlers } from '../handlers.ts';
import { createLog, type Log, type LogRecord } from '../log.ts';
import type { Protocol, ProtocolSpec } from '../protocol.ts';
import type { ManualClock } from '../time/manual-clock.ts';
import type { Random } from '../time/random.ts';
import { TimerWheel, type Timer } from '../time/timer-wheel.ts';

/** A message that the actor has sent. */
export interface SentMessage {
  readonly way: 'tell' | 'send' | 'ask' | 'stream' | 'forward';
  readonly to: Address;
  readonly protocol: string;
  readonly name: string;
  readonly request: unknown;
}

export interface SpawnedChild {
  readonly address: Address;
  readonly definition: ActorDefinition;
  readonly args: unknown;
  readonly options: SpawnOptions;
}

/** Someone whom the actor watches, or is linked to. */
export interface Bond {
  readonly way: 'watch' | 'link';
  readonly target: Address;
  /** Tells the actor of the end. */
  end(end: Pick<Terminated, 'reason' | 'message'>): void;
}

/** What others answer: the reply of an ask, the items of a stream, or the result of a tell; what it throws, they fail with. */
export type Answer = (sent: SentMessage) => unknown;

export interface InvokedContextOptions {
  readonly name: string;
  readonly clock: ManualClock;
  readonly random: Random;
  readonly answer: Answer;
}

const SELF = addressOf(2, ACTOR_SLOT);
/** Where those stand that the actor finds by name. */
const STRANGERS_THREAD = 3;

export class InvokedContext implements ActorContext {
  readonly name: string;
  readonly self = SELF;
  readonly incarnation = 1;
  readonly clock: ManualClock;
  readonly random: Random;
  readonly log: Log;
  readonly counters: SharedCounters<string>;
  readonly sent: SentMessage[] = [];
  readonly logs: LogRecord[] = [];
  readonly spawned: SpawnedChild[] = [];
  readonly stopped: Address[] = [];
  readonly bonds: Bond[] = [];
  readonly registered: string[] = [];
  readonly timers: TimerWheel;
  handlers: AnyHandlers = {};
  hasStoppedItself = false;
  /** Whether the handler that runs has put its message aside. */
  isStashed = false;
  /** Called when the actor takes back what it has put aside. */
  unstash: () => number = () => 0;
  /** What failed the actor outside of a handler: a timer, or one that it is linked to. */
  failure: { readonly error: unknown } | undefined;
  readonly #answer: Answer;
  readonly #strangers = new Map<string, Address>();
  readonly #nextScopeId = scopeIds();
  #receiveTimeout: Timer | undefined;

  constructor(definition: ActorDefinition, { name, clock, random, answer }: InvokedContextOptions) {
    this.name = name;
    this.clock = clock;
    this.random = random;
    this.#answer = answer;
    this.timers = new TimerWheel(clock.monotonicMs());
    this.log = createLog(name, 'debug', clock, (record) => this.logs.push(record));
    const { counters = [] } = definition;
    this.counters = new SharedCounters(new SharedArrayBuffer(SharedCounters.bytes(counters)), 0, counters);
  }

  // ---- other actors

  resolve<Spec extends ProtocolSpec>(name: string, protocol: Protocol<Spec>): Promise<ActorRef<Spec>> {
    let address = this.#strangers.get(name);
    if (address === undefined) this.#strangers.set(name, (address = addressOf(STRANGERS_THREAD, spawnedSlot(this.#strangers.size, 0))));
    return Promise.resolve(new ActorRef(this.courier, name, address, protocol));
  }

  ref<Spec extends ProtocolSpec>(address: Address, protocol: Protocol<Spec>): ActorRef<Spec> {
    return new ActorRef(this.courier, protocol.name, address, protocol);
  }

  register(name: string): Promise<void> {
    this.registered.push(name);
    return Promise.resolve();
  }

  /** The actor is its only member, once it has joined. */
  group<Spec extends ProtocolSpec>(name: string, protocol: Protocol<Spec>): Promise<Group<Spec>> {
    const membership = { version: 0, members: [] as Address[] };
    const change = (members: Address[]): Promise<void> => {
      membership.members = members;
      return Promise.resolve();
    };
    const host = { follow: () => Promise.resolve(membership), join: () => change([SELF]), leave: () => change([]) };
    return Promise.resolve(new Group(name, protocol, SELF, this.courier, membership, host));
  }

  readonly courier: Courier = {
    tell: (to, message, request) => {
      const result = this.#send('tell', to, '', message.name, request, message.validate);
      return typeof result === 'number' ? result : 0;
    },
    send: async (to, protocol, name, request) => void (await this.#to('send', to, protocol, name, request)),
    ask: async (to, protocol, name, request) => this.#to('ask', to, protocol, name, request),
    stream: (to, protocol, name, request) => {
      const items = this.#to('stream', to, protocol, name, request) as Iterable<unknown> | AsyncIterable<unknown> | undefined;
      return (async function* () {
        yield* items ?? [];
        return undefined;
      })();
    },
    levelOf: () => undefined,
  };

  // ---- children

  spawn<Spec extends ProtocolSpec, Args>(definition: ActorDefinition<Spec, Args>, args: Args, options: SpawnOptions = {}): ActorRef<Spec> {
    const address = addressOf(2, spawnedSlot(2 + this.spawned.length, 0));
    this.spawned.push({ address, definition: definition as unknown as ActorDefinition, args, options });
    return new ActorRef(this.courier, options.name ?? `${this.name}/${this.spawned.length}`, address, definition.protocol);
  }

  lives(): never {
    throw new TypeError('An actor that is only invoked has no thread on which others could live; use a test system.');
  }

  stop(child: Addressed | Address): Promise<void> {
    const address = addressOfTarget(child);
    if (!this.children.includes(address)) throw new SpillwayError('not_a_child', `${address} is no child of ${this.name}, and only its parent may stop it.`);
    this.stopped.push(address);
    return Promise.resolve();
  }

  stopSelf(): void {
    this.hasStoppedItself = true;
  }

  get children(): readonly Address[] {
    return this.spawned.map(({ address }) => address).filter((address) => !this.stopped.includes(address));
  }

  // ---- ends of others

  watch(target: Addressed | Address, onEnd: (end: Terminated) => void): Timer {
    return this.#bond('watch', addressOfTarget(target), onEnd);
  }

  link(target: Addressed | Address): Timer {
    return this.#bond('link', addressOfTarget(target), ({ reason, message, address }) => {
      if (reason === 'crashed') throw new SpillwayError('linked_actor_failed', `The actor at ${address}, to which ${this.name} is linked, failed: ${message}`);
    });
  }

  #bond(way: Bond['way'], target: Address, onEnd: (end: Terminated) => void): Timer {
    const remove = (): void => {
      const index = this.bonds.indexOf(bond);
      if (index >= 0) this.bonds.splice(index, 1);
    };
    const bond: Bond = {
      way,
      target,
      end: (end) => {
        remove();
        this.#guarded(() => onEnd({ address: target, ...end }))();
      },
    };
    this.bonds.push(bond);
    return { cancel: remove };
  }

  // ---- behaviour

  become<Spec extends ProtocolSpec>(handlers: Handlers<Spec>): Handlers<Spec> {
    const former = this.handlers as Handlers<never>;
    this.handlers = handlers;
    return former;
  }

  stash(): void {
    this.isStashed = true;
  }

  unstashAll(): number {
    return this.unstash();
  }

  // ---- time

  after(delayMs: number, run: () => void): Timer {
    return this.timers.schedule(this.clock.monotonicMs() + delayMs, this.#guarded(run));
  }

  every(intervalMs: number, run: () => void): Timer {
    let timer: Timer;
    const again = (): void => {
      timer = this.after(intervalMs, () => {
        again();
        run();
      });
    };
    again();
    return { cancel: () => timer.cancel() };
  }

  receiveTimeout(afterMs: number | undefined, run: () => void = () => {}): void {
    this.#receiveTimeout?.cancel();
    this.restartReceiveTimeout = () => {
      this.#receiveTimeout?.cancel();
      this.#receiveTimeout = afterMs === undefined ? undefined : this.every(afterMs, run);
    };
    this.restartReceiveTimeout();
  }

  /** A data message has come. */
  restartReceiveTimeout: () => void = () => {};

  // ---- cancelling

  scope(options?: ScopeOptions): CancelScope {
    return new CancelScope({ nextId: this.#nextScopeId, after: (delayMs, run) => this.after(delayMs, run) }, options);
  }

  #to(way: SentMessage['way'], to: Address, protocol: Protocol, name: string, request: unknown): unknown {
    return this.#send(way, to, protocol.name, name, request, protocol.message(name).validate);
  }

  /** @throws SpillwayError `message_invalid`, as a real one does */
  #send(way: SentMessage['way'], to: Address, protocol: string, name: string, request: unknown, validate: (request: unknown) => void): unknown {
    validate(request);
    const sent: SentMessage = { way, to, protocol, name, request };
    this.sent.push(sent);
    return this.#answer(sent);
  }

  #guarded(run: () => void): () => void {
    return () => {
      try {
        run();
      } catch (error) {
        this.failure ??= { error };
      }
    };
  }
}

function addressOfTarget(target: Addressed | Address): Address {
  return typeof target === 'number' ? target : target.address;
}
