// Inspections for the tests: a quiet system, and what a test wants to be different about it.
import { ACTOR_COUNTS, type ActorCount } from '../../../kernel/board.ts';
import { LANES, type Lane } from '../../../kernel/lanes.ts';
import type { ActorInspection, Inspection, LaneInspection, ThreadInspection } from '../../../kernel/telemetry/inspection.ts';
import { LatencyHistogram, type LatencySnapshot } from '../../../kernel/telemetry/latency-histogram.ts';
import { THREAD_COUNTERS, type ThreadCounter } from '../../../kernel/thread-block.ts';

export function latencyOf(...latencies: number[]): LatencySnapshot {
  const histogram = new LatencyHistogram(new SharedArrayBuffer(LatencyHistogram.bytes), 0);
  for (const latency of latencies) histogram.record(latency);
  return histogram.snapshot();
}

function zeros<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
}

export function countersWith(some: Partial<Record<ThreadCounter, number>>): Record<ThreadCounter, number> {
  return { ...zeros(THREAD_COUNTERS), ...some };
}

export function countsWith(some: Partial<Record<ActorCount, number>>): Record<ActorCount, number> {
  return { ...zeros(ACTOR_COUNTS), ...some };
}

const QUIET_LANE: LaneInspection = {
  levelBytes: 0,
  capacityBytes: 65_536,
  highMarkBytes: 49_152,
  pressured: false,
  offered: 0,
  consumed: 0,
  refused: 0,
  latency: latencyOf(),
};

export function lanesWith(some: Partial<Record<Lane, Partial<LaneInspection>>>): Record<Lane, LaneInspection> {
  return Object.fromEntries(LANES.map((lane) => [lane, { ...QUIET_LANE, ...some[lane] }])) as Record<Lane, LaneInspection>;
}

export function actor(address: number, name: string, some: Partial<ActorInspection> = {}): ActorInspection {
  return { address, name, light: false, state: 'running', mode: 'async', level: 0, counts: countsWith({}), ...some };
}

export function thread(id: number, name: string, some: Partial<ThreadInspection> = {}): ThreadInspection {
  const lanes = lanesWith({});
  return { id, name, state: 'running', incarnation: 1, restarts: 0, turns: 0, hangs: 0, lanes, counters: countersWith({}), actors: [], actorsLeftOut: 0, ...some };
}

export function inspection(threads: readonly ThreadInspection[], some: Partial<Inspection> = {}): Inspection {
  return { takenAtMs: 1_000, phase: 'running', threads, ...some };
}
