import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { resolveModel } from '../../actors/inference/model-source.ts';
import { cacheFolder } from '../../kernel/index.ts';
import { writeTinyBert } from './tiny-bert.ts';

const FILE_URI = 'hf:somebody/tiny/model.gguf';

let folder: string;
let model: Buffer;
let modelPath: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'spillway-model-source-'));
  modelPath = writeTinyBert(join(folder, 'tiny.gguf'));
  model = readFileSync(modelPath);
});
afterAll(() => { rmSync(folder, { recursive: true, force: true }); });

/** A hub with one file, which serves ranges and, if it is told to, says the file's hash as the real one does. */
class Hub {
  readonly requests: string[] = [];
  /** What it says the SHA-256 of its file is. */
  linkedEtag: string | undefined;
  readonly #server: Server = createServer((request, response) => {
    this.requests.push(`${request.method} ${request.url}`);
    if (request.url === '/v2/somebody/tiny/manifests/Q8_0' && request.headers['user-agent'] === 'llama-cpp') {
      response.end(JSON.stringify({ ggufFile: { rfilename: 'model.gguf' } }));
      return;
    }
    if (!request.url!.startsWith('/somebody/tiny/resolve/main/model.gguf')) {
      response.writeHead(request.url === '/' ? 200 : 404).end();
      return;
    }
    const range = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '');
    const start = Number(range?.[1] ?? 0);
    const end = Math.min(model.length, Number(range?.[2] || model.length - 1) + 1);
    response.writeHead(range === null ? 200 : 206, {
      'accept-ranges': 'bytes', 'content-length': end - start, etag: '"1"',
      ...(this.linkedEtag === undefined ? {} : { 'x-linked-etag': `"${this.linkedEtag}"` }),
      ...(range === null ? {} : { 'content-range': `bytes ${start}-${end - 1}/${model.length}` }),
    });
    response.end(request.method === 'HEAD' ? undefined : model.subarray(start, end));
  });

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => { this.#server.listen(0, '127.0.0.1', resolve); });
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => { this.#server.close(resolve); });
  }
}

describe('a path', () => {
  it('is answered as it is, made absolute', async () => {
    expect(await resolveModel(modelPath)).toEqual({ path: modelPath, uri: undefined });
  });

  it('that leads nowhere is refused with what to do', async () => {
    await expect(resolveModel(join(folder, 'none.gguf'))).rejects.toMatchObject({ code: 'model_missing', message: expect.stringContaining('hf:user/repo') });
    await expect(resolveModel('')).rejects.toMatchObject({ code: 'model_source_invalid' });
  });
});

