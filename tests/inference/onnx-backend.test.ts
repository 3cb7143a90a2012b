import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EmbedControl, SpanBackend } from '../../actors/inference/backend.ts';
import { llamaBackend } from '../../actors/inference/llama/llama-backend.ts';
import { onnxBackend, type OnnxBackendOptions } from '../../actors/inference/onnx/onnx-backend.ts';
import { textOfTokens } from '../../bench/models/minilm.ts';
import { miniLmOnnx, tinyOnnx, tinyOnnxText } from '../../bench/models/onnx-minilm.ts';
import { cosine } from '../../actors/inference/unit-vector.ts';

const UNBOUNDED: EmbedControl = { cancelled: () => false, deadlineMs: Infinity };
const DIMENSIONS = 64;
const LENGTHS = [100, 3, 64, 16, 63, 16, 65, 128, 4, 32, 17, 62, 18, 5, 5, 5, 90];

let folder: string;
let gguf: string;
let backend: SpanBackend;
let native: InferenceSession;
let tokenizer: Tokenizer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'spillway-onnx-backend-'));
  ({ gguf } = tinyOnnx(folder));
  backend = await onnxBackend.load(folder);
  native = await InferenceSession.create(join(folder, 'onnx/model.onnx'), { intraOpNumThreads: 1 });
  tokenizer = new Tokenizer(JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8')) as object, {});
});

afterAll(async () => {
  await backend.close();
  await native.release();
  rmSync(folder, { recursive: true, force: true });
});

/** The token vectors of one text, as onnxruntime gives them for it alone. */
async function tokenVectors(ids: readonly number[], session = native): Promise<Float32Array[]> {
  const dims = [1, ids.length];
  const tensor = (values: readonly number[]): Tensor => new Tensor('int64', BigInt64Array.from(values, BigInt), dims);
  const { last_hidden_state: output } = await session.run({ input_ids: tensor(ids), attention_mask: tensor(ids.map(() => 1)), token_type_ids: tensor(ids.map(() => 0)) });
  const data = output!.data as Float32Array;
  return ids.map((_, i) => data.slice(i * DIMENSIONS, (i + 1) * DIMENSIONS));
}

function mean(vectors: readonly Float32Array[]): Float64Array {
  return new Float64Array(DIMENSIONS).map((_, i) => vectors.reduce((sum, vector) => sum + vector[i]!, 0));
}

/** The vector of one text by the libraries alone. */
async function plain(text: string, session = native): Promise<Float64Array> {
  return mean(await tokenVectors(tokenizer.encode(text).ids, session));
}

function row(vectors: Float32Array, index: number): Float32Array {
  return vectors.subarray(index * DIMENSIONS, (index + 1) * DIMENSIONS);
}

async function using<T>(options: OnnxBackendOptions, use: (backend: SpanBackend) => Promise<T>, path = folder): Promise<T> {
  const loaded = await onnxBackend.load(path, options);
  try {
    return await use(loaded);
  } finally {
    await loaded.close();
  }
}

