/** Actors that fail in the middle of a run are restarted, and the index comes out as if they had not. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { embedCommand } from '../../actors/console/embed-command.ts';
import { INGESTION, STORAGE, type PipelineSpecs } from '../../actors/console/pipeline.ts';
import type { Done, RunReporter } from '../../actors/console/reporter.ts';
import { loadSettings } from '../../actors/console/settings.ts';
import { inferenceSpec, type CheckedModel } from '../../actors/inference/index.ts';
import { ingestionSpec } from '../../actors/ingestion/index.ts';
import { storageSpec } from '../../actors/storage/index.ts';
import type { ChildSpec } from '../../supervisors/index.ts';
import { CACHE_DIR } from './command-line.ts';
import { indexProblems, indexRows, writeSampleFolder, writeText } from './sample-folder.ts';

const SEED = Number(process.env['SPILLWAY_TEST_SEED'] ?? Date.now() % 1_000_000);
const FILES = 75;
/** Composed here, so that no secret stands in the repo. */
const SECRET = ['ghp', 'Zq7Lm2Xv9Tc4Rw8Yb3Nd6Kf1Hs5Jg0PuEoAi'].join('_');

describe('a run whose actors fail', () => {
  const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'spillway-e2e-')));
  const folder = join(scratch, 'folder');
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));
  let runs = 0;
  let undisturbed: { done: Done; rows: string[] };

  beforeAll(async () => {
    writeSampleFolder(folder, FILES);
    writeText(folder, 'aaa-first.ts', `export const token = '${SECRET}';\n`);
    undisturbed = await run({});
  });

  /** One run of the command with some actors replaced, to its summary and what the index then shows. */
  async function run(specs: Partial<PipelineSpecs>): Promise<{ done: Done; rows: string[] }> {
    const index = join(scratch, `index-${++runs}`);
    let done: Done | undefined;
    const reporter: RunReporter = {
      progress() {}, notice() {}, say() {}, interrupted() {},
      done: (summary) => (done = summary),
      failed(code, message) {
        throw new Error(`${code}: ${message}`);
      },
    };
    const settings = await loadSettings({ index, cacheDir: CACHE_DIR, actors: 2, logLevel: 'error' });
    const code = await embedCommand({ paths: [folder], rebuild: false, settings, reporter, progressMs: 500, interrupt: new AbortController().signal, specs });
    expect(code).toBe(0);
    expect(indexProblems(index)).toEqual([]);
    return { done: done!, rows: indexRows(index) };
  }

  function expectUndisturbed({ done, rows }: { done: Done; rows: string[] }): void {
    expect(rows).toEqual(undisturbed.rows);
    const { files, chunks, skipped, removed, masked } = undisturbed.done;
    expect(done).toMatchObject({ files, chunks, skipped, removed });
    // A file that a former life had stored is not read again, and so its secrets are not counted again.
    expect(done.masked).toBeLessThanOrEqual(masked);
    expect(done.embedded).toBeGreaterThanOrEqual(chunks);
    expect(done.restarts).toBeGreaterThan(0);
  }

  it('counts no restarts when nothing fails', () => {
    expect(undisturbed.done).toMatchObject({ files: FILES + 1, restarts: 0, masked: 1, embedded: undisturbed.rows.length });
  });

  it('stores every chunk exactly once when embedders throw at random moments', { timeout: 300_000 }, async () => {
    console.log(`SPILLWAY_TEST_SEED=${SEED}`);
    let next = SEED;
    const result = await run({ embedder: (id, model) => faultyEmbedder('throwingInference', id, model, { seed: next++, faultRate: 0.15 }) });
    expectUndisturbed(result);
  });

  it('stores every chunk exactly once when the threads of embedders exit', { timeout: 120_000 }, async () => {
    const result = await run({ embedder: (id, model) => faultyEmbedder('exitingInference', id, model) });
    expectUndisturbed(result);
    expect(result.done.restarts).toBe(4);
  });

  it.each(['before', 'after'] as const)('stores every chunk exactly once when the storage actor fails %s a transaction', async (moment) => {
    const storage = (dir: string): ChildSpec => replaced(storageSpec(STORAGE, { dir }), 'failingStorage', { dir, put: 4, moment });
    const result = await run({ storage });
    expectUndisturbed(result);
    expect(result.done.restarts).toBe(1);
  });

  it('walks again when the ingestion actor fails, and counts each file once', async () => {
    const result = await run({ ingestion: () => replaced(ingestionSpec(INGESTION), 'failingIngestion', { file: 60 }) });
    expectUndisturbed(result);
    expect(result.done.restarts).toBe(1);
  });
});

function faultyEmbedder(name: string, id: string, model: CheckedModel, args: object = {}): ChildSpec {
  return replaced(inferenceSpec(id, { model }), name, { model, ...args });
}

function replaced(spec: ChildSpec, name: string, args: object): ChildSpec {
  return { ...spec, start: { module: new URL('./faulty-actors.ts', import.meta.url).href, export: name, args } };
}
