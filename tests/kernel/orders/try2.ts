import { SCENARIOS } from './catalog.ts';
import { playOrder } from './stage.ts';
const s = SCENARIOS.find((x) => x.name === process.argv[2])!;
const rows: [number, number, number][] = [];
for (let seed = 1; seed <= 100; seed++) { const t = performance.now(); const r = await playOrder(s, seed); rows.push([performance.now() - t, seed, r.steps]); }
rows.sort((a, b) => b[0] - a[0]); console.log(rows.slice(0, 6), rows[50]);
