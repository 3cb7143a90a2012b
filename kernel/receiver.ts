/**
 * The receiving side of a thread: takes one record at a time from the dispatcher, finds its actor,
 * runs the handler and sends the answer back on the lane the message came by.
 */
import { CLOSED, TOO_LONG, type Codec } from 'atomics-ring-buffer';
import type { ActorCell, InFlight } from './actor-cell.ts';
import type { MessageContext } from './handlers.ts';
import { formatAddress, slotOf } from './address.ts';
import type { Asks } from './asks.ts';
import { CancelledAsks, type AskIdentity } from './cancelled-asks.ts';
import type { Clock } from './clock.ts';
import * as wire from './envelope.ts';
import { SpillwayError } from './errors.ts';
import { briefFailure, failureCodec, toFailure } from './failure.ts';
import type { Lane } from './lanes.ts';
import { Outbox } from './outbox.ts';
import type { Message } from './protocol.ts';
import { StartStash, type RecordMemory } from './start-stash.ts';
import type { DeadLetterReason, ThreadBlock } from './thread-block.ts';
import type { Transmitter } from './transmitter.ts';

/** What the receiving side needs of its thread. */
export interface ReceiverHost {
  readonly incarnation: number;
  readonly block: ThreadBlock;
  readonly clock: Clock;
  readonly asks: Asks;
  readonly transmitter: Transmitter;
  /** Whoever `deliver` named takes data messages again. */
  onIdle(blocker: object): void;
  /** A handler failed with anything but a SpillwayError. */
  onDefect(error: unknown, actor: string): void;
}

/** A message that has left its lane for its handler. */
interface Taken {
  readonly cell: ActorCell;
  readonly lane: Lane;
  readonly message: Message;
  readonly envelope: wire.Envelope;
  readonly request: unknown;
}

type Outcome = { readonly value: unknown } | { readonly error: unknown };

export class Receiver {
  readonly outbox = new Outbox();
  readonly #host: ReceiverHost;
  readonly #actors = new Map<number, ActorCell>();
  /** Actors that take no messages any more and may still finish some. */
  readonly #retired: ActorCell[] = [];
  readonly #expected = new Map<number, StartStash>();
  readonly #cancelled = new CancelledAsks();
  #taken: Taken | undefined;
  /** The actor whose handler runs at this moment. */
  #handling: ActorCell | undefined;

  constructor(host: ReceiverHost) {
    this.#host = host;
  }

  /**
   * Says that an actor will be added in this slot. Until then its data messages stay in their lanes and
   * its control messages are kept aside, since answers that its start waits for come behind them.
   */
  expect(slot: number): void {
    this.#expected.set(slot, new StartStash());
  }

  add(cell: ActorCell): void {
    const slot = slotOf(cell.address);
    const stash = this.#expected.get(slot);
    this.#expected.delete(slot);
    this.#actors.set(slot, cell);
    if (stash === undefined) return;
    for (const { kind, memory } of stash.records) {
      this.deliver('control', kind, memory, 0, memory.u8.length);
      this.handle();
    }
    this.#host.onIdle(stash);
  }

  /**
   * The actor in this slot handles nothing any more. What comes for it is kept as for one that is yet to
   * start; what it has in its hands it may finish.
   */
  retire(slot: number): void {
    const cell = this.#actors.get(slot);
    if (cell === undefined) return;
    this.#actors.delete(slot);
    this.#retired.push(cell);
    this.expect(slot);
  }

  /** Whether any actor has a message in its hands, or an answer waits to be sent. */
  get busy(): boolean {
    return !this.outbox.isEmpty || this.handling;
  }

  /** Whether any actor has a message in its hands. */
  get handling(): boolean {
    return this.#cells.some((cell) => cell.inFlight.size > 0);
  }

