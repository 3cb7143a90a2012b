/**
 * The receiving side of a thread: what a record or a message from the same thread is, whom it is for,
 * and whether it is handled now, waits, or comes to its end here. What happens to it in its handler is
 * handling.ts.
 */
import { BACK_PRESSURED, CLOSED } from 'atomics-ring-buffer';
import type { ActorCell } from './actor-cell.ts';
import type { ActorTable } from './actor-table.ts';
import { formatAddress, slotOf, type Address } from './address.ts';
import type { Asks } from './asks.ts';
import { ARRIVED } from './board.ts';
import { CancelledAsks, isSameAsk } from './cancelled-asks.ts';
import type { LocalWork } from './dispatcher.ts';
import * as wire from './envelope.ts';
import { SpillwayError } from './errors.ts';
import type { FlightRecorder } from './flight-recorder.ts';
import type { Handling } from './handling.ts';
import type { Lane } from './lanes.ts';
import { Letter, type LetterHost } from './letter.ts';
import type { Redelivery } from './redelivery.ts';
import type { RunQueue } from './run-queue.ts';
import type { Scopes } from './scopes.ts';
import { StartStash, type RecordMemory } from './start-stash.ts';
import type { Streams } from './streams.ts';
import type { ThreadBlock } from './thread-block.ts';

/** What the receiving side needs of its thread. */
export interface ReceiverHost extends LetterHost {
  readonly incarnation: number;
  readonly block: ThreadBlock;
  readonly asks: Asks;
  readonly streams: Streams;
  readonly scopes: Scopes;
  readonly table: ActorTable;
  readonly queue: RunQueue;
  readonly handling: Handling;
  /** An ask of this thread was handed on, if it is still pending. */
  handedOn(correlation: number, from: Address, to: Address): void;
  /** Called before the handler of a message that may be delivered again, when it is counted that it was begun. */
  readonly onTaken?: (() => void) | undefined;
  /** Whoever `deliver` named takes data messages again. */
  onIdle(blocker: object): void;
}

export class Receiver {
  readonly #host: ReceiverHost;
  readonly #expected = new Map<number, StartStash>();
  readonly #cancelled = new CancelledAsks();
  /** What waits in the queues of the thread's actors. */
  readonly local: LocalWork = {
    control: () => this.handleLocalControl(),
    data: () => this.handleLocalData(),
    telemetry: () => this.handleLocalTelemetry(),
    hasWork: () => this.#host.queue.hasWork,
  };
  readonly #flight: FlightRecorder;
  /** When the last turn that took a message began to, in whole milliseconds modulo 2^32. */
  #turnMs = 0;
  #isNewTurn = true;
  #takenBy: ActorCell | undefined;
  #taken: Letter | undefined;

  constructor(host: ReceiverHost) {
    this.#host = host;
    this.#flight = host.block.flight;
    this.#flight.letAllGo();
  }

  /** What is taken from now on is taken at another time. */
  beginTurn(): void {
    this.#isNewTurn = true;
  }

  /**
   * Says that an actor will be added in this slot. Until then its data messages stay in their lanes and
   * its control messages are kept aside, since answers that its start waits for come behind them.
   */
  expect(slot: number): void {
    this.#expected.set(slot, new StartStash());
  }

  /** Whether an actor in this slot is being started, or started again. */
  isExpected(slot: number): boolean {
    return this.#expected.has(slot);
  }

  /** The expected actor is there: what came for it meanwhile is handled. */
  arrived(slot: number): void {
    const stash = this.#expected.get(slot);
    this.#expected.delete(slot);
    if (stash === undefined) return;
    for (const { kind, memory } of stash.records) {
      this.deliver('control', kind, memory, 0, memory.u8.length);
      this.handle();
    }
    this.#host.onIdle(stash);
  }

