/**
 * What happens to a message in its handler: it is run, and what comes of it is counted and answered on
 * the lane the message came by.
 */
import { CLOSED, TOO_LONG, type Codec } from 'atomics-ring-buffer';
import type { ActorCell } from './actor-cell.ts';
import { threadOf } from './address.ts';
import type { Asks } from './asks.ts';
import { FAILED, HANDLED, type Board } from './board.ts';
import * as wire from './envelope.ts';
import { SpillwayError } from './errors.ts';
import type { FlightRecorder } from './flight-recorder.ts';
import { briefFailure, failureCodec, toFailure } from './failure.ts';
import type { Lane } from './lanes.ts';
import type { Letter } from './letter.ts';
import type { ShedReason } from './mailbox/mailbox.ts';
import { Outbox } from './outbox.ts';
import type { RunQueue } from './run-queue.ts';
import type { Streams } from './streams.ts';
import type { ThreadBlock } from './thread-block.ts';
import type { Transmitter } from './transmitter.ts';

/** What handling needs of its thread. */
export interface HandlingHost {
  readonly thread: number;
  readonly block: ThreadBlock;
  readonly board: Board;
  readonly asks: Asks;
  readonly streams: Streams;
  readonly queue: RunQueue;
  readonly transmitter: Transmitter;
  nowMs(): number;
  /** The actor takes data messages again. */
  onIdle(cell: ActorCell): void;
  /** A handler failed with anything but a SpillwayError. */
  onDefect(error: unknown, cell: ActorCell): void;
  /** Runs a handler as part of the trace that its message belongs to. */
  traced(letter: Letter, cell: ActorCell, run: () => unknown): unknown;
  /** How long a message took from its sender to its handler. */
  measured(lane: Lane, latencyMs: number): void;
}

type Outcome = { readonly value: unknown } | { readonly error: unknown };

export class Handling {
  readonly outbox = new Outbox();
  readonly #host: HandlingHost;
  readonly #handled: number;
  readonly #flight: FlightRecorder;
  /** The actor whose handler runs at this moment, before it first awaits. */
  currentCell: ActorCell | undefined;
  /** Its message, if the actor may put it aside: to keep it for all would cost the collector a note of each. */
  currentLetter: Letter | undefined;

  constructor(host: HandlingHost) {
    this.#host = host;
    this.#handled = host.block.counters.indexOf('handled');
    this.#flight = host.block.flight;
  }

  handle(cell: ActorCell, letter: Letter): void {
    const { block } = this.#host;
    const { message } = letter;
    if (letter.sentAtMs !== undefined) this.#host.measured(letter.lane, this.#host.nowMs() - letter.sentAtMs);
    if (cell.receiveTimeout !== undefined && letter.lane === 'data') cell.receiveTimeout.lastMs = this.#host.nowMs();
    this.currentCell = cell;
    if (cell.stashCapacity > 0) this.currentLetter = letter;
    block.handling = cell.slot;
    let result: unknown;
    try {
      const handler = cell.handlers[message.name]!;
      result = letter.trace === undefined ? handler(letter.request as never, letter) : this.#host.traced(letter, cell, () => handler(letter.request as never, letter));
    } catch (error) {
      this.currentCell = undefined;
      block.handling = 0;
      this.#finish(cell, letter, { error });
      return;
    }
    this.currentCell = undefined;
    block.handling = 0;
    if (!(result instanceof Promise)) {
      if (letter.correlation === wire.NO_CORRELATION && !letter.isPassedOn) this.#count(cell, letter);
      else this.#finish(cell, letter, { value: result });
      return;
    }
    this.#await(cell, letter, result);
  }

