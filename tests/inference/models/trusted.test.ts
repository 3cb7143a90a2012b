import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { distrust, isTrusted, trust, trustOf } from '../../../actors/inference/models/trusted.ts';

let cacheDir: string;
beforeEach(() => { cacheDir = mkdtempSync(join(tmpdir(), 'spillway-trusted-')); });
afterEach(() => { rmSync(cacheDir, { recursive: true, force: true }); });

const hash = (index: number): string => index.toString(16).padStart(64, '0');
const passed = { backend: 'llama', how: 'loaded in a sandboxed process in 4 ms' };
const file = (): string => join(cacheDir, 'trusted-models.json');

describe('a hash', () => {
  it('is trusted once it has passed, with how and when', async () => {
    expect(isTrusted(hash(1), { cacheDir })).toBe(false);
    await trust(hash(1), passed, { cacheDir, now: () => 0 });
    expect(isTrusted(hash(1), { cacheDir })).toBe(true);
    expect(isTrusted(hash(2), { cacheDir })).toBe(false);
    expect(trustOf(hash(1), { cacheDir })).toEqual({ sha256: hash(1), ...passed, at: '1970-01-01T00:00:00.000Z' });
  });

  it('is kept once, as it passed last', async () => {
    await trust(hash(1), passed, { cacheDir });
    await trust(hash(1), { ...passed, how: 'again' }, { cacheDir });
    expect(trustOf(hash(1), { cacheDir })?.how).toBe('again');
    expect((JSON.parse(readFileSync(file(), 'utf8')) as { trusted: unknown[] }).trusted).toHaveLength(1);
  });

  it('can be taken back', async () => {
    await trust(hash(1), passed, { cacheDir });
    expect(await distrust(hash(1), { cacheDir })).toBe(true);
    expect(await distrust(hash(1), { cacheDir })).toBe(false);
    expect(isTrusted(hash(1), { cacheDir })).toBe(false);
  });

  it('is 64 hexadecimal digits', async () => {
    await expect(trust('abc', passed, { cacheDir })).rejects.toThrow(TypeError);
  });
});

describe('the file of trusted hashes', () => {
  it('keeps a bounded number, the latest', async () => {
    const record = (index: number) => ({ sha256: hash(index), ...passed, at: '1970-01-01T00:00:00.000Z' });
    writeFileSync(file(), JSON.stringify({ version: 1, trusted: Array.from({ length: 1_024 }, (_, index) => record(index)) }));
    await trust(hash(5_000), passed, { cacheDir });
    expect(isTrusted(hash(0), { cacheDir })).toBe(false);
    expect(isTrusted(hash(1), { cacheDir })).toBe(true);
    expect(isTrusted(hash(5_000), { cacheDir })).toBe(true);
  });

  it.each(['{', '{"version":1,"trusted":[{}]}', '{"version":9,"trusted":[]}'])('trusts nothing when it is %s, and begins anew', async (text) => {
    writeFileSync(file(), text);
    expect(isTrusted(hash(1), { cacheDir })).toBe(false);
    await trust(hash(1), passed, { cacheDir });
    expect(isTrusted(hash(1), { cacheDir })).toBe(true);
  });

  it('loses nothing when many pass at once', async () => {
    await Promise.all(Array.from({ length: 10 }, (_, index) => trust(hash(index), passed, { cacheDir })));
    expect(Array.from({ length: 10 }, (_, index) => isTrusted(hash(index), { cacheDir }))).toEqual(Array.from({ length: 10 }, () => true));
  });
});
