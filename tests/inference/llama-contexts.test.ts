import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getLlama, LlamaLogLevel, type Llama, type LlamaEmbeddingContext, type LlamaModelOptions, type Token } from 'node-llama-cpp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EmbedControl, EmbeddingBackend } from '../../actors/inference/backend.ts';
import { llamaBackend } from '../../actors/inference/llama/llama-backend.ts';
import { LlamaContexts } from '../../actors/inference/llama/llama-contexts.ts';
import { NativeLogger } from '../../actors/inference/llama/native-logger.ts';
import { writeTinyLlama } from '../../bench/models/tiny-llama.ts';
import { cosine } from '../../actors/inference/unit-vector.ts';
import { writeTinyUnigram } from './llama-tiny-models.ts';
import { TINY_SHAPE, tinyText, writeTinyBert } from './tiny-bert.ts';

const UNBOUNDED: EmbedControl = { cancelled: () => false, deadlineMs: Infinity };
const DIMENSIONS = TINY_SHAPE.embeddingLength;

let folder: string;
let path: string;
let llama: Llama;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'spillway-llama-contexts-'));
  path = writeTinyBert(join(folder, 'tiny.gguf'));
  llama = await getLlama({ gpu: false, build: 'never', progressLogs: false, maxThreads: 1, logLevel: LlamaLogLevel.error });
});

afterAll(async () => {
  await llama.dispose();
  rmSync(folder, { recursive: true, force: true });
});

async function plainContext(modelPath: string): Promise<LlamaEmbeddingContext> {
  const model = await llama.loadModel({ modelPath });
  return model.createEmbeddingContext({ contextSize: 512, batchSize: 512, threads: 1 });
}

function row(vectors: Float32Array, index: number): Float32Array {
  return vectors.subarray(index * DIMENSIONS, (index + 1) * DIMENSIONS);
}

async function expectPlainVectors(backend: EmbeddingBackend, plain: LlamaEmbeddingContext, texts: readonly string[], control: EmbedControl = UNBOUNDED): Promise<void> {
  const { vectors, outcomes } = await backend.embed(texts, control);
  expect(outcomes.every(({ status }) => status === 'ok')).toBe(true);
  for (const [i, text] of texts.entries()) {
    const { vector } = await plain.getEmbeddingFor(text);
    expect(cosine(row(vectors, i), vector), text.slice(0, 20)).toBeGreaterThanOrEqual(0.9999);
  }
}

describe('an urgent batch', () => {
  it('begins before the rest of the batch in hand, and has the same vectors', async () => {
    const backend = await llamaBackend.load(path);
    const begun: string[] = [];
    const named = (name: string): EmbedControl => ({
      deadlineMs: Infinity,
      cancelled: (index) => {
        begun.push(`${name}${index}`);
        return false;
      },
    });
    const texts = Array.from({ length: 40 }, (_, seed) => tinyText(120, seed));
    const order: string[] = [];
    const bulk = backend.embed(texts, named('bulk')).then((result) => {
      order.push('bulk');
      return result;
    });
    const urgent = backend.embed(texts.slice(10, 12), { ...named('urgent'), urgent: true }).then((result) => {
      order.push('urgent');
      return result;
    });
    const [whole, part] = await Promise.all([bulk, urgent]);
    expect(order).toEqual(['urgent', 'bulk']);
    // Whichever runner took them, one text had begun before they came, and no other did until they had.
    expect(begun.slice(0, 3)).toEqual(['bulk0', 'urgent0', 'urgent1']);
    for (const i of [0, 1]) expect(cosine(row(part.vectors, i), row(whole.vectors, 10 + i))).toBeGreaterThanOrEqual(0.9999);
    await backend.close();
  });

  it('is exact on the contexts of its own', async () => {
    const plain = await plainContext(path);
    const backend = await llamaBackend.load(path);
    let wanted = true;
    const bulk = backend.embed(Array.from({ length: 5_000 }, (_, seed) => tinyText(100, seed)), { deadlineMs: Infinity, cancelled: () => !wanted });
    const texts = [3, 40, 63, 64, 300, 511].map((length) => tinyText(length, length));
    for (let round = 0; round < 4; round++) await expectPlainVectors(backend, plain, texts, { ...UNBOUNDED, urgent: true });
    wanted = false;
    await bulk;
    await backend.close();
  });

  it('is asked about before each of its texts, like any other', async () => {
    const backend = await llamaBackend.load(path, { nowMs: () => 10 });
    const bulk = backend.embed([tinyText(400), tinyText(400)], UNBOUNDED);
    const late = await backend.embed(['w1', 'w2'], { ...UNBOUNDED, deadlineMs: 5, urgent: true });
    const cancelled = await backend.embed(['w1', 'w2'], { ...UNBOUNDED, cancelled: (index) => index === 0, urgent: true });
    expect(late.outcomes.map(({ status }) => status)).toEqual(['deadline', 'deadline']);
    expect(cancelled.outcomes.map(({ status }) => status)).toEqual(['cancelled', 'ok']);
    await bulk;
    await backend.close();
  });

  it('is served when the backend closes while it waits', async () => {
    const backend = await llamaBackend.load(path);
    const bulk = backend.embed([tinyText(400, 1), tinyText(400, 2)], UNBOUNDED);
    const urgent = backend.embed([tinyText(20), tinyText(200)], { ...UNBOUNDED, urgent: true });
    await backend.close();
    for (const { outcomes } of [await bulk, await urgent]) expect(outcomes.map(({ status }) => status)).toEqual(['ok', 'ok']);
  });
});

