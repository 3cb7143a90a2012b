import { mkdtempSync } from 'node:fs';
import { createEmbedder } from '../actors/index.ts';
import { createSystem } from '../supervisors/index.ts';
import { tinyOnnx, tinyOnnxText } from './models/onnx-minilm.ts';
import { miniLmModel, textOfTokens } from './models/minilm.ts';
const d1 = mkdtempSync('/tmp/bench-g/a'), d2 = mkdtempSync('/tmp/bench-g/b');
const a = tinyOnnx(d1, { seed: 1 }).gguf, b = tinyOnnx(d2, { seed: 2 }).gguf;
const system = await createSystem();
const e = await createEmbedder(system, { model: a, actors: 2 });
const [va] = await e.embed([tinyOnnxText(9)]);
for (let i = 0; i < 6; i++) { const at = performance.now(); const r = await e.swap({ model: i % 2 ? a : b }); console.log((performance.now() - at).toFixed(0), r.loadMs.toFixed(0), r.to.sha256.slice(0, 6)); const [v] = await e.embed([tinyOnnxText(9)]); console.log(v!.reduce((s, x, k) => s + x * va![k]!, 0)); }
await system.close();
