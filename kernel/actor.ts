/**
 * What the author of an actor writes: a protocol and a `start` that returns its handlers.
 *
 * An actor handles one data message at a time: while a handler's promise is pending, the next data
 * message stays in its lane. Control messages are handled at once, also while a data handler waits.
 *
 * How handlers end. A returned value is the answer to an ask. A thrown `SpillwayError` is an
 * operating error: the asker gets it and the actor goes on. Anything else that is thrown is a defect:
 * the actor ends and its supervisor decides.
 */
import type { SharedCounters } from 'atomics-ring-buffer';
import type { ActorRef } from './actor-ref.ts';
import type { Address } from './address.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import type { Handlers } from './handlers.ts';
import type { Protocol, ProtocolSpec } from './protocol.ts';
import type { ThreadHost } from './thread-host.ts';

export type StopReason = 'shutdown' | 'crashed';

export interface ActorContext {
  readonly name: string;
  readonly self: Address;
  /** Which life of the actor this is, from 1. */
  readonly incarnation: number;
  readonly clock: Clock;
  readonly log: Log;
  /** The counters that the definition declares; anyone may read them. */
  readonly counters: SharedCounters<string>;
  /**
   * Finds an actor by name and links this thread to its thread.
   * @throws SpillwayError `actor_unknown`
   */
  resolve<Spec extends ProtocolSpec>(name: string, protocol: Protocol<Spec>): Promise<ActorRef<Spec>>;
  /** Makes and ends threads. Only the guardian's actor, the root of the supervision tree, has it. */
  readonly host?: ThreadHost;
}

/** A started actor. */
export interface Behaviour<Spec extends ProtocolSpec> {
  readonly handlers: Handlers<Spec>;
  /** Releases what the actor holds. Called once, also after a crash; no handler runs afterwards. */
  stop?(reason: StopReason): void | Promise<void>;
}

export interface ActorDefinition<Spec extends ProtocolSpec = ProtocolSpec, Args = unknown> {
  readonly protocol: Protocol<Spec>;
  /**
   * How its thread waits. `event_loop` (default) serves timers, sockets and native promises.
   * `park` sleeps in shared memory, which wakes several times faster; its handlers may await nothing
   * but the kernel's own promises.
   */
  readonly waiting?: 'park' | 'event_loop';
  /** Names of the counters the actor keeps in shared memory; at most 32. */
  readonly counters?: readonly string[];
  start(context: ActorContext, args: Args): Behaviour<Spec> | Promise<Behaviour<Spec>>;
}

/** Only there for its types: it lets TypeScript infer handlers from the protocol. */
export function defineActor<Spec extends ProtocolSpec, Args>(
  definition: ActorDefinition<Spec, Args>,
): ActorDefinition<Spec, Args> {
  return definition;
}