describe('the ways into a context', () => {
  /** A library whose insides are not as they were: what the direct way reaches for is hidden, or answers something else. */
  function changedLibrary(change: (context: LlamaEmbeddingContext) => LlamaEmbeddingContext): Pick<Llama, 'loadModel'> {
    return {
      loadModel: async (options: LlamaModelOptions) => {
        const model = await llama.loadModel(options);
        const createEmbeddingContext = model.createEmbeddingContext.bind(model);
        model.createEmbeddingContext = async (size) => change(await createEmbeddingContext(size));
        return model;
      },
    };
  }

  const hidden = (context: LlamaEmbeddingContext): LlamaEmbeddingContext =>
    ({ getEmbeddingFor: (input: Token[]) => context.getEmbeddingFor(input), dispose: () => context.dispose() }) as LlamaEmbeddingContext;
  const otherwise = (context: LlamaEmbeddingContext): LlamaEmbeddingContext => {
    const { _ctx: native } = (context as unknown as { _llamaContext: { _ctx: Record<string, (...values: unknown[]) => unknown> } })._llamaContext;
    const calls = Object.fromEntries(['disposeSequence', 'initBatch', 'addToBatch', 'decodeBatch'].map((call) => [call, (...values: unknown[]) => native[call]!(...values)]));
    const getEmbedding = (count: number): Float64Array => (native['getEmbedding']!(count) as Float64Array).toReversed();
    return Object.assign(hidden(context), { _llamaContext: { _ctx: { ...calls, getEmbedding } } });
  };

  it.each([
    ['direct', 'is as this knows it', (context: LlamaEmbeddingContext) => context],
    ['library', 'hides what the direct one takes', hidden],
    ['library', 'gives the direct one other vectors', otherwise],
  ] as const)('are the %s one when the library %s', async (way, _when, change) => {
    const plain = await plainContext(path);
    const contexts = await LlamaContexts.open({
      llama: changedLibrary(change), logger: new NativeLogger(undefined), modelPath: path, contextSize: 512, isEncoder: true, isProvisional: false, flashAttentionTokensMin: 64, checkWeights: true,
    });
    for (const length of [4, 63, 64, 300]) {
      const context = await contexts.forLength(length);
      if (length < 64) expect(context.way).toBe(way);
      const text = tinyText(length, length);
      const vector = await context.compute(contexts.frame.around(contexts.model.tokenize(text)));
      expect(cosine(vector, (await plain.getEmbeddingFor(text)).vector)).toBeGreaterThanOrEqual(0.9999);
    }
    await contexts.close();
  });

  it('share one loaded model, and load it again when a second context of it does not embed', async () => {
    let loads = 0;
    const counting: Pick<Llama, 'loadModel'> = {
      loadModel: (options: LlamaModelOptions) => {
        loads++;
        return llama.loadModel(options);
      },
    };
    const plain = await plainContext(path);
    for (const [spoil, expectedLoads] of [[false, 1], [true, 2]] as const) {
      loads = 0;
      const contexts = await LlamaContexts.open({
        llama: counting, logger: new NativeLogger(undefined), modelPath: path, contextSize: 512, isEncoder: true, isProvisional: false, flashAttentionTokensMin: 64, checkWeights: true,
      });
      if (spoil) contexts.model.createContext = async () => ({ dispose: async () => {} }) as never;
      const context = await contexts.forLength(64);
      expect(loads).toBe(expectedLoads);
      const text = tinyText(100);
      const vector = await context.compute(contexts.frame.around(contexts.model.tokenize(text)));
      expect(cosine(vector, (await plain.getEmbeddingFor(text)).vector)).toBeGreaterThanOrEqual(0.9999);
      await contexts.close();
    }
  });
});

describe('other kinds of models', () => {
  it("has the vectors of a decoder's last token, whatever text came before", async () => {
    const decoder = writeTinyLlama(join(folder, 'decoder.gguf'));
    const plain = await plainContext(decoder);
    const backend = await llamaBackend.load(decoder, { pooling: 'last', tokensMax: 511 });
    const texts = ['one text', 'and another, which is longer', 'one text', 'short'];
    await expectPlainVectors(backend, plain, texts);
    const { vectors } = await backend.embed(texts, UNBOUNDED);
    expect(row(vectors, 0)).toEqual(row(vectors, 2));
    await backend.close();
  });

  it('begins and ends a text of a Unigram vocabulary with its special tokens, as llama.cpp does', async () => {
    const unigram = writeTinyUnigram(join(folder, 'unigram.gguf'));
    const plain = await plainContext(unigram);
    const backend = await llamaBackend.load(unigram);
    expect(backend.countTokens('w7 w8 w9')).toBe(5);
    const { vectors } = await backend.embed(['w7 w8 w9'], UNBOUNDED);
    const framed = [2, ...plain.model.tokenize('w7 w8 w9'), 3] as Token[];
    expect(cosine(row(vectors, 0), (await plain.getEmbeddingFor(framed)).vector)).toBeGreaterThanOrEqual(0.9999);
    await backend.close();
  });
});
