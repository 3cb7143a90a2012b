import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModelPurpose } from '../../actors/inference/gguf/architecture.ts';
import { checkGgufHeader } from '../../actors/inference/gguf/header.ts';
import { str, strArray, u32 } from '../../actors/inference/gguf/types.ts';
import { writeGguf } from '../../actors/inference/gguf/writer.ts';
import { writeTinyLlama } from '../../bench/models/tiny-llama.ts';
import { tinyRanker } from './llama-tiny-models.ts';
import { writeTinyBert } from './tiny-bert.ts';

let folder: string;
beforeAll(() => { folder = mkdtempSync(join(tmpdir(), 'spillway-llama-purpose-')); });
afterAll(() => { rmSync(folder, { recursive: true, force: true }); });

type Content = ReturnType<typeof tinyRanker>;

function writeRanker(name: string, change: (content: Content) => void = () => {}): string {
  const path = join(folder, name);
  const content = tinyRanker();
  change(content);
  writeGguf(path, content);
  return path;
}

describe('the purpose of a model', () => {
  it('decides which models the header check lets pass', () => {
    const models = { embeds: writeTinyBert(join(folder, 'embeds.gguf')), ranks: writeRanker('ranks.gguf'), decodes: writeTinyLlama(join(folder, 'decodes.gguf')) };
    const fit: Record<keyof typeof models, readonly ModelPurpose[]> = { embeds: ['embed'], ranks: ['rank'], decodes: ['embed', 'generate'] };
    for (const [name, path] of Object.entries(models)) {
      for (const purpose of ['embed', 'rank', 'generate'] as const) {
        const check = (): unknown => checkGgufHeader(path, purpose);
        if (fit[name as keyof typeof models].includes(purpose)) expect(check, `${name} to ${purpose}`).not.toThrow();
        else expect(check, `${name} to ${purpose}`).toThrow(expect.objectContaining({ code: 'model_unsupported' }));
      }
    }
  });

  it('is to embed unless it is said', () => {
    expect(() => checkGgufHeader(writeRanker('default.gguf'))).toThrow(/ranks pairs of texts/);
  });
});

describe('a head that ranks', () => {
  it('makes a model one that ranks, even if the file states another pooling', () => {
    expect(checkGgufHeader(writeRanker('old.gguf', ({ metadata }) => { metadata['bert.pooling_type'] = u32(2); }), 'rank').poolingType).toBe(2);
    expect(checkGgufHeader(writeRanker('older.gguf', ({ metadata }) => { delete metadata['bert.pooling_type']; }), 'rank').poolingType).toBeUndefined();
  });

  it.each<[string, string, RegExp, (content: Content) => void]>([
    ['is missing', 'model_unsupported', /lacks the tensor cls\.output\.weight/, ({ tensors }) => { tensors.splice(tensors.findIndex(({ name }) => name === 'cls.output.weight'), 1); }],
    ['has another shape', 'model_malformed', /\[64, 2\]; expected \[64, 1\]/, ({ tensors }) => {
      const at = tensors.findIndex(({ name }) => name === 'cls.output.weight');
      tensors[at] = { ...tensors[at]!, dims: [64, 2], values: () => new Float32Array(128) };
    }],
    ['has an inner layer of another shape', 'model_malformed', /cls\.weight in the shape \[64, 32\]/, ({ tensors }) => {
      const at = tensors.findIndex(({ name }) => name === 'cls.weight');
      tensors[at] = { ...tensors[at]!, dims: [64, 32], values: () => new Float32Array(2_048) };
    }],
    ['sorts into classes', 'model_unsupported', /has 3 outputs/, ({ metadata }) => { metadata['bert.classifier.output_labels'] = strArray(['a', 'b', 'c']); }],
    ['belongs to an architecture that has none', 'model_unsupported', /expected one that ranks texts/, ({ metadata }) => { metadata['general.architecture'] = str('gemma2'); }],
  ])('is refused when it %s', (title, code, message, change) => {
    const path = writeRanker(`${title.replaceAll(/\W+/g, '-')}.gguf`, change);
    expect(() => checkGgufHeader(path, 'rank')).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) as string }));
  });
});
