// scratch
import { Application } from '../../../kernel/index.ts';
import { echoProtocol } from '../actors/echo.ts';
import { keeperProtocol } from './actors/keeper.ts';
const app = new Application({ root: { module: new URL('./actors/keeper.ts', import.meta.url).href, export: 'keeper' }, maxThreads: 8, logLevel: 'warn' });
await app.started();
const keeper = app.root(keeperProtocol);
const t0 = performance.now();
const kind = process.argv[2] ?? 'process';
const { thread } = await keeper.ask('start', { spec: { name: 'echo', source: { module: new URL('../actors/echo.ts', import.meta.url).href, export: 'echo' }, ...(kind === 'process' ? {process: {}} : {}) }, restarts: 3 }, { deadlineMs: 20000 });
console.log('started', performance.now() - t0);
const echo = await app.resolve('echo', echoProtocol);
console.log(await echo.ask('echo', { text: 'hi' }, { deadlineMs: 2000 }));
for (let round = 0; round < 3; round++) {
  const n = 5000; const t = performance.now();
  for (let i = 0; i < n; i++) await echo.ask('echo', { text: 'x' }, { deadlineMs: 5000 });
  console.log('asks/s one at a time', Math.round(n / (performance.now() - t) * 1000));
}
for (let round = 0; round < 3; round++) {
  const n = 30000; const t = performance.now(); let open = 0; let done = 0;
  await new Promise<void>((resolve) => { const next = () => { while (open < 64 && done + open < n) { open++; void echo.ask('echo', { text: 'x' }, { deadlineMs: 5000 }).then(() => { open--; done++; if (done === n) resolve(); else next(); }); } }; next(); });
  console.log('asks/s 64 at a time', Math.round(n / (performance.now() - t) * 1000));
}
for (let round = 0; round < 3; round++) {
  const n = 200000; const t = performance.now();
  const notes0 = app.block(thread).counters.read('handled');
  for (let i = 0; i < n; i++) { const r = echo.tell('note', { number: i }); if (r < 0) { await new Promise((r) => setImmediate(r)); i--; } }
  await echo.ask('echo', { text: 'x' }, { deadlineMs: 20000 });
  console.log('tells/s', Math.round(n / (performance.now() - t) * 1000));
}
await keeper.ask('stopAll', {}, { deadlineMs: 10000 });
console.log(await keeper.ask('ends', { name: 'echo' }, { deadlineMs: 1000 }));
console.log(app.block(thread).counters.snapshot());
await app.close(5000);
