import { seededRandom } from '../../../kernel/index.ts';
import { FaultSource } from './faults.ts';
import { randomShape } from './shape.ts';
import { Trial } from './trial.ts';
const seeds=Number(process.argv[2]??1), faults=Number(process.argv[3]??100), first=Number(process.argv[4]??0), sups=Number(process.argv[5]??83);
for (let seed=first; seed<first+seeds; seed++){
  const t0=performance.now();
  const random=seededRandom(seed);
  const shape=randomShape(random.fork('shape'), sups);
  const source=new FaultSource(random.fork('faults'), shape);
  const trial=await Trial.begin(shape);
  let n=0; let last;
  for(;n<faults && trial.divergences.length===0;n++){ last=source.next(); await trial.apply(last); }
  if(trial.divergences.length===0) await trial.finish();
  console.log(seed, n, trial.starts, trial.escalations, trial.trees, shape.specs.size, Math.round(performance.now()-t0)+'ms');
  if(trial.divergences.length) { console.log(JSON.stringify(last)); console.log(trial.divergences.join('\n')); }
}
