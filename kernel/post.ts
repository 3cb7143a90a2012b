/**
 * How messages leave a thread: told, sent, asked, streamed or handed on; to an actor on the same thread
 * by its queue, to one on another by the lanes of a link.
 */
import { ADMIN_ACTION, BACK_PRESSURED, TOO_LONG, resultName } from 'atomics-ring-buffer';
import { ActorRef, type AskOptions, type Courier, type StreamOptions, type TellOptions } from './actor-ref.ts';
import { placeOf, slotOf, threadOf, type Address } from './address.ts';
import { Asks, assertDeadline, failure } from './asks.ts';
import type { Board } from './board.ts';
import type { Clock } from './clock.ts';
import { CANCEL_KIND, DEMAND_KIND, FORWARDED_KIND, NO_CORRELATION, NO_SCOPE, answerTo, follows, type Envelope } from './envelope.ts';
import { SpillwayError } from './errors.ts';
import { IncomingStream } from './incoming-stream.ts';
import { Letter, type LetterHost } from './letter.ts';
import { MAILBOX_MODES } from './mailbox/mailbox-spec.ts';
import type { Message, Protocol } from './protocol.ts';
import type { Receiver } from './receiver.ts';
import type { Scopes } from './scopes.ts';
import type { Streams } from './streams.ts';
import { activeTraceContext } from './telemetry/tracing.ts';
import type { ThreadBlock } from './thread-block.ts';
import type { Timer } from './time/timer-wheel.ts';
import type { Transmitter } from './transmitter.ts';
import { uint32Codec } from './uint32-codec.ts';
import { WaitingSends, type Target } from './waiting-sends.ts';

/** What the post needs of its thread. */
export interface PostHost extends LetterHost {
  readonly self: Address;
  readonly incarnation: number;
  readonly clock: Clock;
  readonly block: ThreadBlock;
  readonly board: Board;
  readonly scopes: Scopes;
  readonly transmitter: Transmitter;
  readonly receiver: Receiver;
  readonly streams: Streams;
  after(delayMs: number, run: () => void): Timer;
  wake(): void;
  /** Resolves once there is a link to the thread of this address; false if there is nobody. */
  connected(to: Address): Promise<boolean>;
}

/** One message of so many is measured on its way, on each thread. */
const MEASURED_PART = 64;
/** Items of a stream that may be on their way. */
const STREAM_DEMAND = 16;
/** What lies in a lane is known in bytes; routers compare it with what waits in mailboxes. */
const TYPICAL_RECORD_BYTES = 64;
const SYNC = MAILBOX_MODES.indexOf('sync');

export class Post {
  readonly asks: Asks;
  readonly sends: WaitingSends;
  readonly #host: PostHost;
  readonly #thread: number;
  readonly #sent: number;
  /** Of the message that is being told to another thread: written into its lane at once, so one serves for all. */
  readonly #outgoing: { -readonly [Field in keyof Envelope]: Envelope[Field] };
  #unmeasured = 0;

