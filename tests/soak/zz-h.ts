import './compile-cache.ts';
import { mkdtempSync } from 'node:fs';
import { createSystem } from '../../supervisors/index.ts';
import { createModelHost } from '../../actors/inference/hosting/model-host.ts';
import { writeTinyBert } from '../inference/tiny-bert.ts';
import { collected } from './actors/gauge.ts';
const folder = mkdtempSync('/tmp/soak-h/x-');
const paths = [1,2].map((seed)=>writeTinyBert(`${folder}/m${seed}.gguf`,{seed}));
const system = await createSystem({ logLevel: 'error' });
const host = createModelHost(system, { actors: 2, cacheDir: folder, cacheBytes: 65536 });
host.add('a', { model: paths[0]! }); await host.load('a');
const e = host.embedder('a');
for (let i = 0; i < 120; i++) {
  await host.swap('a', { model: paths[(i+1)%2]! });
  await e.embed(Array.from({length:64},(_,k)=>`w${k} w${i%200} `.repeat(1+k)));
  if (i % 10 === 9) { const c = await collected(); const m=process.memoryUsage(); console.log(i+1, 'rss', (m.rss/2**20).toFixed(0), 'heap', (c.heapUsed/2**20).toFixed(2), 'ext', (c.external/2**20).toFixed(1), Math.round(performance.now()/1000)); }
}
await system.close();
console.log('closed', (process.memoryUsage.rss()/2**20).toFixed(0));
