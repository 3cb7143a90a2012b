import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ModelRegistry } from '../../../actors/inference/models/registry.ts';
import { registeredModel } from './registered-model.ts';

let folder: string;
let registry: ModelRegistry;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spillway-registry-'));
  registry = new ModelRegistry(folder);
});
afterEach(() => { rmSync(folder, { recursive: true, force: true }); });

const add = (...names: string[]): Promise<void> => names.reduce((before, name) => before.then(() => registry.add(registeredModel(name))), Promise.resolve());
const names = (): string[] => registry.list().map(({ name }) => name);

/** Runs `code` in a process of its own, with `registry` and `registeredModel` at hand. */
function inProcess(code: string): Promise<unknown> {
  const url = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
  const prelude = `
    import { ModelRegistry } from ${url('../../../actors/inference/models/registry.ts')};
    import { registeredModel } from ${url('./registered-model.ts')};
    const registry = new ModelRegistry(${JSON.stringify(folder)});
  `;
  return promisify(execFile)(process.execPath, [...process.execArgv, '--input-type=module-typescript', '-e', prelude + code]);
}

describe('the registry', () => {
  it('is empty where there is no file, and the built-in model is the default for embedding', () => {
    expect(registry.list()).toEqual([]);
    expect(registry.defaultName('embed')).toBe('built-in');
    expect(registry.defaultName('generate')).toBeUndefined();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('gives back what was added, in this order, to everybody who looks', async () => {
    await add('one', 'two');
    expect(new ModelRegistry(folder).list()).toEqual([registeredModel('one'), registeredModel('two')]);
    expect(registry.find('two')).toEqual(registeredModel('two'));
    expect(registry.find('three')).toBeUndefined();
  });

  it('does not take a name twice, in whatever case', async () => {
    await add('MiniLM');
    await expect(add('MiniLM')).rejects.toMatchObject({ code: 'model_name_taken' });
    await expect(add('minilm')).rejects.toMatchObject({ code: 'model_name_taken', message: expect.stringContaining('spillway models remove MiniLM') });
    expect(names()).toEqual(['MiniLM']);
  });

  it.each(['', 'a b', 'a/b', '../a', 'a.gguf', '.a', '-a', 'hf:a', 'a'.repeat(65), 'ä', 'a\nb', 'built-in', 'Built-In', 'a..1'])('does not take %j for a name', async (name) => {
    await expect(registry.add(registeredModel(name))).rejects.toMatchObject({ code: 'model_name_invalid' });
  });

  it.each(['a', 'bge-small-v1.5', 'Qwen3_0', '7b', 'constructor', 'a'.repeat(64)])('takes %j for a name', async (name) => {
    await add(name);
    expect(registry.get(name).name).toBe(name);
  });

  it('says of an unknown name which ones there are', async () => {
    await add('one', 'two');
    for (const attempt of [() => registry.use('three'), () => registry.remove('three'), async () => registry.get('three')]) {
      await expect(attempt()).rejects.toMatchObject({ code: 'model_unknown', details: { names: ['built-in', 'one', 'two'] } });
    }
  });

  it('keeps no more than it can show', async () => {
    await add('one');
    const file = JSON.parse(readFileSync(registry.path, 'utf8')) as { models: object[] };
    file.models = Array.from({ length: 256 }, (_, index) => registeredModel(`m${index}`));
    writeFileSync(registry.path, JSON.stringify(file));
    await expect(add('another')).rejects.toMatchObject({ code: 'registry_full' });
  });
});

describe('the default', () => {
  it('is what was chosen last, and a rollback leads back step by step to the built-in model', async () => {
    await add('one', 'two');
    expect(await registry.use('one')).toEqual([{ purpose: 'embed', from: 'built-in', to: 'one' }]);
    expect(await registry.use('two')).toEqual([{ purpose: 'embed', from: 'one', to: 'two' }]);
    expect(await registry.use('two')).toEqual([]);
    expect(await registry.rollback()).toEqual([{ purpose: 'embed', from: 'two', to: 'one' }]);
    expect(await registry.rollback()).toEqual([{ purpose: 'embed', from: 'one', to: 'built-in' }]);
    await expect(registry.rollback()).rejects.toMatchObject({ code: 'model_no_former' });
    expect(registry.defaultName('embed')).toBe('built-in');
  });

  it('is kept for each purpose, and a rollback undoes the latest change of any', async () => {
    await add('embedder');
    await registry.add(registeredModel('writer', { purposes: ['generate'] }));
    await registry.add(registeredModel('both', { purposes: ['embed', 'generate'] }));
    await registry.use('writer');
    await registry.use('embedder');
    expect(await registry.use('both')).toHaveLength(2);
    expect(await registry.rollback()).toEqual([{ purpose: 'embed', from: 'both', to: 'embedder' }, { purpose: 'generate', from: 'both', to: 'writer' }]);
    expect(await registry.rollback('generate')).toEqual([{ purpose: 'generate', from: 'writer', to: undefined }]);
    expect(registry.defaultName('embed')).toBe('embedder');
    await expect(registry.rollback('rank')).rejects.toMatchObject({ code: 'model_no_former' });
  });

  it('can be the built-in model again, by its name', async () => {
    await add('one');
    await registry.use('one');
    expect(await registry.use('built-in')).toEqual([{ purpose: 'embed', from: 'one', to: 'built-in' }]);
    expect(await registry.rollback()).toEqual([{ purpose: 'embed', from: 'built-in', to: 'one' }]);
  });

  it('is no model that is for something else', async () => {
    await add('one');
    await expect(registry.use('one', ['rank'])).rejects.toMatchObject({ code: 'model_unsupported' });
    await expect(registry.use('built-in', ['generate'])).rejects.toMatchObject({ code: 'model_unsupported' });
    expect(registry.defaultName('rank')).toBeUndefined();
  });

  it('goes back to the former one when its model is removed, which no rollback brings back', async () => {
    await add('one', 'two');
    await registry.use('one');
    await registry.use('two');
    await registry.use('one');
    const { removed, changes } = await registry.remove('two');
    expect(removed.name).toBe('two');
    expect(changes).toEqual([]);
    expect((await registry.remove('one')).changes).toEqual([{ purpose: 'embed', from: 'one', to: 'built-in' }]);
    await expect(registry.rollback()).rejects.toMatchObject({ code: 'model_no_former' });
    expect(names()).toEqual([]);
  });

  it('remembers a bounded number of former ones', async () => {
    await add('one', 'two');
    for (let i = 0; i < 20; i++) await registry.use(i % 2 === 0 ? 'one' : 'two');
    for (let i = 0; i < 16; i++) await registry.rollback();
    await expect(registry.rollback()).rejects.toMatchObject({ code: 'model_no_former' });
  });
});

describe('the file of the registry', () => {
  it.each([
    ['no JSON', '{"version": 1,', /JSON/],
    ['something else', '[]', /is an array/],
    ['a field of another type', '{"version":1,"models":[{"name":7}],"defaults":{}}', /models\/0/],
    ['written by a later version', '{"version":2,"all":"new"}', /later/],
    ['too large', ' '.repeat(5 * 1024 * 1024), /at most/],
  ])('is refused when it is %s, with what to do, and stays as it is', async (_, text, reason) => {
    writeFileSync(registry.path, text);
    expect(() => registry.list()).toThrow(expect.objectContaining({ code: 'registry_broken', message: expect.stringMatching(reason) as string }));
    await expect(add('one')).rejects.toMatchObject({ code: 'registry_broken', message: expect.stringContaining('put a former copy in its place') });
    expect(readFileSync(registry.path, 'utf8')).toBe(text);
  });

  it('loses nothing when many processes add at once', async () => {
    const processes = 4;
    const each = 4;
    await Promise.all(
      Array.from({ length: processes }, (_, index) => inProcess(`for (let i = 0; i < ${each}; i++) await registry.add(registeredModel(\`p${index}-\${i}\`));`)),
    );
    expect(names().toSorted()).toEqual(Array.from({ length: processes * each }, (_, i) => `p${Math.floor(i / each)}-${i % each}`));
  });

  it('loses nothing when one process adds many at once', async () => {
    await Promise.all(Array.from({ length: 12 }, (_, index) => registry.add(registeredModel(`n${index}`))));
    expect(names()).toHaveLength(12);
  });

  it.each([
    ['before the rename', `fs.renameSync = () => process.kill(process.pid, 'SIGKILL');`],
    ['while the new version is written', `const write = fs.writeSync; fs.writeSync = (file, bytes) => { write(file, bytes, 0, 20); process.kill(process.pid, 'SIGKILL'); };`],
  ])('is the former one after a process was killed %s, and the next writer takes the rest away', async (_, fault) => {
    await add('one');
    const former = readFileSync(registry.path, 'utf8');
    const dying = inProcess(`
      import fs from 'node:fs';
      import { syncBuiltinESMExports } from 'node:module';
      ${fault}
      syncBuiltinESMExports();
      await registry.add(registeredModel('two'));
    `);
    await expect(dying).rejects.toMatchObject({ signal: 'SIGKILL' });
    expect(readFileSync(registry.path, 'utf8')).toBe(former);
    expect(readdirSync(folder).some((name) => name.includes('.tmp-'))).toBe(true);
    await add('three');
    expect(names()).toEqual(['one', 'three']);
    expect(readdirSync(folder).some((name) => name.includes('.tmp-'))).toBe(false);
  });

  it('says where it could not be written', async () => {
    const place = join(folder, 'a file');
    writeFileSync(place, '');
    await expect(new ModelRegistry(place).add(registeredModel('one'))).rejects.toMatchObject({ code: 'registry_unwritable', message: expect.stringContaining(place) });
  });

  it('has nothing beside it but the lock', async () => {
    await add('one');
    expect(readdirSync(folder).toSorted()).toEqual(['models.json', 'models.json.lock']);
  });
});