describe('exactness', () => {
  it('equals onnxruntime one by one when texts are sorted and fused, from 3 tokens to the longest', async () => {
    expect(backend.capabilities).toMatchObject({ fusedTextsMax: 32, fusedTokensMax: 512 });
    const texts = LENGTHS.map((length, i) => tinyOnnxText(length, i));
    const { vectors, outcomes } = await backend.embed(texts, UNBOUNDED);
    expect(outcomes).toEqual(LENGTHS.map((tokens) => ({ status: 'ok', tokens, truncated: false })));
    for (const [i, text] of texts.entries()) expect(cosine(row(vectors, i), await plain(text)), `${LENGTHS[i]!} tokens`).toBeGreaterThanOrEqual(0.9999);
    // The weights are random, so texts of other words must not be that close: the bound above means something.
    expect(cosine(row(vectors, 0), row(vectors, 7))).toBeLessThan(0.9999);
  });

  it('equals llama.cpp on the same weights', async () => {
    const llama = await llamaBackend.load(gguf);
    try {
      const texts = [5, 20, 70, 120].map((length) => tinyOnnxText(length, length));
      const [onnx, other] = [await backend.embed(texts, UNBOUNDED), await llama.embed(texts, UNBOUNDED)];
      for (const i of texts.keys()) expect(cosine(row(onnx.vectors, i), row(other.vectors, i))).toBeGreaterThanOrEqual(0.9999);
    } finally {
      await llama.close();
    }
  });

  it('gives texts of an int8 model the vectors they have alone, however short, and still fuses what bears it', async () => {
    const path = miniLmOnnx({ type: 'int8' });
    const [int8, alone] = [await onnxBackend.load(path), await onnxBackend.load(path, { fuse: false })];
    try {
      expect(int8.capabilities.fusedTextsMax).toBe(32);
      const texts = Array.from({ length: 320 }, (_, i) => textOfTokens(3 + (i % 40), i));
      const [fused, expected] = [await int8.embed(texts, UNBOUNDED), await alone.embed(texts, UNBOUNDED)];
      const cosines = texts.map((_, i) => cosine(...([fused, expected].map(({ vectors, dimensions }) => vectors.subarray(i * dimensions, (i + 1) * dimensions)) as [Float32Array, Float32Array])));
      for (const [i, found] of cosines.entries()) expect(found, `${fused.outcomes[i]!.tokens} tokens`).toBeGreaterThanOrEqual(0.9999);
      // With company they are not exactly the same, so there was company.
      expect(Math.min(...cosines)).toBeLessThan(0.999_999);
    } finally {
      await Promise.all([int8.close(), alone.close()]);
    }
  });

  it('fuses texts of an int8 model only if that leaves their vectors as they are', async () => {
    const path = join(folder, 'onnx/model_quantized.onnx');
    const session = await InferenceSession.create(path, { intraOpNumThreads: 1 });
    await using({}, async (quantized) => {
      const texts = LENGTHS.map((length, i) => tinyOnnxText(length, i));
      const { vectors } = await quantized.embed(texts, UNBOUNDED);
      for (const [i, text] of texts.entries()) expect(cosine(row(vectors, i), await plain(text, session))).toBeGreaterThanOrEqual(quantized.capabilities.fusedTextsMax === 1 ? 0.999_999 : 0.9999);
    }, path);
    await session.release();
  });

  it('gives a truncated text the vector of the side that is kept, between the special tokens', async () => {
    const words = tinyOnnxText(200, 3).split(' ');
    for (const [truncate, kept] of [['right', words.slice(0, 126)], ['left', words.slice(-126)]] as const) {
      const { vectors, outcomes } = await backend.embed([words.join(' '), 'w1'], { ...UNBOUNDED, truncate });
      expect(outcomes).toEqual([{ status: 'ok', tokens: 200, truncated: true }, { status: 'ok', tokens: 3, truncated: false }]);
      expect(cosine(row(vectors, 0), await plain(kept.join(' '))), truncate).toBeGreaterThanOrEqual(0.9999);
    }
  });

  it('pools as it is asked to', async () => {
    const tokens = await tokenVectors(tokenizer.encode('w1 w2 w3').ids);
    for (const [pooling, expected] of [['cls', tokens[0]!], ['last', tokens.at(-1)!], ['mean', mean(tokens)]] as const) {
      await using({ pooling }, async (pooled) => {
        const { vectors } = await pooled.embed(['w9 w8 w7 w6', 'w1 w2 w3', 'w1'], UNBOUNDED);
        expect(cosine(row(vectors, 1), expected), pooling).toBeGreaterThanOrEqual(0.9999);
      });
    }
  });
});