  /** Messages that were kept for actors which never came. */
  get stashed(): number {
    return [...this.#expected.values()].reduce((sum, { records }) => sum + records.length, 0);
  }

  /**
   * Takes in one record; `handle` then runs its handler.
   * @returns who cannot take the record now, a busy actor or one that starts; undefined when the record is settled
   */
  deliver(lane: Lane, kind: number, memory: RecordMemory, offset: number, length: number): object | undefined {
    if (kind === wire.SETTLED_KIND) return undefined;
    const headBytes = length < wire.ENVELOPE_BYTES ? Infinity : wire.writtenEnvelopeBytes(memory, offset);
    if (length < headBytes) {
      this.#host.block.counters.add('undecodable');
      return undefined;
    }
    if (kind < wire.FIRST_MESSAGE_KIND) {
      this.#deliverKernelRecord(kind, wire.readEnvelope(memory, offset), memory, offset + headBytes, length - headBytes);
      return undefined;
    }
    const slot = slotOf(wire.readTo(memory, offset));
    const stash = this.#expected.size === 0 ? undefined : this.#expected.get(slot);
    if (stash !== undefined) {
      if (lane === 'data') return stash;
      if (lane === 'control' && stash.keep(kind, memory, offset, length)) return undefined;
    }
    const cell = this.#host.table.at(slot);
    if (cell === undefined) {
      this.#host.block.counters.add('unknown_actor');
      const envelope = wire.readEnvelope(memory, offset);
      this.#host.handling.refuseUnread(lane, envelope, new SpillwayError('actor_stopped', `There is no actor at ${formatAddress(envelope.to)} any more.`));
      return undefined;
    }
    const { redelivery } = cell;
    if (lane === 'data') {
      if (cell.busy && (cell.waitsInLane || redelivery !== undefined)) return cell;
      if (redelivery?.mustWait === true) return redelivery;
    }
    const message = cell.protocol.messageOfKind(kind);
    let request: unknown;
    try {
      if (message === undefined) throw new Error(`protocol ${cell.protocol.name} has no message of kind ${kind}`);
      request = message.request.decode(memory, offset + headBytes, length - headBytes);
    } catch (error) {
      this.#host.block.counters.add('undecodable');
      this.#host.handling.refuseUnread(lane, wire.readEnvelope(memory, offset), new SpillwayError('message_invalid', `Undecodable message: ${String(error)}`));
      return undefined;
    }
    const letter = Letter.read(this.#host, lane, message, memory, offset, request);
    const { isKernel } = cell;
    if (!isKernel) {
      if (this.#isNewTurn) {
        this.#isNewTurn = false;
        this.#turnMs = this.#host.nowMs() | 0;
      }
      this.#flight.note(kind, length, letter.from, letter.to, lane, this.#turnMs);
    }
    if (redelivery !== undefined && lane === 'data') {
      redelivery.begin(letter);
      this.#take(cell, letter);
      return undefined;
    }
    if (!isKernel) this.#host.table.board.count(cell.place, ARRIVED);
    this.#takeIn(cell, letter);
    return undefined;
  }

  /** Takes in one record that waited for a former life, to give it up if it is a message for the thread's own actor. */
  giveUp(cell: ActorCell, lane: Lane, kind: number, memory: RecordMemory, offset: number, length: number): void {
    const isOwn = kind >= wire.FIRST_MESSAGE_KIND && length >= wire.ENVELOPE_BYTES && wire.readTo(memory, offset) === cell.address;
    const message = isOwn ? cell.protocol.messageOfKind(kind) : undefined;
    if (message === undefined) {
      this.deliver(lane, kind, memory, offset, length);
      return;
    }
    const letter = Letter.read(this.#host, lane, message, memory, offset, undefined);
    this.#host.table.board.count(cell.place, ARRIVED);
    cell.lose(letter, 'restarted');
    this.#host.handling.refuse(letter, new SpillwayError('actor_restarted', `Actor ${cell.name} was started again and gives up what had waited for it.`), false);
  }

  /**
   * Takes in a message from this thread itself, whose request is a copy of its own. It waits for its turn
   * like any other.
   * @returns 0, or BACK_PRESSURED or CLOSED
   */
  accept(letter: Letter): number {
    const cell = this.#host.table.at(slotOf(letter.to));
    if (cell === undefined || cell.state === 'stopping' || cell.state === 'stopped') return CLOSED;
    if (letter.lane === 'control') {
      if (!cell.offerControl(letter)) return BACK_PRESSURED;
      this.#host.queue.scheduleControl(cell);
    } else if (letter.lane === 'telemetry') {
      if (!cell.offerTelemetry(letter)) return BACK_PRESSURED;
      this.#host.queue.scheduleTelemetry(cell);
    } else {
      const result = cell.mailbox.offer(letter, cell.needsTime ? this.#host.nowMs() : 0);
      // A refusal, too, may have shed what was too old.
      if (result >= 0 || cell.needsTime) cell.showLevel();
      if (result < 0) return result;
      this.#host.queue.schedule(cell);
    }
    if (!cell.isKernel) this.#host.table.board.count(cell.place, ARRIVED);
    return 0;
  }

  /** Runs the handler of the message that `deliver` took in last, if it may be handled at once. */
  handle(): void {
    const cell = this.#takenBy;
    if (cell === undefined) return;
    const letter = this.#taken!;
    this.#takenBy = undefined;
    this.#taken = undefined;
    const { redelivery } = cell;
    if (redelivery !== undefined) {
      if (!this.#mayBegin(cell, letter, redelivery)) return;
      this.#host.onTaken?.();
    }
    this.#host.handling.handle(cell, letter);
  }

  /** Whether a message that stays in its lane is handled; else it has come to its end. */
  #mayBegin(cell: ActorCell, letter: Letter, redelivery: Redelivery): boolean {
    if (!redelivery.holds(letter)) return true;
    if (this.#isOver(cell, letter)) return false;
    if (redelivery.tryDeliver(letter)) return true;
    const { name } = cell;
    const poisoned = `Actor ${name} has ended ${letter.redeliveries} times with ${letter.message.name} in hand, and does not try it again.`;
    this.#host.handling.refuse(letter, new SpillwayError('message_poisoned', poisoned), true);
    cell.lose(letter, 'poisoned');
    return false;
  }

  /** Handles one control message that waits in an actor's own queue. @returns whether there was one */
  handleLocalControl(): boolean {
    const next = this.#host.queue.nextControl();
    if (next === undefined) return false;
    const [cell, letter] = next;
    if (!this.#isOver(cell, letter)) this.#host.handling.handle(cell, letter);
    return true;
  }

  /** Handles one data message that waits in an actor's own queue. @returns whether there was one */
  handleLocalData(): boolean {
    const cell = this.#host.queue.nextData();
    if (cell === undefined) return false;
    const letter = cell.takeData(cell.needsTime ? this.#host.nowMs() : 0);
    this.#host.queue.taken(cell);
    // All that was left may have been too old.
    if (letter !== undefined && !this.#isOver(cell, letter)) this.#host.handling.handle(cell, letter);
    return true;
  }

  /** Handles one telemetry message that waits in an actor's own queue. @returns whether there was one */
  handleLocalTelemetry(): boolean {
    const next = this.#host.queue.nextTelemetry();
    if (next === undefined) return false;
    const [cell, letter] = next;
    if (!this.#isOver(cell, letter)) this.#host.handling.handle(cell, letter);
    return true;
  }

  #takeIn(cell: ActorCell, letter: Letter): void {
    if (this.#isOver(cell, letter)) return;
    if (letter.lane === 'control') {
      if (cell.state === 'running') this.#take(cell, letter);
      else if (!cell.offerControl(letter)) {
        cell.lose(letter, 'lane_full');
        this.#host.handling.refuse(letter, new SpillwayError('ask_refused', `Actor ${cell.name} has not started yet, and too many messages wait for it.`), false);
      }
      return;
    }
    if (letter.lane === 'telemetry') {
      if (cell.takesData && !cell.hasTelemetry) this.#take(cell, letter);
      else if (cell.offerTelemetry(letter)) this.#host.queue.scheduleTelemetry(cell);
      else {
        cell.lose(letter, 'lane_full');
        this.#host.handling.refuse(letter, new SpillwayError('ask_refused', `Too much telemetry waits for actor ${cell.name}.`), false);
      }
      return;
    }
    if (cell.takesData && !cell.hasData) this.#take(cell, letter);
    else {
      // It has left its lane, so it is taken even beyond the mailbox's capacity: senders see the mode before they send.
      cell.mailbox.force(letter, cell.needsTime ? this.#host.nowMs() : 0);
      cell.showLevel();
      this.#host.queue.schedule(cell);
    }
  }

  #take(cell: ActorCell, letter: Letter): void {
    this.#takenBy = cell;
    this.#taken = letter;
  }

  /** Whether nobody waits for the message any more: cancelled by its asker or its scope, or past its deadline. */
  #isOver(cell: ActorCell, letter: Letter): boolean {
    if (letter.scopeId !== wire.NO_SCOPE && this.#host.scopes.blocks(letter.scopeId)) {
      cell.lose(letter, 'fenced');
      this.#host.handling.refuse(letter, new SpillwayError('scope_cancelled', 'The cancel scope of the message was cancelled.'), letter.redeliveries > 0 || cell.begun?.has(letter) === true);
      return true;
    }
    if (letter.correlation === wire.NO_CORRELATION) return false;
    if (letter.isCancelled || this.#cancelled.take(letter)) {
      cell.lose(letter, 'cancelled');
      return true;
    }
    if (letter.dueMs !== undefined && this.#host.nowMs() > letter.dueMs) {
      cell.lose(letter, 'expired');
      return true;
    }
    return false;
  }

  #deliverKernelRecord(kind: number, envelope: wire.Envelope, memory: RecordMemory, offset: number, length: number): void {
    switch (kind) {
      case wire.CANCEL_KIND:
        this.cancel(envelope);
        break;
      case wire.DEMAND_KIND:
        if (length >= 4) this.#host.streams.demand(envelope, memory.i32[offset >> 2]!);
        break;
      default:
        if (!this.#settles(kind, envelope, memory, offset, length)) this.#host.block.counters.add('stale_reply');
    }
  }

  #settles(kind: number, envelope: wire.Envelope, memory: RecordMemory, offset: number, length: number): boolean {
    const { asks, incarnation } = this.#host;
    if (envelope.incarnation !== incarnation) return false;
    if (envelope.scopeId !== wire.NO_SCOPE && this.#host.scopes.blocks(envelope.scopeId)) {
      // Counted as an answer that nobody takes; `fenced` is of messages.
      return false;
    }
    if (kind === wire.ITEM_KIND) return asks.item(envelope.from, envelope.correlation, (codec) => codec.decode(memory, offset, length));
    if (kind === wire.FORWARDED_KIND) {
      // The answer may have been here before this notice, which is no answer.
      if (length >= 4) this.#host.handedOn(envelope.correlation, envelope.from, memory.i32[offset >> 2]! >>> 0);
      return true;
    }
    return asks.settle(kind, envelope, memory, offset, length);
  }

  /** An asker takes its ask back. */
  cancel(envelope: wire.Envelope): void {
    const cell = this.#host.table.at(slotOf(envelope.to));
    if (this.#host.streams.cancel(envelope)) return;
    for (const letter of cell?.inFlight ?? []) {
      if (isSameAsk(letter, envelope)) {
        letter.isCancelled = true;
        return;
      }
    }
    // Control overtakes data: the message itself may still wait in the data lane, or in its mailbox.
    this.#cancelled.add(envelope);
  }
}