describe('an hf: URI', () => {
  let hub: Hub | undefined;
  afterEach(async () => {
    await hub?.close();
    hub = undefined;
  });

  it('is downloaded once, with progress, and then taken from the cache without the network', async () => {
    hub = new Hub();
    const endpoint = await hub.listen();
    const cacheDir = join(folder, 'cache');
    let last = { downloadedBytes: 0, totalBytes: 0 };
    const found = await resolveModel(FILE_URI, { cacheDir, endpoint, onProgress: (progress) => { last = progress; } });
    expect(found.uri).toBe(FILE_URI);
    expect(found.path.startsWith(join(cacheDir, 'models'))).toBe(true);
    expect(createHash('sha256').update(readFileSync(found.path)).digest('hex')).toBe(createHash('sha256').update(model).digest('hex'));
    expect(last).toEqual({ downloadedBytes: model.length, totalBytes: model.length });
    const asked = hub.requests.length;
    expect(await resolveModel(FILE_URI, { cacheDir, endpoint })).toEqual(found);
    expect(hub.requests.length).toBe(asked);
  });

  it.each([FILE_URI, 'hf:somebody/tiny:Q8_0'])('%s is held against the hash that the hub says, and is then read-only', async (uri) => {
    hub = new Hub();
    hub.linkedEtag = createHash('sha256').update(model).digest('hex');
    const cacheDir = mkdtempSync(join(folder, 'verified-'));
    const { path } = await resolveModel(uri, { cacheDir, endpoint: await hub.listen() });
    expect(readFileSync(path).equals(model)).toBe(true);
    expect(statSync(path).mode & 0o222).toBe(0);
    expect(hub.requests).toContain('HEAD /somebody/tiny/resolve/main/model.gguf');
  });

  it.each([FILE_URI, 'hf:somebody/tiny:Q8_0'])('%s that arrives with another hash is removed, and the next download may be sound', async (uri) => {
    hub = new Hub();
    hub.linkedEtag = 'b'.repeat(64);
    const cacheDir = mkdtempSync(join(folder, 'corrupt-'));
    const endpoint = await hub.listen();
    await expect(resolveModel(uri, { cacheDir, endpoint })).rejects.toMatchObject({
      code: 'model_download_corrupt', details: { expectedSha256: 'b'.repeat(64), sha256: createHash('sha256').update(model).digest('hex') },
    });
    expect(readdirSync(cacheDir, { recursive: true }).filter((name) => String(name).endsWith('.gguf'))).toEqual([]);
    hub.linkedEtag = undefined;
    expect(readFileSync((await resolveModel(uri, { cacheDir, endpoint })).path).equals(model)).toBe(true);
  });

  it('that was downloaded and not verified, because the process ended, is verified by the next', async () => {
    hub = new Hub();
    const endpoint = await hub.listen();
    const cacheDir = join(folder, 'interrupted');
    const { path } = await resolveModel(FILE_URI, { cacheDir, endpoint });
    mkdirSync(join(cacheDir, 'models', 'incoming'), { recursive: true });
    renameSync(path, join(cacheDir, 'models', 'incoming', basename(path)));
    hub.linkedEtag = 'b'.repeat(64);
    await expect(resolveModel(FILE_URI, { cacheDir, endpoint })).rejects.toMatchObject({ code: 'model_download_corrupt' });
    expect(existsSync(path)).toBe(false);
  });

  it('is not asked for when downloads are off, unless it is there', async () => {
    hub = new Hub();
    const endpoint = await hub.listen();
    const cacheDir = join(folder, 'off');
    await expect(resolveModel(FILE_URI, { cacheDir, endpoint, offline: true })).rejects.toMatchObject({ code: 'model_offline', message: expect.stringContaining('HF_HUB_OFFLINE') });
    expect(hub.requests).toEqual([]);
    const found = await resolveModel(FILE_URI, { cacheDir, endpoint });
    expect(await resolveModel(FILE_URI, { cacheDir, offline: true })).toEqual(found);
  });

  it('that cannot be reached says so at once, with what to do instead', async () => {
    hub = new Hub();
    const endpoint = await hub.listen();
    await hub.close();
    hub = undefined;
    await expect(resolveModel(FILE_URI, { cacheDir: join(folder, 'offline'), endpoint })).rejects.toMatchObject({
      code: 'model_download_failed', message: expect.stringMatching(/ECONNREFUSED.*give its path/),
    });
  });

  it('that the hub does not have is a failed download', async () => {
    hub = new Hub();
    const endpoint = await hub.listen();
    await expect(resolveModel('hf:somebody/other:Q8_0', { cacheDir: join(folder, 'absent'), endpoint })).rejects.toMatchObject({ code: 'model_download_failed' });
  });

  it('can be cancelled', async () => {
    hub = new Hub();
    const endpoint = await hub.listen();
    const cacheDir = join(folder, 'cancelled');
    await expect(resolveModel(FILE_URI, { cacheDir, endpoint, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'model_download_cancelled' });
    expect(existsSync(join(cacheDir, 'models', 'hf_somebody_tiny_model.gguf'))).toBe(false);
  });

  it.each([['hf:'], ['hf:user'], ['hf:user/'], ['hf:user/repo/../../etc/x.gguf'], ['hf:user/repo/readme.md'], ['hf:us er/repo']])('%j is not taken for one', async (source) => {
    await expect(resolveModel(source)).rejects.toMatchObject({ code: 'model_source_invalid' });
  });
});

describe('the cache folder', () => {
  it.each([
    [{ SPILLWAY_CACHE_DIR: '/a', XDG_CACHE_HOME: '/b' }, 'linux', '/a'],
    [{ SPILLWAY_CACHE_DIR: '', XDG_CACHE_HOME: '/b' }, 'linux', '/b/spillway'],
    [{}, 'linux', join(homedir(), '.cache', 'spillway')],
    [{}, 'darwin', join(homedir(), 'Library', 'Caches', 'spillway')],
  ] as const)('for %j on %s is %s', (env, platform, expected) => {
    expect(cacheFolder(env, platform)).toBe(expected);
  });
});
