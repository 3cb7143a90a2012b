import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { getLlama, LlamaLogLevel, type Llama, type LlamaEmbeddingContext } from 'node-llama-cpp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EmbedControl, EmbeddingBackend } from '../../actors/inference/backend.ts';
import { hashModel } from '../../actors/inference/gguf/header.ts';
import { str } from '../../actors/inference/gguf/types.ts';
import { writeGguf } from '../../actors/inference/gguf/writer.ts';
import { FLASH_ATTENTION_TOKENS_MIN } from '../../actors/inference/llama/flash-attention.ts';
import { llamaBackend } from '../../actors/inference/llama/llama-backend.ts';
import { cosine } from '../../actors/inference/unit-vector.ts';
import { TINY_SHAPE, tinyBert, tinyText, writeTinyBert } from './tiny-bert.ts';

const UNBOUNDED: EmbedControl = { cancelled: () => false, deadlineMs: Infinity };
const DIMENSIONS = TINY_SHAPE.embeddingLength;

let folder: string;
let path: string;
let backend: EmbeddingBackend;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'spillway-llama-backend-'));
  path = writeTinyBert(join(folder, 'tiny.gguf'));
  backend = await llamaBackend.load(path);
});

afterAll(async () => {
  await backend.close();
  rmSync(folder, { recursive: true, force: true });
});

function row(vectors: Float32Array, index: number): Float32Array {
  return vectors.subarray(index * DIMENSIONS, (index + 1) * DIMENSIONS);
}

describe('exactness', () => {
  let llama: Llama;
  let plain: LlamaEmbeddingContext;

  beforeAll(async () => {
    llama = await getLlama({ gpu: false, build: 'never', progressLogs: false, maxThreads: 1, logLevel: LlamaLogLevel.error });
    const model = await llama.loadModel({ modelPath: path });
    plain = await model.createEmbeddingContext({ contextSize: 512, batchSize: 512, threads: 1 });
  });
  afterAll(async () => { await llama.dispose(); });

  it('equals the library one by one from 3 to 511 tokens, on both routes and in any order', async () => {
    const lengths = [500, 3, 64, 16, 63, 255, 65, 511, 4, 32, 128, 62];
    const texts = lengths.map((length) => tinyText(length, length));
    const { vectors, outcomes } = await backend.embed(texts, UNBOUNDED);
    expect(outcomes.map(({ tokens }) => tokens)).toEqual(lengths);
    for (const [i, text] of texts.entries()) {
      const { vector } = await plain.getEmbeddingFor(text);
      expect(cosine(row(vectors, i), vector), `${lengths[i]!} tokens`).toBeGreaterThanOrEqual(0.9999);
    }
    // The weights are random, so texts of other words must not be that close: the bound above means something.
    expect(cosine(row(vectors, 0), row(vectors, 5))).toBeLessThan(0.9999);
  });

  it.each([
    ['right', 'beginning', (words: string[]) => words.slice(0, 509)],
    ['left', 'end', (words: string[]) => words.slice(-509)],
  ] as const)('gives a text truncated at the %s the vector of its %s', async (truncate, _part, kept) => {
    const long = tinyText(600, 5);
    const { vectors, outcomes } = await backend.embed([long, tinyText(8)], { ...UNBOUNDED, truncate });
    expect(outcomes).toEqual([{ status: 'ok', tokens: 600, truncated: true }, { status: 'ok', tokens: 8, truncated: false }]);
    const { vector } = await plain.getEmbeddingFor(kept(long.split(' ')).join(' '));
    expect(cosine(row(vectors, 0), vector)).toBeGreaterThanOrEqual(0.9999);
  });

  it('truncates as the backend was told, unless a batch says otherwise', async () => {
    const truncating = await llamaBackend.load(path, { truncate: 'left', tokensMax: 100 });
    try {
      const long = tinyText(200, 9);
      const { vectors, outcomes } = await truncating.embed([long], UNBOUNDED);
      expect(outcomes).toEqual([{ status: 'ok', tokens: 200, truncated: true }]);
      const { vector } = await plain.getEmbeddingFor(long.split(' ').slice(-98).join(' '));
      expect(cosine(row(vectors, 0), vector)).toBeGreaterThanOrEqual(0.9999);
      const refused = await truncating.embed([long], { ...UNBOUNDED, truncate: 'refuse' });
      expect(refused.outcomes).toEqual([{ status: 'too_long', tokens: 200, truncated: false, limit: 100 }]);
    } finally {
      await truncating.close();
    }
  });
});

