import { run } from './inference.ts';
const [rows, rounds, seconds] = process.argv.slice(2);
const at = performance.now();
await run({ rows: rows!.split(','), print: console.log, ...(rounds ? { rounds: Number(rounds) } : {}), ...(seconds ? { seconds: Number(seconds) } : {}) });
console.log(`${((performance.now() - at) / 1000).toFixed(0)} s`);
