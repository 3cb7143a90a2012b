/** The scheduler before real inference actors, and the lane that each unit takes. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SpillwayError, systemClock, type ActorRef } from '../../../kernel/index.ts';
import { createSystem, type System } from '../../../supervisors/index.ts';
import { chooseModel, inferenceProtocol, inferenceSpec, type InferenceSpec } from '../../../actors/inference/index.ts';
import { EmbedScheduler, actorWorker, type EmbedReply, type EmbedWorker, type UnitOptions } from '../../../actors/inference/scheduling/index.ts';
import { URGENT_UNITS_MAX, urgentTextsMax } from '../../../actors/inference/scheduling/message-limits.ts';
import { tinyText, writeTinyBert } from '../tiny-bert.ts';
import { replyTo } from './simulation.ts';

describe('the lane of a unit', () => {
  /** What an actor was asked by, where urgent messages may be refused as too large. */
  function recorded(refusesUrgent = false): { readonly worker: EmbedWorker; readonly asked: string[] } {
    const asked: string[] = [];
    const ref = {
      ask(name: string, { texts }: { texts: readonly string[] }): Promise<EmbedReply> {
        asked.push(name);
        if (name === 'embedUrgent' && refusesUrgent) return Promise.reject(new SpillwayError('message_too_large', 'The lane is smaller here.'));
        return Promise.resolve(replyTo(texts));
      },
    } as unknown as ActorRef<InferenceSpec>;
    return { worker: actorWorker(ref, 384), asked };
  }
  const urgent: UnitOptions = { urgent: true, deadlineMs: 1_000 };

  it.each<[string, readonly string[], UnitOptions, boolean, string[]]>([
    ['urgent and small', ['a'], urgent, false, ['embedUrgent']],
    ['not urgent', ['a'], { ...urgent, urgent: false }, false, ['embed']],
    ['as many vectors as its answer takes', Array.from({ length: urgentTextsMax(384) }, () => 'a'), urgent, false, ['embedUrgent']],
    ['more vectors than its answer takes', Array.from({ length: urgentTextsMax(384) + 1 }, () => 'a'), urgent, false, ['embed']],
    ['longer than its record', ['x'.repeat(URGENT_UNITS_MAX + 1)], urgent, false, ['embed']],
    ['refused as too large', ['a'], urgent, true, ['embedUrgent', 'embed']],
  ])('of texts that are %s', async (_, texts, options, refuses, expected) => {
    const { worker, asked } = recorded(refuses);
    expect((await worker.embed(texts, options)).outcomes).toHaveLength(texts.length);
    expect(asked).toEqual(expected);
  });
});

describe('with inference actors', () => {
  const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'spillway-scheduler-')));
  let system: System;
  let workers: EmbedWorker[];
  let loaded: { sha256: string; dimensions: number; tokensMax: number; fusedTextsMax: number; fusedTokensMax: number; overlaps: boolean };

  beforeAll(async () => {
    const model = await chooseModel(writeTinyBert(join(scratch, 'tiny.gguf')));
    system = await createSystem({ logLevel: 'silent' });
    const refs = [];
    for (const id of ['first', 'second']) refs.push(await system.spawn(inferenceSpec(id, { model, load: 'start' }), inferenceProtocol));
    loaded = await refs[0]!.ask('load', {}, { deadlineMs: 10_000 });
    workers = refs.map((ref) => actorWorker(ref, loaded.dimensions));
  });
  afterAll(async () => {
    await system.close();
    rmSync(scratch, { recursive: true, force: true });
  });

  const scheduler = (count: number): EmbedScheduler => new EmbedScheduler({ workers: workers.slice(0, count), model: loaded, clock: systemClock });

  it('an interactive text passes the bulk that was there before it', async () => {
    const scheduling = scheduler(1);
    const ended: string[] = [];
    const bulk = scheduling.embed({ texts: Array.from({ length: 300 }, (_, index) => tinyText(500, index)), priority: 'bulk' });
    void bulk.then(() => ended.push('bulk'));
    for (let index = 0; index < 5; index++) {
      const [result] = await scheduling.embed({ texts: [tinyText(9, 1_000 + index)], priority: 'interactive' });
      expect(result!.status).toBe('ok');
      ended.push('interactive');
      // It went past whatever the actor had in hand.
      expect(scheduling.stats.units.inFlight).toBeGreaterThan(0);
    }
    expect(new Set((await bulk).map(({ status }) => status))).toEqual(new Set(['ok']));
    expect(ended).toEqual(['interactive', 'interactive', 'interactive', 'interactive', 'interactive', 'bulk']);
    await scheduling.close();
  });

  it('vectors are those of texts embedded one by one, re-ordered, duplicated, cached or like in length', async () => {
    const texts = Array.from({ length: 120 }, (_, index) => tinyText(4 + ((index * 37) % 90), index));
    const alone: Float32Array[] = [];
    for (const text of texts) alone.push((await workers[0]!.embed([text], { urgent: false, deadlineMs: 10_000 })).vectors);
    const expected = new Map(texts.map((text, index) => [text, alone[index]!]));
    const shuffled = Array.from({ length: 300 }, (_, index) => texts[(index * 53) % 120]!);
    const inOrder = scheduler(2);
    const byLength = new EmbedScheduler({ workers, model: { ...loaded, fusedTextsMax: 8, fusedTokensMax: 512 }, clock: systemClock, cacheBytes: 0 });
    const answers = [
      await inOrder.embed({ texts: shuffled }),
      await inOrder.embed({ texts: shuffled.toReversed(), priority: 'interactive' }),
      await byLength.embed({ texts: shuffled, priority: 'bulk' }),
    ];
    for (const [index, results] of answers.entries()) {
      const order = index === 1 ? shuffled.toReversed() : shuffled;
      results.forEach(({ vector }, at) => expect(vector).toEqual(expected.get(order[at]!)));
    }
    expect(answers[1]!.every(({ cached }) => cached)).toBe(true);
    expect(inOrder.stats).toMatchObject({ computed: 120, deduplicated: 180, cached: 300 });
    await Promise.all([inOrder.close(), byLength.close()]);
  });
});
