import { MODEL, Simulation, replyTo, textOf, tokensOf } from './simulation.ts';
for (const [lo,ratio] of [[4,64],[8,16],[16,16]] as const) {
const mixed = Array.from({ length: 4_000 }, (_, index) => textOf(index, Math.round(lo * ratio ** (((index * 7_919) % 1_000) / 1_000))));
for (const fusedTextsMax of [1,32]) {
  let padded=0,tokens=0,units=0; 
  const worker={embed(texts:readonly string[]){const l=texts.map(tokensOf).sort((a,b)=>a-b); units++; 
   padded+=Math.max(...l)*l.length; tokens+=l.reduce((a,b)=>a+b,0); return Promise.resolve(replyTo(texts));}};
  const s=new Simulation(); await s.scheduler([worker],{model:{...MODEL,fusedTextsMax,fusedTokensMax:2048}}).embed({texts:mixed});
  console.log(lo,ratio,fusedTextsMax,(tokens/padded).toFixed(3),'units',units);
}}
