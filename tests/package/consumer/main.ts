/** An application of somebody else's project: it spawns an actor of its own, asks it, and closes. */
import { SpillwayError, createSystem, siblingModule, type ChildSpec, type EmbedderOptions } from 'spillway';
import type { ActorRef } from 'spillway/kernel';
import { DEFAULT_FLAGS } from 'spillway/supervisors';
import { counterProtocol, type CounterArgs } from './counter.ts';

const args: CounterArgs = { from: 40 };
const spec: ChildSpec = { id: 'counter', start: { module: siblingModule('counter', import.meta.url), export: 'counter', args } };
// Only for the compiler: the options of the embedder are part of the package's types.
export const embedderOptions: EmbedderOptions = { actors: 1, truncate: 'right' };

const system = await createSystem({ supervisor: { intensity: DEFAULT_FLAGS.intensity } });
const counter: ActorRef<typeof counterProtocol.spec> = await system.spawn(spec, counterProtocol);
const { total, thread } = await counter.ask('add', { by: 2 }, { deadlineMs: 10_000 });
const refused = await counter.ask('add', { by: 0 }, { deadlineMs: 10_000 }).catch((error: unknown) => error);
await system.close();

console.log(
  JSON.stringify({
    total,
    isOnThread: thread > 0,
    refusedWith: refused instanceof SpillwayError ? refused.code : String(refused),
    door: import.meta.resolve('spillway'),
  }),
);
