/** Texts of a real, tiny model: what they depend on, how they end, and what they cost when nobody reads them. */
import { rmSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GENERATION_COUNTERS } from '../../../actors/inference/generation/actor.ts';
import { TextGenerator, createGenerator, type Generation, type GenerateOptions } from '../../../actors/inference/generation/index.ts';
import { generationProtocol } from '../../../actors/inference/generation/messages.ts';
import { generationSpec } from '../../../actors/inference/generation/spec.ts';
import { chooseModel } from '../../../actors/inference/index.ts';
import { isTrusted } from '../../../actors/inference/models/trusted.ts';
import { SpillwayError, systemClock } from '../../../kernel/index.ts';
import { createSystem, type System } from '../../../supervisors/index.ts';
import { until } from '../../kernel/condition.ts';
import { writeTinyLlama } from '../../../bench/models/tiny-llama.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-generation-'));
const model = writeTinyLlama(join(folder, 'tiny.gguf'));
/** Each of its tokens is one ASCII character, so pieces, tokens and characters are the same number. */
const COUNTED: GenerateOptions = { schema: { const: 'a'.repeat(1_000) }, maxTokens: 900 };
const HELD: GenerateOptions = { ...COUNTED, demand: 1 };

let system: System;
/** One text at once, and one that waits. */
let single: TextGenerator;
/** Four at once, each computed by itself. */
let four: TextGenerator;

beforeAll(async () => {
  system = await createSystem({ logLevel: 'error' });
  const shared = { model: await chooseModel(model, { purpose: 'generate' }), contextTokens: 1_024, quarantine: false };
  [single, four] = await Promise.all([
    createGenerator(system, { ...shared, name: 'single', sequences: 1, waitingMax: 1 }),
    createGenerator(system, { ...shared, name: 'four', sequences: 4, batching: false }),
  ]);
});

afterAll(async () => {
  await system.close();
  rmSync(folder, { recursive: true, force: true });
});

const counted = (name: string) => system.counters(name, GENERATION_COUNTERS);

async function piecesOf(generation: Generation): Promise<{ text: string; tokens: number }[]> {
  const pieces = [];
  for await (const piece of generation) pieces.push(piece);
  return pieces;
}

async function errorOf(generation: Generation): Promise<SpillwayError> {
  const error: unknown = await generation.complete().then(() => undefined, (thrown: unknown) => thrown);
  if (error instanceof SpillwayError) return error;
  throw new Error('It did not end with an error of its own.', { cause: error });
}

/** Begins a text and reads so many pieces of it. */
async function begin(generator: TextGenerator, pieces: number, options: GenerateOptions): Promise<{ generation: Generation; iterator: AsyncIterator<unknown> }> {
  const generation = generator.generate('go on', options);
  const iterator = generation[Symbol.asyncIterator]();
  for (let count = 0; count < pieces; count++) await iterator.next();
  return { generation, iterator };
}

describe('a text', () => {
  it('is the same for the same seed, and another for another', async () => {
    const text = async (seed: number) => (await single.generate('once upon', { seed, temperature: 1, maxTokens: 60 }).complete()).text;
    const first = await text(7);
    expect(await text(7)).toBe(first);
    expect(await text(8)).not.toBe(first);
  });

  it('without a seed tells the one that gives it again', async () => {
    const { seed, text } = await single.generate('once upon', { temperature: 1, maxTokens: 40 }).complete();
    expect((await single.generate('once upon', { seed, temperature: 1, maxTokens: 40 }).complete()).text).toBe(text);
  });

  it('does not depend on what else is generated if each sequence is computed by itself', async () => {
    const prompts = Array.from({ length: 8 }, (_, index) => `prompt ${'x'.repeat(index * 5)}`);
    const options = { seed: 3, temperature: 1, maxTokens: 80 };
    const together = await Promise.all(prompts.map((prompt) => four.generate(prompt, options).complete()));
    const alone = [];
    for (const prompt of prompts) alone.push(await single.generate(prompt, options).complete());
    expect(together.map(({ text }) => text)).toEqual(alone.map(({ text }) => text));
    expect(new Set(together.map(({ text }) => text)).size).toBe(prompts.length);
  });

  it('is one text although the prompt is read in parts', async () => {
    const { usage, text } = await single.generate('long '.repeat(60), { maxTokens: 20 }).complete();
    expect(usage).toEqual({ promptTokens: 301, completionTokens: 20 });
    expect((await four.generate('long '.repeat(60), { maxTokens: 20 }).complete()).text).toBe(text);
  });

  it('comes in pieces that make up the result, whose tokens add up, and that split no character', async () => {
    const generation = single.generate('a', { seed: 5, temperature: 1, maxTokens: 300 });
    const pieces = await piecesOf(generation);
    const { text, usage } = await generation.result;
    expect(pieces.map((piece) => piece.text).join('')).toBe(text);
    expect(pieces.reduce((sum, { tokens }) => sum + tokens, 0)).toBe(usage.completionTokens);
    const names = await piecesOf(single.generate('a', { schema: { const: 'é日本😀' }, seed: 1 }));
    expect(names.map(({ text: piece, tokens }) => [piece, tokens]).slice(1, 5)).toEqual([['é', 2], ['日', 3], ['本', 3], ['😀', 4]]);
  });
});