describe('a batch', () => {
  it('answers every text for itself: bad ones do not harm their neighbours', async () => {
    const texts = ['w1 w2', '', ' \t\n ', tinyOnnxText(200), 'x'.repeat(300_000), 'w1 w2', '\u0000\u0007', '[CLS] w1', 'lone \ud800 surrogate'];
    const { vectors, outcomes } = await backend.embed(texts, UNBOUNDED);
    expect(outcomes.map(({ status }) => status)).toEqual(['ok', 'empty', 'empty', 'too_long', 'too_many_bytes', 'ok', 'empty', 'ok', 'not_unicode']);
    expect(outcomes[3]).toEqual({ status: 'too_long', tokens: 200, truncated: false, limit: 128 });
    expect(outcomes[4]).toEqual({ status: 'too_many_bytes', tokens: 0, truncated: false, limit: 262_144 });
    expect(cosine(row(vectors, 0), row(vectors, 5))).toBeCloseTo(1, 6);
    for (const [i, { status }] of outcomes.entries()) expect(Math.hypot(...row(vectors, i))).toBeCloseTo(status === 'ok' ? 1 : 0, 5);
  });

  it('may be empty', async () => {
    expect(await backend.embed([], UNBOUNDED)).toEqual({ vectors: new Float32Array(0), dimensions: DIMENSIONS, outcomes: [] });
  });

  it('takes special tokens that stand in a text for ordinary text', async () => {
    const { outcomes } = await backend.embed(['[CLS] w1 [SEP]'], UNBOUNDED);
    // Brackets and the word between them are tokens of their own.
    expect(outcomes[0]!.tokens).toBe(9);
    expect(backend.countTokens('w1 [SEP] w2')).toBe(7);
    expect(backend.countTokens(' \n')).toBe(0);
  });

  it('leaves out the texts that are cancelled, before they are tokenized or just before their call', async () => {
    const texts = Array.from({ length: 6 }, (_, i) => tinyOnnxText(10, i));
    const asked = texts.map(() => 0);
    const { outcomes } = await backend.embed(texts, { ...UNBOUNDED, cancelled: (index) => ++asked[index]! > 1 ? index === 4 : index === 1 });
    expect(outcomes.map(({ status }) => status)).toEqual(['ok', 'cancelled', 'ok', 'ok', 'cancelled', 'ok']);
    expect(outcomes[1]).toEqual({ status: 'cancelled', tokens: 0, truncated: false });
  });

  it('gives up texts that are not begun by the deadline, on the clock it was given', async () => {
    let now = 0;
    await using({ nowMs: () => now }, async (timed) => {
      const texts = Array.from({ length: 8 }, (_, i) => tinyOnnxText(120, i));
      // Each text is asked for twice; the time is up after the third of the first call, which has four.
      let asked = 0;
      const { outcomes } = await timed.embed(texts, { cancelled: () => { if (++asked > 8 + 2) now = 10; return false; }, deadlineMs: 10 });
      expect(outcomes.filter(({ status }) => status === 'ok')).toHaveLength(3);
      expect(outcomes.filter(({ status }) => status === 'deadline')).toHaveLength(5);
      expect((await timed.embed(['w1'], { ...UNBOUNDED, deadlineMs: 10 })).outcomes[0]!.status).toBe('deadline');
    });
  });

  it('may overlap with another, and each gets its own vectors', async () => {
    const [first, second] = await Promise.all([backend.embed(['w1', tinyOnnxText(80)], UNBOUNDED), backend.embed(['w2', 'w1'], UNBOUNDED)]);
    expect(cosine(row(first.vectors, 0), row(second.vectors, 1))).toBeCloseTo(1, 6);
    expect(cosine(row(first.vectors, 0), row(second.vectors, 0))).toBeLessThan(0.9999);
  });

  it('says of a text what makes the model fail, and computes its neighbours', async () => {
    const broken = mkdtempSync(join(tmpdir(), 'spillway-onnx-broken-'));
    cpSync(folder, broken, { recursive: true });
    // A word beyond the rows of the model's table; that the tokenizer knows more than the model, config.json does not say.
    const json = JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8')) as { model: { vocab: Record<string, number> } };
    json.model.vocab['beyond'] = Object.keys(json.model.vocab).length;
    writeFileSync(join(broken, 'tokenizer.json'), JSON.stringify(json));
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as Record<string, unknown>;
    delete config['vocab_size'];
    writeFileSync(join(broken, 'config.json'), JSON.stringify(config));
    await using({}, async (loaded) => {
      const { outcomes, vectors } = await loaded.embed(['w1 w2', 'w1 beyond', 'w3 w4'], UNBOUNDED);
      expect(outcomes.map(({ status }) => status)).toEqual(['ok', 'failed', 'ok']);
      expect(outcomes[1]!.reason).toMatch(/out of (data )?bounds|indices element/i);
      expect(cosine(row(vectors, 2), await plain('w3 w4'))).toBeGreaterThanOrEqual(0.9999);
    }, broken);
    rmSync(broken, { recursive: true, force: true });
  });
});

