/** stub */
import { restarts, type Restartable } from './restarts.ts';
const r = await restarts(process.argv[2] as Restartable, Number(process.argv[3]));
for (const s of [r.before, ...r.samples, r.after]) console.log(JSON.stringify(s));
console.log(r.perRestartMs, r.failures);
