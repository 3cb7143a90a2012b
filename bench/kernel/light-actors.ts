/**
 * Our side of the rows on one thread: light actors, which a nursery spawns on its own thread.
 *
 *   local   source ── reading ──> sink
 *   crowd   nursery ── token ──> actor ──> actor ──> … ──> nursery
 */
import { defineActor, defineProtocol, type ActorRef } from '../../kernel/index.ts';
import { createSystem } from '../../supervisors/index.ts';
import type { Contestant } from './child.ts';
import { liveBytes, nowUs, residentMb } from './gauges.ts';
import { READING_SCHEMA, Tally, checkTally, makeReading } from './reading.ts';
import { warmUpOf } from './task.ts';

const DEADLINE_MS = 60_000;
const FLOAT = { type: 'float64' } as const;

const sinkProtocol = defineProtocol('sink', { reading: { request: READING_SCHEMA } });

/** What has come to the sink; whoever waits for all of it is on the same thread. */
interface Desk {
  tally: Tally;
}

const sink = defineActor({
  protocol: sinkProtocol,
  start: (_, desk: Desk) => ({ handlers: { reading: (reading) => desk.tally.add(reading) } }),
});

const sourceProtocol = defineProtocol('source', { pump: { request: { properties: { count: { type: 'uint32' } } }, reply: { properties: {} } } });

const source = defineActor({
  protocol: sourceProtocol,
  start(_, { to }: { readonly to: ActorRef<typeof sinkProtocol.spec> }) {
    return {
      handlers: {
        async pump({ count }) {
          for (let id = 0; id < count; id++) {
            const reading = makeReading(id);
            if (to.tell('reading', reading) < 0) await to.send('reading', reading, { deadlineMs: DEADLINE_MS });
          }
          return {};
        },
      },
    };
  },
});

const tokenProtocol = defineProtocol('token', { token: { request: { properties: { hops: { type: 'uint32' } } } } });
type TokenRef = ActorRef<typeof tokenProtocol.spec>;

const passer = defineActor({
  protocol: tokenProtocol,
  start: (_, { next }: { readonly next: TokenRef }) => ({ handlers: { token: ({ hops }) => passOn(next, hops + 1) } }),
});

const finish = defineActor({
  protocol: tokenProtocol,
  start: (_, onLap: (hops: number) => void) => ({ handlers: { token: ({ hops }) => onLap(hops) } }),
});

function passOn(next: TokenRef, hops: number): void {
  if (next.tell('token', { hops }) < 0) throw new Error('an idle actor refused a token');
}

const nurseryProtocol = defineProtocol('nursery', {
  local: { request: { properties: { count: { type: 'uint32' } } }, reply: { properties: { elapsedMs: FLOAT } } },
  crowd: {
    request: { properties: { actors: { type: 'uint32' }, laps: { type: 'uint32' } } },
    reply: { properties: { spawnedPerSecond: FLOAT, liveBytesPerActor: FLOAT, residentBytesPerActor: FLOAT, hopsPerSecond: FLOAT } },
  },
});

export const nursery = defineActor({
  protocol: nurseryProtocol,
  start(context) {
    return {
      handlers: {
        async local({ count }) {
          const desk = { tally: new Tally() };
          const to = context.spawn(sink, desk);
          const from = context.spawn(source, { to });
          const round = async (readings: number): Promise<number> => {
            desk.tally = new Tally();
            const all = desk.tally.reached(readings);
            const startedAtUs = nowUs();
            await from.ask('pump', { count: readings }, { deadlineMs: DEADLINE_MS });
            await all;
            checkTally(desk.tally, readings);
            return (nowUs() - startedAtUs) / 1e3;
          };
          await round(warmUpOf(count));
          return { elapsedMs: await round(count) };
        },

        async crowd({ actors, laps }) {
          let onLap: (hops: number) => void = () => {};
          const end = context.spawn(finish, (hops: number) => onLap(hops));
          const liveBefore = liveBytes();
          const residentBefore = residentMb().now;
          const startedAtUs = nowUs();
          let first = end;
          for (let actor = 0; actor < actors; actor++) first = context.spawn(passer, { next: first });
          const spawnUs = nowUs() - startedAtUs;
          const liveAfter = liveBytes();
          const residentAfter = residentMb().now;
          const lapUs: number[] = [];
          for (let lap = 0; lap < laps; lap++) {
            const lapAtUs = nowUs();
            const { promise, resolve } = Promise.withResolvers<number>();
            onLap = resolve;
            passOn(first, 0);
            const hops = await promise;
            if (hops !== actors) throw new Error(`the token made ${hops} hops, not ${actors}`);
            lapUs.push(nowUs() - lapAtUs);
          }
          return {
            spawnedPerSecond: (actors / spawnUs) * 1e6,
            liveBytesPerActor: (liveAfter - liveBefore) / actors,
            residentBytesPerActor: ((residentAfter - residentBefore) * 2 ** 20) / actors,
            hopsPerSecond: (actors / Math.min(...lapUs)) * 1e6,
          };
        },
      },
    };
  },
});

export const lightActors: Contestant = {
  local: ({ count }) => inNursery(async (nursery) => ({ messages: count, ...(await nursery.ask('local', { count }, { deadlineMs: DEADLINE_MS })) })),
  crowd: ({ actors, laps }) => inNursery((nursery) => nursery.ask('crowd', { actors, laps }, { deadlineMs: DEADLINE_MS })),
};

async function inNursery<T>(run: (nursery: ActorRef<typeof nurseryProtocol.spec>) => Promise<T>): Promise<T> {
  const system = await createSystem();
  try {
    const start = { module: import.meta.url, export: 'nursery' };
    return await run(await system.spawn({ id: 'nursery', start, restart: 'temporary' }, nurseryProtocol));
  } finally {
    await system.close();
  }
}
