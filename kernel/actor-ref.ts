/**
 * The handle by which one actor, or the application, talks to another. It stays valid across restarts
 * of the actor. To hand it on in a message, send its `address`; `context.ref` makes a handle of it again.
 */
import type { Address } from './address.ts';
import type { CancelScope } from './flow/cancel-scope.ts';
import type { ItemOf, Message, Protocol, ProtocolSpec, ReplyOf, RequestOf } from './protocol.ts';

export interface TellOptions {
  /** The cancel scope that the message belongs to: once it is cancelled, no output of it is taken in any more. */
  readonly scope?: CancelScope;
}

export interface AskOptions extends TellOptions {
  /** Milliseconds until the ask ends with `ask_deadline`. Required: no ask waits forever. */
  readonly deadlineMs: number;
  /** Ends the ask with `ask_cancelled` and tells the actor, who need not go on with it. */
  readonly signal?: AbortSignal;
}

export interface StreamOptions extends AskOptions {
  /** Milliseconds until the next item. */
  readonly deadlineMs: number;
  /** Items that the other side may send ahead. Default 16. */
  readonly demand?: number;
}

/** The part of a thread's runtime that a reference needs. */
export interface Courier {
  tell(to: Address, message: Message, request: unknown, options?: TellOptions): number;
  send(to: Address, protocol: Protocol, name: string, request: unknown, options: AskOptions): Promise<void>;
  ask(to: Address, protocol: Protocol, name: string, request: unknown, options: AskOptions): Promise<unknown>;
  stream(to: Address, protocol: Protocol, name: string, request: unknown, options: StreamOptions): AsyncIterableIterator<unknown, undefined>;
  /** Messages that wait for the actor, as its thread last showed it; undefined without a link. */
  levelOf(to: Address): number | undefined;
}

/** Whatever has an address: a reference to an actor of any protocol. */
export interface Addressed {
  readonly address: Address;
}

export class ActorRef<Spec extends ProtocolSpec = ProtocolSpec> {
  readonly name: string;
  readonly address: Address;
  readonly protocol: Protocol<Spec>;
  readonly #courier: Courier;
  /** Whoever tells much, tells the same message again and again; looking it up costs as much as the rest. */
  #lastName: string | undefined;
  #lastMessage: Message | undefined;

  constructor(courier: Courier, name: string, address: Address, protocol: Protocol<Spec>) {
    this.#courier = courier;
    this.name = name;
    this.address = address;
    this.protocol = protocol;
  }

  /**
   * Sends without waiting. At most once; messages of one sender stay in order within a lane.
   * @returns 0, or a refusal such as BACK_PRESSURED, CLOSED, TOO_LONG, or ADMIN_ACTION while a link to its
   *   thread is being made; the message is then still the caller's
   * @throws SpillwayError `message_invalid` naming the field, what was expected and what came
   */
  tell<Name extends keyof Spec & string>(name: Name, request: RequestOf<Spec, Name>, options?: TellOptions): number {
    if (name !== this.#lastName) {
      this.#lastMessage = this.protocol.message(name);
      this.#lastName = name;
    }
    return this.#courier.tell(this.address, this.#lastMessage!, request, options);
  }

  /**
   * Sends as soon as there is room. Resolves once the actor's lane or mailbox has the message; while the
   * mailbox is in mode `sync`, once it has come down from it, so that a sender who awaits is slowed down.
   * @throws SpillwayError `send_deadline`, `send_cancelled`, `send_refused`, `actor_stopped`,
   *   `message_too_large`; the message was not sent then
   */
  send<Name extends keyof Spec & string>(name: Name, request: RequestOf<Spec, Name>, options: AskOptions): Promise<void> {
    return this.#courier.send(this.address, this.protocol, name, request, options);
  }

  /**
   * Sends and waits for the answer.
   * @throws SpillwayError `ask_refused`, `ask_deadline`, `ask_cancelled`, `actor_restarted`,
   *   `actor_stopped`, `message_too_large`, or what the handler threw; `details.mayHaveBeenHandled` says
   *   whether the actor may have acted on it
   */
  ask<Name extends keyof Spec & string>(
    name: Name,
    request: RequestOf<Spec, Name>,
    options: AskOptions,
  ): Promise<ReplyOf<Spec, Name>> {
    return this.#courier.ask(this.address, this.protocol, name, request, options) as Promise<ReplyOf<Spec, Name>>;
  }

  /**
   * Asks for a streaming answer. The actor produces as far as items are taken; leaving the loop early
   * cancels it.
   * @throws while it is iterated, what `ask` throws
   */
  stream<Name extends keyof Spec & string>(
    name: Name,
    request: RequestOf<Spec, Name>,
    options: StreamOptions,
  ): AsyncIterableIterator<ItemOf<Spec, Name>, undefined> {
    return this.#courier.stream(this.address, this.protocol, name, request, options) as AsyncIterableIterator<ItemOf<Spec, Name>, undefined>;
  }

  /** Messages that wait for the actor, as last shown in shared memory; undefined as long as there is no link to its thread. */
  get level(): number | undefined {
    return this.#courier.levelOf(this.address);
  }
}
