import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSystem, type System } from '../../supervisors/index.ts';
import { isolationLevel } from '../../actors/inference/isolation.ts';
import { checkModelFiles, type CheckedModel } from '../../actors/inference/model-choice.ts';
import { ensureTrusted, quarantineModel } from '../../actors/inference/models/quarantine.ts';
import { isTrusted, trust, trustOf } from '../../actors/inference/models/trusted.ts';
import { writeGguf } from '../../actors/inference/gguf/writer.ts';
import { tinyOnnx } from '../../bench/models/onnx-minilm.ts';
import { writeTinyLlama } from '../../bench/models/tiny-llama.ts';
import { writeTinyRanker } from './llama-tiny-models.ts';
import { TINY_SHAPE, tinyBert, writeTinyBert } from './tiny-bert.ts';

let folder: string;
let model: CheckedModel;
let system: System;

beforeAll(async () => {
  folder = mkdtempSync(join(realpathSync(tmpdir()), 'spillway-quarantine-'));
  model = await checkModelFiles(writeTinyBert(join(folder, 'tiny.gguf')), 'embed');
  system = await createSystem({ logLevel: 'silent' });
});

afterAll(async () => {
  await system.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Names of the children that there were while `act` was under way. */
async function childrenDuring(act: Promise<unknown>): Promise<Set<string>> {
  const seen = new Set<string>();
  let isOver = false;
  const over = act.finally(() => { isOver = true; });
  over.catch(() => {});
  while (!isOver) for (const { id } of await system.children()) seen.add(id);
  await over;
  return seen;
}

describe('the quarantine', { timeout: 60_000 }, () => {
  it('passes a sound model, says how it was kept, and leaves nothing behind', async () => {
    const verdict = await quarantineModel(system, model);
    expect(verdict).toMatchObject({ verdict: 'passed', level: await isolationLevel(), dimensions: TINY_SHAPE.embeddingLength });
    expect(verdict.loadMs).toBeGreaterThan(0);
    expect(verdict.rssBytes).toBeGreaterThan(10 * 2 ** 20);
    expect(await system.children()).toEqual([]);
  });

  it('passes a sound model of each kind: a graph in a folder, one that ranks, one that writes', async () => {
    const graph = join(folder, 'graph');
    mkdirSync(graph);
    tinyOnnx(graph);
    const kinds = [
      { path: graph, purpose: 'embed', dimensions: TINY_SHAPE.embeddingLength },
      { path: writeTinyRanker(join(folder, 'ranker.gguf')), purpose: 'rank', dimensions: 0 },
      { path: writeTinyLlama(join(folder, 'llama.gguf')), purpose: 'generate', dimensions: 0 },
    ] as const;
    for (const { path, purpose, dimensions } of kinds) {
      expect(await quarantineModel(system, await checkModelFiles(path, purpose), { purpose }), purpose).toMatchObject({ verdict: 'passed', dimensions });
    }
  });

  it('refuses a model that takes too long, however busy it is', async () => {
    expect(await quarantineModel(system, model, { deadlineMs: 1 })).toMatchObject({ verdict: 'refused', code: 'ask_deadline', reason: 'it was not done after 1 ms', dimensions: 0 });
    expect(await system.children()).toEqual([]);
  });

  it.runIf(process.platform === 'linux')('refuses a model that takes more memory than it is granted', async () => {
    // 512 MB of positions, which the check of the weights reads.
    const contextLength = 2 * 2 ** 20;
    const { metadata, tensors } = tinyBert({ contextLength });
    const row = new Float32Array(TINY_SHAPE.embeddingLength * 2 ** 14);
    const positions = { name: 'position_embd.weight', dims: [TINY_SHAPE.embeddingLength, contextLength], type: 'F32' as const, values: () => Array.from({ length: contextLength / 2 ** 14 }, () => row) };
    const path = join(folder, 'large.gguf');
    const { sha256 } = writeGguf(path, { metadata, tensors: tensors.map((tensor) => (tensor.name === positions.name ? positions : tensor)) });
    const verdict = await quarantineModel(system, { ...model, path, sha256, contextLength }, { memoryBytes: 256 * 2 ** 20 });
    rmSync(path);
    expect(verdict).toMatchObject({ verdict: 'refused', code: 'process_memory_exceeded', reason: expect.stringMatching(/at most 268435456/) as unknown });
  });

  it('says of a file that was replaced since it was checked what is wrong with it', async () => {
    const path = join(folder, 'replaced.gguf');
    const checked = await checkModelFiles(writeTinyBert(path, { seed: 2 }), 'embed');
    writeFileSync(path, 'no model');
    const refused = ensureTrusted(system, checked, { cacheDir: folder });
    await expect(refused).rejects.toMatchObject({ code: 'model_quarantined', details: { code: 'model_not_gguf', path, sha256: checked.sha256 } });
    expect(isTrusted(checked.sha256, { cacheDir: folder })).toBe(false);
  });

  it('tries a model once, also for two at once, and knows it from then on', async () => {
    const cacheDir = join(folder, 'cache');
    const first = await childrenDuring(Promise.all([ensureTrusted(system, model, { cacheDir }), ensureTrusted(system, model, { cacheDir })]));
    expect([...first]).toEqual([expect.stringMatching(`^quarantine-${model.sha256.slice(0, 8)}-`) as unknown]);
    expect(trustOf(model.sha256, { cacheDir })).toMatchObject({ backend: 'llama', how: expect.stringMatching(/^loaded in a .*process.* in \d+ ms$/) as unknown });
    const again = await childrenDuring(ensureTrusted(system, model, { cacheDir }));
    expect(again.size).toBe(0);
  });

  it('does not try what is known: the built-in model, and a hash that has passed', async () => {
    const cacheDir = join(folder, 'known');
    // Neither is there, so trying them would fail.
    const gone = { ...model, path: join(folder, 'gone.gguf') };
    await expect(ensureTrusted(system, gone, { cacheDir })).rejects.toMatchObject({ code: 'model_missing' });
    await ensureTrusted(system, { ...gone, builtIn: true }, { cacheDir });
    await trust(gone.sha256, { backend: 'llama', how: 'by hand' }, { cacheDir });
    await ensureTrusted(system, gone, { cacheDir });
  });

  it('lets a model go that has passed where that cannot be kept', async () => {
    const cacheDir = join(folder, 'a-file');
    writeFileSync(cacheDir, '');
    await ensureTrusted(system, model, { cacheDir });
  });
});
