/** What an actor does with its messages: one function for each message of its protocol. */
import type { ActorRef } from './actor-ref.ts';
import type { Address } from './address.ts';
import type { CancelScope } from './flow/cancel-scope.ts';
import type { ItemOf, ProtocolSpec, ReplyOf, RequestOf } from './protocol.ts';

/** What a handler may know about the message in its hands. */
export interface MessageContext {
  readonly from: Address;
  /** On the machine-wide monotonic clock of `context.clock`; Infinity if the sender set none. */
  readonly deadlineMs: number;
  /** True once the asker has cancelled, no longer waits because the deadline has passed, or the message's scope was cancelled. */
  readonly cancelled: boolean;
  /**
   * How often a former life has handed this message to a handler: 0 unless the actor's thread is declared
   * `at_least_once` and ended with the message in hand.
   */
  readonly redeliveries: number;
  /** The cancel scope that the message belongs to; hand it on with what is sent on its behalf. */
  readonly scope: CancelScope | undefined;
  /**
   * Hands an ask on: its answer goes straight to the first asker, and what this handler returns is
   * ignored. Deadline and scope stay those of the ask.
   * @returns 0, or a refusal as of `tell`; the ask is then still this handler's to answer
   */
  forward<Spec extends ProtocolSpec, Name extends keyof Spec & string>(to: ActorRef<Spec>, name: Name, request: RequestOf<Spec, Name>): number;
}

type Outcome<Spec extends ProtocolSpec, Name extends keyof Spec> = Spec[Name] extends { readonly stream: unknown }
  ? Iterable<ItemOf<Spec, Name>> | AsyncIterable<ItemOf<Spec, Name>>
  : ReplyOf<Spec, Name> | Promise<ReplyOf<Spec, Name>>;

export type Handlers<Spec extends ProtocolSpec> = {
  readonly [Name in keyof Spec]: (request: RequestOf<Spec, Name>, message: MessageContext) => Outcome<Spec, Name>;
};
