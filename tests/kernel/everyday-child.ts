/** A process of its own with nothing in it but a system: prints the answer that it has waited for, closes, and has to end by itself. */
import { createSystem } from '../../supervisors/index.ts';
import { everydayProtocol } from './actors/everyday.ts';

const system = await createSystem({ logLevel: 'error' });
const actor = await system.spawn({ id: 'worker', start: { module: new URL('./actors/everyday.ts', import.meta.url).href, export: 'parkedEveryday' } }, everydayProtocol);
await actor.ask('hold', {}, { deadlineMs: 20_000 });
const { number } = await actor.ask('echo', { number: 42 }, { deadlineMs: 20_000 });
console.log(number);
await system.close();