describe('the model', () => {
  it('is told by name, hash, dimensions and limit', async () => {
    expect(backend.model).toEqual({ name: 'tiny bert', sha256: await hashModel(path), dimensions: DIMENSIONS, tokensMax: 511 });
  });

  it('counts tokens as the model sees them', () => {
    expect(backend.countTokens('w1 w2 w3')).toBe(5);
    expect(backend.countTokens(tinyText(600))).toBe(600);
    expect(backend.countTokens(' \n\t')).toBe(0);
  });
});

describe('a batch', () => {
  it('answers every text for itself: bad ones do not harm their neighbours', async () => {
    const texts = ['w1 w2', '', ' \t\n ', tinyText(600), 'x'.repeat(300_000), 'w1 w2', '\u0000\u0007', '[CLS] w1', 'lone \ud800 surrogate'];
    const { vectors, outcomes } = await backend.embed(texts, UNBOUNDED);
    expect(outcomes.map(({ status }) => status)).toEqual(['ok', 'empty', 'empty', 'too_long', 'too_many_bytes', 'ok', 'empty', 'ok', 'not_unicode']);
    expect(outcomes[3]).toEqual({ status: 'too_long', tokens: 600, truncated: false, limit: 511 });
    expect(outcomes[4]).toEqual({ status: 'too_many_bytes', tokens: 0, truncated: false, limit: 262_144 });
    expect(row(vectors, 0)).toEqual(row(vectors, 5));
    for (const [i, { status }] of outcomes.entries()) {
      const length = Math.hypot(...row(vectors, i));
      expect(length).toBeCloseTo(status === 'ok' ? 1 : 0, 5);
    }
  });

  it('may be empty', async () => {
    expect(await backend.embed([], UNBOUNDED)).toEqual({ vectors: new Float32Array(0), dimensions: DIMENSIONS, outcomes: [] });
  });

  it('leaves out the texts that are cancelled and embeds the others', async () => {
    const { outcomes } = await backend.embed(['w1', 'w2', 'w3'], { ...UNBOUNDED, cancelled: (index) => index === 1 });
    expect(outcomes.map(({ status }) => status)).toEqual(['ok', 'cancelled', 'ok']);
  });

  it('stops between two texts when it is cancelled on the way', async () => {
    const texts = Array.from({ length: 12 }, (_, i) => tinyText(100, i));
    let asked = 0;
    // Asked before each text is begun: the fifth answer says stop.
    const { outcomes, vectors } = await backend.embed(texts, { ...UNBOUNDED, cancelled: () => ++asked > 4 });
    expect(outcomes.map(({ status }) => status)).toEqual([...Array<string>(4).fill('ok'), ...Array<string>(8).fill('cancelled')]);
    expect(outcomes[4]).toEqual({ status: 'cancelled', tokens: 0, truncated: false });
    expect(vectors.subarray(4 * DIMENSIONS).every((value) => value === 0)).toBe(true);
  });

  it('gives up texts that are not begun by the deadline, on the clock it was given', async () => {
    let now = 0;
    const timed = await llamaBackend.load(path, { nowMs: () => now++ });
    try {
      const { outcomes } = await timed.embed(['w1', 'w2', 'w3', 'w4'], { cancelled: () => false, deadlineMs: 2 });
      expect(outcomes.map(({ status }) => status)).toEqual(['ok', 'ok', 'deadline', 'deadline']);
      expect((await timed.embed(['w1'], { cancelled: () => false, deadlineMs: 0 })).outcomes[0]!.status).toBe('deadline');
    } finally {
      await timed.close();
    }
  });

  it('may overlap with another, and each gets its own vectors', async () => {
    const [first, second] = await Promise.all([backend.embed(['w1', tinyText(80)], UNBOUNDED), backend.embed(['w2', 'w1'], UNBOUNDED)]);
    expect(row(first.vectors, 0)).toEqual(row(second.vectors, 1));
    expect(row(first.vectors, 0)).not.toEqual(row(second.vectors, 0));
  });
});

