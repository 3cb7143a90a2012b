import { SmallSystem } from './small-system.ts';
const boxed = process.argv[2] === 'boxed';
const s = await SmallSystem.create();
for (let i = 0; i < Number(process.argv[3] ?? 10); i++) {
  const name = `o${i}`;
  const t = await s.start({ name, process: boxed ? { sandbox: {} } : {} });
  const o = await s.outcast(name);
  for (let number = 0; number < 100; number++) o.tell('note', { number });
  const t0 = performance.now();
  const r = await o.ask('notes', {}, { deadlineMs: 4000 }).then((x) => x.numbers.length, (e) => e.code);
  console.log(name, r, (performance.now() - t0).toFixed(0));
  if (typeof r === 'string') {
    const th = s.application.inspect().threads.find((x) => x.name === name)!;
    console.log(JSON.stringify(th), await s.ends(name));
    console.log(await o.ask('notes', {}, { deadlineMs: 4000 }).then((x) => x.numbers.length, (e) => e.code));
  }
  await s.stop(name);
}
await s.close();
