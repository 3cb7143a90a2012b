/**
 * Hot swaps under load: `swap-child.ts <swaps> <actors>`. Two models take turns under one name while callers embed with
 * it without a pause. They have the same shape and other weights, so each vector tells which of them made it, and is
 * held against what that model gives when nothing else goes on.
 */
import assert from 'node:assert';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createModelHost } from '../../actors/index.ts';
import { createSystem } from '../../supervisors/index.ts';
import { tinyOnnx, tinyOnnxText } from '../models/onnx-minilm.ts';
import { quantile } from '../statistics.ts';

export interface SwapFigures {
  readonly swaps: number;
  readonly calls: number;
  readonly texts: number;
  /** Texts without a vector, and calls that rejected. */
  readonly failed: number;
  /** Calls whose texts were not all answered by one model. */
  readonly mixed: number;
  /** Vectors that are not those of the model that they name. */
  readonly wrong: number;
  /** Calls served by each of the two models. */
  readonly callsByModel: readonly number[];
  readonly swapP50Ms: number;
  readonly swapMaxMs: number;
  readonly callP50Ms: number;
  readonly callP99Ms: number;
  readonly callMaxMs: number;
}

const CALLERS = 2;
const TEXTS = 64;
const TEXTS_PER_CALL_MAX = 24;
/** The same text on the same model gives the same vector but for the last bits. */
const DIFFERENCE_MAX = 1e-5;

const [swaps, actors] = process.argv.slice(2).map(Number) as [number, number];
const folder = await mkdtemp(join(tmpdir(), 'spillway-swaps-'));
const system = await createSystem();
try {
  console.log(JSON.stringify(await measure()));
} finally {
  await system.close();
  await rm(folder, { recursive: true, force: true });
}
process.exit(0);

async function measure(): Promise<SwapFigures> {
  const models = ['one', 'other'].map((name, index) => tinyOnnx(join(folder, name), { seed: index + 1 }).gguf);
  const texts = Array.from({ length: TEXTS }, (_, index) => tinyOnnxText(4 + (index % 28), index));
  // Without a cache, so that every text is computed.
  const host = createModelHost(system, { actors, cacheBytes: 0 });
  host.add('live', { model: models[0]! });
  const embedder = host.embedder('live');

  const right = new Map<string, readonly Float32Array[]>();
  for (const model of models.toReversed()) {
    const { to } = await host.swap('live', { model });
    right.set(to.sha256, await embedder.embed(texts));
  }
  const ids = [...right.keys()].toReversed();
  assert(ids.length === 2, 'two models of one hash cannot be told apart');

  let [failed, mixed, wrong, embedded] = [0, 0, 0, 0];
  const callsByModel = [0, 0];
  const callMs: number[] = [];
  let isLoaded = true;
  const caller = async (seed: number): Promise<void> => {
    for (let call = seed; isLoaded; call += 7) {
      const count = 1 + (call % TEXTS_PER_CALL_MAX);
      const chosen = Array.from({ length: count }, (_, index) => (call * 5 + index * 3) % TEXTS);
      const beganMs = performance.now();
      try {
        const results = await embedder.embedSettled(chosen.map((index) => texts[index]!));
        callMs.push(performance.now() - beganMs);
        embedded += count;
        const model = results[0]!.model;
        callsByModel[ids.indexOf(model)]!++;
        if (results.some((result) => result.model !== model)) mixed++;
        for (const [place, { status, vector }] of results.entries()) {
          if (status !== 'ok' || vector === undefined) failed++;
          else if (!isNear(vector, right.get(results[place]!.model)?.[chosen[place]!])) wrong++;
        }
      } catch (error) {
        failed++;
        console.error((error as Error).message);
      }
    }
  };
  const callers = Array.from({ length: CALLERS }, (_, index) => caller(index));
  const swapMs: number[] = [];
  for (let swap = 0; swap < swaps; swap++) {
    const beganMs = performance.now();
    const { isCut } = await host.swap('live', { model: models[(swap + 1) % 2]! });
    swapMs.push(performance.now() - beganMs);
    if (isCut) failed++;
  }
  isLoaded = false;
  await Promise.all(callers);
  return {
    swaps, calls: callMs.length, texts: embedded, failed, mixed, wrong, callsByModel,
    swapP50Ms: quantile(swapMs, 0.5), swapMaxMs: Math.max(...swapMs),
    callP50Ms: quantile(callMs, 0.5), callP99Ms: quantile(callMs, 0.99), callMaxMs: callMs.reduce((most, ms) => Math.max(most, ms), 0),
  };
}

function isNear(vector: Float32Array, expected: Float32Array | undefined): boolean {
  return expected?.length === vector.length && vector.every((value, index) => Math.abs(value - expected[index]!) <= DIFFERENCE_MAX);
}
