import { execFileSync } from 'node:child_process';
import { writeGguf } from '../../../actors/inference/gguf/writer.ts';
import { bertMetadata } from '../../../actors/inference/gguf/bert-metadata.ts';
import { bertTensors } from '../../../actors/inference/gguf/bert-shape.ts';
import { tinyText } from '../tiny-bert.ts';
for (const vocabularySize of [1000, 30_000, 120_000]) {
  const shape = { blockCount: 2, embeddingLength: 64, feedForwardLength: 128, contextLength: 512, vocabularySize, tokenTypeCount: 2 };
  const tokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ...Array.from({ length: vocabularySize - 5 }, (_, i) => `▁w${i}`)];
  const path = `/tmp/e/vocab-${vocabularySize}.gguf`;
  writeGguf(path, { metadata: bertMetadata({ ...shape, name: 'v', headCount: 4, layerNormEpsilon: 1e-12, pooling: 'mean', fileType: 7, tokens }),
    tensors: bertTensors(shape).map(({ name, dims }) => ({ name, dims, type: dims.length === 1 || name === 'token_types.weight' ? ('F32' as const) : ('Q8_0' as const), values: () => { const v = new Float32Array(dims.reduce((a, b) => a * b, 1)); return dims.length === 1 ? v.fill(1) : v.map(() => Math.random() - 0.5); } })) });
  for (const tokensMax of [511]) for (const threads of [1, 2, 3]) for (const both of [false, true]) {
    const texts = both ? [tinyText(16, 1), tinyText(63, 2), tinyText(tokensMax, 3)] : [tinyText(16, 1)];
    const out = execFileSync(process.execPath, ['--conditions=spillway-src', new URL('./memory-process.ts', import.meta.url).pathname, path, String(threads), String(tokensMax), ...texts], { encoding: 'utf8' });
    const m = JSON.parse(out);
    console.log(vocabularySize, 'tokensMax', tokensMax, 'threads', threads, both ? 'both routes' : 'short only', Object.entries(m).map(([k, v]) => `${k} ${((v as number) / 1e6).toFixed(1)}`).join(' '));
  }
}
