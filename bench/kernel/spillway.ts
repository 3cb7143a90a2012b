/** Our side of the rows between threads: a system with the actors of spillway-actors.ts. */
import { setTimeout as pause } from 'node:timers/promises';
import type { ActorRef, Protocol, ProtocolSpec } from '../../kernel/index.ts';
import { createSystem, type System } from '../../supervisors/index.ts';
import type { Contestant } from './child.ts';
import { residentMb } from './gauges.ts';
import * as actors from './spillway-actors.ts';
import { OVERLOAD_HANDLER_US } from './task.ts';

const SPARE_MS = 30_000;
const LOOK_MS = 5;
/** Counters that have not moved for this long are at rest: an actor of these is never idle for so long. */
const QUIET_MS = 100;

export const spillway: Contestant = {
  flow: ({ count }) => inSystem(async (system) => {
    await start(system, 'sink', 'sink', actors.sinkProtocol);
    const source = await start(system, 'source', 'source', actors.sourceProtocol);
    return { messages: count, ...(await source.ask('pump', { count }, { deadlineMs: SPARE_MS })) };
  }),

  trips: ({ way, count }) => inSystem(async (system) => {
    const isParked = way === 'Spillway';
    await start(system, 'echoer', isParked ? 'parkedEchoer' : 'echoer', actors.echoerProtocol);
    const caller = await start(system, 'caller', isParked ? 'parkedCaller' : 'caller', actors.callerProtocol);
    const { roundTripsUs } = await caller.ask('call', { count }, { deadlineMs: SPARE_MS });
    return { roundTripsUs: Array.from(roundTripsUs) };
  }),

  control: ({ seconds }) => inSystem(async (system) => {
    const patient = await start(system, 'patient', 'patient', actors.patientProtocol);
    const flood = await start(system, 'flood', 'flood', actors.floodProtocol);
    const commander = await start(system, 'commander', 'commander', actors.commanderProtocol);
    const deadlineMs = seconds * 1_000 + SPARE_MS;
    // The flood is there a little before and after the commands.
    const flooded = flood.ask('flood', { seconds: seconds + 1 }, { deadlineMs });
    while (system.counters('flood', actors.FLOOD_COUNTERS).refused === 0) await pause(LOOK_MS);
    let queuedMin = Infinity;
    const look = setInterval(() => {
      // In this order, so that what is taken between the two looks is not counted as waiting.
      const { accepted } = system.counters('flood', actors.FLOOD_COUNTERS);
      queuedMin = Math.min(queuedMin, accepted - system.counters('patient', actors.PATIENT_COUNTERS).taken);
    }, LOOK_MS);
    const { sent, refused } = await commander.ask('command', { seconds }, { deadlineMs });
    clearInterval(look);
    await flooded;
    const { handled, ...late } = await patient.ask('report', {}, { deadlineMs });
    return { ...late, sent: sent + refused, shed: sent + refused - handled, queuedMin };
  }),

  overload: ({ seconds, times }) => inSystem(async (system) => {
    await start(system, 'worker', 'worker', actors.workerProtocol);
    const offerer = await start(system, 'offerer', 'offerer', actors.offererProtocol);
    const idleRssMb = residentMb().now;
    const perSecond = (times * 1e6) / OVERLOAD_HANDLER_US;
    const { offered, refused } = await offerer.ask('offer', { seconds, perSecond }, { deadlineMs: seconds * 1_000 + SPARE_MS });
    const accepted = offered - refused;
    const { handled, total } = settledOf(system);
    const { peak: peakRssMb } = residentMb();
    const account = { accepted, ...(await quiet(system)), queued: 0 };
    return { offered, refused, handled, queued: accepted - total, account, idleRssMb, peakRssMb };
  }),
};

async function inSystem<T>(run: (system: System) => Promise<T>): Promise<T> {
  const system = await createSystem();
  try {
    return await run(system);
  } finally {
    await system.close();
  }
}

function start<Spec extends ProtocolSpec>(system: System, id: string, name: keyof typeof actors, protocol: Protocol<Spec>): Promise<ActorRef<Spec>> {
  const module = new URL('./spillway-actors.ts', import.meta.url).href;
  return system.spawn({ id, start: { module, export: name }, restart: 'temporary' }, protocol);
}

interface Settled {
  readonly handled: number;
  readonly others: Readonly<Record<string, number>>;
  readonly total: number;
}

/** What the worker's messages have come to so far. */
function settledOf(system: System): Settled {
  const { handled, refused: _, telemetryLost: __, ...others } = system.health('worker').counters;
  const found = Object.entries(others).filter(([, count]) => count > 0);
  return { handled, others: Object.fromEntries(found), total: found.reduce((sum, [, count]) => sum + count, handled) };
}

/** The same once nothing moves any more: the worker takes what waits, so nothing does then. */
async function quiet(system: System): Promise<Pick<Settled, 'handled' | 'others'>> {
  for (let before = settledOf(system); ;) {
    await pause(QUIET_MS);
    const after = settledOf(system);
    if (after.total === before.total) return { handled: after.handled, others: after.others };
    before = after;
  }
}