describe('an urgent batch', () => {
  it('goes before the texts of a batch that has begun, and alone they follow', async () => {
    await using({ nowMs: () => 0 }, async (loaded) => {
      const order: string[] = [];
      const begun = Promise.withResolvers<void>();
      const watched: EmbedControl = { ...UNBOUNDED, cancelled: () => { begun.resolve(); return false; } };
      const bulk = loaded.embed(Array.from({ length: 200 }, (_, i) => tinyOnnxText(60, i)), watched).then((result) => { order.push('bulk'); return result; });
      await begun.promise;
      const urgent = loaded.embed(['w5 w6'], { ...UNBOUNDED, urgent: true }).then((result) => { order.push('urgent'); return result; });
      const [last, first] = await Promise.all([bulk, urgent]);
      expect(order).toEqual(['urgent', 'bulk']);
      expect(cosine(row(first.vectors, 0), await plain('w5 w6'))).toBeGreaterThanOrEqual(0.9999);
      for (const i of [0, 99, 199]) expect(cosine(row(last.vectors, i), await plain(tinyOnnxText(60, i)))).toBeGreaterThanOrEqual(0.9999);
    });
  });
});

describe('spans', () => {
  const text = 'w1 w2, w3.\n中文 w4x w5!';

  it('of the whole text give the mean of all its tokens but the special ones', async () => {
    const { ids } = tokenizer.encode(text);
    const own = (await tokenVectors(ids)).slice(1, -1);
    const { vectors, outcomes } = await backend.embedSpans(text, [{ start: 0, end: text.length }], UNBOUNDED);
    expect(outcomes).toEqual([{ status: 'ok', tokens: ids.length, truncated: false }]);
    expect(cosine(row(vectors, 0), mean(own))).toBeGreaterThanOrEqual(0.9999);
  });

  it('are the means of the tokens of the words they touch', async () => {
    const tokens = await tokenVectors(tokenizer.encode(text).ids);
    const at = (word: string): { start: number; end: number } => ({ start: text.indexOf(word), end: text.indexOf(word) + word.length });
    // [CLS] w1 w2 , w3 . 中 文 w4 ##x w5 [UNK] [SEP]
    const cases: [{ start: number; end: number }, number[]][] = [
      [at('w1'), [1]], [at('w2, w3'), [2, 3, 4]], [at('.'), [5]], [at('文'), [7]], [at('中文'), [6, 7]], [at('w4x'), [8, 9]], [{ ...at('w4x'), end: at('w4x').start + 1 }, [8, 9]], [at('w5!'), [10, 11]],
    ];
    const { vectors, outcomes } = await backend.embedSpans(text, cases.map(([span]) => span), UNBOUNDED);
    expect(outcomes.every(({ status }) => status === 'ok')).toBe(true);
    for (const [i, [, positions]] of cases.entries()) expect(cosine(row(vectors, i), mean(positions.map((position) => tokens[position]!))), `case ${i}`).toBeGreaterThanOrEqual(0.9999);
  });

  it('without tokens are empty, and a text that is refused refuses them all', async () => {
    const { outcomes } = await backend.embedSpans(text, [{ start: 0, end: 2 }, { start: 2, end: 3 }, { start: 4, end: 4 }, { start: 90, end: 99 }], UNBOUNDED);
    expect(outcomes.map(({ status }) => status)).toEqual(['ok', 'empty', 'empty', 'empty']);
    expect((await backend.embedSpans(tinyOnnxText(200), [{ start: 0, end: 2 }, { start: 3, end: 5 }], UNBOUNDED)).outcomes)
      .toEqual([1, 2].map(() => ({ status: 'too_long', tokens: 200, truncated: false, limit: 128 })));
    expect((await backend.embedSpans(text, [{ start: 0, end: 2 }], { ...UNBOUNDED, cancelled: () => true })).outcomes[0]!.status).toBe('cancelled');
  });
});

