import { existsSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { writeGguf } from '../../actors/inference/gguf/writer.ts';
import { LEXICAL_MODEL_NAME, ensureLexicalModel } from '../../actors/inference/lexical/index.ts';
import { tinyBert, writeTinyBert } from '../inference/tiny-bert.ts';
import { CACHE_DIR, doneOf, jsonLines, scratchFolder, spillway, type Ended } from './command-line.ts';

interface Place {
  /** A model of its own for each test, and a registry. */
  readonly folder: string;
  readonly model: string;
  models(...args: string[]): Promise<Ended>;
  run(...args: string[]): Promise<Ended>;
}

function place(): Place {
  const folder = scratchFolder();
  const cacheDir = join(folder, 'cache');
  mkdirSync(cacheDir);
  // The built-in model is made, and the program compiled, once for all tests.
  for (const name of [`${LEXICAL_MODEL_NAME}.gguf`, 'compiled']) symlinkSync(join(CACHE_DIR, name), join(cacheDir, name));
  const model = writeTinyBert(join(folder, 'tiny.gguf'));
  const run = (...args: string[]): Promise<Ended> => spillway(args, { cwd: folder, env: { SPILLWAY_CACHE_DIR: cacheDir } });
  return { folder, model, run, models: (...args) => run('models', ...args) };
}

beforeAll(async () => {
  mkdirSync(join(CACHE_DIR, 'compiled'), { recursive: true });
  await ensureLexicalModel(CACHE_DIR);
});

describe('spillway models', () => {
  it('adds, lists, uses, rolls back and removes', async () => {
    const { model, models } = place();
    expect(await models('list')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\*\s+built-in/m) });
    const added = await models('add', 'tiny', model, '--copy');
    expect(added).toMatchObject({ code: 0, stdout: expect.stringMatching(/^added tiny: embed, llama, 64 values, 512 tokens/) });
    expect(await models('use', 'tiny')).toMatchObject({ code: 0, stdout: 'default for embed: tiny (formerly built-in)\n' });
    const [, line] = jsonLines((await models('list', '--json')).stdout);
    expect(line).toMatchObject({ event: 'model', name: 'tiny', defaultFor: ['embed'], state: 'present', copied: true, memory: { totalBytes: expect.any(Number) } });
    expect(await models('list')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\*\s+tiny\s+embed\s+llama\s+64\s+512/m) });
    expect(await models('rollback')).toMatchObject({ code: 0, stdout: 'default for embed: built-in (formerly tiny)\n' });
    expect(await models('rollback')).toMatchObject({ code: 1, stderr: expect.stringContaining('[model_no_former]') });
    expect(await models('use', 'tiny')).toMatchObject({ code: 0 });
    const removed = jsonLines((await models('remove', 'tiny', '--files', '--json')).stdout);
    expect(removed).toEqual([
      { event: 'removed', name: 'tiny', path: line!['path'], filesRemoved: true },
      { event: 'default', purpose: 'embed', from: 'tiny', to: 'built-in' },
    ]);
    expect(existsSync(String(line!['path']))).toBe(false);
    expect(existsSync(model)).toBe(true);
  });

  it('refuses names and sources that are wrong, each with its code', async () => {
    const { folder, model, models } = place();
    expect(await models('add', '../tiny', model)).toMatchObject({ code: 2, stderr: expect.stringContaining('[model_name_invalid]') });
    expect(await models('add', 'tiny', join(folder, 'none.gguf'))).toMatchObject({ code: 1, stderr: expect.stringContaining('[model_missing]') });
    expect(await models('use', 'tiny')).toMatchObject({ code: 2, stderr: expect.stringMatching(/there are: built-in\..*\[model_unknown\]/) });
    expect(await models('use', 'built-in', '--purpose', 'rank', '--json')).toMatchObject({ code: 1, stdout: expect.stringContaining('"code":"model_unsupported"') });
    writeFileSync(join(folder, 'cache', 'models.json'), '{');
    expect(await models('list')).toMatchObject({ code: 1, stderr: expect.stringContaining('[registry_broken]') });
  });
});

describe('spillway models check', () => {
  it('tells every number of a sound model, and that it survives its first load', async () => {
    const { model, models } = place();
    const { code, stdout } = await models('check', model, '--json');
    expect(code).toBe(0);
    const [files, checked] = jsonLines(stdout);
    expect(files).toMatchObject({
      event: 'files', purpose: 'embed', architecture: 'bert', dimensions: 64, contextLength: 512, blocks: 2, pooling: 'mean', tensors: 25, vocabulary: 205, path: model,
    });
    expect(checked).toMatchObject({ event: 'checked', verdict: 'passed' });
  });

  it('ends with 1 for a file that is cut off, and for one that fails when it is loaded', async () => {
    const { folder, model, models } = place();
    truncateSync(model, 50_000);
    expect(await models('check', model)).toMatchObject({ code: 1, stdout: expect.stringMatching(/^refused by the check of its files: .*\[model_truncated\]/) });
    const { metadata, tensors } = tinyBert();
    const sick = join(folder, 'sick.gguf');
    writeGguf(sick, { metadata, tensors: tensors.map((tensor) => (tensor.name === 'token_embd_norm.weight' ? { ...tensor, values: () => new Float32Array(64).fill(Number.NaN) } : tensor)) });
    expect(await models('check', sick)).toMatchObject({ code: 1, stdout: expect.stringContaining('refused by the first load') });
  });
});

describe('a default that was chosen', () => {
  it('embeds where no model is named, and an index made before is searched with its own', async () => {
    const { folder, model, run, models } = place();
    mkdirSync(join(folder, 'docs'));
    writeFileSync(join(folder, 'docs', 'a.md'), 'w1 w2 w3 and the supervisor restarts a crashed worker\n');
    doneOf(await run('embed', 'docs', '--index', 'before', '--actors', '1', '--json'));
    await models('add', 'tiny', model);
    await models('use', 'tiny');
    doneOf(await run('embed', 'docs', '--index', 'after', '--actors', '1', '--json'));
    const status = jsonLines((await run('status', '--index', 'after', '--json')).stdout)[0] as { model: { name: string } };
    expect(status.model.name).toBe(model);
    expect(await run('search', 'crashed worker', '--index', 'before')).toMatchObject({ code: 0, stdout: expect.stringContaining('a.md') });
    expect(await run('search', 'w1 w2', '--index', 'after')).toMatchObject({ code: 0, stdout: expect.stringContaining('a.md') });
    expect(await run('search', 'w1 w2', '--index', 'after', '--model', 'tiny')).toMatchObject({ code: 0 });
    expect(await run('search', 'w1 w2', '--index', 'after', '--model', 'built-in')).toMatchObject({ code: 1, stderr: expect.stringContaining('[index_model_mismatch]') });
  });

  it('that is another file now is not used', async () => {
    const { folder, model, run, models } = place();
    writeFileSync(join(folder, 'a.md'), 'w1 w2\n');
    await models('add', 'tiny', model);
    writeTinyBert(model, { seed: 2 });
    expect((await models('list')).stdout).toMatch(/tiny.*changed since it was added/);
    expect(await run('embed', 'a.md', '--model', 'tiny')).toMatchObject({ code: 1, stderr: expect.stringContaining('[model_changed]') });
  });
});
