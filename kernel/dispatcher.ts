/**
 * Decides which record a thread handles next: control before data before telemetry, looked at anew
 * before every record. Within a lane the peers take turns. Answers alone are taken out of turn, where they
 * lie behind a request that cannot be handled yet.
 */
import { ABORT, type RecordHandler, type SharedMemory, type SpscConsumer } from 'atomics-ring-buffer';
import type { Address } from './address.ts';
import { AnswersAhead } from './answers-ahead.ts';
import type { Lane } from './lanes.ts';
import type { LinkReceiver } from './link.ts';
import type { Redelivery } from './redelivery.ts';

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
  telemetry(): boolean;
  hasWork(): boolean;
}

const NO_LOCAL_WORK: LocalWork = { control: () => false, data: () => false, telemetry: () => false, hasWork: () => false };

/** Local data messages for each one of a lane, when both have some: a look at every lane costs as much as a message. */
const LOCAL_TURN = 8;

interface Inbox {
  readonly peer: Address;
  readonly receiver: LinkReceiver;
  /** The busy actor for whom the oldest data record waits. */
  blockedBy: object | undefined;
  /** Answers behind that record. */
  readonly ahead: AnswersAhead;
  /** Position up to which the data lane was filled for a former life, if that is to be given up. */
  waitedTo: number | undefined;
  /** Its peer has gone for good: what it has sent is still handled, then the inbox goes too. */
  retired: boolean;
}

/** One lane of one peer. Kept apart by lane, because a look at all control lanes comes before every message. */
interface InboundLane {
  readonly inbox: Inbox;
  readonly ring: SpscConsumer;
  /** Takes in a record; made once, and not for every record. */
  readonly take: RecordHandler;
}

export class Dispatcher {
  readonly #deliver: Delivery;
  readonly #handle: () => void;
  readonly #local: LocalWork;
  readonly #redelivery: Redelivery | undefined;
  /** Messages that the thread's own queues may still hand over before the data lanes are looked at again. */
  #localTurn = 0;
  #inboxes: readonly Inbox[] = [];
  #control: readonly InboundLane[] = [];
  #data: readonly InboundLane[] = [];
  #telemetry: readonly InboundLane[] = [];
  #turn = 0;

  /**
   * @param deliver takes in one record
   * @param handle does with it what is to be done. It is called once the record has left its lane, so that
   *   a message which ends its thread in the middle of a handler is not found again by the next life
   * @param local takes turns with the lanes, so that neither keeps the other waiting
   * @param redelivery where data messages are to be found again by the next life: they leave their lanes when it
   *   says so. It is then whom the lane waits for
   */
  constructor(deliver: Delivery, handle: () => void, local: LocalWork = NO_LOCAL_WORK, redelivery?: Redelivery) {
    this.#deliver = deliver;
    this.#handle = handle;
    this.#local = local;
    this.#redelivery = redelivery;
  }

  /** @param givesUp what waits in the data lane now is to be given up; see `giveUpWaiting` */
  add(peer: Address, receiver: LinkReceiver, givesUp = false): void {
    const waitedTo = givesUp ? receiver.data.producerPosition : undefined;
    const inbox: Inbox = { peer, receiver, blockedBy: undefined, ahead: new AnswersAhead(receiver.data), waitedTo, retired: false };
    this.#set([...this.#inboxes, inbox]);
  }

  #set(inboxes: readonly Inbox[]): void {
    const lanes = (lane: Lane): InboundLane[] => inboxes.map((inbox) => this.#laneOf(inbox, lane));
    this.#inboxes = inboxes;
    this.#control = lanes('control');
    this.#data = lanes('data');
    this.#telemetry = lanes('telemetry');
    this.#turn = 0;
  }