  /** Counts what will never be answered because the thread ends now. */
  abandon(): void {
    let abandoned = this.#handling === undefined || this.#handling.isKernel ? 0 : 1;
    for (const cell of this.#cells) if (!cell.isKernel) abandoned += cell.inFlight.size;
    for (const stash of this.#expected.values()) abandoned += stash.records.length;
    this.#host.block.counters.add('abandoned', abandoned);
  }

  get #cells(): readonly ActorCell[] {
    return [...this.#actors.values(), ...this.#retired];
  }

  /**
   * Takes in one record; `handle` then runs its handler.
   * @returns who cannot take the record now, a busy actor or one that starts; undefined when the record is settled
   */
  deliver(lane: Lane, kind: number, memory: RecordMemory, offset: number, length: number): object | undefined {
    if (kind === wire.SETTLED_KIND) return undefined;
    if (length < wire.ENVELOPE_BYTES) {
      this.#deadLetter('undecodable');
      return undefined;
    }
    const envelope = wire.readEnvelope(memory, offset);
    const valueOffset = offset + wire.ENVELOPE_BYTES;
    const valueLength = length - wire.ENVELOPE_BYTES;
    if (kind === wire.REPLY_KIND || kind === wire.FAILURE_KIND) {
      const expected =
        envelope.incarnation === this.#host.incarnation &&
        this.#host.asks.settle(kind, envelope.correlation, memory, valueOffset, valueLength);
      if (!expected) this.#deadLetter('stale_reply');
      return undefined;
    }
    const cell = this.#actors.get(slotOf(envelope.to));
    if (kind === wire.CANCEL_KIND) {
      this.#cancel(cell, envelope);
      return undefined;
    }
    const stash = this.#expected.get(slotOf(envelope.to));
    if (stash !== undefined) {
      if (lane === 'data') return stash;
      if (lane === 'control' && stash.keep(kind, memory, offset, length)) return undefined;
    }
    if (cell === undefined) {
      this.#deadLetter('unknown_actor');
      this.#refuse(lane, envelope, new SpillwayError('actor_unknown', `There is no actor at ${formatAddress(envelope.to)}.`), false);
      return undefined;
    }
    if (lane === 'data' && cell.busy) return cell;
    if (this.#isOver(envelope)) return undefined;
    const message = cell.protocol.messageOfKind(kind);
    let request: unknown;
    try {
      if (message === undefined) throw new Error(`protocol ${cell.protocol.name} has no message of kind ${kind}`);
      request = message.request.decode(memory, valueOffset, valueLength);
    } catch (error) {
      this.#deadLetter('undecodable');
      this.#refuse(lane, envelope, new SpillwayError('message_invalid', `Undecodable message: ${String(error)}`), false);
      return undefined;
    }
    this.#taken = { cell, lane, message, envelope, request };
    return undefined;
  }

  /** Runs the handler of the message that `deliver` took in last, if it has one. */
  handle(): void {
    const taken = this.#taken;
    this.#taken = undefined;
    if (taken !== undefined) this.#handle(taken);
  }

  /** Whether nobody waits for the message any more: its asker cancelled it, or its deadline has passed. */
  #isOver(envelope: wire.Envelope): boolean {
    if (envelope.correlation === wire.NO_CORRELATION) return false;
    if (this.#cancelled.take(envelope)) {
      this.#deadLetter('cancelled');
      return true;
    }
    if (envelope.deadlineMs !== wire.NO_DEADLINE && this.#host.clock.monotonicMs() > envelope.deadlineMs) {
      this.#deadLetter('expired');
      return true;
    }
    return false;
  }

  #handle({ cell, lane, message, envelope, request }: Taken): void {
    const flight: InFlight = { envelope, cancelled: false };
    const context = messageContext(flight, envelope, this.#host.clock);
    let result: unknown;
    this.#handling = cell;
    try {
      result = cell.handlers[message.name]!(request as never, context);
      this.#handling = undefined;
    } catch (error) {
      this.#handling = undefined;
      this.#finish(cell, lane, message, envelope, { error });
      return;
    }
    if (!(result instanceof Promise)) {
      this.#finish(cell, lane, message, envelope, { value: result });
      return;
    }
    cell.inFlight.add(flight);
    if (lane === 'data') cell.busy = true;
    const settled = (outcome: Outcome): void => {
      cell.inFlight.delete(flight);
      this.#finish(cell, lane, message, envelope, outcome);
      if (lane === 'data') cell.busy = false;
      this.#host.onIdle(cell);
    };
    result.then(
      (value: unknown) => settled({ value }),
      (error: unknown) => settled({ error }),
    );
  }

  #finish(cell: ActorCell, lane: Lane, message: Message, envelope: wire.Envelope, outcome: Outcome): void {
    if (!cell.isKernel) this.#host.block.counters.add('value' in outcome ? 'handled' : 'failed');
    if ('value' in outcome) {
      if (envelope.correlation !== wire.NO_CORRELATION) this.#reply(cell, lane, message, envelope, outcome.value);
    } else if (outcome.error instanceof SpillwayError) this.#refuse(lane, envelope, outcome.error, true);
    else this.#host.onDefect(outcome.error, cell.name);
  }

  #reply(cell: ActorCell, lane: Lane, message: Message, request: wire.Envelope, value: unknown): void {
    this.outbox.send(() => {
      try {
        const result = this.#sendBack(lane, wire.REPLY_KIND, request, message.reply, value);
        if (result !== TOO_LONG) return this.#isSettled(result);
        const tooLarge = new SpillwayError('message_too_large', `The answer to ${message.name} is longer than its lane takes.`);
        this.#refuse(lane, request, tooLarge, true);
      } catch (error) {
        // A handler that returns what its protocol does not permit is as defective as one that throws.
        this.#host.onDefect(new TypeError(`The answer to ${message.name} does not fit its schema.`, { cause: error }), cell.name);
      }
      return true;
    });
  }

