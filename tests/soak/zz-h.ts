import { mkdtempSync } from 'node:fs';
import { getLlama } from 'node-llama-cpp';
import { seededRandom } from '../../kernel/index.ts';
import { soakTexts } from './inference-texts.ts';
import { llamaBackend } from '../../actors/inference/llama/llama-backend.ts';
import { tinyBert } from '../inference/tiny-bert.ts';
import { writeGguf } from '../../actors/inference/gguf/writer.ts';
function write(path:string, seed:number, scale:number, over:object={}){const {metadata,tensors}=tinyBert({seed,...over});writeGguf(path,{metadata,tensors:tensors.map((t)=>t.dims.length===1?t:({...t,values:()=>(t.values() as Float32Array).map((x:number)=>x*scale)}))});return path;}
const folder = mkdtempSync('/tmp/soak-h/x-');
const texts = soakTexts(seededRandom(1).fork('texts')).good.map(({text})=>text);
const llama = await getLlama({ gpu: false, build: 'never', progressLogs: false, maxThreads: 1 });
for (const [seed,scale,over] of [[1,.06,{}],[99,.06,{blockCount:6,embeddingLength:384,feedForwardLength:1536}]] as const) {
  const path = write(`${folder}/m${seed}-${scale}.gguf`,seed,scale,over);
  const model = await llama.loadModel({ modelPath: path });
  const ways: Record<string, Float32Array[]> = {};
  for (const fa of [false,true]) {
    const ctx = await model.createEmbeddingContext({ threads: 1, ...(fa?{flashAttention:true} as object:{}) });
    ways['lib fa='+fa] = [];
    for (const t of texts) { const v = (await ctx.getEmbeddingFor(t)).vector; const l=Math.hypot(...v); ways['lib fa='+fa]!.push(Float32Array.from(v, x=>x/l)); }
    await ctx.dispose();
  }
  for (const min of [0, Infinity, undefined]) {
    const b = await llamaBackend.load(path, min===undefined?{}:{flashAttentionTokensMin:min});
    const r = await b.embed(texts,{cancelled:()=>false,deadlineMs:Infinity});
    ways['backend '+min] = texts.map((_,i)=>r.vectors.subarray(i*r.dimensions,(i+1)*r.dimensions));
    await b.close();
  }
  {const b=ways['lib fa=false']!; let near=9; for(let i=0;i<b.length;i++)for(let j=0;j<i;j++){let d=0;for(let k=0;k<b[i]!.length;k++)d+=(b[i]![k]!-b[j]![k]!)**2; near=Math.min(near,Math.sqrt(d));} console.log('nearest',near);}
  const names = Object.keys(ways);
  const base = ways[names[0]!]!;
  for (const n of names) { const ds = ways[n]!.map((v,i)=>v.reduce((s,x,j)=>s+x*base[i]![j]!,0)); const worst=Math.min(...ds); const at=ds.indexOf(worst); console.log(seed, scale, n, worst.toFixed(6), 'len', texts[at]!.split(' ').length+2, ds.filter(x=>x<.9999).length); }
}
