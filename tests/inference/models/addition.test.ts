import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hashModel } from '../../../actors/inference/gguf/header.ts';
import { writeGguf } from '../../../actors/inference/gguf/writer.ts';
import { chooseModel } from '../../../actors/inference/model-choice.ts';
import { addModel, suitablePurpose } from '../../../actors/inference/models/addition.ts';
import { marksOf, modelFiles, presenceOf } from '../../../actors/inference/models/model-files.ts';
import { copyIntoStore, removeOwnFiles } from '../../../actors/inference/models/model-store.ts';
import { ModelRegistry } from '../../../actors/inference/models/registry.ts';
import { isTrusted } from '../../../actors/inference/models/trusted.ts';
import { createSystem, type System } from '../../../supervisors/index.ts';
import { writeTinyLlama } from '../../../bench/models/tiny-llama.ts';
import { tinyBert, writeTinyBert } from '../tiny-bert.ts';

let system: System;
beforeAll(async () => { system = await createSystem({ logLevel: 'silent' }); });
afterAll(() => system.close());

let folder: string;
let cacheDir: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spillway-addition-'));
  cacheDir = join(folder, 'cache');
  mkdirSync(cacheDir);
  path = writeTinyBert(join(folder, 'tiny.gguf'));
});
afterEach(() => { rmSync(folder, { recursive: true, force: true }); });

describe('a model that is added', () => {
  it('is tried first, and then kept with its measures where it lies', async () => {
    const model = await addModel(system, 'tiny', path, { cacheDir, now: () => 0 });
    const { size } = statSync(path);
    expect(model).toMatchObject({
      name: 'tiny', source: path, path, backend: 'llama', purposes: ['embed'], sha256: await hashModel(path), sizeBytes: size, dimensions: 64, contextLength: 512,
      copied: false, addedAt: '1970-01-01T00:00:00.000Z',
    });
    expect(model.checked).toMatch(/^loaded in a .*process/);
    expect(new ModelRegistry(cacheDir).list()).toEqual([model]);
    expect(isTrusted(model.sha256, { cacheDir })).toBe(true);
    expect(presenceOf(model)).toBe('present');
  });

  it('as a copy is not touched by what becomes of the original', async () => {
    const original = readFileSync(path);
    const model = await addModel(system, 'tiny', path, { cacheDir, copy: true });
    expect(model).toMatchObject({ source: path, copied: true, path: join(cacheDir, 'models', model.sha256, 'tiny.gguf') });
    truncateSync(path, 100);
    expect(readFileSync(model.path).equals(original)).toBe(true);
    expect(statSync(model.path).mode & 0o222).toBe(0);
    expect((await chooseModel('tiny', { cacheDir })).path).toBe(model.path);
  });

  it('and does not pass its trial leaves nothing behind', async () => {
    const { metadata, tensors } = tinyBert();
    writeGguf(path, { metadata, tensors: tensors.map((tensor) => (tensor.name === 'token_embd_norm.weight' ? { ...tensor, values: () => new Float32Array(64).fill(Number.NaN) } : tensor)) });
    await expect(addModel(system, 'tiny', path, { cacheDir })).rejects.toMatchObject({ code: 'model_quarantined' });
    expect(new ModelRegistry(cacheDir).list()).toEqual([]);
    expect(isTrusted(await hashModel(path), { cacheDir })).toBe(false);
  });

  it('has a name that is free and sound before anything is done', async () => {
    await expect(addModel(system, '../tiny', join(folder, 'none.gguf'), { cacheDir })).rejects.toMatchObject({ code: 'model_name_invalid' });
    await expect(addModel(system, 'tiny', join(folder, 'none.gguf'), { cacheDir })).rejects.toMatchObject({ code: 'model_missing' });
    await expect(addModel(system, 'tiny', path, { cacheDir, purposes: ['generate'] })).rejects.toMatchObject({ code: 'model_unsupported' });
    await addModel(system, 'tiny', path, { cacheDir });
    await expect(addModel(system, 'tiny', join(folder, 'none.gguf'), { cacheDir })).rejects.toMatchObject({ code: 'model_name_taken' });
  });

  it('is for what its files say', () => {
    expect(suitablePurpose(path)).toBe('embed');
    expect(suitablePurpose(writeTinyLlama(join(folder, 'llama.gguf')))).toBe('generate');
    expect(() => suitablePurpose(writeText('no model'))).toThrow(expect.objectContaining({ code: 'model_not_gguf' }));
  });
});

function writeText(text: string): string {
  const file = join(folder, 'text');
  writeFileSync(file, text);
  return file;
}

describe('the files of a model', () => {
  it('are seen to be touched or missing without being read', () => {
    const model = { path, files: marksOf(modelFiles(path)) };
    expect(presenceOf(model)).toBe('present');
    utimesSync(path, 1, 1);
    expect(presenceOf(model)).toBe('touched');
    rmSync(path);
    expect(presenceOf(model)).toBe('missing');
  });

  it('are copied once, and what a dead process left of a copy goes', () => {
    const sha256 = 'c'.repeat(64);
    const abandoned = join(cacheDir, 'models', `${'d'.repeat(64)}.tmp-999999999-0`);
    const underWay = join(cacheDir, 'models', `${'d'.repeat(64)}.tmp-${process.pid}-7`);
    for (const left of [abandoned, underWay]) mkdirSync(left, { recursive: true });
    const copy = copyIntoStore(modelFiles(path), sha256, cacheDir);
    expect(copyIntoStore(modelFiles(path), sha256, cacheDir)).toBe(copy);
    expect(existsSync(abandoned)).toBe(false);
    expect(existsSync(underWay)).toBe(true);
  });

  it('are removed only if they are our own', () => {
    const sha256 = 'c'.repeat(64);
    const copy = copyIntoStore(modelFiles(path), sha256, cacheDir);
    expect(removeOwnFiles({ path, copied: false, sha256 }, cacheDir)).toBe(false);
    // Whatever stands in the registry's file: neither the store as a whole nor anything outside goes.
    for (const wrong of [join(cacheDir, 'models'), cacheDir, join(cacheDir, 'models', '..', '..', 'tiny.gguf')]) {
      expect(removeOwnFiles({ path: wrong, copied: true, sha256: '..' }, cacheDir)).toBe(false);
    }
    expect(existsSync(copy)).toBe(true);
    expect(removeOwnFiles({ path: copy, copied: true, sha256 }, cacheDir)).toBe(true);
    expect(existsSync(join(cacheDir, 'models', sha256))).toBe(false);
    expect(existsSync(path)).toBe(true);
  });

  it('cannot be copied where there is no room for them, and that is said', () => {
    const place = join(folder, 'a file');
    writeFileSync(place, '');
    expect(() => copyIntoStore(modelFiles(path), 'c'.repeat(64), place)).toThrow(expect.objectContaining({ code: 'registry_unwritable' }));
  });
});
