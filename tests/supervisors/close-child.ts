/** A process of its own that starts a system and closes it. Nothing ends it but an empty event loop. */
import { createSystem } from '../../supervisors/index.ts';
import { echoProtocol } from '../kernel/actors/echo.ts';

const system = await createSystem();
const module = new URL('../kernel/actors/echo.ts', import.meta.url).href;
for (const id of ['a', 'b']) {
  const actor = await system.spawn({ id, start: { module, export: 'echo' } }, echoProtocol);
  await actor.ask('echo', { text: id }, { deadlineMs: 20_000 });
}
await system.close();
console.log('closed');
