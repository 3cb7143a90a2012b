/** The application's own way in: a system, an embedder, rows, an end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createEmbedder, createSystem, type EmbedderOptions, type Embedder, type System } from '../../actors/index.ts';
import { writeTinyBert } from '../inference/tiny-bert.ts';
import { CACHE_DIR, CONDITION, NODE, REPO, environment } from './command-line.ts';

const DIMENSIONS = 64;

describe('createEmbedder', () => {
  const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'spillway-e2e-')));
  const model = join(scratch, 'model.gguf');
  const systems: System[] = [];
  beforeAll(() => void writeTinyBert(model));
  afterEach(async () => {
    for (const system of systems.splice(0)) await system.close();
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  async function open(options: EmbedderOptions = {}): Promise<{ system: System; embedder: Embedder }> {
    const system = await createSystem();
    systems.push(system);
    return { system, embedder: await createEmbedder(system, { model, actors: 1, ...options }) };
  }

  it('answers with one Float32 row of unit length for each text, in order, over many batches and several actors', async () => {
    const { embedder } = await open({ actors: 2 });
    const texts = Array.from({ length: 3_000 }, (_, number) => `w${number % 200} w${(number * 7) % 200} w${number % 13}`);
    const rows = await embedder.embed(texts);
    expect(rows).toHaveLength(texts.length);
    for (const row of rows) {
      expect(row).toBeInstanceOf(Float32Array);
      expect(row).toHaveLength(DIMENSIONS);
      expect(Math.hypot(...row)).toBeCloseTo(1, 5);
    }
    // The row of a text does not depend on its neighbours or its actor, so single calls must agree.
    for (const index of [0, 31, 32, 1_777, 2_999]) expect((await embedder.embed([texts[index]!]))[0]).toEqual(rows[index]);
    expect(embedder.model).toMatchObject({ dimensions: DIMENSIONS });
  });

  it('has the built-in model without any option', async () => {
    const system = await createSystem();
    systems.push(system);
    const embedder = await createEmbedder(system, { cacheDir: CACHE_DIR });
    const [cat, cats, stone] = await embedder.embed(['the cat sat on the mat', 'a cat on a mat', 'granite quarries of Norway']);
    expect(dot(cat!, cats!)).toBeGreaterThan(dot(cat!, stone!));
  });

  it('answers no texts with no rows', async () => {
    const { embedder } = await open();
    expect(await embedder.embed([])).toEqual([]);
  });

  it('names the first text that it refuses, by its place among all', async () => {
    const { embedder } = await open();
    const texts = Array.from({ length: 100 }, () => 'w1 w2');
    texts[77] = ' \n';
    await expect(embedder.embed(texts)).rejects.toMatchObject({ code: 'text_refused', message: expect.stringContaining('Text 77 ') as string, details: { index: 77, status: 'empty' } });
    texts[77] = 'w1 '.repeat(5_000);
    await expect(embedder.embed(texts)).rejects.toMatchObject({ code: 'text_refused', details: { index: 77, status: 'too_long' } });
    texts[77] = 'w'.repeat(300_000);
    await expect(embedder.embed(texts)).rejects.toMatchObject({ code: 'text_refused', details: { index: 77, status: 'too_many_bytes' } });
    // The neighbours of a refused text are not harmed, and nor is the embedder.
    expect(await embedder.embed(['w1 w2'])).toHaveLength(1);
  });

  it('cuts a long text only where that is asked for', async () => {
    const { embedder } = await open({ truncate: 'right' });
    expect(await embedder.embed(['w1 '.repeat(5_000)])).toHaveLength(1);
  });

  it('can be cancelled, and embeds again afterwards', async () => {
    const { embedder } = await open();
    const texts = Array.from({ length: 5_000 }, (_, number) => `w${number % 200}`);
    const abort = new AbortController();
    const embedding = embedder.embed(texts, { signal: abort.signal });
    await embedder.embed(['w1']);
    abort.abort();
    await expect(embedding).rejects.toMatchObject({ code: 'ask_cancelled' });
    await expect(embedder.embed(['w1'], { signal: abort.signal })).rejects.toMatchObject({ code: 'ask_cancelled' });
    expect(await embedder.embed(['w1'])).toHaveLength(1);
  });

  it('shares a system with a second embedder of another model', async () => {
    const { system, embedder } = await open();
    const other = join(scratch, 'other.gguf');
    writeTinyBert(other, { seed: 9 });
    const second = await createEmbedder(system, { model: other, actors: 1, name: 'second' });
    const [[a], [b]] = await Promise.all([embedder.embed(['w1 w2 w3']), second.embed(['w1 w2 w3'])]);
    expect(a).not.toEqual(b);
    await second.close();
    expect((await embedder.embed(['w1 w2 w3']))[0]).toEqual(a);
    await expect(second.embed(['w1'])).rejects.toHaveProperty('code');
  });

  it('refuses a model before any thread has loaded it', async () => {
    const system = await createSystem();
    systems.push(system);
    const broken = join(scratch, 'broken.gguf');
    writeFileSync(broken, 'These are no weights. '.repeat(100));
    await expect(createEmbedder(system, { model: broken, actors: 1 })).rejects.toMatchObject({ code: 'model_not_gguf', message: expect.stringContaining(broken) as string });
    await expect(createEmbedder(system, { model: join(scratch, 'nowhere.gguf'), actors: 1 })).rejects.toMatchObject({ code: 'model_missing' });
    await expect(createEmbedder(system, { model, actors: 0 })).rejects.toThrow(RangeError);
    // A place taken by a failed start is free again.
    expect(await (await createEmbedder(system, { model, actors: 1 })).embed(['w1'])).toHaveLength(1);
  });

  it('rejects what is still to come when it is closed, and closes twice', async () => {
    const { embedder } = await open();
    const embedding = embedder.embed(Array.from({ length: 20_000 }, (_, number) => `w${number % 200} w1 w2 w3`));
    const outcome = expect(embedding.then((rows) => rows.length)).rejects.toHaveProperty('code', 'actor_stopped');
    await embedder.embed(['w1']);
    await Promise.all([embedder.close(), embedder.close()]);
    await outcome;
    await expect(embedder.embed(['w1'])).rejects.toHaveProperty('code', 'actor_stopped');
  });

  it('finishes or rejects what is on its way when the system closes', async () => {
    const { system, embedder } = await open();
    const embedding = embedder.embed(Array.from({ length: 2_000 }, (_, number) => `w${number % 200} w1 w2 w3`));
    const outcome = embedding.then((rows) => rows.length, (error: { code: string }) => error.code);
    await embedder.embed(['w1']);
    await system.close();
    expect([2_000, 'actor_stopped', 'system_closed']).toContain(await outcome);
    await expect(embedder.embed(['w1'])).rejects.toHaveProperty('code');
  });

  it('leaves nothing behind: a process whose system is closed ends by itself', async () => {
    const script = join(scratch, 'application.mjs');
    writeFileSync(
      script,
      `import { createEmbedder, createSystem } from ${JSON.stringify(new URL('../../actors/index.ts', import.meta.url).href)};
      const system = await createSystem();
      const embedder = await createEmbedder(system, { model: ${JSON.stringify(model)}, actors: 2 });
      const rows = await embedder.embed(['w1 w2', 'w3']);
      await embedder.close();
      await system.close();
      process.on('exit', (code) => console.log(JSON.stringify({ code, rows: rows.length, alive: process.getActiveResourcesInfo().filter((name) => !/Wrap|stdio|Timeout/i.test(name)) })));`,
    );
    const child = spawn(NODE, [CONDITION, script], { cwd: REPO, env: environment(), stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
    child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({ code: 0, rows: 2, alive: [] });
  });
});

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, index) => sum + value * b[index]!, 0);
}
