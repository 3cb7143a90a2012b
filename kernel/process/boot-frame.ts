/**
 * What a process is told of its place in the system, in the frames BOOT and LINK. They hold what a thread is
 * given in shared memory: what was shown of the actor's former life, and for each link where its rings stand,
 * so that the process makes images of them which begin at the same places.
 */
import { SpscObserver, createSpscRing } from 'atomics-ring-buffer';
import { deserialize, serialize } from 'node:v8';
import type { ActorSource } from '../actor-source.ts';
import { ACTOR_PLACE, type Address } from '../address.ts';
import { Board } from '../board.ts';
import type { DeliverySpec } from '../delivery.ts';
import type { Lane } from '../lanes.ts';
import { eachLane, type LinkBuffers, type PeerLink } from '../link.ts';
import type { LogThreshold } from '../log.ts';

/** Where a ring stands. */
export interface RingPlace {
  readonly capacityBytes: number;
  /** Position of its first record that was not taken yet. */
  readonly head: number;
  /** Position behind its last record. */
  readonly tail: number;
}

export interface LinkImage {
  readonly peer: Address;
  readonly inbound: Readonly<Record<Lane, RingPlace>>;
  readonly outbound: Readonly<Record<Lane, RingPlace>>;
  /** What the peer's own actor shows of itself. */
  readonly entry: Uint8Array;
}

export interface ProcessBoot {
  readonly self: Address;
  readonly incarnation: number;
  readonly restarts: number;
  readonly name: string;
  readonly source: ActorSource;
  readonly native: boolean;
  readonly delivery?: Required<DeliverySpec>;
  readonly logLevel: LogThreshold;
  readonly maxThreads: number;
  readonly heartbeatMs: number;
  /** Shown by the former life. */
  readonly places: number;
  readonly board: Uint8Array;
  readonly counters: Uint8Array;
  readonly latencies: Uint8Array;
  readonly hand: Uint8Array;
  readonly links: readonly LinkImage[];
}

export function encodeBoot(boot: ProcessBoot): Buffer {
  return serialize(boot);
}

export function decodeBoot(bytes: Uint8Array): ProcessBoot {
  return deserialize(bytes) as ProcessBoot;
}

export function encodeLink(link: LinkImage): Buffer {
  return serialize(link);
}

export function decodeLink(bytes: Uint8Array): LinkImage {
  return deserialize(bytes) as LinkImage;
}

/** As the rings of the link stand now, with both their ends attached. */
export function imageOf(link: PeerLink): LinkImage {
  return {
    peer: link.peer,
    inbound: eachLane((lane) => placeOf(link.inbound[lane])),
    outbound: eachLane((lane) => placeOf(link.outbound[lane])),
    entry: Uint8Array.from(new Board(link.board).entryBytes(ACTOR_PLACE)),
  };
}

function placeOf(ring: SharedArrayBuffer): RingPlace {
  const observer = new SpscObserver(ring);
  return { capacityBytes: observer.capacityBytes, head: observer.consumerPosition, tail: observer.producerPosition };
}

/** A link whose rings are images of those that were told. */
export function linkFrom(image: LinkImage): PeerLink {
  const rings = (places: LinkImage['inbound'], at: 'head' | 'tail'): LinkBuffers =>
    eachLane((lane) => createSpscRing({ capacityBytes: places[lane].capacityBytes, initialPosition: places[lane][at] }));
  const board = Board.create();
  new Board(board).entryBytes(ACTOR_PLACE).set(image.entry);
  // What lies in the rings that lead here is sent again; what lies in those that lead away the peer already has.
  return { peer: image.peer, board, inbound: rings(image.inbound, 'head'), outbound: rings(image.outbound, 'tail') };
}