describe('a text ends', () => {
  it('with length at its number of tokens, being the beginning of a longer one', async () => {
    const options = { seed: 7, temperature: 1 };
    const short = await single.generate('once upon', { ...options, maxTokens: 25 }).complete();
    const long = await single.generate('once upon', { ...options, maxTokens: 50 }).complete();
    expect(short).toMatchObject({ reason: 'length', usage: { promptTokens: 10, completionTokens: 25 } });
    expect(long.reason).toBe('length');
    expect(long.text.startsWith(short.text)).toBe(true);
  });

  it('with length where its context does', async () => {
    const { reason, usage } = await single.generate('b'.repeat(1_000), { maxTokens: 500, schema: { const: 'a'.repeat(1_000) } }).complete();
    expect(reason).toBe('length');
    expect(usage).toEqual({ promptTokens: 1_001, completionTokens: 23 });
  });

  it('with eos where the model ends it', async () => {
    for (let seed = 0; ; seed++) {
      const { reason, text, usage } = await four.generate('a', { seed, temperature: 1.5, topK: 0, topP: 1, maxTokens: 300 }).complete();
      if (reason !== 'eos') continue;
      expect(usage.completionTokens).toBeLessThan(300);
      expect(text).not.toContain('endoftext');
      return;
    }
  });

  it('with stop before the first of its stop sequences, also one that comes in several pieces', async () => {
    const whole = (await single.generate('a', { schema: { const: 'one two three two' } }).complete()).text;
    expect(whole).toBe('"one two three two"');
    const generation = single.generate('a', { schema: { const: 'one two three two' }, stop: ['three', 'two t'] });
    const pieces = await piecesOf(generation);
    expect(await generation.result).toMatchObject({ reason: 'stop', stop: 'two t', text: '"one ' });
    expect(pieces.map(({ text }) => text).join('')).toBe('"one ');
  });

  it('whole, if a stop sequence only began in it', async () => {
    const { reason, text } = await single.generate('a', { schema: { const: 'on' }, stop: ['on"!'], maxTokens: 4 }).complete();
    expect([reason, text]).toEqual(['length', '"on"']);
  });

  it('with eos when it fits its schema', async () => {
    const schema = { type: 'object', properties: { name: { enum: ['é', '日本'] }, count: { type: 'integer' }, flags: { type: 'array', items: { type: 'boolean' }, maxItems: 3 } } };
    for (let seed = 0; seed < 5; seed++) {
      const { reason, text } = await four.generate('a', { schema, seed, temperature: 1, maxTokens: 200 }).complete();
      expect(reason).toBe('eos');
      const value = JSON.parse(text) as { name: string; count: number; flags: boolean[] };
      expect(Object.keys(value)).toEqual(['name', 'count', 'flags']);
      expect(['é', '日本']).toContain(value.name);
      expect(Number.isInteger(value.count)).toBe(true);
      expect(value.flags.length <= 3 && value.flags.every((flag) => typeof flag === 'boolean')).toBe(true);
    }
  });

  it('with deadline although nobody reads on, and its sequence is free for the next', async () => {
    const { generation } = await begin(single, 3, { ...HELD, deadlineMs: 150 });
    expect((await single.generate('next', { maxTokens: 3 }).complete()).usage.completionTokens).toBe(3);
    const { reason, text, usage } = await generation.complete();
    expect(reason).toBe('deadline');
    expect(text).toBe(`"${'a'.repeat(text.length - 1)}`);
    expect(usage.completionTokens).toBe(text.length);
  });

  it('with deadline while it waits for a sequence, without a token', async () => {
    const { iterator } = await begin(single, 1, HELD);
    const late = await single.generate('late', { deadlineMs: 50 }).complete();
    expect(late).toMatchObject({ reason: 'deadline', text: '', usage: { completionTokens: 0 } });
    await iterator.return?.();
  });

  it('with what was measured', async () => {
    const result = await single.generate('a', { ...COUNTED, maxTokens: 50 }).complete();
    expect(result.ttftMs).toBeGreaterThan(0);
    expect(result.tokensPerSecond).toBeGreaterThan(0);
    expect(result.queuedMs).toBeLessThanOrEqual(result.ttftMs!);
  });
});

