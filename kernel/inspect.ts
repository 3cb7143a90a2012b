/**
 * Reads the whole system from shared memory. Nobody is asked, so it works while threads hang; and it costs
 * those that are looked at nothing. What it shows of each thread was there at about one moment.
 */
import { FIRST_SPAWNED_PLACE, addressOf, isSpawned, placeOf, slotOf, spawnedSlot } from './address.ts';
import type { Board, BoardEntry } from './board.ts';
import type { Lane } from './lanes.ts';
import { eachLane } from './link.ts';
import { MAILBOX_MODES } from './mailbox/mailbox-spec.ts';
import type { ActorInspection, Inspection, LaneInspection, SystemPhase, ThreadInspection } from './telemetry/inspection.ts';
import type { ThreadBlock } from './thread-block.ts';
import type { KnownThread, Topology } from './topology.ts';

export interface InspectOptions {
  /**
   * Light actors of one thread that are listed at the most: those that have something to do, the longest
   * queue first. Default 100.
   */
  readonly lightActorsMax?: number;
}

const DEFAULT_LIGHT_ACTORS_MAX = 100;
/** Of a data lane without marks of its own, and of the others: three quarters, as the rings have it. */
const HIGH_PART = 0.75;

export function inspectSystem(topology: Topology, phase: SystemPhase, nowMs: number, options: InspectOptions = {}): Inspection {
  const { lightActorsMax = DEFAULT_LIGHT_ACTORS_MAX } = options;
  const threads = [...topology.threads].map((thread) => inspectThread(thread, nowMs, lightActorsMax));
  return { takenAtMs: nowMs, phase, threads };
}

function inspectThread(thread: KnownThread, nowMs: number, lightActorsMax: number): ThreadInspection {
  const { id, name, block } = thread;
  const handling = handlingOf(thread, nowMs);
  const latencies = block.latencies;
  const actors = [...ownActor(thread), ...lightActors(thread, lightActorsMax)];
  return {
    id,
    name,
    state: block.state,
    incarnation: block.incarnation,
    restarts: block.restarts,
    turns: block.turns >>> 0,
    ...(handling === undefined ? {} : { handling }),
    hangs: block.hangs,
    lanes: eachLane((lane) => inspectLane(thread, lane, latencies[lane].snapshot())),
    counters: block.counters.snapshot(),
    actors,
    actorsLeftOut: Math.max(0, block.actors - actors.length),
  };
}

/** Undefined if no handler runs and the thread makes progress. */
function handlingOf(thread: KnownThread, nowMs: number): ThreadInspection['handling'] {
  const { block } = thread;
  // What a thread that has died was doing is no matter of its next life.
  if (!isAlive(block)) return undefined;
  const { handling, heldSinceMs } = block;
  // Both are kept modulo 2^32.
  const forMs = heldSinceMs === undefined ? 0 : (Math.trunc(nowMs) - heldSinceMs) >>> 0;
  if (handling !== 0) return { actor: nameAt(thread, handling), forMs };
  return heldSinceMs === undefined ? undefined : { actor: thread.name, forMs };
}

function isAlive({ state }: ThreadBlock): boolean {
  return state === 'starting' || state === 'running' || state === 'stopping';
}

/** The name of the actor in this slot, or of the thread if it has just gone. */
export function nameAt({ board, name }: { readonly board: Board; readonly name: string }, slot: number): string {
  if (!isSpawned(slot)) return name;
  return board.entry(placeOf(slot))?.name ?? name;
}

function inspectLane(thread: KnownThread, lane: Lane, latency: LaneInspection['latency']): LaneInspection {
  const sum = { levelBytes: 0, capacityBytes: 0, highMarkBytes: 0, pressured: false, ...thread.passed[lane] };
  for (const lanes of thread.lanes.values()) {
    const ring = lanes[lane];
    const { offered, consumed, refused } = ring.counters;
    sum.levelBytes += ring.levelBytes;
    sum.capacityBytes += ring.capacityBytes;
    sum.highMarkBytes += (lane === 'data' ? thread.highMarkBytes : undefined) ?? ring.capacityBytes * HIGH_PART;
    sum.pressured ||= ring.pressured;
    sum.offered += offered;
    sum.consumed += consumed;
    sum.refused += refused;
  }
  return { ...sum, latency };
}

function ownActor({ address, board }: KnownThread): ActorInspection[] {
  const entry = board.entry(placeOf(slotOf(address)));
  return entry === undefined ? [] : [actorOf(address, false, entry)];
}

function lightActors({ id, board, block }: KnownThread, max: number): ActorInspection[] {
  const busy: { readonly place: number; readonly level: number }[] = [];
  for (let place = FIRST_SPAWNED_PLACE; place < block.places; place++) {
    if (!board.isQuiet(place)) busy.push({ place, level: board.levelOf(place) });
  }
  busy.sort((a, b) => b.level - a.level);
  return busy.slice(0, max).flatMap(({ place }) => {
    // It may have ended just now.
    const entry = board.entry(place);
    return entry === undefined ? [] : [actorOf(addressOf(id, spawnedSlot(place, board.generationOf(place))), true, entry)];
  });
}

function actorOf(address: number, light: boolean, { name, state, mode, level, counts }: BoardEntry): ActorInspection {
  return { address, name, light, state, mode: MAILBOX_MODES[mode] ?? 'async', level, counts };
}
