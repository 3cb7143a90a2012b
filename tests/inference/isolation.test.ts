import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ActorRef } from '../../kernel/index.ts';
import { createSystem, type System } from '../../supervisors/index.ts';
import { isolatedModel, isolationLevel } from '../../actors/inference/isolation.ts';
import { inferenceProtocol } from '../../actors/inference/messages.ts';
import { checkModelFiles, type CheckedModel } from '../../actors/inference/model-choice.ts';
import { inferenceSpec } from '../../actors/inference/spec.ts';
import { proberProtocol } from './isolation-prober.ts';
import { tinyText, writeTinyBert } from './tiny-bert.ts';

const ASK = { deadlineMs: 60_000 } as const;
const level = await isolationLevel();

let folder: string;
let model: CheckedModel;
let system: System;

beforeAll(async () => {
  folder = mkdtempSync(join(realpathSync(tmpdir()), 'spillway-isolation-'));
  mkdirSync(join(folder, 'blobs'));
  model = await checkModelFiles(writeTinyBert(join(folder, 'tiny.gguf')), 'embed');
  system = await createSystem({ logLevel: 'silent' });
});

afterAll(async () => {
  await system.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('an isolated model', () => {
  it('gives the very vectors that it gives on a thread', { timeout: 60_000 }, async () => {
    const texts = [3, 16, 63, 64, 200, 500].map((tokens) => tinyText(tokens, tokens));
    const here = await system.spawn(inferenceSpec('here', { model }), inferenceProtocol);
    const there = await system.spawn(inferenceSpec('there', { model }, { isolate: true }), inferenceProtocol);
    const [expected, found] = [await here.ask('embed', { texts }, ASK), await there.ask('embed', { texts }, ASK)];
    expect(found.outcomes).toEqual(expected.outcomes);
    expect(found.outcomes.every(({ status }) => status === 'ok')).toBe(true);
    expect(Float32Array.from(found.vectors)).toEqual(Float32Array.from(expected.vectors));
    expect(found.sha256).toBe(model.sha256);
    for (const id of ['here', 'there']) await system.terminate(id);
  });

  it('may be reached over links, as caches of downloads are made of', { timeout: 60_000 }, async () => {
    const blob = join(folder, 'blobs', model.sha256);
    writeTinyBert(blob);
    const link = join(folder, 'linked.gguf');
    symlinkSync(blob, link);
    const linked = inferenceSpec('linked', { model: { ...model, path: link } }, { isolate: true });
    expect(linked.process!.sandbox!.read).toEqual([blob]);
    const ref = await system.spawn(linked, inferenceProtocol);
    expect(await ref.ask('load', {}, ASK)).toMatchObject({ dimensions: model.dimensions });
    await system.terminate('linked');
  });

  it('is granted the files of its folder that links in it lead to', () => {
    const [snapshot, blob] = [join(folder, 'snapshot'), join(folder, 'blobs', 'graph')];
    mkdirSync(join(snapshot, 'onnx'), { recursive: true });
    writeFileSync(blob, 'graph');
    symlinkSync(blob, join(snapshot, 'onnx', 'model.onnx'));
    writeFileSync(join(snapshot, 'tokenizer.json'), '{}');
    const { model: placed, process, sizeBytes } = isolatedModel({ ...model, backend: 'onnx', path: snapshot });
    expect({ path: placed.path, read: process.sandbox!.read }).toEqual({ path: snapshot, read: [snapshot, blob] });
    expect(sizeBytes).toBe('graph'.length + '{}'.length);
  });

  it('is granted memory as it is large', () => {
    const { process } = isolatedModel(model, { memoryBytes: 3 * 2 ** 30 });
    expect(process.sandbox).toMatchObject({ network: 'none', memoryBytes: 4 * 2 ** 30 });
    expect(process.sandbox).not.toHaveProperty('write');
    expect(process.sandbox?.allowProcesses ?? false).toBe(false);
    if (globalThis.process.platform === 'linux') expect(process.maxRssBytes).toBe(3 * 2 ** 30);
  });

  it('is refused once it is gone', () => {
    const gone = writeTinyBert(join(folder, 'gone.gguf'));
    renameSync(gone, `${gone}.moved`);
    expect(() => inferenceSpec('gone', { model: { ...model, path: gone } }, { isolate: true })).toThrow(expect.objectContaining({ code: 'model_missing' }));
  });

  it('must have been chosen: its process has nowhere to search', () => {
    expect(() => inferenceSpec('unchosen', { model: { source: model.path } }, { isolate: true })).toThrow(/must be chosen/);
  });

  describe.runIf(level === 'sandboxed')('in its sandbox', () => {
    let prober: ActorRef<typeof proberProtocol.spec>;
    beforeAll(async () => {
      const { process } = isolatedModel(model, { required: true });
      const start = { module: new URL('./isolation-prober.ts', import.meta.url).href, export: 'prober' };
      prober = await system.spawn({ id: 'prober', placement: 'process', start, process }, proberProtocol);
    });

    it('reads its file and writes nothing', async () => {
      expect(await prober.ask('read', { path: model.path }, ASK)).toEqual({ code: '' });
      expect((await prober.ask('write', { path: model.path }, ASK)).code).not.toBe('');
    });

    it('sees neither the files beside it nor the system', async () => {
      const secret = join(folder, 'secret');
      writeFileSync(secret, 'secret');
      for (const path of [secret, '/etc/passwd', '/etc/hostname']) expect((await prober.ask('read', { path }, ASK)).code, path).not.toBe('');
    });

    it('starts no process and reaches no network', async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      expect((await prober.ask('run', {}, ASK)).code).not.toBe('');
      expect((await prober.ask('connect', { port: (server.address() as AddressInfo).port }, ASK)).code).not.toBe('');
      await new Promise((resolve) => server.close(resolve));
    });
  });
});
