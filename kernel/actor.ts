/**
 * What the author of an actor writes: a protocol and a `start` that returns its handlers.
 *
 * An actor handles one data message at a time: while a handler's promise is pending, the next data
 * message waits. Control messages are handled at once, also while a data handler waits; so are timers.
 *
 * How handlers end. A returned value is the answer to an ask. A thrown `SpillwayError` is an
 * operating error: the asker gets it and the actor goes on. Anything else that is thrown is a defect:
 * the actor ends and its supervisor, or the parent that spawned it, decides.
 */
import type { SharedCounters } from 'atomics-ring-buffer';
import type { ActorRef, Addressed } from './actor-ref.ts';
import type { ActorLives, LivesOptions } from './actor-lives.ts';
import type { SpawnOptions } from './actor-table.ts';
import type { Address } from './address.ts';
import type { Terminated } from './bonds.ts';
import type { Clock } from './clock.ts';
import type { CancelScope, ScopeOptions } from './flow/cancel-scope.ts';
import type { Group } from './groups.ts';
import type { Handlers } from './handlers.ts';
import type { Log } from './log.ts';
import type { MailboxMarks, MailboxPolicy } from './mailbox/mailbox-spec.ts';
import type { Protocol, ProtocolSpec } from './protocol.ts';
import type { ThreadHost } from './thread-host.ts';
import type { Random } from './time/random.ts';
import type { Timer } from './time/timer-wheel.ts';

export type StopReason = 'shutdown' | 'crashed';
export type SelfStopReason = 'normal' | 'shutdown';

export interface ActorContext {
  readonly name: string;
  readonly self: Address;
  /** Which life of the actor this is, from 1. */
  readonly incarnation: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The counters that the definition declares; anyone may read them. Only for the actor that its thread was made for. */
  readonly counters: SharedCounters<string>;

  // ---- other actors

  /**
   * Finds an actor by name and links this thread to its thread.
   * @throws SpillwayError `actor_unknown`
   */
  resolve<Spec extends ProtocolSpec>(name: string, protocol: Protocol<Spec>): Promise<ActorRef<Spec>>;
  /** A handle for an address that came in a message. The link to its thread is made with the first message. */
  ref<Spec extends ProtocolSpec>(address: Address, protocol: Protocol<Spec>): ActorRef<Spec>;
  /** Gives this actor a name for `resolve`, until it ends. @throws SpillwayError `name_taken` */
  register(name: string): Promise<void>;
  /** A group of actors of one protocol, known by its name in the whole system. */
  group<Spec extends ProtocolSpec>(name: string, protocol: Protocol<Spec>): Promise<Group<Spec>>;

  // ---- children

  /**
   * Makes an actor on this thread. It has its address at once, ends with this one, and costs about as
   * much as an object with a few fields.
   * @throws SpillwayError `too_many_actors`, or what its start throws at once
   */
  spawn<Spec extends ProtocolSpec, Args>(definition: ActorDefinition<Spec, Args>, args: Args, options?: SpawnOptions): ActorRef<Spec>;
  /**
   * A child whose lives are begun and ended one by one, for those who supervise: it keeps its address and
   * what waits for it between two of them.
   */
  lives(options: LivesOptions): ActorLives;
  /** Ends a child. Resolves when it has released what it holds. @throws SpillwayError `not_a_child` */
  stop(child: Addressed | Address): Promise<void>;
  /**
   * Ends this actor once its handler returns or first awaits; an ask that is then unanswered ends with
   * `actor_stopped`. A thread's own actor ends with its thread.
   * @param reason `normal` (default): its work is done. `shutdown`: something else has ended. A supervisor
   *   restarts a transient actor after neither
   */
  stopSelf(reason?: SelfStopReason): void;
  readonly children: readonly Address[];

  // ---- ends of others

  /** Calls `onEnd` once when the actor has ended for good; soon, if there is none. A restart is no end. */
  watch(target: Addressed | Address, onEnd: (end: Terminated) => void): Timer;
  /** Makes the two fail together: whichever fails for good, the other fails too. A proper stop and a restart concern nobody. */
  link(target: Addressed | Address): Timer;

  // ---- behaviour

  /** Changes how messages are handled, from the next one on. @returns the handlers until now */
  become<Spec extends ProtocolSpec>(handlers: Handlers<Spec>): Handlers<Spec>;
  /** Puts the message in hand aside. @throws SpillwayError `stash_undeclared`, `stash_full` */
  stash(): void;
  /** Puts what was stashed in front of what waits, in its order. @returns how many there were */
  unstashAll(): number;

  // ---- time

