/** What an actor does with its messages: one function for each message of its protocol. */
import type { Address } from './address.ts';
import type { ProtocolSpec, ReplyOf, RequestOf } from './protocol.ts';

/** What a handler may know about the message in its hands. */
export interface MessageContext {
  readonly from: Address;
  /** On the machine-wide monotonic clock of `context.clock`; Infinity if the sender set none. */
  readonly deadlineMs: number;
  /** True once the asker has cancelled, or no longer waits because the deadline has passed. */
  readonly cancelled: boolean;
}

export type Handlers<Spec extends ProtocolSpec> = {
  readonly [Name in keyof Spec]: (
    request: RequestOf<Spec, Name>,
    message: MessageContext,
  ) => ReplyOf<Spec, Name> | Promise<ReplyOf<Spec, Name>>;
};