  /** Answers an ask with an error; a tell has nobody to tell it to. */
  #refuse(lane: Lane, request: wire.Envelope, error: SpillwayError, mayHaveBeenHandled: boolean): void {
    if (request.correlation === wire.NO_CORRELATION) return;
    let failure = toFailure(error, mayHaveBeenHandled);
    if (!isEncodable(failure)) failure = briefFailure(error, mayHaveBeenHandled);
    this.outbox.send(() => {
      let result = this.#sendBack(lane, wire.FAILURE_KIND, request, failureCodec, failure);
      if (result === TOO_LONG) {
        failure = briefFailure(error, mayHaveBeenHandled);
        result = this.#sendBack(lane, wire.FAILURE_KIND, request, failureCodec, failure);
      }
      return this.#isSettled(result);
    });
  }

  #sendBack(lane: Lane, kind: number, request: wire.Envelope, codec: Codec<unknown> | undefined, value: unknown): number {
    const envelope = { ...request, to: request.from, from: request.to, deadlineMs: wire.NO_DEADLINE };
    return this.#host.transmitter.send(lane, kind, envelope, codec, value);
  }

  #isSettled(result: number): boolean {
    if (result !== CLOSED && result !== TOO_LONG) return result >= 0;
    // The asker is gone for good and nobody waits for this answer, or not even a brief failure fits the lane.
    this.#deadLetter('reply_refused');
    return true;
  }

  #cancel(cell: ActorCell | undefined, envelope: wire.Envelope): void {
    for (const flight of cell?.inFlight ?? []) {
      if (isSameAsk(flight.envelope, envelope)) {
        flight.cancelled = true;
        return;
      }
    }
    // Control overtakes data: the message itself may still wait in the data lane.
    this.#cancelled.add(envelope);
  }

  #deadLetter(reason: DeadLetterReason): void {
    this.#host.block.counters.add(reason);
  }
}

function isSameAsk(a: AskIdentity, b: AskIdentity): boolean {
  return a.from === b.from && a.incarnation === b.incarnation && a.correlation === b.correlation;
}

/** An error's details may hold anything, also what no message can carry. */
function isEncodable(failure: unknown): boolean {
  try {
    failureCodec.byteLength(failure);
    return true;
  } catch {
    return false;
  }
}

function messageContext(flight: InFlight, envelope: wire.Envelope, clock: Clock): MessageContext {
  const deadlineMs = envelope.deadlineMs === wire.NO_DEADLINE ? Infinity : envelope.deadlineMs;
  return {
    from: envelope.from,
    deadlineMs,
    get cancelled() {
      return flight.cancelled || clock.monotonicMs() > deadlineMs;
    },
  };
}
