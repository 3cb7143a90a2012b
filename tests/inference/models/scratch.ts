import { execFileSync } from 'node:child_process';
import { miniLmModel, textOfTokens } from '../../../bench/models/minilm.ts';
import { estimateGgufMemory } from '../../../actors/inference/models/memory-estimate.ts';
import { writeTinyBert, tinyText } from '../tiny-bert.ts';
const tiny = writeTinyBert('/tmp/e/tiny.gguf');
const mini = miniLmModel();
for (const [name, path, text] of [['tiny', tiny, tinyText], ['mini', mini, textOfTokens], ['v30k', '/tmp/e/vocab-30000.gguf', tinyText], ['v120k', '/tmp/e/vocab-120000.gguf', tinyText]] as const)
  for (const tokensMax of [127, 511]) {
    const texts = [text(16, 1), text(63, 2), text(tokensMax, 3)];
    const out = execFileSync(process.execPath, ['--conditions=spillway-src', new URL('./memory-process.ts', import.meta.url).pathname, path, '3', String(tokensMax), ...texts], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const m = JSON.parse(out) as { anonymous: number; pss: number }[];
    const e = estimateGgufMemory(path, { tokensMax });
    console.log(name, tokensMax, 'estimate', (e.actorBytes / 1e6).toFixed(0), 'each', m.map((x) => (x.anonymous / 1e6).toFixed(0)).join(' '), 'pss', m.map((x) => (x.pss / 1e6).toFixed(0)).join(' '), 'ratio', m.slice(1).map((x) => (x.anonymous / e.actorBytes).toFixed(2)).join(' '));
  }
