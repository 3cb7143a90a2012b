import { createSystem } from '../../../supervisors/index.ts';
import { outcastProtocol } from './actors/outcast.ts';
import { OUTCAST } from './small-system.ts';
const boxed = process.argv[2] === 'boxed';
for (let i = 0; i < Number(process.argv[3] ?? 10); i++) {
  const s = await createSystem({ logLevel: 'error' });
  const o = await s.spawn({ id: 'boxed', start: OUTCAST, placement: 'process', process: boxed ? { sandbox: {} } : {} }, outcastProtocol);
  let bad = 0;
  for (let number = 0; number < 100; number++) if (o.tell('note', { number }) !== 0) bad++;
  const t0 = performance.now();
  const r = await o.ask('notes', {}, { deadlineMs: 4000 }).then((x) => x.numbers.length, (e) => e.code);
  console.log(i, r, bad, (performance.now() - t0).toFixed(0));
  if (typeof r === 'string') {
    console.log(JSON.stringify(s.inspect(), null, 1).slice(0, 6000));
    console.log(await o.ask('notes', {}, { deadlineMs: 4000 }).then((x) => x.numbers.length, (e) => e.code));
  }
  await s.close();
}
