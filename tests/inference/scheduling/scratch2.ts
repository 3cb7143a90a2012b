import { VectorCache } from '../../../actors/inference/scheduling/vector-cache.ts';
for (const d of [Number(process.argv[2])]) {
gc!(); gc!(); await new Promise(r=>setTimeout(r,50)); gc!();
const before=process.memoryUsage();
const c=new VectorCache(1e12,d); const n=60000; 
const block=new Float32Array(d*2); let t0=performance.now();
for(let i=0;i<n;i++){ c.set(c.keyOf('text number '+i,undefined)!, {vector:block.subarray(0,d),tokens:5,truncated:false,status:'ok',cached:false}); }
let t1=performance.now();
gc!(); gc!(); await new Promise(r=>setTimeout(r,50)); gc!();
const a=process.memoryUsage();
console.log(d, 'heap/entry', ((a.heapUsed-before.heapUsed)/n).toFixed(0),'arraybuffers',((a.arrayBuffers-before.arrayBuffers)/n).toFixed(0),'rss',((a.rss-before.rss)/n).toFixed(0), 'counted', c.stats.bytes/n, 'us', ((t1-t0)/n*1000).toFixed(2));
}
