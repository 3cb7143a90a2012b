/** The test of the native binary is run once for a binary and a machine, and what did not pass is run again. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

const PROVEN = new URL('../../actors/inference/proven-binding.ts', import.meta.url).href;
const CHILD = new URL('./binding-test-child.ts', import.meta.url).pathname;

let scratch: string;
let binary: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'spillway-binding-'));
  binary = join(scratch, 'binary.node');
  writeFileSync(binary, 'one build');
  vi.stubEnv('SPILLWAY_CACHE_DIR', join(scratch, 'cache'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(scratch, { recursive: true, force: true });
});

describe('a binary', () => {
  /** Stands for the library's test: answers in turn what it is told to, and counts. */
  async function provenBy(...answers: readonly boolean[]): Promise<{ test: (path: string) => Promise<boolean>; calls: () => number }> {
    const own = join(scratch, `own-${answers.join('-')}.mjs`);
    writeFileSync(own, `const answers = ${JSON.stringify(answers)};\nexport let calls = 0;\nexport const testBindingBinary = async () => answers[calls++];\n`);
    const ownUrl = pathToFileURL(own).href;
    const { testBindingBinary: test } = (await import(`${PROVEN}?own=${encodeURIComponent(ownUrl)}`)) as { testBindingBinary: (path: string) => Promise<boolean> };
    const fixture = (await import(ownUrl)) as { calls: number };
    return { test, calls: () => fixture.calls };
  }

  it('that has passed is not tested again', async () => {
    const { test, calls } = await provenBy(true, false);
    expect([await test(binary), await test(binary)]).toEqual([true, true]);
    expect(calls()).toBe(1);
  });

  it('that has failed is tested again', async () => {
    const { test, calls } = await provenBy(false, true, false);
    expect([await test(binary), await test(binary), await test(binary)]).toEqual([false, true, true]);
    expect(calls()).toBe(2);
  });

  it('of another build is another one', async () => {
    const { test, calls } = await provenBy(true, true, true);
    await test(binary);
    writeFileSync(binary, 'another build');
    await test(binary);
    expect(calls()).toBe(2);
  });

  it('is tested each time where nothing can be remembered', async () => {
    vi.stubEnv('SPILLWAY_CACHE_DIR', join(binary, 'cache'));
    const { test, calls } = await provenBy(true, true);
    expect([await test(binary), await test(binary)]).toEqual([true, true]);
    expect(calls()).toBe(2);
  });
});

describe('the library', () => {
  const loadedIn = (how: 'once' | 'never'): string => execFileSync(process.execPath, ['--conditions=spillway-src', CHILD, how], { encoding: 'utf8', env: { ...process.env, SPILLWAY_CACHE_DIR: join(scratch, 'cache') } }).trim();

  it('tests its own binary in a process the first time, and no other time', () => {
    expect([loadedIn('once'), loadedIn('once')]).toEqual(['tested in 1 processes', 'tested in 0 processes']);
    expect(readdirSync(join(scratch, 'cache', 'bindings'))).toHaveLength(1);
  });

  it('tests nothing in a process that was made for a model', () => {
    expect(loadedIn('never')).toBe('tested in 0 processes');
  });
});
