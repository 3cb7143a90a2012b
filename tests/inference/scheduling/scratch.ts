import { EmbedScheduler } from '../../../actors/inference/scheduling/index.ts';
import { systemClock } from '../../../kernel/index.ts';
const d=256;
const worker={embed:(texts:readonly string[])=>Promise.resolve({vectors:new Float32Array(texts.length*d),dimensions:d,sha256:'x',outcomes:texts.map(()=>({status:'ok' as const,tokens:20,truncated:false}))})};
const n=200_000;
const texts=Array.from({length:n},(_, i)=>`the quick brown fox jumps over the lazy dog number ${i} and goes home after that to sleep a bit`);
async function run(name:string, opts:object, req:object, list=texts, chunk=Infinity, fused=1){
  const s=new EmbedScheduler({workers:[worker,worker],model:{sha256:'x',dimensions:d,tokensMax:512,fusedTextsMax:fused,fusedTokensMax:2048},clock:systemClock,limits:{bulk:{textsMax:1e7,bytesMax:1e10}},...opts});
  if ((req as any).warm) await s.embed({texts:list,priority:'bulk'});
  const t=performance.now(); const c0=process.threadCpuUsage(); const sync:number[]=[];
  if(chunk===Infinity){ const p=s.embed({texts:list,priority:'bulk',...req}); {const q=process.threadCpuUsage(c0); sync.push((q.user+q.system)/1000);} await p; }
  else { const ps=[]; for(let i=0;i<list.length;i+=chunk) ps.push(s.embed({texts:list.slice(i,i+chunk),priority:'bulk',...req})); await Promise.all(ps);}
  const c=process.threadCpuUsage(c0); const ms=(c.user+c.system)/1000;
  console.log(name.padEnd(40),(ms/list.length*1000).toFixed(2),'us/text', Math.round(list.length/ms*1000),'texts/s','sync',sync[0]?.toFixed(2), 'units', s.stats.units.sent, 'hits', s.stats.cache.hits);
}
{const s=new EmbedScheduler({workers:[{embed:()=>new Promise(()=>{})}],model:{sha256:'x',dimensions:d,tokensMax:512,fusedTextsMax:1,fusedTokensMax:2048},clock:systemClock,limits:{bulk:{textsMax:1e7,bytesMax:1e10}}});
const a=new AbortController(); const list=Array.from({length:1e6},(_, i)=>'text number '+i); let c=process.threadCpuUsage(); const p=s.embed({texts:list,priority:'bulk',signal:a.signal}); let q=process.threadCpuUsage(c); console.log('1M submit cpu ms',(q.user+q.system)/1000); await new Promise(r=>setTimeout(r,20)); c=process.threadCpuUsage(); a.abort(); q=process.threadCpuUsage(c); console.log('1M abort cpu ms',(q.user+q.system)/1000); await p;}
for (let k=0;k<2;k++){
// the worker alone
let t=performance.now(); for(let i=0;i<n;i+=32) await worker.embed(texts.slice(i,i+32)); console.log('worker alone', ((performance.now()-t)/n*1000).toFixed(2));
await run('uncached, cache off', {cacheBytes:0},{});
await run('uncached, cache on 64MB', {},{});
await run('uncached, cache on 1GB', {cacheBytes:1e9},{});
await run('all cached', {cacheBytes:1e9},{warm:true});
await run('fused, cache off', {cacheBytes:0},{},texts,Infinity,32);
await run('requests of 32', {cacheBytes:0},{},texts,32);
await run('requests of 1', {cacheBytes:0},{},texts,1);
await run('30% duplicates, cache off', {cacheBytes:0},{},texts.map((x,i)=>i%10<3?texts[i%1000]!:x));
}
