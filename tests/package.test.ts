import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PACKAGES, packConsumer, type PackageName, type PackedConsumer } from './package/packed-consumer.ts';
import { REPO } from './tidy/source-file.ts';

let consumer: PackedConsumer;
beforeAll(() => {
  consumer = packConsumer();
});
afterAll(() => consumer?.remove());

/** Runs under the Node of the tests, with nothing in the environment that would lead to sources. */
function run(command: string, ...args: string[]): SpawnSyncReturns<string> {
  const { NODE_OPTIONS: _, ...inherited } = process.env;
  const env = { ...inherited, SPILLWAY_CACHE_DIR: join(consumer.dir, '.cache') };
  return spawnSync(command, args, { cwd: consumer.dir, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
/** The command as npm links it. */
const spillway = (...args: string[]): SpawnSyncReturns<string> => run(process.execPath, join(consumer.dir, 'node_modules/.bin/spillway'), ...args);

describe('the packed packages in an empty project', () => {
  it.each(Object.keys(PACKAGES) as PackageName[])('%s is what publint would publish', async (name) => {
    const tarball = new Uint8Array(readFileSync(consumer.tarballs[name])).buffer;
    const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });
  it('hold compiled files, their licence and nothing of the workshop', () => {
    for (const contents of Object.values(consumer.contents)) {
      expect(contents).toContain('LICENSE');
      expect(contents.filter((path) => !/^(?:dist\/.+(?:\.js|\.d\.ts|\.js\.map)|docs\/.+\.md|package\.json|LICENSE|README\.md|actors\/console\/launch\.mjs)$/.test(path))).toEqual([]);
    }
  });
  it('run on plain Node: an actor of the project is spawned, answers, refuses and is closed', () => {
    const { stdout, stderr, status } = run(process.execPath, 'main.ts');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      total: 42,
      isOnThread: true,
      refusedWith: 'nothing_to_add',
      door: pathToFileURL(join(consumer.dir, 'node_modules/spillway/dist/actors/index.js')).href,
    });
  });
  it('have types that hold under a strict compiler', () => {
    const { stdout, status } = run(join(REPO, 'node_modules/.bin/tsc'), '-p', '.');
    expect({ stdout, status }).toEqual({ stdout: '', status: 0 });
  });
  it('have types that refuse what is wrong', () => {
    const wrong = join(consumer.dir, 'wrong.ts');
    writeFileSync(wrong, `import { createSystem } from 'spillway';\nawait createSystem({ maxThreads: 'many' });\n`);
    const { stdout, status } = run(join(REPO, 'node_modules/.bin/tsc'), '-p', '.');
    rmSync(wrong);
    expect(status).not.toBe(0);
    expect(stdout.trim()).toMatch(/^wrong\.ts\(2,.*error TS2322.*$/);
  });
  it('bring a command that explains itself', () => {
    const { stdout, status } = spillway('--help');
    expect(status).toBe(0);
    for (const word of ['embed', 'search', 'status', 'Examples:']) expect(stdout).toContain(word);
  });
  it('bring a command that says what is missing and what to do', () => {
    const { stdout, status } = spillway('status', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ event: 'error', code: 'index_missing' });
    expect(status).toBe(1);
  });
  it('bring a command that embeds a folder on threads and finds it again', () => {
    mkdirSync(join(consumer.dir, 'notes'));
    writeFileSync(join(consumer.dir, 'notes/dam.md'), '# Dam\n\nThe spillway releases what the reservoir cannot hold.\n');
    const embedded = spillway('embed', 'notes', '--actors', '1', '--json');
    expect({ status: embedded.status, stderr: embedded.stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(embedded.stdout.trim().split('\n').at(-1)!)).toMatchObject({ event: 'done', embedded: 1, restarts: 0 });
    const found = spillway('search', 'reservoir', '--json');
    expect(JSON.parse(found.stdout)).toMatchObject({ path: 'dam.md' });
    expect(spillway('status').status).toBe(0);
  });
});
