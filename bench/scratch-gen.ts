import { tinyLlamaModel } from './models/tiny-llama.ts';
import { checkGgufHeader } from '../actors/inference/gguf/header.ts';
import { getLlama, LlamaGrammarEvaluationState } from 'node-llama-cpp';
const path = tinyLlamaModel({ folder: '/tmp/gen' });
console.log(path, checkGgufHeader(path, 'generate'));
const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, progressLogs: false, maxThreads: 1 });
const model = await llama.loadModel({ modelPath: path, gpuLayers: 0, useMmap: true, checkTensors: true });
const N = 4;
const ctx = await model.createContext({ contextSize: 256, sequences: N, batchSize: 64 * N, threads: 1 });
const seqs = Array.from({ length: N }, () => ctx.getSequence());
const bos = model.tokens.bos!;
console.log('bos', bos, model.tokens.shouldPrependBosToken);
async function gen(seq: any, prompt: string, n: number, opts: any) {
  const toks = [bos, ...model.tokenize(prompt, false)];
  const out: number[] = [];
  for await (const t of seq.evaluate(toks, { ...opts, yieldEogToken: true })) { out.push(t); if (out.length >= n) break; }
  await seq.clearHistory();
  return out;
}
for (const opts of [{ temperature: 0 }, { temperature: 1, seed: 7 }]) {
  let same = 0, total = 0;
  for (let k = 0; k < 10; k++) {
    const prompts = Array.from({ length: N }, (_, i) => `prompt ${k} number ${i}` + 'x'.repeat(i * 3));
    const alone = [];
    for (const p of prompts) alone.push(await gen(seqs[0], p, 100, opts));
    const together = await Promise.all(prompts.map((p, i) => gen(seqs[i], p, 100, opts)));
    for (let i = 0; i < N; i++) { total++; if (JSON.stringify(alone[i]) === JSON.stringify(together[i])) same++; }
  }
  console.log(opts, 'same', same, 'of', total);
}
const a = await gen(seqs[0], 'hello', 60, { temperature: 0 });
console.log(JSON.stringify(model.detokenize(a as any)));
const b = await gen(seqs[0], 'hello', 60, { temperature: 1, seed: 3 });
console.log(JSON.stringify(model.detokenize(b as any)));
const grammar = await llama.createGrammarForJsonSchema({ type: 'object', properties: { a: { enum: ['é日😀', 'x'] }, n: { type: 'integer' }, b: { type: 'boolean' } } } as any);
console.log(grammar.grammar);
const st = new LlamaGrammarEvaluationState({ model, grammar });
const c = await gen(seqs[0], 'hello', 200, { temperature: 1, seed: 3, grammarEvaluationState: st });
console.log(c.length, JSON.stringify(model.detokenize(c as any)), model.isEogToken(c.at(-1) as any));
let t0 = performance.now(); await gen(seqs[0], 'hello', 200, { temperature: 0 }); console.log('tok/s', 200 / (performance.now() - t0) * 1000);
t0 = performance.now(); await Promise.all(seqs.map((s) => gen(s, 'hello', 200, { temperature: 0 }))); console.log('tok/s x4', 800 / (performance.now() - t0) * 1000);
await ctx.dispose(); await model.dispose(); await llama.dispose();