  #laneOf(inbox: Inbox, lane: Lane): InboundLane {
    const ring = inbox.receiver[lane];
    const { memory } = ring;
    return {
      inbox,
      ring,
      take: (kind, offset, length) => {
        const busy = this.#deliver(lane, kind, memory, offset, length);
        if (busy === undefined) return undefined;
        inbox.blockedBy = busy;
        inbox.ahead.reset();
        return ABORT;
      },
    };
  }

  /** Position of the oldest data record from this peer; undefined if there is no lane from it. */
  dataHeadOf(peer: Address): number | undefined {
    return this.#inboxes.find((inbox) => inbox.peer === peer)?.receiver.data.consumerPosition;
  }

  /** Takes the data records that waited when their lanes were added. @param giveUp takes in one of them */
  giveUpWaiting(giveUp: (...record: Parameters<Delivery>) => void): void {
    for (const inbox of this.#inboxes) {
      const { waitedTo, receiver } = inbox;
      inbox.waitedTo = undefined;
      const { data } = receiver;
      const take: RecordHandler = (kind, offset, length) => giveUp('data', kind, data.memory, offset, length);
      // Positions wrap at 2^32; their difference as a signed number says which one is behind.
      while (waitedTo !== undefined && ((waitedTo - data.consumerPosition) | 0) > 0) {
        data.poll(take, 1);
        this.#handle();
      }
    }
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
    if (this.#nextOf(this.#control) || this.#local.control() || this.#nextData() || this.#local.telemetry() || this.#nextOf(this.#telemetry)) return true;
    this.#letGo();
    return false;
  }

  #nextData(): boolean {
    if (this.#localTurn > 0 && this.#local.data()) {
      this.#localTurn--;
      return true;
    }
    this.#localTurn = LOCAL_TURN;
    return this.#nextDataRecord() || this.#local.data();
  }

  #letGo(): void {
    const isOver = ({ retired, receiver }: Inbox): boolean => retired && Object.values(receiver).every((ring) => !ring.hasRecord);
    if (this.#inboxes.some(isOver)) this.#set(this.#inboxes.filter((inbox) => !isOver(inbox)));
  }

  #settleAhead(lane: Lane, receiver: LinkReceiver, ahead: AnswersAhead): number {
    const { memory } = receiver[lane];
    return ahead.settle((kind, offset, length) => void this.#deliver(lane, kind, memory, offset, length));
  }

  /** For control and telemetry, which no actor keeps waiting. */
  #nextOf(lanes: readonly InboundLane[]): boolean {
    for (const { ring } of lanes) if (ring.mayHaveRecord) return this.#nextInTurn(lanes);
    return false;
  }

  #nextInTurn(lanes: readonly InboundLane[]): boolean {
    for (let step = 0; step < lanes.length; step++) {
      const index = (this.#turn + step) % lanes.length;
      const { ring, take } = lanes[index]!;
      if (!ring.mayHaveRecord || ring.poll(take, 1) === 0) continue;
      this.#turn = index + 1;
      this.#handle();
      return true;
    }
    return false;
  }

  #nextDataRecord(): boolean {
    const lanes = this.#data;
    const redelivery = this.#redelivery;
    const count = lanes.length;
    let index = this.#turn;
    for (let step = 0; step < count; step++, index++) {
      if (index >= count) index = 0;
      const lane = lanes[index]!;
      const { inbox, ring } = lane;
      if (inbox.blockedBy !== undefined) {
        if (inbox.ahead.hasNew && this.#settleAhead('data', inbox.receiver, inbox.ahead) > 0) return true;
        continue;
      }
      if (!ring.mayHaveRecord) continue;
      if (!(redelivery === undefined ? ring.poll(lane.take, 1) > 0 : this.#look(redelivery, lane))) {
        // The record stays for a busy actor; answers behind it need not.
        if (inbox.blockedBy !== undefined && this.#settleAhead('data', inbox.receiver, inbox.ahead) > 0) return true;
        continue;
      }
      this.#turn = index + 1;
      this.#handle();
      return true;
    }
    return false;
  }

  /** Takes in a data record that may have to stay in its lane until it is handled. @returns whether it was taken in */
  #look(redelivery: Redelivery, { inbox, ring, take }: InboundLane): boolean {
    redelivery.looksAt(inbox.peer, ring);
    const end = ring.peek(take, 1);
    if (inbox.blockedBy !== undefined) return false;
    if (redelivery.looked(end)) {
      inbox.blockedBy = redelivery;
      inbox.ahead.reset();
    } else ring.release(end);
    return true;
  }
}
