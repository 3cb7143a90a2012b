import { SmallSystem, ECHO } from './small-system.ts';
import { echoProtocol } from '../actors/echo.ts';
const system = await SmallSystem.create();
await system.start({ name: 'echo', source: ECHO });
const echo = await system.application.resolve('echo', echoProtocol);
await echo.ask('fail', { code: '' }, { deadlineMs: 3000 }).catch((e) => console.log(e.code, e.message));
await new Promise((r) => setTimeout(r, 1500));
console.log(await system.ends('echo'));
await system.close();
