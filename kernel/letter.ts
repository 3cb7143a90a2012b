/**
 * A message on its way through its receiver's thread: its envelope, its value, and what has become of
 * it. A handler sees it as its `MessageContext`, and answers go by it as an `Envelope`: one object serves
 * for all, because there is one for every message.
 */
import type { ActorRef } from './actor-ref.ts';
import type { Address } from './address.ts';
import * as wire from './envelope.ts';
import type { CancelScope } from './flow/cancel-scope.ts';
import type { MessageContext } from './handlers.ts';
import type { Lane } from './lanes.ts';
import type { Message, ProtocolSpec, RequestOf } from './protocol.ts';
import type { TraceContext } from './telemetry/trace-context.ts';

/** What a letter needs of the thread that it came to. */
export interface LetterHost {
  nowMs(): number;
  /** The cancel scope with this id, as this thread knows it. */
  scope(id: number): CancelScope | undefined;
  /** How often former lives have handed it to a handler. */
  redeliveriesOf(letter: Letter): number;
  /** Hands an ask on, so that its answer goes to the first asker. @returns 0 or why it was refused */
  forward(letter: Letter, to: ActorRef, name: string, request: unknown): number;
}

export class Letter implements wire.Envelope, MessageContext {
  readonly to: Address;
  readonly from: Address;
  readonly correlation: number;
  readonly incarnation: number;
  readonly dueMs: number | undefined;
  readonly scopeId: number;
  readonly sentAtMs: number | undefined;
  readonly trace: TraceContext | undefined;
  readonly lane: Lane;
  readonly message: Message;
  /** What was sent; for an actor on the same thread a copy of it. */
  request: unknown;
  readonly #host: LetterHost;
  /** Whether its asker has taken it back. */
  isCancelled = false;
  /** Whether its answer is somebody else's affair now: it was forwarded, or put into the stash. */
  isPassedOn = false;

  /** So many parameters, and no object for them, because this is done for every message. */
  constructor(
    host: LetterHost,
    lane: Lane,
    message: Message,
    request: unknown,
    to: Address,
    from: Address,
    correlation: number,
    incarnation: number,
    dueMs: number | undefined,
    scopeId: number,
    sentAtMs: number | undefined,
    trace: TraceContext | undefined,
  ) {
    this.#host = host;
    this.lane = lane;
    this.message = message;
    this.request = request;
    this.to = to;
    this.from = from;
    this.correlation = correlation;
    this.incarnation = incarnation;
    this.dueMs = dueMs;
    this.scopeId = scopeId;
    this.sentAtMs = sentAtMs;
    this.trace = trace;
  }

  /** Of a record in a lane. @param request its decoded value */
  static read(host: LetterHost, lane: Lane, message: Message, memory: wire.ReadableMemory, offset: number, request: unknown): Letter {
    return new Letter(
      host,
      lane,
      message,
      request,
      wire.readTo(memory, offset),
      wire.readFrom(memory, offset),
      wire.readCorrelation(memory, offset),
      wire.readIncarnation(memory, offset),
      wire.readDueMs(memory, offset),
      wire.readScopeId(memory, offset),
      wire.readSentAtMs(memory, offset),
      wire.readTrace(memory, offset),
    );
  }

  get expectsAnswer(): boolean {
    return this.correlation !== wire.NO_CORRELATION;
  }

  get deadlineMs(): number {
    return this.dueMs ?? Infinity;
  }

  get cancelled(): boolean {
    // The deadline of a stream is that of its next item, which only its asker knows.
    const isOverdue = this.message.item === undefined && this.#host.nowMs() > this.deadlineMs;
    return this.isCancelled || isOverdue || this.scope?.cancelled === true;
  }

  get redeliveries(): number {
    return this.#host.redeliveriesOf(this);
  }

  get scope(): CancelScope | undefined {
    return this.#host.scope(this.scopeId);
  }

  forward<Spec extends ProtocolSpec, Name extends keyof Spec & string>(to: ActorRef<Spec>, name: Name, request: RequestOf<Spec, Name>): number {
    return this.#host.forward(this, to as unknown as ActorRef, name, request);
  }
}