  #await(cell: ActorCell, letter: Letter, result: Promise<unknown>): void {
    cell.inFlight ??= new Set();
    cell.inFlight.add(letter);
    const isData = letter.lane !== 'control';
    if (isData) cell.busy = true;
    const entry = this.#flight.hold(letter.message.kind, letter.from, letter.lane);
    const settled = (outcome: Outcome): void => {
      // Whoever ended the actor meanwhile has settled what was in its hands.
      if (cell.inFlight?.delete(letter) !== true) return;
      this.#flight.letGo(entry);
      this.#finish(cell, letter, outcome);
      if (isData) cell.busy = false;
      this.#host.onIdle(cell);
    };
    result.then(
      (value: unknown) => settled({ value }),
      (error: unknown) => settled({ error }),
    );
  }

  #count(cell: ActorCell, letter: Letter): void {
    if (cell.isKernel) return;
    this.#host.block.counters.addAt(this.#handled);
    if (cell.redelivery?.settle(letter, HANDLED) !== true) this.#host.board.count(cell.place, HANDLED);
  }

  #finish(cell: ActorCell, letter: Letter, outcome: Outcome): void {
    const kept = cell.redelivery?.holds(letter) === true ? cell.redelivery : undefined;
    if ('error' in outcome) {
      if (kept === undefined && !cell.isKernel) {
        this.#host.block.counters.add('failed');
        this.#host.board.count(cell.place, FAILED);
      }
      // What was forwarded before is answered by another; what was stashed before has come to its end here.
      const isAnswered = letter.isPassedOn && !cell.withdraw(letter);
      if (!(outcome.error instanceof SpillwayError)) this.fail(cell, letter, outcome.error, isAnswered);
      else if (!isAnswered) this.refuse(letter, outcome.error, true);
      // Behind its answer, and not if it was a defect: then it is the next life's.
      if (kept?.settle(letter, FAILED) === true) this.#host.block.counters.add('failed');
      return;
    }
    // A stashed message is still the actor's to handle.
    if (cell.keeps(letter)) return;
    if (kept === undefined) this.#count(cell, letter);
    if (letter.expectsAnswer && !letter.isPassedOn) {
      if (letter.message.item !== undefined) this.#host.streams.open(cell, letter, outcome.value);
      else this.#reply(cell, letter, outcome.value);
    }
    // Unless its answer was a defect.
    if (kept?.holds(letter) === true) this.#count(cell, letter);
  }

  #reply(cell: ActorCell, letter: Letter, value: unknown): void {
    const { message } = letter;
    if (threadOf(letter.from) === this.#host.thread) {
      try {
        const copy = message.copyReply(value);
        if (!this.#host.asks.settleHere(letter, copy)) this.#host.block.counters.add('stale_reply');
      } catch (error) {
        this.fail(cell, letter, badAnswer(message.name, error));
      }
      return;
    }
    this.outbox.send(threadOf(letter.from), letter.lane, () => {
      try {
        const result = this.sendBack(letter.lane, wire.REPLY_KIND, letter, message.reply, value);
        if (result !== TOO_LONG) return this.#isSettled(result);
        this.refuse(letter, new SpillwayError('message_too_large', `The answer to ${message.name} is longer than its lane takes.`), true);
      } catch (error) {
        // A handler that returns what its protocol does not permit is as defective as one that throws.
        this.fail(cell, letter, badAnswer(message.name, error));
      }
      return true;
    });
  }

  /** The handler has failed, and its actor with it. */
  fail(cell: ActorCell, letter: Letter, error: unknown, isAnswered = false): void {
    const isThread = cell.parent === undefined;
    cell.redelivery?.leave(letter);
    this.#flight.hold(letter.message.kind, letter.from, letter.lane);
    // Whoever ends the actor for it answers what else it had in its hands.
    this.#host.onDefect(error, cell);
    if (isAnswered) return;
    const comesAgain = isThread || cell.state === 'starting';
    this.refuse(letter, new SpillwayError(comesAgain ? 'actor_restarted' : 'actor_stopped', `Actor ${cell.name} failed while it had the message.`), true, isThread);
  }

  /** Answers an ask with an error; a tell has nobody to tell it to. */
  refuse(letter: Letter, error: SpillwayError, mayHaveBeenHandled: boolean, isLeftToPeerDown = false): void {
    // The end of a whole thread is told to its peers, who end the asks that it had taken.
    if (isLeftToPeerDown && threadOf(letter.from) !== this.#host.thread) return;
    this.refuseUnread(letter.lane, letter, error, mayHaveBeenHandled);
  }

  /** A mailbox gave up an ask by its policy. */
  refuseShed(letter: Letter, reason: ShedReason, { name }: ActorCell): void {
    const refusal = new SpillwayError('ask_refused', `The mailbox of actor ${name} gave the message up (${reason}); try again later.`);
    // In a turn of its own: what came from this thread and was shed at once is not pending yet.
    queueMicrotask(() => this.refuse(letter, refusal, false));
  }

  /** The same for a record that no letter was made of. */
  refuseUnread(lane: Lane, envelope: wire.Envelope, error: SpillwayError, mayHaveBeenHandled = false): void {
    if (envelope.correlation === wire.NO_CORRELATION) return;
    let failure = toFailure(error, mayHaveBeenHandled);
    if (!isEncodable(failure)) failure = briefFailure(error, mayHaveBeenHandled);
    if (threadOf(envelope.from) === this.#host.thread) {
      this.#host.asks.failHere(envelope, failure);
      return;
    }
    this.outbox.send(threadOf(envelope.from), lane, () => {
      let result = this.sendBack(lane, wire.FAILURE_KIND, envelope, failureCodec, failure);
      if (result === TOO_LONG) {
        failure = briefFailure(error, mayHaveBeenHandled);
        result = this.sendBack(lane, wire.FAILURE_KIND, envelope, failureCodec, failure);
      }
      return this.#isSettled(result);
    });
  }

  /** Sends a record to whoever asked. @returns 0 or a refusal */
  sendBack(lane: Lane, kind: number, request: wire.Envelope, codec: Codec<unknown> | undefined, value: unknown): number {
    return this.#host.transmitter.send(lane, kind, wire.answerTo(request), codec, value);
  }

  #isSettled(result: number): boolean {
    if (result !== CLOSED && result !== TOO_LONG) return result >= 0;
    // The asker is gone for good and nobody waits for this answer, or not even a brief failure fits the lane.
    this.#host.block.counters.add('reply_refused');
    return true;
  }
}

function badAnswer(name: string, cause: unknown): TypeError {
  return new TypeError(`The answer to ${name} does not fit its schema.`, { cause });
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
