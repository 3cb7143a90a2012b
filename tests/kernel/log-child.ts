/** A process of its own for a flood of log lines, so that they can be counted: prints the health of the actor that logs. */
import { createSystem } from '../../supervisors/index.ts';
import { FLOOD_LINES, echoProtocol } from './actors/echo.ts';

const system = await createSystem();
const module = new URL('./actors/echo.ts', import.meta.url).href;
const actor = await system.spawn({ id: 'logger', start: { module, export: 'echo' } }, echoProtocol);
await actor.ask('logMuch', { lines: FLOOD_LINES }, { deadlineMs: 20_000 });
console.log(JSON.stringify(system.health('logger')));
await system.close();
