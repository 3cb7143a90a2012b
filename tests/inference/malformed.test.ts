import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SpillwayError } from '../../kernel/index.ts';
import { createSystem, type System } from '../../supervisors/index.ts';
import { INFERENCE_ERRORS } from '../../actors/inference/error-codes.ts';
import { checkGgufHeader, hashModel } from '../../actors/inference/gguf/header.ts';
import type { ModelPurpose } from '../../actors/inference/gguf/architecture.ts';
import type { CheckedModel } from '../../actors/inference/model-choice.ts';
import { ensureTrusted } from '../../actors/inference/models/quarantine.ts';
import { MALFORMED_MODELS, type MalformedModel } from './malformed-models.ts';
import { writeTinyBert } from './tiny-bert.ts';

let folder: string;
beforeAll(() => { folder = mkdtempSync(join(realpathSync(tmpdir()), 'spillway-malformed-')); });
afterAll(() => { rmSync(folder, { recursive: true, force: true }); });

function written({ what, write }: MalformedModel): string {
  const path = join(folder, `${what.replaceAll(/\W+/g, '-')}.gguf`);
  write(path);
  return path;
}

/** What the header check says. */
function refusalOf(path: string, purpose?: ModelPurpose): SpillwayError | undefined {
  try {
    checkGgufHeader(path, purpose);
    return undefined;
  } catch (error) {
    if (!(error instanceof SpillwayError)) throw error;
    return error;
  }
}

const CAUGHT_EARLY = MALFORMED_MODELS.filter(({ refusal }) => refusal.by === 'header');
const CAUGHT_LATE = MALFORMED_MODELS.filter(({ refusal }) => refusal.by === 'quarantine');

describe('malformed models, one for each class of known bug', () => {
  it('are twenty at least, eighteen of which need not be loaded to be refused', () => {
    expect(new Set(MALFORMED_MODELS.map(({ what }) => what)).size).toBe(MALFORMED_MODELS.length);
    expect(MALFORMED_MODELS.length).toBeGreaterThanOrEqual(20);
    expect(CAUGHT_EARLY.length).toBeGreaterThanOrEqual(18);
  });

  it.each(CAUGHT_EARLY)('the header check refuses $what, and says why', (model) => {
    const path = written(model);
    const found = refusalOf(path);
    expect(found).toMatchObject({ code: model.refusal.code, message: expect.stringMatching(model.refusal.reason) as unknown });
    expect(found!.message).toContain(path);
    // Nobody reads a message that is as long as what it complains of.
    expect(found!.message.length).toBeLessThan(path.length + 600);
  });

  describe('and what it cannot see', () => {
    let system: System;
    beforeAll(async () => { system = await createSystem({ logLevel: 'silent' }); });
    afterAll(() => system.close());

    it.each(CAUGHT_LATE)('the quarantine refuses: $what; and the application goes on', async (model) => {
      const path = written(model);
      const { embeddingLength: dimensions, contextLength } = checkGgufHeader(path);
      const checked: CheckedModel = { path, backend: 'llama', name: path, sha256: await hashModel(path), dimensions, contextLength, builtIn: false };
      await expect(ensureTrusted(system, checked, { cacheDir: folder })).rejects.toMatchObject({
        code: 'model_quarantined',
        message: expect.stringMatching(model.refusal.reason) as unknown,
        details: { code: model.refusal.code, sha256: checked.sha256 },
      });
      // The tree is as it was: nothing was restarted, nothing is left.
      expect(await system.children()).toEqual([]);
    });
  });
});

describe('the header check', () => {
  it('answers files of which bytes, lengths and counts were changed with a verdict, whatever they are loaded for', () => {
    const seed = readFileSync(writeTinyBert(join(folder, 'seed.gguf'), { blockCount: 1, contextLength: 64 }));
    const headerBytes = seed.lastIndexOf('layer_output_norm.bias') + 64;
    const path = join(folder, 'changed.gguf');
    const edge = fc.constantFrom(0n, 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n);
    const change = fc.oneof(
      fc.record({ kind: fc.constant('byte' as const), at: fc.nat(headerBytes - 8), value: fc.bigInt(0n, 255n) }),
      fc.record({ kind: fc.constant('u32' as const), at: fc.nat(headerBytes - 8), value: edge.map((value) => value & 0xffff_ffffn) }),
      fc.record({ kind: fc.constant('u64' as const), at: fc.nat(headerBytes - 8), value: edge }),
      // Bytes that are repeated or left out move all that follows.
      fc.record({ kind: fc.constant('again' as const), at: fc.nat(headerBytes - 8), value: fc.bigInt(1n, 64n) }),
      fc.record({ kind: fc.constant('without' as const), at: fc.nat(headerBytes - 8), value: fc.bigInt(1n, 64n) }),
    );
    const verdicts = { accepted: 0, refused: new Map<string, number>() };
    fc.assert(
      fc.property(fc.array(change, { maxLength: 3 }), fc.constantFrom<ModelPurpose>('embed', 'rank', 'generate'), (changes, purpose) => {
        let bytes = Buffer.from(seed);
        for (const { kind, at, value } of changes) {
          if (kind === 'byte') bytes.writeUInt8(Number(value), at);
          else if (kind === 'u32') bytes.writeUInt32LE(Number(value), at);
          else if (kind === 'u64') bytes.writeBigUInt64LE(value, at);
          else if (kind === 'again') bytes = Buffer.concat([bytes.subarray(0, at + Number(value)), bytes.subarray(at)]);
          else bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + Number(value))]);
        }
        writeFileSync(path, bytes);
        const refusal = refusalOf(path, purpose);
        if (refusal === undefined) verdicts.accepted++;
        else {
          expect(INFERENCE_ERRORS).toHaveProperty(refusal.code);
          verdicts.refused.set(refusal.code, (verdicts.refused.get(refusal.code) ?? 0) + 1);
        }
      }),
      { seed: 20_261_121, numRuns: 800 },
    );
    expect(verdicts.accepted).toBeGreaterThan(10);
    expect([...verdicts.refused.keys()]).toEqual(expect.arrayContaining(['model_malformed', 'model_truncated', 'model_unsupported', 'model_too_complex']));
  });
});
