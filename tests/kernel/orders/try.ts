import { SCENARIOS } from './catalog.ts';
import { playOrder } from './stage.ts';
const [count = '50', only = '', from = '1', trace] = process.argv.slice(2);
process.on('unhandledRejection', (e) => { console.log('UNHANDLED', e); });
for (const s of SCENARIOS.filter((x) => x.name.includes(only))) {
  let bad = 0; let steps = 0; const t = performance.now(); const kinds = new Map<string, number[]>();
  for (let seed = +from; seed < +from + +count; seed++) {
    const r = await playOrder(s, seed, trace !== undefined);
    steps += r.steps;
    if (r.violations.length) { bad++; const k = r.violations[0]!.replace(/\d+/g, '#').slice(0, 300); kinds.set(k, [...(kinds.get(k) ?? []), seed]); if (trace) console.log(r.violations, r.trace.join('\n')); }
  }
  console.log(s.name, 'bad', bad, 'steps', steps, ((performance.now() - t) / +count).toFixed(2), 'ms each');
  for (const [k, seeds] of kinds) console.log('  ', k, seeds.length, seeds.slice(0, 5).join());
}
