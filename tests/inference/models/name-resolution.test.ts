import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chooseModel } from '../../../actors/inference/model-choice.ts';
import { resolveModelName } from '../../../actors/inference/models/name-resolution.ts';
import { ModelRegistry } from '../../../actors/inference/models/registry.ts';
import { writeTinyBert } from '../tiny-bert.ts';
import { registeredModel } from './registered-model.ts';

let cacheDir: string;
let registry: ModelRegistry;
beforeEach(() => {
  cacheDir = mkdtempSync(join(tmpdir(), 'spillway-names-'));
  registry = new ModelRegistry(cacheDir);
});
afterEach(() => { rmSync(cacheDir, { recursive: true, force: true }); });

describe('what is written after --model', () => {
  it('is a name if one was given, and the built-in model has one, too', async () => {
    await registry.add(registeredModel('mini'));
    expect(resolveModelName('mini', { cacheDir })).toEqual({ kind: 'registered', model: registeredModel('mini') });
    expect(resolveModelName('built-in', { cacheDir })).toEqual({ kind: 'built_in' });
  });

  it.each(['./mini', '/models/mini', 'mini.gguf', 'models/mini', 'hf:user/mini', ''])('is no name when it is %j, whatever names there are', async (source) => {
    await registry.add(registeredModel('mini'));
    expect(resolveModelName(source, { cacheDir })).toEqual({ kind: 'source', source });
  });

  it('may be a file or folder of the present folder', () => {
    expect(resolveModelName('actors', { cacheDir })).toEqual({ kind: 'source', source: 'actors' });
  });

  it('is refused when it is nothing of these, with the names that there are', async () => {
    await registry.add(registeredModel('mini'));
    expect(() => resolveModelName('maxi', { cacheDir })).toThrow(expect.objectContaining({ code: 'model_unknown', message: expect.stringContaining('there are: built-in, mini.') as string }));
  });
});

describe('where nothing is named', () => {
  it('the default of the purpose is meant', async () => {
    expect(resolveModelName(undefined, { cacheDir })).toEqual({ kind: 'built_in' });
    await registry.add(registeredModel('mini'));
    await registry.use('mini');
    expect(resolveModelName(undefined, { cacheDir, purpose: 'embed' })).toMatchObject({ kind: 'registered', model: { name: 'mini' } });
    await registry.rollback();
    expect(resolveModelName(undefined, { cacheDir })).toEqual({ kind: 'built_in' });
  });

  it('and the purpose has no default, that is said', () => {
    expect(() => resolveModelName(undefined, { cacheDir, purpose: 'rank' })).toThrow(expect.objectContaining({ code: 'model_unknown', message: expect.stringContaining('no default for rank') as string }));
  });

  it('and the registry is broken, no other model is taken in its place', () => {
    writeFileSync(registry.path, '{');
    expect(() => resolveModelName(undefined, { cacheDir })).toThrow(expect.objectContaining({ code: 'registry_broken' }));
    expect(resolveModelName('./mini.gguf', { cacheDir })).toEqual({ kind: 'source', source: './mini.gguf' });
  });
});

describe('a model that is chosen by name', () => {
  it('has the path for its own name, so that an index finds it when names have changed', async () => {
    const path = writeTinyBert(join(cacheDir, 'tiny.gguf'));
    const { sha256 } = await chooseModel(path, { cacheDir });
    await registry.add(registeredModel('mini', { path, source: path, sha256 }));
    await registry.use('mini');
    expect(await chooseModel('mini', { cacheDir })).toMatchObject({ path, name: path, sha256, dimensions: 64, builtIn: false });
    expect(await chooseModel(undefined, { cacheDir })).toMatchObject({ name: path });
  });

  it('is refused when its file is another than was added, naming both hashes', async () => {
    const path = writeTinyBert(join(cacheDir, 'tiny.gguf'));
    const { sha256 } = await chooseModel(path, { cacheDir });
    await registry.add(registeredModel('mini', { path, source: path, sha256 }));
    writeTinyBert(path, { seed: 2 });
    const now = (await chooseModel(path, { cacheDir })).sha256;
    await expect(chooseModel('mini', { cacheDir })).rejects.toMatchObject({
      code: 'model_changed', details: { sha256: now, addedSha256: sha256 }, message: expect.stringMatching(`${now.slice(0, 16)}.*${sha256.slice(0, 16)}`),
    });
  });

  it('and is gone is missing, with its path', async () => {
    await registry.add(registeredModel('mini', { path: join(cacheDir, 'none.gguf') }));
    await expect(chooseModel('mini', { cacheDir })).rejects.toMatchObject({ code: 'model_missing', message: expect.stringContaining('none.gguf') });
  });
});
