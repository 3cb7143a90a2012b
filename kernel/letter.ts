/**
 * A message on its way through its receiver's thread: its envelope, its value, and what has become of
 * it. A handler sees it as its `MessageContext`; one object serves both, because there is one for every
 * message.
 */
import type { ActorRef } from './actor-ref.ts';
import type { Address } from './address.ts';
import { NO_CORRELATION, NO_DEADLINE, type Envelope } from './envelope.ts';
import type { CancelScope } from './flow/cancel-scope.ts';
import type { MessageContext } from './handlers.ts';
import type { Lane } from './lanes.ts';
import type { Message, ProtocolSpec, RequestOf } from './protocol.ts';

/** What a letter needs of the thread that it came to. */
export interface LetterHost {
  nowMs(): number;
  /** The cancel scope with this id, as this thread knows it. */
  scope(id: number): CancelScope | undefined;
  /** Hands an ask on, so that its answer goes to the first asker. @returns 0 or why it was refused */
  forward(letter: Letter, to: ActorRef, name: string, request: unknown): number;
}

export class Letter implements MessageContext {
  readonly envelope: Envelope;
  readonly lane: Lane;
  readonly message: Message;
  readonly request: unknown;
  readonly #host: LetterHost;
  /** Whether its asker has taken it back. */
  isCancelled = false;
  /** Whether its answer is somebody else's affair now: it was forwarded, or put into the stash. */
  isPassedOn = false;

  constructor(host: LetterHost, lane: Lane, message: Message, envelope: Envelope, request: unknown) {
    this.#host = host;
    this.lane = lane;
    this.message = message;
    this.envelope = envelope;
    this.request = request;
  }

  get from(): Address {
    return this.envelope.from;
  }

  get expectsAnswer(): boolean {
    return this.envelope.correlation !== NO_CORRELATION;
  }

  get deadlineMs(): number {
    return this.envelope.deadlineMs === NO_DEADLINE ? Infinity : this.envelope.deadlineMs;
  }

  get cancelled(): boolean {
    return this.isCancelled || this.#host.nowMs() > this.deadlineMs || this.scope?.cancelled === true;
  }

  get scope(): CancelScope | undefined {
    return this.#host.scope(this.envelope.scope);
  }

  forward<Spec extends ProtocolSpec, Name extends keyof Spec & string>(to: ActorRef<Spec>, name: Name, request: RequestOf<Spec, Name>): number {
    return this.#host.forward(this, to as unknown as ActorRef, name, request);
  }
}
