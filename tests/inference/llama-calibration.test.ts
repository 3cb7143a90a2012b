import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CalibrationFile, type CalibrationKey } from '../../actors/inference/llama/calibration-file.ts';
import { measureFlashAttention, type TimedContexts } from '../../actors/inference/llama/flash-attention.ts';
import { llamaBackend } from '../../actors/inference/llama/llama-backend.ts';
import { cosine } from '../../actors/inference/unit-vector.ts';
import { tinyText, writeTinyBert } from './tiny-bert.ts';

/** Contexts whose texts take as long as `durationMs` says, on a clock of their own. */
function timed(durationMs: (flashAttention: boolean, length: number) => number): { contexts: TimedContexts; nowMs: () => number; spentMs: () => number } {
  let now = 0;
  const contexts: TimedContexts = {
    withFlashAttention: async (flashAttention) => ({
      way: 'direct',
      compute: async ({ length }) => {
        now += durationMs(flashAttention, length);
        return [];
      },
      dispose: async () => {},
    }),
  };
  return { contexts, nowMs: () => now, spentMs: () => now };
}

const tokensOf = (count: number): Uint32Array => new Uint32Array(count);

describe('the measured length', () => {
  it.each([
    ['is where flash attention begins to be faster', (on: boolean, length: number) => (on === length >= 64 ? 1 : 2), 511, 64],
    ['is 0 when it is always faster', (on: boolean) => (on ? 1 : 2), 511, 0],
    ['is infinite when it never is', (on: boolean) => (on ? 2 : 1), 511, Infinity],
    ['is the last one that counts: being faster for one short text is not enough', (on: boolean, length: number) => (on === (length === 16 || length === 128) ? 1 : 2), 511, 128],
    ['is infinite for a model of short texts only', (on: boolean) => (on ? 2 : 1), 20, Infinity],
  ])('%s', async (_title, durationMs, tokensMax, expected) => {
    const { contexts, nowMs } = timed(durationMs);
    expect(await measureFlashAttention(contexts, tokensOf, tokensMax, nowMs)).toBe(expected);
  });

  it('takes the best of several rounds, so one disturbance is none', async () => {
    let calls = 0;
    const { contexts, nowMs } = timed((on, length) => (on === length >= 32 ? 1 : 2) + (calls++ < 8 ? 5 * (calls % 3) : 0));
    expect(await measureFlashAttention(contexts, tokensOf, 511, nowMs)).toBe(32);
  });

  it('keeps to its time with a large model, and to the default for the lengths it did not reach', async () => {
    const { contexts, nowMs, spentMs } = timed((on, length) => length * (on ? 60 : 30));
    expect(await measureFlashAttention(contexts, tokensOf, 511, nowMs)).toBe(64);
    expect(spentMs()).toBeLessThan(4_000);
  });
});

describe('the file', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'spillway-calibration-'));
    path = join(folder, 'inner', 'llama.json');
  });
  afterEach(() => { rmSync(folder, { recursive: true, force: true }); });

  const key: CalibrationKey = { sha256: 'ab', library: 'llama.cpp v1', processor: 'a processor' };

  it('gives back what was written under the same key, infinity included, and nothing under another', () => {
    const file = new CalibrationFile(join(folder, 'inner'));
    expect(file.read(key)).toBeUndefined();
    file.write(key, 64);
    file.write({ ...key, sha256: 'cd' }, Infinity);
    file.write(key, 32);
    expect(file.read(key)).toBe(32);
    expect(file.read({ ...key, sha256: 'cd' })).toBe(Infinity);
    for (const part of ['library', 'processor'] as const) expect(file.read({ ...key, [part]: 'another' })).toBeUndefined();
    expect(readdirSync(join(folder, 'inner'))).toEqual(['llama.json']);
  });

  it('forgets the oldest rather than grow', () => {
    const file = new CalibrationFile(join(folder, 'inner'));
    for (let i = 0; i < 70; i++) file.write({ ...key, sha256: String(i) }, i);
    expect(file.read({ ...key, sha256: '5' })).toBeUndefined();
    expect(file.read({ ...key, sha256: '6' })).toBe(6);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toHaveLength(64);
  });

  it.each([
    ['half of it', '[{"sha256": "a'],
    ['not a list', '{"sha256": "ab"}'],
    ['entries of other shapes', JSON.stringify([null, 7, { ...key }, { ...key, flashAttentionTokensMin: -1 }, { ...key, flashAttentionTokensMin: '64' }])],
    ['far too large', `["${'x'.repeat(300_000)}"]`],
  ])('counts as empty when it is broken (%s), and is whole again after the next write', (_title, text) => {
    const file = new CalibrationFile(join(folder, 'inner'));
    file.write(key, 8);
    writeFileSync(path, text);
    expect(file.read(key)).toBeUndefined();
    file.write(key, 64);
    expect(file.read(key)).toBe(64);
  });

  it('is not needed: a folder that cannot be made is no error', () => {
    writeFileSync(join(folder, 'inner'), 'a file where the folder should be');
    const file = new CalibrationFile(join(folder, 'inner'));
    file.write(key, 64);
    expect(file.read(key)).toBeUndefined();
  });

  it('is written by the first load of a model and obeyed by the next, with the same vectors', async () => {
    const model = writeTinyBert(join(folder, 'tiny.gguf'));
    const control = { cancelled: () => false, deadlineMs: Infinity };
    const texts = [8, 63, 64, 200].map((length) => tinyText(length));
    const embed = async (options: Parameters<typeof llamaBackend.load>[1]): Promise<Float32Array> => {
      const backend = await llamaBackend.load(model, options);
      const { vectors } = await backend.embed(texts, control);
      await backend.close();
      return vectors;
    };
    const options = { calibrate: true, calibrationFolder: join(folder, 'inner') };
    const plain = await embed({});
    const measured = await embed(options);
    const [entry] = JSON.parse(readFileSync(path, 'utf8')) as [CalibrationKey & { flashAttentionTokensMin: number | null }];
    expect(entry.sha256).toHaveLength(64);
    // What stands there is taken as it is: a mark that no measurement would give is still there afterwards.
    const marked = JSON.stringify([{ ...entry, flashAttentionTokensMin: 100 }]);
    writeFileSync(path, marked);
    const kept = await embed(options);
    expect(readFileSync(path, 'utf8')).toBe(marked);
    // An explicit length neither reads nor writes.
    rmSync(path);
    await embed({ ...options, flashAttentionTokensMin: 0 });
    expect(readdirSync(join(folder, 'inner'))).toEqual([]);
    for (const vectors of [measured, kept]) expect(cosine(vectors, plain)).toBeGreaterThanOrEqual(0.9999);
  });
});
