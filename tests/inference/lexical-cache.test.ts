import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LEXICAL_ERRORS, LEXICAL_MODEL_SHA256, ensureLexicalModel } from '../../actors/inference/lexical/index.ts';

const FOLDER_URL = new URL('../../actors/inference/lexical/index.ts', import.meta.url).href;

let cacheFolder: string;
beforeEach(() => {
  cacheFolder = mkdtempSync(join(tmpdir(), 'spillway-lexical-'));
});
afterEach(() => {
  rmSync(cacheFolder, { recursive: true, force: true });
});

const sha256Of = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

test('two syntheses have the same bytes, and the hash that the code states', async () => {
  const first = await ensureLexicalModel(join(cacheFolder, 'a'));
  const second = await ensureLexicalModel(join(cacheFolder, 'b'));
  expect(sha256Of(first.path)).toBe(LEXICAL_MODEL_SHA256);
  expect(sha256Of(second.path)).toBe(LEXICAL_MODEL_SHA256);
  expect(first.sha256).toBe(LEXICAL_MODEL_SHA256);
  expect(statSync(first.path).size).toBeLessThan(31_000_000);
});

test('a sound file is kept, and a damaged or truncated one is written again', async () => {
  const { path } = await ensureLexicalModel(cacheFolder);
  const { ino } = statSync(path);
  await ensureLexicalModel(cacheFolder);
  expect(statSync(path).ino).toBe(ino);

  const file = openSync(path, 'r+');
  writeSync(file, Uint8Array.of(1, 2, 3), 0, 3, 20_000_000);
  closeSync(file);
  expect(sha256Of(path)).not.toBe(LEXICAL_MODEL_SHA256);
  await ensureLexicalModel(cacheFolder);
  expect(sha256Of(path)).toBe(LEXICAL_MODEL_SHA256);

  truncateSync(path, 1000);
  await ensureLexicalModel(cacheFolder);
  expect(sha256Of(path)).toBe(LEXICAL_MODEL_SHA256);
});

test('two processes that need the model at once both get it, and leave nothing else behind', async () => {
  const script = `import { ensureLexicalModel } from ${JSON.stringify(FOLDER_URL)}; console.log((await ensureLexicalModel(process.env.CACHE)).sha256);`;
  const run = (): Promise<{ stdout: string }> =>
    promisify(execFile)(process.execPath, ['--conditions=spillway-src', '--input-type=module', '--eval', script], { env: { ...process.env, CACHE: cacheFolder } });
  const outputs = await Promise.all([run(), run()]);
  expect(outputs.map(({ stdout }) => stdout.trim())).toEqual([LEXICAL_MODEL_SHA256, LEXICAL_MODEL_SHA256]);
  const names = readdirSync(cacheFolder);
  expect(names).toEqual(['spillway-lexical-1.gguf']);
  expect(sha256Of(join(cacheFolder, names[0]!))).toBe(LEXICAL_MODEL_SHA256);
});

test('a cache folder that cannot be written is reported with its remedy', async () => {
  const notFolder = join(cacheFolder, 'file');
  writeFileSync(notFolder, '');
  await expect(ensureLexicalModel(join(notFolder, 'cache'))).rejects.toMatchObject({ code: 'cache_unwritable', message: expect.stringContaining('choose another') as string });
  expect(LEXICAL_ERRORS.cache_unwritable).toContain('Check its permissions');
});
