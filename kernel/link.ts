/**
 * A link joins an ordered pair of threads: one ring for each lane, written by one thread and read by
 * the other. Its memory belongs to the system and not to either thread, so a thread that dies leaves
 * its links as they are and its next incarnation goes on with them.
 */
import { createSpscRing, SpscConsumer, SpscObserver, SpscProducer, type Doorbell } from 'atomics-ring-buffer';
import type { Address } from './address.ts';
import { LANES, type Lane, type LaneSizes } from './lanes.ts';

/** The shared memory of one link, as it travels to the threads it joins. */
export type LinkBuffers = Readonly<Record<Lane, SharedArrayBuffer>>;

/** Both directions between a thread and one peer, as seen from that thread. */
export interface PeerLink {
  /** Address of the actor that the peer's thread is for. */
  readonly peer: Address;
  /** What the peer's thread shows of its actors; see board.ts. */
  readonly board: SharedArrayBuffer;
  readonly outbound: LinkBuffers;
  readonly inbound: LinkBuffers;
}

export function createLink(sizes: LaneSizes): LinkBuffers {
  return {
    control: createSpscRing({ capacityBytes: sizes.controlBytes }),
    data: createSpscRing({
      capacityBytes: sizes.dataBytes,
      ...(sizes.highMarkBytes === undefined ? {} : { highMarkBytes: sizes.highMarkBytes }),
      ...(sizes.lowMarkBytes === undefined ? {} : { lowMarkBytes: sizes.lowMarkBytes }),
    }),
    telemetry: createSpscRing({ capacityBytes: sizes.telemetryBytes }),
  };
}

/** The same link from the other end. @param self the address and board that the other end shall know this one by */
export function reverseLink(link: PeerLink, self: Pick<PeerLink, 'peer' | 'board'>): PeerLink {
  return { ...self, outbound: link.inbound, inbound: link.outbound };
}

/** The sending ends of a link. */
export type LinkSender = Readonly<Record<Lane, SpscProducer>>;

/**
 * Succeeds whoever is attached: a thread gets links only after its former life's exit was seen.
 * @param doorbell the receiving thread's bell
 */
export function attachSender(buffers: LinkBuffers, doorbell: Doorbell): LinkSender {
  return eachLane((lane) => {
    const successorOf = new SpscObserver(buffers[lane]).producerIncarnation;
    return new SpscProducer(buffers[lane], { doorbell, successorOf });
  });
}

/** The receiving ends of a link. */
export type LinkReceiver = Readonly<Record<Lane, SpscConsumer>>;

export function attachReceiver(buffers: LinkBuffers): LinkReceiver {
  return eachLane((lane) => {
    const successorOf = new SpscObserver(buffers[lane]).consumerIncarnation;
    return new SpscConsumer(buffers[lane], { successorOf });
  });
}

export function eachLane<T>(make: (lane: Lane) => T): Record<Lane, T> {
  return Object.fromEntries(LANES.map((lane) => [lane, make(lane)])) as Record<Lane, T>;
}
