/**
 * The handle by which one actor, or the application, talks to another. It stays valid across restarts
 * of the actor.
 */
import type { Address } from './address.ts';
import type { Protocol, ProtocolSpec, ReplyOf, RequestOf } from './protocol.ts';

export interface AskOptions {
  /** Milliseconds until the ask ends with `ask_deadline`. Required: no ask waits forever. */
  readonly deadlineMs: number;
  /** Ends the ask with `ask_cancelled` and tells the actor, who need not go on with it. */
  readonly signal?: AbortSignal;
}

/** The part of a thread's runtime that a reference needs. */
export interface Courier {
  tell(to: Address, protocol: Protocol, name: string, request: unknown): number;
  ask(to: Address, protocol: Protocol, name: string, request: unknown, options: AskOptions): Promise<unknown>;
}

export class ActorRef<Spec extends ProtocolSpec = ProtocolSpec> {
  readonly name: string;
  readonly address: Address;
  readonly protocol: Protocol<Spec>;
  readonly #courier: Courier;

  constructor(courier: Courier, name: string, address: Address, protocol: Protocol<Spec>) {
    this.#courier = courier;
    this.name = name;
    this.address = address;
    this.protocol = protocol;
  }

  /**
   * Sends without waiting. At most once; messages of one sender stay in order within a lane.
   * @returns 0, or a refusal such as BACK_PRESSURED, CLOSED or TOO_LONG; the message is then still the caller's
   */
  tell<Name extends keyof Spec & string>(name: Name, request: RequestOf<Spec, Name>): number {
    return this.#courier.tell(this.address, this.protocol, name, request);
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
    return this.#courier.ask(this.address, this.protocol, name, request, options) as Promise<
      ReplyOf<Spec, Name>
    >;
  }
}
