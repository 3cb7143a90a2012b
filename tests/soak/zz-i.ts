import { mkdtempSync } from 'node:fs';
import { Worker, isMainThread, workerData } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';
import { llamaBackend } from '../../actors/inference/llama/llama-backend.ts';
import { writeTinyBert } from '../inference/tiny-bert.ts';
async function life(path: string) {
  const b = await llamaBackend.load(path);
  await b.embed(Array.from({length:40},(_,k)=>`w${k} w${k+1} `.repeat(1+k*4)),{cancelled:()=>false,deadlineMs:Infinity});
  await b.close();
}
if (!isMainThread) { await life(workerData as string); }
else {
  const folder = mkdtempSync('/tmp/soak-h/x-');
  const path = writeTinyBert(`${folder}/m.gguf`,{seed:1});
  const mode = process.argv[2]; const N=Number(process.argv[3]);
  for (let i=1;i<=N;i++) {
    if (mode==='main') await life(path);
    else await new Promise((r,j)=>{const w=new Worker(fileURLToPath(import.meta.url),{workerData:path}); w.on('exit',r); w.on('error',j);});
    if (i%10===0) { globalThis.gc!(); console.log(mode,i,(process.memoryUsage.rss()/2**20).toFixed(0)); }
  }
}
