import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getLlama, LlamaLogLevel, type Llama, type LlamaRankingContext } from 'node-llama-cpp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EmbedControl, RankingBackend } from '../../actors/inference/backend.ts';
import { hashModel } from '../../actors/inference/gguf/header.ts';
import { writeGguf } from '../../actors/inference/gguf/writer.ts';
import { llamaBackend } from '../../actors/inference/llama/llama-backend.ts';
import { tinyRanker, writeTinyRanker } from './llama-tiny-models.ts';
import { tinyText, writeTinyBert } from './tiny-bert.ts';

const UNBOUNDED: EmbedControl = { cancelled: () => false, deadlineMs: Infinity };
const QUERY = 'w1 w2 w3';

let folder: string;
let path: string;
let backend: RankingBackend;
let llama: Llama;
let plain: LlamaRankingContext;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'spillway-llama-ranking-'));
  path = writeTinyRanker(join(folder, 'ranker.gguf'));
  backend = await llamaBackend.loadRanking(path);
  llama = await getLlama({ gpu: false, build: 'never', progressLogs: false, maxThreads: 1, logLevel: LlamaLogLevel.error });
  const model = await llama.loadModel({ modelPath: path });
  plain = await model.createRankingContext({ contextSize: 512, batchSize: 512, threads: 1 });
});

afterAll(async () => {
  await backend.close();
  await llama.dispose();
  rmSync(folder, { recursive: true, force: true });
});

function byScore(scores: ArrayLike<number>): number[] {
  return Array.from(scores).map((_, index) => index).sort((a, b) => scores[b]! - scores[a]!);
}

describe('ranking', () => {
  it("gives the library's own scores, and so its order", async () => {
    const documents = Array.from({ length: 12 }, (_, seed) => tinyText(5 + seed * 20, seed));
    const { scores, outcomes } = await backend.rank(QUERY, documents, UNBOUNDED);
    const own = await plain.rankAll(QUERY, documents);
    expect([...scores]).toEqual(own.map((score) => Math.fround(score)));
    expect(byScore(scores)).toEqual(byScore(own));
    expect(new Set(scores).size).toBe(documents.length);
    expect(outcomes.every(({ status, truncated }) => status === 'ok' && !truncated)).toBe(true);
    expect(outcomes.map(({ tokens }) => tokens)).toEqual(documents.map((document) => plain.calculateInputLength(QUERY, document)));
  });

  it('answers every document for itself', async () => {
    const documents = ['w5', '', 'x'.repeat(300_000), 'lone \udc00 surrogate', tinyText(600), 'w5'];
    const { scores, outcomes } = await backend.rank(QUERY, documents, UNBOUNDED);
    expect(outcomes.map(({ status }) => status)).toEqual(['ok', 'empty', 'too_many_bytes', 'not_unicode', 'too_long', 'ok']);
    expect(outcomes[4]).toMatchObject({ limit: 511, tokens: plain.calculateInputLength(QUERY, documents[4]!) });
    expect(scores[0]).toBe(scores[5]);
    expect([...scores.subarray(1, 5)]).toEqual([0, 0, 0, 0]);
  });

  it.each([['', 'empty'], ['\ud800', 'not_unicode'], ['w1 '.repeat(100_000), 'too_many_bytes']])('refuses every document for a query that cannot be read', async (query, status) => {
    const { outcomes } = await backend.rank(query, ['w5', 'w6'], UNBOUNDED);
    expect(outcomes).toEqual([expect.objectContaining({ status, reason: 'the query' }), expect.objectContaining({ status, reason: 'the query' })]);
  });

  it('cuts the document and never the query, at the side that is asked for', async () => {
    const words = tinyText(600).split(' ');
    const room = 511 - (plain.calculateInputLength(QUERY, 'w1') - 1);
    for (const [truncate, kept] of [['right', words.slice(0, room)], ['left', words.slice(-room)]] as const) {
      const { scores, outcomes } = await backend.rank(QUERY, [words.join(' ')], { ...UNBOUNDED, truncate });
      expect(outcomes[0]).toMatchObject({ status: 'ok', truncated: true });
      expect(scores[0]).toBe(Math.fround(await plain.rank(QUERY, kept.join(' '))));
    }
    const { outcomes } = await backend.rank(tinyText(520), ['w1'], { ...UNBOUNDED, truncate: 'right' });
    expect(outcomes[0]!.status).toBe('too_long');
  });

  it('asks before each document whether it is wanted', async () => {
    let asked = 0;
    const { outcomes } = await backend.rank(QUERY, ['w1', 'w2', 'w3'], { ...UNBOUNDED, cancelled: () => ++asked > 1 });
    expect(outcomes.map(({ status }) => status)).toEqual(['ok', 'cancelled', 'cancelled']);
    expect((await backend.rank(QUERY, ['w1'], { ...UNBOUNDED, deadlineMs: 0 })).outcomes[0]!.status).toBe('deadline');
  });

  it('says what the model is, and that it does not embed', async () => {
    expect(backend.model).toEqual({ name: 'tiny bert', sha256: await hashModel(path), dimensions: 0, tokensMax: 511 });
    expect(backend.capabilities).toMatchObject({ rank: true, embed: false, overlaps: false });
    expect(backend.countTokens(' ')).toBe(0);
    expect(backend.countTokens('w1 w2')).toBeGreaterThan(2);
  });
});

describe('loading a model that ranks', () => {
  it('is refused to embed with, as a model that embeds is to rank with', async () => {
    await expect(llamaBackend.load(path)).rejects.toMatchObject({ code: 'model_unsupported' });
    const embedder = writeTinyBert(join(folder, 'embedder.gguf'));
    await expect(llamaBackend.loadRanking(embedder)).rejects.toMatchObject({ code: 'model_unsupported' });
  });

  it('has no pooling to choose', async () => {
    await expect(llamaBackend.loadRanking(path, { pooling: 'mean' })).rejects.toMatchObject({ code: 'pooling_unsupported' });
  });

  it('fails when its scores are not finite, although no weight is', async () => {
    const content = tinyRanker();
    const at = content.tensors.findIndex(({ name }) => name === 'cls.output.bias');
    content.tensors[at] = { ...content.tensors[at]!, values: () => new Float32Array([-1e30]) };
    const broken = join(folder, 'not-finite.gguf');
    writeGguf(broken, content);
    await expect(llamaBackend.loadRanking(broken)).rejects.toMatchObject({ code: 'backend_self_test_failed' });
  });

  it('waits for what is in hand when it is closed', async () => {
    const other = await llamaBackend.loadRanking(path);
    const running = other.rank(QUERY, Array.from({ length: 10 }, (_, seed) => tinyText(100, seed)), UNBOUNDED);
    await other.close();
    expect((await running).outcomes.every(({ status }) => status === 'ok')).toBe(true);
    await expect(other.rank(QUERY, ['w1'], UNBOUNDED)).rejects.toThrow(/must not be used after close/);
  });
});
