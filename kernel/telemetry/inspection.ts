/**
 * What `system.inspect()` returns: the whole system at about one moment, as plain JSON, read from shared
 * memory without asking any thread. A screen, the metrics and the readiness check all read this and
 * nothing else, so they also work while a thread hangs.
 */
import type { Address } from '../address.ts';
import type { ActorCount, ActorState } from '../board.ts';
import { LANES, type Lane } from '../lanes.ts';
import type { MailboxMode } from '../mailbox/mailbox-spec.ts';
import type { ThreadCounter, ThreadState } from '../thread-block.ts';
import { latencyBetween, type LatencySnapshot } from './latency-histogram.ts';

/** Of the system as a whole. `closing` from the first request to close until the process ends. */
export type SystemPhase = 'starting' | 'running' | 'closing';

/** One kind of lane of one thread, all lanes that lead to it together. */
export interface LaneInspection {
  readonly levelBytes: number;
  readonly capacityBytes: number;
  readonly highMarkBytes: number;
  /** Whether one of them is between its marks on the way down, or above the high one. */
  readonly pressured: boolean;
  /** Messages put into the lane, taken from it, and refused for lack of room. */
  readonly offered: number;
  readonly consumed: number;
  readonly refused: number;
  /** From a message's sending to the begin of its handler, of the messages that are measured. */
  readonly latency: LatencySnapshot;
}

export interface ActorInspection {
  readonly address: Address;
  readonly name: string;
  /** One of many of its kind: it has no series of its own in the metrics. */
  readonly light: boolean;
  readonly state: ActorState;
  readonly mode: MailboxMode;
  /** Data messages that wait in its mailbox. */
  readonly level: number;
  readonly counts: Readonly<Record<ActorCount, number>>;
  /** Not for light actors. */
  readonly latency?: LatencySnapshot;
  /** Addresses, since children may live on other threads. */
  readonly children?: readonly Address[];
}

export interface ThreadInspection {
  readonly id: number;
  readonly name: string;
  readonly state: ThreadState;
  readonly incarnation: number;
  readonly restarts: number;
  /** Turns of its loop, modulo 2^32: a thread that hangs in a handler does not count on. */
  readonly turns: number;
  /**
   * The actor whose handler holds the thread at this moment, and for how long by the watchdog's looks. A
   * thread that stands still outside of any handler goes by its own name.
   */
  readonly handling?: { readonly actor: string; readonly forMs: number };
  /** How often it was held for longer than the system permits. */
  readonly hangs: number;
  readonly lanes: Readonly<Record<Lane, LaneInspection>>;
  readonly counters: Readonly<Record<ThreadCounter, number>>;
  /** The thread's own actor, and of the light ones those that have something to do, up to a bound. */
  readonly actors: readonly ActorInspection[];
  /** How many actors live there that are not listed. */
  readonly actorsLeftOut: number;
}

export interface Inspection {
  /** On the monotonic clock. */
  readonly takenAtMs: number;
  readonly phase: SystemPhase;
  readonly threads: readonly ThreadInspection[];
}

/** Everything in messages per second, but the latency. */
export interface LaneRates {
  readonly offered: number;
  readonly consumed: number;
  readonly refused: number;
  /** Of the messages between the two inspections alone. */
  readonly latency: LatencySnapshot;
}

export interface ActorRates {
  readonly address: Address;
  readonly name: string;
  readonly perSecond: Readonly<Record<ActorCount, number>>;
}

export interface ThreadRates {
  readonly id: number;
  readonly name: string;
  readonly turnsPerSecond: number;
  readonly perSecond: Readonly<Record<ThreadCounter, number>>;
  readonly lanes: Readonly<Record<Lane, LaneRates>>;
  readonly actors: readonly ActorRates[];
}

export interface Rates {
  readonly overMs: number;
  readonly threads: readonly ThreadRates[];
}

/**
 * Rates of everything that `after` shows. A thread or actor that `before` does not know, or whose counts
 * were reset since, has counted from zero.
 * @throws {TypeError} if `after` was not taken later than `before`
 */
export function rates(before: Inspection, after: Inspection): Rates {
  const overMs = after.takenAtMs - before.takenAtMs;
  if (!(overMs > 0)) throw new TypeError(`Rates need a second inspection that was taken after the first; got one ${overMs} ms later.`);
  const known = new Map(before.threads.map((thread) => [thread.id, thread]));
  const threads = after.threads.map((thread) => {
    const former = known.get(thread.id);
    return threadRates(isSame(former, thread) ? former : undefined, thread, 1_000 / overMs);
  });
  return { overMs, threads };
}

/** A thread's place that was given to another actor begins to count anew, under another name or with its first life. */
function isSame(before: ThreadInspection | undefined, after: ThreadInspection): boolean {
  return before?.name === after.name && before.incarnation <= after.incarnation;
}

function threadRates(before: ThreadInspection | undefined, after: ThreadInspection, perMs: number): ThreadRates {
  const known = new Map(before?.actors.map((actor) => [actor.address, actor]));
  const lanes = LANES.map((lane) => [lane, laneRates(before?.lanes[lane], after.lanes[lane], perMs)] as const);
  return {
    id: after.id,
    name: after.name,
    turnsPerSecond: ((after.turns - (before?.turns ?? 0)) >>> 0) * perMs,
    perSecond: countRates(before?.counters, after.counters, perMs),
    lanes: Object.fromEntries(lanes) as Record<Lane, LaneRates>,
    actors: after.actors.map(({ address, name, counts }) => {
      return { address, name, perSecond: countRates(known.get(address)?.counts, counts, perMs) };
    }),
  };
}

function laneRates(before: LaneInspection | undefined, after: LaneInspection, perMs: number): LaneRates {
  return {
    offered: growth(before?.offered, after.offered) * perMs,
    consumed: growth(before?.consumed, after.consumed) * perMs,
    refused: growth(before?.refused, after.refused) * perMs,
    latency: before === undefined ? after.latency : latencyBetween(before.latency, after.latency),
  };
}

type Counts<Name extends string> = Readonly<Record<Name, number>>;

function countRates<Name extends string>(before: Counts<Name> | undefined, after: Counts<Name>, perMs: number): Record<Name, number> {
  const names = Object.keys(after) as Name[];
  return Object.fromEntries(names.map((name) => [name, growth(before?.[name], after[name]) * perMs])) as Record<Name, number>;
}

/** How much a count has grown; all of it, if it is less than it was. */
function growth(before: number | undefined, after: number): number {
  return before === undefined || after < before ? after : after - before;
}
