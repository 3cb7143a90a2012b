/** One actor on its thread: its handlers, and what it is busy with. */
import type { MessageContext } from './handlers.ts';
import { KERNEL_SLOT, slotOf, type Address } from './address.ts';
import type { Envelope } from './envelope.ts';
import type { Protocol } from './protocol.ts';

/** Handlers whose types were checked where they were written; here they are only called. */
export type AnyHandlers = Readonly<Record<string, (request: never, message: MessageContext) => unknown>>;

/** A message that a handler has begun and not ended. */
export interface InFlight {
  readonly envelope: Envelope;
  cancelled: boolean;
}

export class ActorCell {
  readonly name: string;
  readonly address: Address;
  readonly protocol: Protocol;
  readonly handlers: AnyHandlers;
  /** Whether a data message is being handled: the next one has to wait. */
  busy = false;
  readonly inFlight = new Set<InFlight>();

  constructor(name: string, address: Address, protocol: Protocol, handlers: AnyHandlers) {
    this.name = name;
    this.address = address;
    this.protocol = protocol;
    this.handlers = handlers;
  }

  /** Whether it is the thread's caretaker, whose messages are no load of the actor and are not counted. */
  get isKernel(): boolean {
    return slotOf(this.address) === KERNEL_SLOT;
  }
}
