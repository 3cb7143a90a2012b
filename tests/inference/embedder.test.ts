/** What a caller gets of an embedder: streams, options, bad input, each text's own outcome. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEmbedder, createSystem, type Embedded, type Embedder, type System } from '../../actors/index.ts';
import { str } from '../../actors/inference/gguf/types.ts';
import { writeGguf } from '../../actors/inference/gguf/writer.ts';
import { TINY_SHAPE, tinyBert, tinyText, writeTinyBert } from './tiny-bert.ts';
import { cosine } from '../../actors/inference/unit-vector.ts';

const DIMENSIONS = TINY_SHAPE.embeddingLength;
const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'spillway-embedder-')));
const model = join(scratch, 'tiny.gguf');
const OPTIONS = { model, actors: 1, quarantine: false, cacheDir: join(scratch, 'cache') };
let system: System;
let embedder: Embedder;

beforeAll(async () => {
  writeTinyBert(model);
  system = await createSystem({ logLevel: 'silent' });
  embedder = await createEmbedder(system, { ...OPTIONS, prompts: { query: 'w9 ', document: '' } });
});
afterAll(async () => {
  await system.close();
  rmSync(scratch, { recursive: true, force: true });
});

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const collected: Item[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

describe('a stream of texts', () => {
  it('gives results in order, equal to those of an array, whatever its texts are', async () => {
    const texts = Array.from({ length: 700 }, (_, index) => tinyText(3 + ((index * 7) % 90), index));
    const rows = await embedder.embed(texts, { cache: false });
    const streamed = await all(embedder.embed(texts.values(), { cache: false }));
    expect(streamed.map(({ index, status }) => [index, status])).toEqual(texts.map((_, index) => [index, 'ok']));
    for (const { index, vector } of streamed) expect(cosine(vector!, rows[index]!)).toBeGreaterThanOrEqual(0.9999);
  });

  it('reads a source without end only as far as its reader goes, and closes it', async () => {
    let [taken, closed] = [0, false];
    async function* source(): AsyncGenerator<string> {
      try {
        for (;;) yield `w${taken++ % 200}`;
      } finally {
        closed = true;
      }
    }
    let read = 0;
    for await (const { status } of embedder.embed(source())) {
      expect(status).toBe('ok');
      expect(taken - read).toBeLessThanOrEqual(600);
      if (++read === 2_000) break;
    }
    expect(closed).toBe(true);
  });

  it('tells of each text what became of it, and goes on', async () => {
    const texts = ['w1', '  ', 'w1 '.repeat(600), '\ud800w1', 'x'.repeat(300_000), 'w2'];
    const outcomes = await all(embedder.embed(texts.values()));
    expect(outcomes.map(({ status }) => status)).toEqual(['ok', 'empty', 'too_long', 'not_unicode', 'too_many_bytes', 'ok']);
    expect(outcomes.map(({ reason }) => reason)).toEqual([
      undefined,
      expect.stringContaining('give text'),
      expect.stringContaining('602 tokens and the model takes 511'),
      expect.stringContaining('toWellFormed'),
      expect.stringContaining('split it'),
      undefined,
    ]);
  });

  it('can be cancelled in the middle', async () => {
    const abort = new AbortController();
    const seen: Embedded[] = [];
    for await (const item of embedder.embed(Array.from({ length: 3_000 }, (_, index) => tinyText(60, index)).values(), { signal: abort.signal, cache: false })) {
      seen.push(item);
      if (seen.length === 10) abort.abort();
    }
    expect(seen).toHaveLength(3_000);
    expect(seen.slice(0, 10).every(({ status }) => status === 'ok')).toBe(true);
    expect(seen.at(-1)!.status).toBe('cancelled');
  });
});

describe('options of a call', () => {
  it('give every form of the same vector', async () => {
    const [row] = await embedder.embed(['w1 w2 w3']);
    const [sliced] = await embedder.embed(['w1 w2 w3'], { dimensions: 16 });
    const [bytes] = await embedder.embed(['w1 w2 w3'], { output: 'int8' });
    const [bits] = await embedder.embed(['w1 w2 w3'], { output: 'binary', dimensions: 16 });
    const [text] = await embedder.embed(['w1 w2 w3'], { output: 'base64' });
    expect([sliced!.length, bytes!.length, bits!.length]).toEqual([16, DIMENSIONS, 2]);
    expect(Math.hypot(...sliced!)).toBeCloseTo(1, 5);
    expect(cosine(bytes!, row!)).toBeGreaterThan(0.99);
    expect(new Float32Array(Uint8Array.from(Buffer.from(text!, 'base64')).buffer)).toEqual(row);
  });

  it('put the prompt of the wanted kind before each text', async () => {
    const [plain] = await embedder.embed(['w9 w1 w2']);
    expect((await embedder.embed(['w1 w2'], { input: 'query' }))[0]).toEqual(plain);
    expect((await embedder.embed(['w9 w1 w2'], { input: 'document' }))[0]).toEqual(plain);
    expect((await embedder.embed(['w1 w2']))[0]).not.toEqual(plain);
  });

  it('cut a long text at either side', async () => {
    const words = Array.from({ length: 600 }, (_, index) => `w${(index * 7) % 200}`);
    const [right, left] = [await embedder.embedSettled([words.join(' ')], { truncate: 'right' }), await embedder.embedSettled([words.join(' ')], { truncate: 'left' })];
    expect([right[0]!.truncated, left[0]!.truncated, right[0]!.tokens]).toEqual([true, true, 602]);
    const [beginning, end] = await embedder.embed([words.slice(0, 509).join(' '), words.slice(-509).join(' ')]);
    expect(cosine(right[0]!.vector!, beginning!)).toBeGreaterThanOrEqual(0.9999);
    expect(cosine(left[0]!.vector!, end!)).toBeGreaterThanOrEqual(0.9999);
    expect(cosine(beginning!, end!)).toBeLessThan(0.9999);
  });

  it('compute equal texts once, and say which came from the cache', async () => {
    const texts = Array.from({ length: 50 }, (_, index) => `w${index % 5} w77 w78`);
    const first = await embedder.embedSettled(texts);
    const again = await embedder.embedSettled(texts);
    expect(again.every(({ cached }) => cached)).toBe(true);
    expect(again.map(({ vector }) => vector)).toEqual(first.map(({ vector }) => vector));
    expect((await embedder.embedSettled(texts, { cache: false })).every(({ cached }) => !cached)).toBe(true);
  });
});

describe('bad input', () => {
  it.each([
    ['no dimensions', { dimensions: 0 }, 'dimensions_invalid', 'from 1 to 64'],
    ['more dimensions than the model has', { dimensions: 65 }, 'dimensions_invalid', 'from 1 to 64'],
    ['half a dimension', { dimensions: 1.5 }, 'dimensions_invalid', 'whole number'],
    ['an unknown priority', { priority: 'urgent' as never }, 'embed_options_invalid', 'interactive, normal, bulk'],
    ['an unknown form', { output: 'float16' as never }, 'embed_options_invalid', 'float32'],
    ['an unknown side', { truncate: 'middle' as never }, 'embed_options_invalid', 'refuse, left, right'],
    ['a deadline that is none', { deadlineMs: 0 }, 'embed_options_invalid', 'above zero'],
    ['a key without end', { key: 'k'.repeat(300) }, 'embed_options_invalid', '256'],
  ])('refuses %s', async (_, options, code, expected) => {
    await expect(embedder.embed(['w1'], options)).rejects.toMatchObject({ code, message: expect.stringContaining(expected) as string });
    await expect(all(embedder.embed(['w1'].values(), options))).rejects.toMatchObject({ code });
    expect(await embedder.embed(['w1'])).toHaveLength(1);
  });

  it('refuses a prompt that was not given', async () => {
    const other = await createEmbedder(system, { ...OPTIONS, name: 'promptless' });
    await expect(other.embed(['w1'], { input: 'query' })).rejects.toMatchObject({ code: 'embed_options_invalid', message: expect.stringContaining("prompts: { query: '...' }") as string });
    await other.close();
  });

  it('refuses a million texts in one array before it does anything, and takes them as a stream', async () => {
    const texts = Array.from({ length: 1_000_000 }, () => 'w1');
    await expect(embedder.embed(texts)).rejects.toMatchObject({ code: 'too_many_texts', message: expect.stringContaining('texts.values()') as string });
    let read = 0;
    for await (const { status } of embedder.embed(texts.values())) {
      expect(status).toBe('ok');
      if (++read === 5_000) break;
    }
  });

  it('gives up what was not begun before its deadline, and leaves the neighbours alone', async () => {
    const slow = embedder.embedSettled(Array.from({ length: 120 }, (_, index) => tinyText(500, index)), { cache: false });
    const late = await embedder.embedSettled(Array.from({ length: 64 }, (_, index) => tinyText(400, 1_000 + index)), { deadlineMs: 1, cache: false });
    expect(late.some(({ status }) => status === 'deadline')).toBe(true);
    expect((await slow).every(({ status }) => status === 'ok')).toBe(true);
  });

  it('refuses models that are none, cannot embed, or are not there, each with its code', async () => {
    const { metadata, tensors } = tinyBert();
    const odd = join(scratch, 'odd.gguf');
    writeGguf(odd, { metadata: { ...metadata, 'general.architecture': str('whisper') }, tensors });
    await expect(createEmbedder(system, { ...OPTIONS, name: 'odd', model: odd })).rejects.toMatchObject({ code: 'model_unsupported', message: expect.stringContaining('whisper') as string });
    await expect(createEmbedder(system, { ...OPTIONS, name: 'gone', model: join(scratch, 'gone.gguf') })).rejects.toMatchObject({ code: 'model_missing' });
    await expect(createEmbedder(system, { ...OPTIONS, name: 'unheard-of', model: 'unheard-of' })).rejects.toMatchObject({ code: 'model_unknown' });
    await expect(createEmbedder(system, { ...OPTIONS, name: 'pooled', pooling: 'cls' })).rejects.toMatchObject({ code: 'pooling_unsupported' });
  });

  it('says which model can give spans vectors instead of guessing', async () => {
    expect(embedder.model.spans).toBe(false);
    await expect(embedder.embedSpans('w1 w2', [{ start: 0, end: 2 }])).rejects.toMatchObject({ code: 'model_unsupported' });
    await expect(embedder.embedSpans('w1 w2', [{ start: 3, end: 9 }])).rejects.toMatchObject({ code: 'spans_invalid', message: expect.stringContaining('from 3 to 9') as string });
  });
});