  /** Runs `run` once, unless the actor ends before. @throws SpillwayError `timers_full`, `timer_invalid` */
  after(delayMs: number, run: () => void): Timer;
  /** Runs `run` again and again. A run that is late does not make up for those it has missed. */
  every(intervalMs: number, run: () => void): Timer;
  /** Calls `run` whenever no data message has come for `afterMs`; undefined ends it. */
  receiveTimeout(afterMs: number | undefined, run?: () => void): void;

  // ---- cancelling

  /** A scope for work that may be cancelled as one; hand it on with what is sent. */
  scope(options?: ScopeOptions): CancelScope;

  /** Makes and ends threads. Only the guardian's actor, the root of the supervision tree, has it. */
  readonly host?: ThreadHost;
}

/** A started actor. */
export interface Behaviour<Spec extends ProtocolSpec> {
  readonly handlers: Handlers<Spec>;
  /** Releases what the actor holds. Called once, also after a crash; no handler runs afterwards. */
  stop?(reason: StopReason): void | Promise<void>;
  /** For whoever has a supervisor start the actor, as plain data: `startChild` answers with it. */
  readonly info?: unknown;
}

const IGNORED: Behaviour<ProtocolSpec> = { handlers: {} };

/** What `start` returns for an actor that has nothing to do: it has not failed, and nothing runs. */
export function ignored<Spec extends ProtocolSpec>(): Behaviour<Spec> {
  return IGNORED as Behaviour<Spec>;
}

/** Whether a start has come to nothing; see `ignored`. */
export function isIgnored<Spec extends ProtocolSpec>(behaviour: Behaviour<Spec>): boolean {
  return (behaviour as unknown) === IGNORED;
}

/** How many data messages may wait for an actor, and what happens at the marks; see mailbox/mailbox.ts. */
export interface MailboxDeclaration {
  /** Messages. Default 1,000. */
  readonly capacity?: number;
  /** Default refuse. */
  readonly policy?: MailboxPolicy;
  readonly marks?: Partial<MailboxMarks>;
  /** For the policy `expire`: how old a message may be when it is handled. */
  readonly ttlMs?: number;
  /** For the policy `conflate`: of those with the same key only the latest is kept. */
  readonly key?: (name: string, request: unknown) => string | number | undefined;
}

/** What an actor says of itself. */
export interface ActorTraits<Spec extends ProtocolSpec> {
  readonly protocol: Protocol<Spec>;
  /**
   * How its thread waits. `event_loop` (default) serves timers, sockets and native promises.
   * `park` sleeps in shared memory, which wakes several times faster; its handlers may await nothing
   * but the kernel's own promises.
   */
  readonly waiting?: 'park' | 'event_loop';
  /** Names of the counters the actor keeps in shared memory; at most 32. */
  readonly counters?: readonly string[];
  /**
   * Its queue of data messages. Without it those for a thread's own actor wait in their lanes, whose bytes
   * are the bound.
   */
  readonly mailbox?: MailboxDeclaration;
  /** Messages that it may put aside at once. Without it, it may put none aside. */
  readonly stashCapacity?: number;
}

/** An actor as its author writes it. */
export interface WrittenActor<Spec extends ProtocolSpec, Args, Prepared> extends ActorTraits<Spec> {
  /**
   * Gets ready what takes long and needs nobody else, such as a model. A thread that stands by does it before
   * the life that it is for begins; without one it is done just before `start`.
   */
  prepare?(args: Args): Prepared | Promise<Prepared>;
  /** Gives back what was prepared and will not be used: nobody needed the thread that stood by, or `start` failed. */
  discard?(prepared: Prepared): void | Promise<void>;
  /** @param prepared what `prepare` returned; it is the actor's own once `start` has returned */
  start(context: ActorContext, args: Args, prepared: Prepared): Behaviour<Spec> | Promise<Behaviour<Spec>>;
}

/** The same for those who start it, and who do not know what it prepares. */
export interface ActorDefinition<Spec extends ProtocolSpec = ProtocolSpec, Args = unknown> extends ActorTraits<Spec> {
  prepare?(args: never): unknown;
  discard?(prepared: never): void | Promise<void>;
  start(context: ActorContext, args: Args, prepared?: unknown): Behaviour<Spec> | Promise<Behaviour<Spec>>;
}

/** Only there for its types: it lets TypeScript infer handlers from the protocol. */
export function defineActor<Spec extends ProtocolSpec, Args, Prepared = unknown>(
  definition: WrittenActor<Spec, Args, Prepared>,
): ActorDefinition<Spec, Args> {
  return definition;
}