describe('a text that is cancelled', () => {
  it.each(['signal', 'loop', 'scope'] as const)('by its %s costs a token more at the most, and ends as cancelled', async (by) => {
    const before = counted('single').tokens;
    const controller = new AbortController();
    const scope = system.scope();
    const generation = single.generate('go on', { ...HELD, signal: controller.signal, scope });
    let seen = 0;
    for await (const piece of generation) {
      seen += piece.tokens;
      if (seen < 5) continue;
      if (by === 'loop') break;
      if (by === 'signal') controller.abort();
      else scope.cancel('enough');
    }
    const { reason, text, usage } = await generation.result;
    expect([reason, usage.promptTokens]).toEqual(['cancelled', 6]);
    expect(text.length).toBe(usage.completionTokens);
    // Its only sequence is taken anew, so nothing of it runs any more.
    await single.generate('next', { maxTokens: 1 }).complete();
    // One piece was asked for ahead, and one token was computed when the cancel came.
    expect(counted('single').tokens - before - 1).toBeLessThanOrEqual(usage.completionTokens + 2);
  });

  it('before it began is never sent', async () => {
    const before = counted('single').requests;
    expect((await single.generate('a', { signal: AbortSignal.abort() }).complete()).reason).toBe('cancelled');
    expect(counted('single').requests).toBe(before);
  });

  it('while it waits leaves its place to another', async () => {
    const { iterator } = await begin(single, 1, HELD);
    const { requests } = counted('single');
    const controller = new AbortController();
    const waiting = single.generate('waits', { signal: controller.signal }).complete();
    await until(() => counted('single').requests === requests + 1, 'it waits');
    const refused = await errorOf(single.generate('too many'));
    expect(refused.code).toBe('generation_overloaded');
    controller.abort();
    expect((await waiting).reason).toBe('cancelled');
    const next = single.generate('waits instead', { maxTokens: 2 }).complete();
    await iterator.return?.();
    expect((await next).reason).toBe('length');
  });
});

describe('several texts', () => {
  it('are generated at once as far as there are sequences, then they wait, then they are refused', async () => {
    const held = await Promise.all(Array.from({ length: 4 }, () => begin(four, 2, { ...HELD, maxTokens: 60 })));
    const fifth = four.generate('fifth', { maxTokens: 2 }).complete();
    await Promise.all(held.map(({ generation }) => generation.complete()));
    expect((await fifth).reason).toBe('length');

    const { iterator } = await begin(single, 1, HELD);
    const waiting = single.generate('waits', { maxTokens: 2 }).complete();
    const { code, details } = await errorOf(single.generate('too many'));
    expect([code, details?.['retryAfterMs']]).toEqual(['generation_overloaded', expect.any(Number)]);
    await iterator.return?.();
    expect((await waiting).usage.completionTokens).toBe(2);
  });

  it('do not wait for one whose reader is slow, and that is generated no further than it is read, plus what was asked for ahead', async () => {
    const before = counted('four').tokens;
    const { generation } = await begin(four, 3, { ...COUNTED, demand: 4 });
    const others = await Promise.all(Array.from({ length: 6 }, () => four.generate('other', { maxTokens: 40 }).complete()));
    const tokensOfOthers = others.reduce((sum, { usage }) => sum + usage.completionTokens, 0);
    expect(counted('four').tokens - before - tokensOfOthers).toBeLessThanOrEqual(3 + 4);
    expect((await generation.complete()).usage.completionTokens).toBe(900);
  });
});

