/** Models by name with real actors: budget, swaps under load, fallback, and their ends. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createEmbedder, createModelHost, createSystem, type ModelHostOptions, type System } from '../../../actors/index.ts';
import { tinyText, writeTinyBert } from '../tiny-bert.ts';

describe('a model host', () => {
  const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'spillway-host-')));
  const paths = Object.fromEntries(['a', 'b', 'c'].map((name, index) => [name, { path: join(scratch, `${name}.gguf`), seed: index + 1 }])) as Record<'a' | 'b' | 'c', { path: string; seed: number }>;
  const systems: System[] = [];
  beforeAll(() => {
    for (const [name, { path, seed }] of Object.entries(paths)) writeTinyBert(path, { name, seed });
  });
  afterEach(async () => {
    for (const system of systems.splice(0)) await system.close();
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  async function host(options: ModelHostOptions = {}) {
    const system = await createSystem({ logLevel: 'silent' });
    systems.push(system);
    return { system, models: createModelHost(system, { actors: 1, quarantine: false, cacheDir: join(scratch, 'cache'), ...options }) };
  }

  it('loads a model when it is first used, and tells what there is', async () => {
    const { models } = await host();
    models.add('first', { model: paths.a.path });
    expect(models.list()).toEqual([{ name: 'first', state: 'unloaded', info: undefined, memoryBytes: 0, isInUse: false }]);
    const embedder = models.embedder('first');
    expect(() => embedder.model).toThrow(expect.objectContaining({ code: 'model_unloaded' }) as Error);
    expect(await embedder.embed(['w1 w2'])).toHaveLength(1);
    expect(models.list()[0]).toMatchObject({ name: 'first', state: 'loaded', info: { name: 'a', dimensions: 64 }, isInUse: false });
    expect(models.list()[0]!.memoryBytes).toBeGreaterThan(0);
  });

  it('refuses names that are taken, and names what there is instead of one that is not', async () => {
    const { models } = await host();
    models.add('first', { model: paths.a.path });
    expect(() => models.add('first')).toThrow(expect.objectContaining({ code: 'model_name_taken' }) as Error);
    expect(() => models.embedder('second')).toThrow(expect.objectContaining({ code: 'model_unknown', message: expect.stringContaining('there are first') as string }) as Error);
  });

  it('unloads what was not used for longest when the budget is spent, never what is in use', async () => {
    const probe = await host();
    probe.models.add('a', { model: paths.a.path });
    await probe.models.load('a');
    const one = probe.models.list()[0]!.memoryBytes;
    const { models } = await host({ memoryBytes: one * 2.5 });
    for (const name of ['a', 'b', 'c'] as const) models.add(name, { model: paths[name].path });
    await models.load('a');
    await models.load('b');
    await models.embedder('a').embed(['w1']);
    await models.load('c');
    expect(models.list().map(({ name, state }) => `${name} ${state}`)).toEqual(['a loaded', 'b unloaded', 'c loaded']);
    // Streams that are under way hold their models.
    const [streamA, streamC] = [models.embedder('a').embed(endless()), models.embedder('c').embed(endless())];
    await Promise.all([streamA.next(), streamC.next()]);
    await expect(models.load('b')).rejects.toMatchObject({ code: 'model_budget_exceeded', details: { name: 'b' } });
    await streamA.return();
    await models.load('b');
    expect(models.list().map(({ state }) => state)).toEqual(['unloaded', 'loaded', 'loaded']);
    await streamC.return();
  });

  it('swaps under load without a failed or mixed call, and tells old and new vectors apart by their model', { timeout: 120_000 }, async () => {
    const { models } = await host();
    models.add('model', { model: paths.a.path });
    const embedder = models.embedder('model');
    const texts = Array.from({ length: 40 }, (_, index) => tinyText(3 + (index % 20), index));
    const expected = new Map<string, Float32Array[]>();
    for (const name of ['a', 'b'] as const) {
      models.add(name, { model: paths[name].path });
      expected.set((await models.load(name)).sha256, await models.embedder(name).embed(texts, { cache: false }));
      await models.remove(name);
    }
    await models.load('model');
    let isOver = false;
    const seen = new Map<string, number>();
    const caller = async (): Promise<void> => {
      while (!isOver) {
        const rows = await embedder.embedSettled(texts, { cache: false });
        const [sha256] = new Set(rows.map(({ model }) => model));
        // All of one call are of one model, and each vector is the one that this model gives.
        for (const { index, vector, model } of rows) expect([model, vector]).toEqual([sha256, expected.get(sha256!)![index]]);
        seen.set(sha256!, (seen.get(sha256!) ?? 0) + 1);
      }
    };
    const callers = Promise.all([caller(), caller(), caller()]);
    const reports = [];
    for (let swap = 0; swap < 8; swap++) reports.push(await models.swap('model', { model: paths[swap % 2 === 0 ? 'b' : 'a'].path }));
    reports.push(await models.rollback('model'));
    isOver = true;
    await callers;
    expect(reports.every(({ isCut }) => !isCut)).toBe(true);
    expect(reports.at(-1)!.to.name).toBe('b');
    expect([...seen.keys()].toSorted()).toEqual([...expected.keys()].toSorted());
  });

  it('keeps the model that works when a swap is to one that does not', async () => {
    const { models } = await host();
    models.add('model', { model: paths.a.path });
    const embedder = models.embedder('model');
    const before = await embedder.embed(['w1 w2']);
    const broken = join(scratch, 'broken.gguf');
    writeFileSync(broken, 'no model');
    await expect(models.swap('model', { model: broken })).rejects.toMatchObject({ code: expect.stringMatching(/^model_/) as string });
    expect([await embedder.embed(['w1 w2']), embedder.model.name]).toEqual([before, 'a']);
  });

  it('loads a model again whose actors have ended for good', async () => {
    const { system, models } = await host({ name: 'pool' });
    models.add('model', { model: paths.a.path });
    const embedder = models.embedder('model');
    const before = await embedder.embed(['w1 w2']);
    await system.terminate('pool-model');
    await expect.poll(() => models.list()[0]!.state).toBe('unloaded');
    expect(await embedder.embed(['w1 w2'])).toEqual(before);
  });

  it('has another provider stand in for a model that cannot be loaded, and for one that is lost', async () => {
    const system = await createSystem({ logLevel: 'silent' });
    systems.push(system);
    const options = { actors: 1, quarantine: false, cacheDir: join(scratch, 'cache') };
    await expect(createEmbedder(system, { ...options, model: join(scratch, 'nowhere.gguf') })).rejects.toMatchObject({ code: 'model_missing' });
    const embedder = await createEmbedder(system, { ...options, name: 'second', model: join(scratch, 'nowhere.gguf'), fallback: [paths.b.path] });
    const [row] = await embedder.embedSettled(['w1 w2']);
    expect(row).toMatchObject({ status: 'ok', index: 0 });
  });

  it('ends what waits with actor_stopped when it is closed', async () => {
    const { models } = await host();
    models.add('model', { model: paths.a.path });
    await models.load('model');
    const stream = models.embedder('model').embed(endless());
    await stream.next();
    const reading = (async () => {
      for await (const _ of stream);
    })();
    await Promise.all([expect(reading).rejects.toMatchObject({ code: 'actor_stopped' }), models.close()]);
    await expect(models.embedder('model').embed(['w1'])).rejects.toMatchObject({ code: 'actor_stopped' });
  });
});

function* endless(): Generator<string> {
  for (let index = 0; ; index++) yield `w${index % 200} w${(index * 3) % 200}`;
}
