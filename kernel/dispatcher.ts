/**
 * Decides which record a thread handles next: control before data before telemetry, looked at anew
 * before every record. Within a lane the peers take turns.
 */
import { ABORT, type SharedMemory } from 'atomics-ring-buffer';
import type { Lane } from './lanes.ts';
import type { LinkReceiver } from './link.ts';

/**
 * Handles the record at `offset` of `memory`. An actor that cannot take it now is the answer; its
 * record stays in the lane, and the lane is not looked at again until `unblock` names that actor.
 */
export type Delivery = (
  lane: Lane,
  kind: number,
  memory: SharedMemory,
  offset: number,
  length: number,
) => object | undefined;

interface Inbox {
  readonly peer: number;
  readonly receiver: LinkReceiver;
  /** The busy actor for whom the oldest data record waits. */
  blockedBy: object | undefined;
}

export class Dispatcher {
  readonly #deliver: Delivery;
  #inboxes: readonly Inbox[] = [];
  #turn = 0;

  constructor(deliver: Delivery) {
    this.#deliver = deliver;
  }

  add(peer: number, receiver: LinkReceiver): void {
    this.#inboxes = [...this.#inboxes, { peer, receiver, blockedBy: undefined }];
  }

  remove(peer: number): void {
    this.#inboxes = this.#inboxes.filter((inbox) => inbox.peer !== peer);
  }

  /** The actor that was busy takes data again. */
  unblock(actor: object): void {
    for (const inbox of this.#inboxes) if (inbox.blockedBy === actor) inbox.blockedBy = undefined;
  }

  /** Whether `next` would find something. */
  readonly hasWork = (): boolean => {
    for (const { receiver, blockedBy } of this.#inboxes) {
      if (receiver.control.hasRecord || receiver.telemetry.hasRecord) return true;
      if (blockedBy === undefined && receiver.data.hasRecord) return true;
    }
    return false;
  };

  /** Handles one record. @returns whether there was one */
  next(): boolean {
    return this.#nextOf('control') || this.#nextOf('data') || this.#nextOf('telemetry');
  }

  #nextOf(lane: Lane): boolean {
    const inboxes = this.#inboxes;
    for (let step = 0; step < inboxes.length; step++) {
      const inbox = inboxes[(this.#turn + step) % inboxes.length]!;
      if (lane === 'data' && inbox.blockedBy !== undefined) continue;
      const ring = inbox.receiver[lane];
      if (!ring.hasRecord) continue;
      const handled = ring.poll((kind, offset, length) => {
        const busy = this.#deliver(lane, kind, ring.memory, offset, length);
        if (busy === undefined) return undefined;
        inbox.blockedBy = busy;
        return ABORT;
      }, 1);
      if (handled === 0) continue;
      this.#turn = (this.#turn + step + 1) % inboxes.length;
      return true;
    }
    return false;
  }
}
