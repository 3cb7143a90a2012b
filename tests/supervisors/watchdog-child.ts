/**
 * A process of its own, so that its log can be read: a light actor holds its thread in an endless loop, is let
 * go, and then its thread is held outside of any handler until it is ended. Prints what the system shows meanwhile.
 */
import { until } from '../kernel/condition.ts';
import { LightSystem, ask } from './light-system.ts';

const light = await LightSystem.create({ logLevel: 'warn', hungAfterMs: 500 });
const { system } = light;
const parent = await light.spawn({ id: 'crew', shutdownMs: 100 });
const child = await light.spawnOn(parent);
const isHung = (): boolean => system.readiness().reasons.some(({ code }) => code === 'thread_hung');
const hangs = (): number => system.inspect().threads.find(({ name }) => name === 'crew')!.hangs;

const gate = light.gate();
child.tell('hold', { path: gate.path });
await until(isHung, 'a handler holds its thread');
const [held] = system.readiness().reasons;
await until(() => hangs() === 1, 'it is counted');
gate.open();
await until(() => system.readiness().ready, 'the handler has ended');
await child.ask('notes', {}, ask);

child.tell('holdLater', { path: light.gate().path });
await until(() => hangs() === 2, 'the thread stands still');
const [still] = system.readiness().reasons;
console.log(JSON.stringify({ held, still }));
await system.terminate('crew');
await light.close();