describe('loading', () => {
  it('refuses a spoilt model by the header check, before native code sees it', async () => {
    const spoilt = join(folder, 'spoilt.gguf');
    const content = tinyBert();
    content.metadata['general.architecture'] = str('clip');
    writeGguf(spoilt, content);
    await expect(llamaBackend.load(spoilt)).rejects.toMatchObject({ code: 'model_unsupported' });
    await expect(llamaBackend.load(join(folder, 'none.gguf'))).rejects.toMatchObject({ code: 'model_missing' });
  });

  it('reports what only llama.cpp can refuse, and the next load works', async () => {
    const extra = join(folder, 'extra.gguf');
    const content = tinyBert();
    content.tensors.push({ name: 'blk.0.unheard_of.weight', dims: [32], type: 'F32', values: () => new Float32Array(32) });
    writeGguf(extra, content);
    await expect(llamaBackend.load(extra)).rejects.toMatchObject({ code: 'backend_load_failed', details: { path: extra } });
    const next = await llamaBackend.load(path);
    expect((await next.embed(['w1'], UNBOUNDED)).outcomes[0]!.status).toBe('ok');
    await next.close();
  });

  it('refuses a model whose vectors are zero', async () => {
    const zero = join(folder, 'zero.gguf');
    const content = tinyBert();
    content.tensors = content.tensors.map((tensor) => ({ ...tensor, values: () => new Float32Array(tensor.dims.reduce((a, b) => a * b, 1)) }));
    writeGguf(zero, content);
    await expect(llamaBackend.load(zero)).rejects.toMatchObject({ code: 'backend_self_test_failed' });
  });

  it('refuses a model with weights that are no numbers', async () => {
    const broken = join(folder, 'broken.gguf');
    const content = tinyBert();
    const at = content.tensors.findIndex(({ name }) => name === 'token_embd_norm.weight');
    content.tensors[at] = { ...content.tensors[at]!, values: () => new Float32Array(DIMENSIONS).fill(NaN) };
    writeGguf(broken, content);
    await expect(llamaBackend.load(broken)).rejects.toMatchObject({ code: 'backend_load_failed' });
  });

  it('gives the same vectors whatever the routing', async () => {
    const texts = [8, FLASH_ATTENTION_TOKENS_MIN - 1, FLASH_ATTENTION_TOKENS_MIN, 300].map((length) => tinyText(length));
    const { vectors: routed } = await backend.embed(texts, UNBOUNDED);
    for (const flashAttentionTokensMin of [0, Infinity]) {
      const other = await llamaBackend.load(path, { flashAttentionTokensMin });
      const { vectors } = await other.embed(texts, UNBOUNDED);
      await other.close();
      for (const i of texts.keys()) expect(cosine(row(vectors, i), row(routed, i))).toBeGreaterThanOrEqual(0.9999);
    }
  });
});

describe('pooling', () => {
  it("is the model's own, and no other can be had", async () => {
    const own = await llamaBackend.load(path, { pooling: 'mean' });
    await own.close();
    await expect(llamaBackend.load(path, { pooling: 'cls' })).rejects.toMatchObject({ code: 'pooling_unsupported', details: { asked: 'cls', own: 'mean' } });
  });
});

describe('closing', () => {
  it('waits for the batch in flight, and closing twice is one closing', async () => {
    const other = await llamaBackend.load(path);
    const running = other.embed(Array.from({ length: 20 }, (_, i) => tinyText(200, i)), UNBOUNDED);
    const closed = other.close();
    expect(other.close()).toBe(closed);
    await closed;
    expect((await running).outcomes.every(({ status }) => status === 'ok')).toBe(true);
  });

  it('makes every further use an assertion', async () => {
    const other = await llamaBackend.load(path);
    await other.close();
    await expect(other.embed(['w1'], UNBOUNDED)).rejects.toThrow(/must not be used after close/);
    expect(() => other.countTokens('w1')).toThrow(/must not be used after close/);
  });
});

describe('threads', () => {
  const texts = [tinyText(20), tinyText(200)];

  /** Resolves once the thread has left; `onRound` sees each batch. */
  function runThread(rounds: number, onRound: () => void = () => {}): Promise<{ vectors: Float32Array; statuses: string[] }> {
    const worker = new Worker(new URL('./llama-backend-worker.ts', import.meta.url), { workerData: { path, texts, rounds } });
    return new Promise((resolve, reject) => {
      let result: { vectors: Float32Array; statuses: string[] } | undefined;
      worker.on('message', (message: { round: number } | { vectors: Float32Array; statuses: string[] }) => {
        if ('round' in message) onRound();
        else result = message;
      });
      worker.on('error', reject);
      worker.on('exit', (code) => {
        if (code === 0 && result !== undefined) resolve(result);
        else reject(new Error(`the thread left with code ${code}`));
      });
    });
  }

  it('load, embed and close in one worker after another, with the vectors of the main thread', async () => {
    const { vectors } = await backend.embed(texts, UNBOUNDED);
    for (let life = 0; life < 2; life++) {
      const result = await runThread(1);
      expect(result.statuses).toEqual(['ok']);
      expect(result.vectors).toEqual(vectors);
    }
  });

  it('keep working when a sibling leaves, and a new one joins them', async () => {
    let roundsAfterExit = 0;
    let siblingLeft = false;
    const long = runThread(300, () => { if (siblingLeft) roundsAfterExit++; });
    await runThread(1);
    siblingLeft = true;
    const joined = await runThread(1);
    const { vectors, statuses } = await long;
    expect(roundsAfterExit).toBeGreaterThan(0);
    expect(statuses).toEqual(['ok']);
    expect(vectors).toEqual(joined.vectors);
  });
});