describe('a request that cannot be', () => {
  it.each([
    ['prompt_empty', '  ', {}],
    ['prompt_not_unicode', 'a\uDFFF', {}],
    ['prompt_too_long', 'word '.repeat(300), {}],
    ['prompt_too_long', 'a'.repeat(250_000), {}],
    ['generation_invalid', 'a', { maxTokens: 0 }],
    ['generation_invalid', 'a', { deadlineMs: -1 }],
    ['generation_invalid', 'a', { demand: 0 }],
    ['schema_invalid', 'a', { schema: { type: 'string', pattern: 'a' } }],
  ] as const)('ends with %s, and the next is served', async (code, prompt, options) => {
    const generation = single.generate(prompt, options);
    expect((await errorOf(generation)).code).toBe(code);
    await expect(generation.result).rejects.toMatchObject({ code });
    expect((await single.generate('a', { maxTokens: 1 }).complete()).usage.completionTokens).toBe(1);
  });

  it('is refused by the actor too, whoever asks it', async () => {
    const actor = await system.spawn(generationSpec('asked', { model: { source: model }, sequences: 1 }), generationProtocol);
    const request = { prompt: 'a', maxTokens: 5, temperature: 0, topK: 40, topP: 1, seed: 1, stop: [], deadlineMs: systemClock.monotonicMs() + 10_000 };
    const codeOf = async (changes: object) => {
      const error: unknown = await actor.stream('generate', { ...request, ...changes }, { deadlineMs: 20_000 }).next().catch((thrown: unknown) => thrown);
      return (error as SpillwayError).code;
    };
    expect(await codeOf({ prompt: '' })).toBe('prompt_empty');
    expect(await codeOf({ schema: '{' })).toBe('schema_invalid');
    expect(await codeOf({ deadlineMs: NaN })).toBe('generation_invalid');
    expect(await codeOf({ deadlineMs: Infinity })).toBe('generation_invalid');
    await system.terminate('asked');
  });

  it('to a model that was never loaded here is served once it has been tried, and its generator repeats itself when it is alone', async () => {
    const options = { seed: 2, temperature: 1, maxTokens: 30 };
    const cacheDir = join(folder, 'cache');
    const generator = await createGenerator(system, { name: 'untried', model: writeTinyLlama(join(folder, 'other.gguf'), 2), cacheDir });
    expect(isTrusted(generator.model.sha256, { cacheDir })).toBe(true);
    expect(generator.model).toMatchObject({ name: expect.stringContaining('tiny llama') as string, contextTokens: 2_048, sequences: 4 });
    const texts = [];
    for (let count = 0; count < 3; count++) texts.push((await generator.generate('a', options).complete()).text);
    expect(new Set(texts).size).toBe(1);
    expect(texts[0]).not.toBe((await single.generate('a', options).complete()).text);
    await generator.close();
  });

  it('of an unknown model, or of one that cannot generate, ends before anything is loaded', async () => {
    await expect(createGenerator(system, { name: 'none', model: '/nowhere/model.gguf' })).rejects.toMatchObject({ code: 'model_missing' });
    await expect(createGenerator(system, { name: 'none', model, sequences: 0, quarantine: false })).rejects.toThrow(RangeError);
  });
});

describe('a generator that ends', () => {
  it.each([
    ['throw', 'thread'],
    ['kill', 'process'],
  ] as const)('in the middle of a text (%s, in a %s) ends each text with one error, and serves again', async (prompt, placement) => {
    const name = `mortal-${placement}`;
    const checked = await chooseModel(model, { purpose: 'generate' });
    const { start, process: _, ...spec } = generationSpec(name, { model: checked, sequences: 2, load: 'start' }, { isolate: placement === 'process' });
    const actor = await system.spawn({ ...spec, start: { ...start, module: new URL('./mortal-generator.ts', import.meta.url).href, export: 'mortalGeneration' } }, generationProtocol);
    const generator = new TextGenerator(system, actor, single.model);
    const neighbour = await begin(generator, 1, { ...COUNTED, demand: 4 });
    const generation = generator.generate(prompt, COUNTED);
    let pieces = 0;
    const loop = (async () => {
      for await (const piece of generation) pieces += piece.tokens;
    })();
    await expect(loop).rejects.toMatchObject({ code: 'actor_restarted' });
    await expect(generation.result).rejects.toMatchObject({ code: 'actor_restarted' });
    // What a process had not yet sent is lost with it.
    expect(pieces).toBeLessThanOrEqual(3);
    await expect(neighbour.generation.complete()).rejects.toMatchObject({ code: 'actor_restarted' });
    expect((await generator.generate('again', { maxTokens: 3 }).complete()).usage.completionTokens).toBe(3);
    await generator.close();
  });

  it('in order ends its texts, and waits for the native call in flight', async () => {
    const generator = await createGenerator(system, { name: 'closing', model, sequences: 2, isolate: true });
    const texts = Array.from({ length: 3 }, () => generator.generate('a', COUNTED));
    const ends = texts.map((text) => text.complete().then(() => 'ended', (error: SpillwayError) => error.code));
    await texts[0]![Symbol.asyncIterator]().next();
    await generator.close();
    expect(await Promise.all(ends)).toEqual(['actor_stopped', 'actor_stopped', 'actor_stopped']);
    expect((await errorOf(generator.generate('a'))).code).toBe('actor_stopped');
  });
});