describe('closing', () => {
  it('waits for what was accepted, may be done twice, and refuses what comes after', async () => {
    const loaded = await onnxBackend.load(folder);
    const pending = loaded.embed(Array.from({ length: 50 }, (_, i) => tinyOnnxText(40, i)), UNBOUNDED);
    const closing = loaded.close();
    await loaded.close();
    await closing;
    expect((await pending).outcomes.every(({ status }) => status === 'ok')).toBe(true);
    await expect(loaded.embed(['w1'], UNBOUNDED)).rejects.toThrow('closed');
    expect(() => loaded.countTokens('w1')).toThrow('closed');
  });
});

describe('without onnxruntime-node', () => {
  it('says how to install it', async () => {
    const importRuntime = (): Promise<never> => Promise.reject(new Error("Cannot find package 'onnxruntime-node'\nImported from somewhere"));
    await expect(onnxBackend.load(folder, { importRuntime })).rejects.toMatchObject({ code: 'backend_unavailable', message: expect.stringMatching(/Cannot find package 'onnxruntime-node'\); .*npm i onnxruntime-node$/) as string });
  });
});

describe('ranking', () => {
  it('scores pairs as the model does one by one, and cuts the document of a pair that is too long', async () => {
    const path = mkdtempSync(join(tmpdir(), 'spillway-onnx-rank-'));
    tinyOnnx(path, { rank: true });
    const ranker = await onnxBackend.loadRanking(path);
    const session = await InferenceSession.create(join(path, 'onnx/model.onnx'), { intraOpNumThreads: 1 });
    const score = async (query: string, document: string): Promise<number> => {
      const { ids, token_type_ids: types } = tokenizer.encode(query, { text_pair: document, return_token_type_ids: true });
      const tensor = (values: readonly number[]): Tensor => new Tensor('int64', BigInt64Array.from(values, BigInt), [1, ids.length]);
      const { logits } = await session.run({ input_ids: tensor(ids), attention_mask: tensor(ids.map(() => 1)), token_type_ids: tensor(types) });
      return 1 / (1 + Math.exp(-(logits!.data as Float32Array)[0]!));
    };
    try {
      expect(ranker.capabilities).toMatchObject({ embed: false, rank: true });
      const documents = ['w1 w2 w3', tinyOnnxText(50, 1), '', tinyOnnxText(200, 2), 'w9'];
      const { scores, outcomes } = await ranker.rank('w1 w7', documents, UNBOUNDED);
      expect(outcomes.map(({ status }) => status)).toEqual(['ok', 'ok', 'empty', 'too_long', 'ok']);
      for (const i of [0, 1, 4]) expect(scores[i]).toBeCloseTo(await score('w1 w7', documents[i]!), 4);
      expect(new Set([scores[0], scores[1], scores[4]]).size).toBe(3);
      const cut = await ranker.rank('w1 w7', documents, { ...UNBOUNDED, truncate: 'right' });
      expect(cut.outcomes[3]).toEqual({ status: 'ok', tokens: 203, truncated: true });
      expect(cut.scores[3]).toBeCloseTo(await score('w1 w7', documents[3]!.split(' ').slice(0, 123).join(' ')), 4);
      expect((await ranker.rank(' ', ['w1'], UNBOUNDED)).outcomes[0]!.status).toBe('empty');
    } finally {
      await ranker.close();
      await session.release();
      rmSync(path, { recursive: true, force: true });
    }
  });
});
