/**
 * Decides which record a thread handles next: control before data before telemetry, looked at anew
 * before every record. Within a lane the peers take turns. Answers alone are taken out of turn, where they
 * lie behind a request that cannot be handled yet.
 */
import { ABORT, type RecordHandler, type SharedMemory } from 'atomics-ring-buffer';
import type { Address } from './address.ts';
import { AnswersAhead } from './answers-ahead.ts';
import type { Lane } from './lanes.ts';
import type { LinkReceiver } from './link.ts';

/**
 * Takes in the record at `offset` of `memory`. An actor that cannot take it now is the answer; its
 * record stays in the lane, and the lane is not looked at again until `unblock` names that actor.
 */
export type Delivery = (
  lane: Lane,
  kind: number,
  memory: SharedMemory,
  offset: number,
  length: number,
) => object | undefined;

/** Messages that wait in the thread's own queues: they came from the thread itself, or for an actor that was busy. */
export interface LocalWork {
  /** Handles one. @returns whether there was one */
  control(): boolean;
  data(): boolean;
  hasWork(): boolean;
}

const NO_LOCAL_WORK: LocalWork = { control: () => false, data: () => false, hasWork: () => false };

/** Local data messages for each one of a lane, when both have some: a look at every lane costs as much as a message. */
const LOCAL_TURN = 8;

interface Inbox {
  readonly peer: Address;
  readonly receiver: LinkReceiver;
  /** Takes in a record of each lane; made once, and not for every record. */
  readonly handlers: Readonly<Record<Lane, RecordHandler>>;
  /** The busy actor for whom the oldest data record waits. */
  blockedBy: object | undefined;
  /** Answers behind that record. */
  readonly ahead: AnswersAhead;
  /** Its peer has gone for good: what it has sent is still handled, then the inbox goes too. */
  retired: boolean;
}

export class Dispatcher {
  readonly #deliver: Delivery;
  readonly #handle: () => void;
  readonly #local: LocalWork;
  /** Messages that the thread's own queues may still hand over before the data lanes are looked at again. */
  #localTurn = 0;
  #inboxes: readonly Inbox[] = [];
  #turn = 0;

  /**
   * @param deliver takes in one record
   * @param handle does with it what is to be done. It is called once the record has left its lane, so that
   *   a message which ends its thread in the middle of a handler is not found again by the next life
   * @param local takes turns with the lanes, so that neither keeps the other waiting
   */
  constructor(deliver: Delivery, handle: () => void, local: LocalWork = NO_LOCAL_WORK) {
    this.#deliver = deliver;
    this.#handle = handle;
    this.#local = local;
  }

  add(peer: Address, receiver: LinkReceiver): void {
    const ahead = new AnswersAhead(receiver.data);
    const handlerOf = (lane: Lane): RecordHandler => {
      const { memory } = receiver[lane];
      return (kind, offset, length) => {
        const busy = this.#deliver(lane, kind, memory, offset, length);
        if (busy === undefined) return undefined;
        inbox.blockedBy = busy;
        ahead.reset();
        return ABORT;
      };
    };
    const handlers = { control: handlerOf('control'), data: handlerOf('data'), telemetry: handlerOf('telemetry') };
    const inbox: Inbox = { peer, receiver, handlers, blockedBy: undefined, ahead, retired: false };
    this.#inboxes = [...this.#inboxes, inbox];
    this.#turn = 0;
  }

  /** No more records come from this peer. Those that wait are handled, then its lanes are let go. */
  retire(peer: Address): void {
    for (const inbox of this.#inboxes) if (inbox.peer === peer) inbox.retired = true;
    this.#letGo();
  }

  /** The actor that was busy takes data again. */
  unblock(actor: object): void {
    for (const inbox of this.#inboxes) if (inbox.blockedBy === actor) inbox.blockedBy = undefined;
  }

  /** Delivers the answers that wait in a peer's lanes, wherever they lie. For when the peer has died. */
  settleAnswers(peer: Address): void {
    for (const { receiver, ...inbox } of this.#inboxes) {
      if (inbox.peer !== peer) continue;
      for (const lane of ['control', 'data'] as const) this.#settleAhead(lane, receiver, new AnswersAhead(receiver[lane]));
    }
  }

  /** Whether `next` would find something. */
  readonly hasWork = (): boolean => {
    if (this.#local.hasWork()) return true;
    for (const { receiver, blockedBy, ahead } of this.#inboxes) {
      if (receiver.control.hasRecord || receiver.telemetry.hasRecord) return true;
      if (blockedBy === undefined ? receiver.data.hasRecord : ahead.hasNew) return true;
    }
    return false;
  };

  /** Handles one record. @returns whether there was one */
  next(): boolean {
    if (this.#nextOf('control') || this.#local.control() || this.#nextData() || this.#nextOf('telemetry')) return true;
    this.#letGo();
    return false;
  }

  #nextData(): boolean {
    if (this.#localTurn > 0 && this.#local.data()) {
      this.#localTurn--;
      return true;
    }
    this.#localTurn = LOCAL_TURN;
    return this.#nextOf('data') || this.#local.data();
  }

  #letGo(): void {
    const isOver = ({ retired, receiver }: Inbox): boolean => retired && Object.values(receiver).every((ring) => !ring.hasRecord);
    if (this.#inboxes.some(isOver)) {
      this.#inboxes = this.#inboxes.filter((inbox) => !isOver(inbox));
      this.#turn = 0;
    }
  }

  #settleAhead(lane: Lane, receiver: LinkReceiver, ahead: AnswersAhead): number {
    const { memory } = receiver[lane];
    return ahead.settle((kind, offset, length) => void this.#deliver(lane, kind, memory, offset, length));
  }

  #nextOf(lane: Lane): boolean {
    const inboxes = this.#inboxes;
    const count = inboxes.length;
    let index = this.#turn;
    for (let step = 0; step < count; step++, index++) {
      if (index >= count) index = 0;
      const inbox = inboxes[index]!;
      if (lane === 'data' && inbox.blockedBy !== undefined) {
        if (inbox.ahead.hasNew && this.#settleAhead(lane, inbox.receiver, inbox.ahead) > 0) return true;
        continue;
      }
      const ring = inbox.receiver[lane];
      if (!ring.mayHaveRecord) continue;
      if (ring.poll(inbox.handlers[lane], 1) === 0) {
        // The record stays for a busy actor; answers behind it need not.
        if (inbox.blockedBy !== undefined && this.#settleAhead(lane, inbox.receiver, inbox.ahead) > 0) return true;
        continue;
      }
      this.#turn = index + 1 === count ? 0 : index + 1;
      this.#handle();
      return true;
    }
    return false;
  }
}
