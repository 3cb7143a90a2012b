import { tinyLlamaModel } from './models/tiny-llama.ts';
import { getLlama } from 'node-llama-cpp';
const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, progressLogs: false, maxThreads: 1 });
for (const [size, type] of [['tiny', 'F32'], ['tiny', 'Q8_0'], ['small', 'Q8_0']] as const) {
  const path = tinyLlamaModel({ folder: '/tmp/gen', size, type });
  const model = await llama.loadModel({ modelPath: path, gpuLayers: 0, useMmap: true, checkTensors: true });
  const N = 4;
  for (const mode of ['batched', 'alone'] as const) for (const fa of [true, false]) {
    const ctx = await model.createContext({ contextSize: 256, sequences: N, batchSize: 64 * N, threads: 1, flashAttention: fa,
      ...(mode === 'alone' ? { batching: { itemPrioritizationStrategy: ({ items, size }: any) => [{ item: items[0], processAmount: Math.min(size, items[0].tokens.length) }] } } : {}) });
    const seqs = Array.from({ length: N }, () => ctx.getSequence());
    const bos = model.tokens.bos!;
    async function gen(seq: any, prompt: string, n: number, opts: any) {
      const toks = [bos, ...model.tokenize(prompt, false)];
      const out: number[] = [];
      for await (const t of seq.evaluate(toks, { ...opts, yieldEogToken: true })) { out.push(t); if (out.length >= n) break; }
      await seq.clearHistory();
      return out;
    }
    const rounds = size === 'small' ? 4 : 40;
    for (const opts of [{ temperature: 0 }, { temperature: 1, seed: 7 }]) {
      let same = 0, total = 0, one = 0, four = 0;
      for (let k = 0; k < rounds; k++) {
        const prompts = Array.from({ length: N }, (_, i) => `prompt ${k} number ${i}` + 'x'.repeat(i * 3));
        const alone: number[][] = [];
        let t = performance.now();
        for (const p of prompts) alone.push(await gen(seqs[0], p, 100, opts));
        one += performance.now() - t; t = performance.now();
        const together = await Promise.all(prompts.map((p, i) => gen(seqs[i], p, 100, opts)));
        four += performance.now() - t;
        for (let i = 0; i < N; i++) { total++; if (JSON.stringify(alone[i]) === JSON.stringify(together[i])) same++; }
      }
      console.log(size, type, mode, 'fa', fa, opts.temperature, 'same', same, 'of', total, 'tok/s one', Math.round(total * 100 / one * 1000), 'four', Math.round(total * 100 / four * 1000));
    }
    await ctx.dispose();
  }
  await model.dispose();
}
await llama.dispose();
