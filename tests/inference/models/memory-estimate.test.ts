import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { estimateGgufMemory, estimateMemory } from '../../../actors/inference/models/memory-estimate.ts';
import { writeTinyLlama } from '../../../bench/models/tiny-llama.ts';
import { tinyText, writeTinyBert } from '../tiny-bert.ts';
import { writeMiniLmShaped } from './minilm-shaped.ts';

let folder: string;
let tiny: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'spillway-memory-'));
  tiny = writeTinyBert(join(folder, 'tiny.gguf'));
});
afterAll(() => { rmSync(folder, { recursive: true, force: true }); });

/** What the memory of a thread may be over its estimate, and under it: V8 and malloc keep more or less at their own will. */
const OVER_MAX = 1.4;
const UNDER_MIN = 0.6;

describe.runIf(process.platform === 'linux')('the estimate of an actor, held against real threads', () => {
  it.each([
    ['of a tiny model', () => tiny, 511],
    ['of a model in the shape of MiniLM, texts up to 128 tokens', () => writeMiniLmShaped(join(folder, 'mini.gguf')), 127],
  ] as const)('%s is near what it takes when all its ways are used', async (_, model, tokensMax) => {
    const path = model();
    const program = fileURLToPath(new URL('./memory-process.ts', import.meta.url));
    const texts = [tinyText(16, 1), tinyText(63, 2), tinyText(tokensMax, 3)];
    const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, program, path, '2', String(tokensMax), ...texts]);
    const measured = JSON.parse(stdout) as { anonymous: number; pss: number }[];
    const { actorBytes, totalBytes } = estimateGgufMemory(path, { tokensMax, actors: 2 });
    for (const { anonymous } of measured) {
      expect(anonymous / actorBytes).toBeGreaterThan(UNDER_MIN);
      expect(anonymous / actorBytes).toBeLessThan(OVER_MAX);
    }
    const together = measured.reduce((sum, { pss }) => sum + pss, 0);
    expect(together / totalBytes).toBeGreaterThan(UNDER_MIN);
    expect(together / totalBytes).toBeLessThan(OVER_MAX);
  });
});

describe('the estimate', () => {
  it('shares the weights among actors, and nothing else', () => {
    const one = estimateGgufMemory(tiny);
    const four = estimateGgufMemory(tiny, { actors: 4 });
    expect(four.sharedBytes).toBe(one.sharedBytes);
    expect(four.totalBytes - four.sharedBytes).toBe(4 * (one.totalBytes - one.sharedBytes));
  });

  it('grows with the longest text by a value for every word of the vocabulary, in two contexts', () => {
    const path = writeTinyBert(join(folder, 'long.gguf'), { contextLength: 2_048 });
    const at = (tokensMax: number): number => estimateGgufMemory(path, { tokensMax }).actorBytes;
    const vocabulary = 205;
    expect(at(1_023) - at(511)).toBeGreaterThan(2 * 512 * vocabulary * 4);
    expect(at(1_000_000)).toBe(at(2_047));
  });

  it('of a generator counts the keys and values of all its sequences', () => {
    const path = writeTinyLlama(join(folder, 'llama.gguf'));
    const at = (sequences: number, contextTokens: number): number => estimateGgufMemory(path, { purpose: 'generate', sequences, contextTokens }).actorBytes;
    // Two layers, two heads of 16 values, a key and a value each, two bytes a value.
    const tokenBytes = 2 * 2 * 16 * 2 * 2;
    expect(at(4, 2_048) - at(4, 1_024)).toBe(4 * 1_024 * tokenBytes);
    expect(at(2, 2_048) - at(1, 2_048)).toBeGreaterThan(2_048 * tokenBytes);
  });

  it('of a model for the other backend has nothing that is shared', () => {
    const model = { backend: 'onnx', path: '/models/mini', sizeBytes: 90e6 } as const;
    const { sharedBytes, actorBytes, totalBytes } = estimateMemory(model, { actors: 3 });
    expect(sharedBytes).toBe(0);
    expect(actorBytes).toBeGreaterThan(90e6);
    expect(totalBytes).toBe(actorBytes * 3);
  });

  it('of what is no sound model is refused like the model', () => {
    expect(() => estimateGgufMemory(fileURLToPath(import.meta.url))).toThrow(expect.objectContaining({ code: 'model_not_gguf' }));
  });
});
