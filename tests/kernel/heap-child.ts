/** A process of its own whose worker fills its heap: prints how the ask ended, and what the worker's next life answers. */
import { createSystem } from '../../supervisors/index.ts';
import { everydayProtocol } from './actors/everyday.ts';

const ask = { deadlineMs: 30_000 };
const system = await createSystem({ logLevel: 'error', supervisor: { backoff: { minMs: 1, maxMs: 5, jitter: 0 } } });
const actor = await system.spawn(
  { id: 'worker', start: { module: new URL('./actors/everyday.ts', import.meta.url).href, export: 'everyday' }, resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 } },
  everydayProtocol,
);
const outcome = await actor.ask('fillHeap', { kind: 'objects' }, ask).then(() => 'answered', (error: { code: string }) => error.code);
const next = await actor.ask('echo', { number: 1 }, ask);
console.log(JSON.stringify({ outcome, incarnation: next.incarnation }));
await system.close();