  constructor(host: PostHost) {
    this.#host = host;
    this.#thread = threadOf(host.self);
    this.#outgoing = { to: 0, from: 0, correlation: NO_CORRELATION, incarnation: host.incarnation, dueMs: undefined, scopeId: NO_SCOPE, sentAtMs: undefined, trace: undefined };
    this.#sent = host.block.counters.indexOf('sent');
    this.sends = new WaitingSends({ after: (delayMs, run) => host.after(delayMs, run), wake: () => host.wake() });
    this.asks = new Asks({
      nowMs: () => host.clock.monotonicMs(),
      after: (delayMs, run) => host.after(delayMs, run),
      letter: (...fields) => this.#letter(...fields),
      // What waits for room came first.
      post: (letter) => (letter.lane === 'data' && this.sends.isWaitingFor(letter.to) ? BACK_PRESSURED : this.#post(letter)),
      position: (to, lane) => host.transmitter.position(to, lane),
      sendCancel: (envelope) => this.#sendCancel(envelope),
    });
  }

  /** @see ActorRef.tell */
  tell(from: Address, to: Address, message: Message, request: unknown, options?: TellOptions): number {
    // What waits for room came first.
    if (this.sends.isWaitingFor(to) && message.lane === 'data') return BACK_PRESSURED;
    const scopeId = options?.scope?.id ?? NO_SCOPE;
    try {
      if (threadOf(to) === this.#thread) return this.#post(this.#letter(message, request, from, to, NO_CORRELATION, undefined, scopeId));
      if (scopeId !== NO_SCOPE) this.#host.scopes.sent(scopeId, to);
      const envelope = this.#outgoing;
      envelope.to = to;
      envelope.from = from;
      envelope.scopeId = scopeId;
      envelope.sentAtMs = this.#measuredMs();
      envelope.trace = activeTraceContext();
      return this.#host.transmitter.send(message.lane, message.kind, envelope, message.request, request);
    } catch (error) {
      throw explained(message, request, error);
    }
  }

  /** @see ActorRef.send */
  async send(from: Address, to: Address, protocol: Protocol, name: string, request: unknown, { deadlineMs, signal, scope }: AskOptions): Promise<void> {
    assertDeadline(deadlineMs);
    const message = protocol.message(name);
    const label = `${protocol.name}.${name}`;
    const attempt = {
      attempt: () => explaining(message, request, () => this.#post(this.#letter(message, request, from, to, NO_CORRELATION, undefined, scope?.id ?? NO_SCOPE))),
      isThrottled: () => message.lane === 'data' && this.#boardOf(to)?.modeOf(placeOf(slotOf(to))) === SYNC,
    };
    const target: Target = message.lane === 'data' ? to : `${to} ${message.lane}`;
    const cancel = signal === undefined || scope === undefined ? (signal ?? scope?.signal) : AbortSignal.any([signal, scope.signal]);
    await this.sends.send(target, label, attempt, deadlineMs, cancel, (result) => refusal(result, label, to));
  }

  /** @see ActorRef.ask */
  ask(from: Address, to: Address, protocol: Protocol, name: string, request: unknown, options: AskOptions, stream?: IncomingStream): Promise<unknown> {
    try {
      const message = protocol.message(name);
      const label = `${protocol.name}.${name}`;
      assertDeadline(options.deadlineMs);
      if (threadOf(to) !== this.#thread && !this.#host.transmitter.reaches(to)) return this.#askOnceLinked(from, to, label, message, request, options, stream);
      return explaining(message, request, () => this.asks.ask(from, to, label, message, request, options, stream));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #askOnceLinked(from: Address, to: Address, label: string, message: Message, request: unknown, options: AskOptions, stream?: IncomingStream): Promise<unknown> {
    const { clock } = this.#host;
    const endMs = clock.monotonicMs() + options.deadlineMs;
    await this.#linked(to, options.deadlineMs, options.signal ?? options.scope?.signal);
    const deadlineMs = endMs - clock.monotonicMs();
    if (deadlineMs <= 0) throw failure('ask_deadline', label, to, 'no link to its thread within the deadline.', false);
    return explaining(message, request, () => this.asks.ask(from, to, label, message, request, { ...options, deadlineMs }, stream));
  }

  /** Resolves once there is a link or nobody to link to, the deadline has passed, or the caller does not wait any more. */
  #linked(to: Address, deadlineMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = this.#host.after(deadlineMs, done);
      signal?.addEventListener('abort', done);
      void this.#host.connected(to).finally(done);
    });
  }

  /** @see ActorRef.stream */
  stream(from: Address, to: Address, protocol: Protocol, name: string, request: unknown, options: StreamOptions): IncomingStream {
    const { demand = STREAM_DEMAND } = options;
    if (!Number.isInteger(demand) || demand < 1) throw new TypeError(`A stream's demand is a whole number above zero; got ${demand}.`);
    const stream = new IncomingStream(demand, (ask, items) => this.#sendDemand(ask, items));
    void this.#endWith(stream, this.ask(from, to, protocol, name, request, options, stream));
    return stream;
  }

  async #endWith(stream: IncomingStream, ask: Promise<unknown>): Promise<void> {
    try {
      await ask;
      stream.end();
    } catch (error) {
      stream.end(error);
    }
  }

  /** Hands an ask on. @returns 0 or why it was refused */
  forward(letter: Letter, to: ActorRef, name: string, request: unknown): number {
    const { from, correlation, incarnation, dueMs, scopeId, trace } = letter;
    const message = to.protocol.message(name);
    const onward = new Letter(this.#host, message.lane, message, request, to.address, from, correlation, incarnation, dueMs, scopeId, undefined, trace);
    const result = explaining(message, request, () => this.#post(onward));
    if (result < 0) return result;
    letter.isPassedOn = true;
    if (!letter.expectsAnswer) return result;
    if (threadOf(from) === this.#thread) this.asks.forwarded(correlation, letter.to, to.address);
    // Without it the ask still ends, by its deadline at the latest.
    else this.#host.transmitter.send('control', FORWARDED_KIND, answerTo(letter), uint32Codec, to.address);
    return result;
  }

  /** An ask of this thread was handed on by another. Only over a link is it heard if the one who has it now ends. */
  handedOn(correlation: number, from: Address, to: Address): void {
    if (!this.asks.forwarded(correlation, from, to)) return;
    void this.#endUnlessLinked(correlation, to);
  }

  async #endUnlessLinked(correlation: number, to: Address): Promise<void> {
    if (!(await this.#host.connected(to))) this.asks.unreachable(correlation, to);
  }

  levelOf(to: Address): number | undefined {
    const board = this.#boardOf(to);
    if (board === undefined) return undefined;
    const inLaneBytes = threadOf(to) === this.#thread ? 0 : (this.#host.transmitter.lanesTo(to)?.data.levelBytes ?? 0);
    return board.levelOf(placeOf(slotOf(to))) + Math.ceil(inLaneBytes / TYPICAL_RECORD_BYTES);
  }

  /** The thread ends: nothing that waits is sent, and no ask is answered. */
  close(): void {
    this.asks.close();
    this.sends.close();
  }

  #boardOf(to: Address): Board | undefined {
    return threadOf(to) === this.#thread ? this.#host.board : this.#host.transmitter.boardOf(to);
  }

  #post(letter: Letter): number {
    const { to, scopeId, message } = letter;
    if (threadOf(to) !== this.#thread) {
      if (scopeId !== NO_SCOPE) this.#host.scopes.sent(scopeId, to);
      const result = this.#host.transmitter.send(letter.lane, message.kind, letter, message.request, letter.request);
      // It is in the lane; whoever waits for the answer need not keep it as well.
      letter.request = undefined;
      return result;
    }
    // A copy of its own, so that no sender changes what it has sent.
    letter.request = message.copyRequest(letter.request);
    const result = this.#host.receiver.accept(letter);
    if (result < 0) this.#host.block.counters.add('refused');
    else {
      this.#host.block.counters.addAt(this.#sent);
      this.#host.wake();
    }
    return result;
  }

  #letter(message: Message, request: unknown, from: Address, to: Address, correlation: number, dueMs: number | undefined, scopeId: number): Letter {
    const host = this.#host;
    return new Letter(host, message.lane, message, request, to, from, correlation, host.incarnation, dueMs, scopeId, this.#measuredMs(), activeTraceContext());
  }

  /** Now, for one message of some. */
  #measuredMs(): number | undefined {
    if (++this.#unmeasured < MEASURED_PART) return undefined;
    this.#unmeasured = 0;
    return this.#host.clock.monotonicMs();
  }

  #sendCancel(envelope: Envelope): void {
    if (threadOf(envelope.to) === this.#thread) this.#host.receiver.cancel(envelope);
    // A refused cancel is no loss: the actor then does work whose answer nobody takes.
    else this.#host.transmitter.send('control', CANCEL_KIND, follows(envelope));
  }

  #sendDemand(ask: Envelope, items: number): boolean {
    if (threadOf(ask.to) !== this.#thread) {
      return this.#host.transmitter.send('control', DEMAND_KIND, follows(ask), uint32Codec, items) >= 0;
    }
    this.#host.streams.demand(ask, items);
    return true;
  }
}

/** One actor's way to send: its address goes with what it sends. */
export class Sender implements Courier {
  readonly #post: Post;
  readonly #from: Address;

  constructor(post: Post, from: Address) {
    this.#post = post;
    this.#from = from;
  }

  tell(to: Address, message: Message, request: unknown, options?: TellOptions): number {
    return this.#post.tell(this.#from, to, message, request, options);
  }

  send(to: Address, protocol: Protocol, name: string, request: unknown, options: AskOptions): Promise<void> {
    return this.#post.send(this.#from, to, protocol, name, request, options);
  }

  ask(to: Address, protocol: Protocol, name: string, request: unknown, options: AskOptions): Promise<unknown> {
    return this.#post.ask(this.#from, to, protocol, name, request, options);
  }

  stream(to: Address, protocol: Protocol, name: string, request: unknown, options: StreamOptions): IncomingStream {
    return this.#post.stream(this.#from, to, protocol, name, request, options);
  }

  levelOf(to: Address): number | undefined {
    return this.#post.levelOf(to);
  }
}

/** The codec only notices that a value does not fit; the validator says where and why. */
function explaining<T>(message: Message, request: unknown, send: () => T): T {
  try {
    return send();
  } catch (error) {
    throw explained(message, request, error);
  }
}

/** @throws SpillwayError `message_invalid` */
function explained(message: Message, request: unknown, error: unknown): unknown {
  message.validate(request);
  // A schema permits any untyped value; what is wrong with this one its own codec has said.
  if (!(error instanceof Error && error.cause instanceof SpillwayError)) return error;
  return new SpillwayError('value_refused', `${error.message} ${error.cause.message}`, { cause: error, details: { mayHaveBeenHandled: false } });
}

function refusal(result: number, label: string, to: Address): SpillwayError {
  if (result === TOO_LONG) return failure('message_too_large', label, to, 'it is longer than the lane takes; send it in parts.', false);
  if (result === ADMIN_ACTION || result === BACK_PRESSURED) return failure('ask_refused', label, to, `${resultName(result)}; try again later.`, false);
  return failure('actor_stopped', label, to, 'the actor has stopped.', false);
}
