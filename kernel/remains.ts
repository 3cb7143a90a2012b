/** What a thread shows when it is dead, for the report of its end: read from shared memory, before its next life begins. */
import { SpscObserver } from 'atomics-ring-buffer';
import { ACTOR_PLACE, slotOf, type Address } from './address.ts';
import type { Board, BoardEntry } from './board.ts';
import { LANES, type Lane } from './lanes.ts';
import type { PeerLink } from './link.ts';
import type { ThreadBlock, ThreadState } from './thread-block.ts';

/** A message that the thread had taken from a lane: what it was, never its content. */
export interface LastMessage {
  /** Of the actor that it was for, and the message's name there, where whoever looks knows them. */
  readonly protocol?: string;
  readonly message?: string;
  readonly kind: number;
  /** With its envelope. */
  readonly bytes: number;
  readonly from: Address;
  readonly to: Address;
  readonly lane: Lane;
  /** Since the turn in which it was taken. */
  readonly ageMs: number;
  /** Its handler had begun and not ended, or was a defect. */
  readonly inHand: boolean;
}

/** Names a message by its number; a number alone says nothing without the protocol of its actor. */
export type DescribeMessage = (to: Address, kind: number) => { readonly protocol: string; readonly message: string } | undefined;

export interface LaneRemains {
  /** The actor that the thread at the other end is for. */
  readonly peer: Address;
  readonly lane: Lane;
  /** What waits there. */
  readonly usedBytes: number;
  readonly capacityBytes: number;
}

export interface ThreadRemains {
  readonly state: ThreadState;
  readonly incarnation: number;
  /** The latest first. */
  readonly lastMessages: readonly LastMessage[];
  /** Those into the thread. */
  readonly lanes: readonly LaneRemains[];
  /** Slot of the actor whose handler ran, or 0. */
  readonly handling: number;
  /** Its own actor: level, mode and counts. Undefined if it has not started yet. */
  readonly actor: BoardEntry | undefined;
}

/** The latest first. @param nowMs on the monotonic clock @param handling slot of the actor whose handler runs, or ran when the thread ended */
export function lastMessages(block: ThreadBlock, nowMs: number, handling = block.handling): LastMessage[] {
  const messages = block.flight.read();
  // A handler that runs is that of the message which was taken last for its actor, unless that came from the thread itself.
  const running = handling === 0 ? undefined : messages.find(({ to }) => slotOf(to) === handling);
  return messages.map((recorded) => {
    const { isInHand, takenMs, ...shown } = recorded;
    // Both modulo 2^32, as a signed number.
    return { ...shown, ageMs: Math.max(0, ((nowMs | 0) - takenMs) | 0), inHand: isInHand || recorded === running };
  });
}

/** The same with the names of the messages, where they are known. */
export function describedMessages(messages: readonly LastMessage[], describe: DescribeMessage): LastMessage[] {
  return messages.map((message) => ({ ...message, ...describe(message.to, message.kind) }));
}

export interface DeadThread {
  readonly block: ThreadBlock;
  readonly board: Board;
  readonly links: Iterable<PeerLink>;
  /** Of the moment of its end. */
  readonly handling: number;
}

export function remainsOf({ block, board, links, handling }: DeadThread, nowMs: number): ThreadRemains {
  return {
    state: block.state,
    incarnation: block.incarnation,
    lastMessages: lastMessages(block, nowMs, handling),
    lanes: [...links].flatMap(({ peer, inbound }) =>
      LANES.map((lane) => {
        const { levelBytes, capacityBytes } = new SpscObserver(inbound[lane]);
        return { peer, lane, usedBytes: levelBytes, capacityBytes };
      }),
    ),
    handling,
    actor: board.entry(ACTOR_PLACE),
  };
}
