import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SpillwayError } from '../../../kernel/index.ts';
import { PRIORITIES, type EmbedReply, type EmbedScheduler, type EmbedWorker, type EmbeddedText, type Priority } from '../../../actors/inference/scheduling/index.ts';
import { MODEL, Simulation, replyTo, vectorOf } from './simulation.ts';

/** What a worker does with a unit. */
type Fate = 'answers' | 'gives_back' | 'actor_restarted' | 'ask_refused' | 'ask_deadline' | 'message_too_large' | 'breaks';

interface Act {
  readonly kind: 'embed' | 'abort' | 'wait';
  readonly texts: readonly number[];
  readonly priority: Priority;
  readonly key: string;
  readonly deadlineMs: number | undefined;
  readonly cache: boolean;
  readonly ms: number;
}

const act: fc.Arbitrary<Act> = fc.record({
  kind: fc.constantFrom('embed', 'embed', 'embed', 'abort', 'wait'),
  texts: fc.array(fc.nat({ max: 25 }), { maxLength: 30 }),
  priority: fc.constantFrom(...PRIORITIES),
  key: fc.constantFrom('a', 'b', 'c'),
  deadlineMs: fc.option(fc.integer({ min: 1, max: 300 }), { nil: undefined }),
  cache: fc.boolean(),
  ms: fc.integer({ min: 1, max: 100 }),
});

const fate: fc.Arbitrary<Fate> = fc.constantFrom('answers', 'answers', 'answers', 'answers', 'gives_back', 'actor_restarted', 'ask_refused', 'ask_deadline', 'message_too_large', 'breaks');

/** Takes some time for a unit and then does what it is told. Text 0 is empty; `x` breaks it always. */
function fatedWorker(simulation: Simulation, fates: readonly Fate[]): EmbedWorker {
  let next = 0;
  return {
    embed: (texts, { signal }) =>
      new Promise<EmbedReply>((resolve, reject) => {
        const chosen = fates[next++ % fates.length]!;
        signal?.addEventListener('abort', () => reject(new SpillwayError('ask_cancelled', 'Nobody waits.')), { once: true });
        simulation.after(5 * texts.length, () => {
          const reply = replyTo(texts);
          if (texts.includes('text 7')) reject(new SpillwayError('actor_restarted', 'It crashed.'));
          else if (chosen === 'answers') resolve(reply);
          else if (chosen === 'gives_back') resolve({ ...reply, outcomes: reply.outcomes.map((outcome, index) => (index % 2 === 0 ? outcome : { status: 'deadline', tokens: 0, truncated: false })) });
          else if (chosen === 'breaks') reject(new Error('broken'));
          else reject(new SpillwayError(chosen, 'As it was told.'));
        });
      }),
  };
}

function assertBalance({ stats }: EmbedScheduler): void {
  const { submitted, computed, deduplicated, cached, ended, rejected, outcomes, units, classes } = stats;
  const held = PRIORITIES.reduce((sum, priority) => sum + classes[priority].heldTexts, 0);
  expect(computed + deduplicated + cached + ended + rejected + held).toBe(submitted);
  expect(Object.values(outcomes).reduce((sum, count) => sum + count, 0)).toBe(computed + deduplicated + cached + ended);
  expect(units.answered + units.failed + units.withdrawn + units.inFlight).toBe(units.sent);
  for (const priority of PRIORITIES) {
    expect(classes[priority].waitingTexts).toBeGreaterThanOrEqual(0);
    expect(classes[priority].heldBytes).toBeGreaterThanOrEqual(0);
  }
}

const NOTHING = { heldTexts: 0, heldBytes: 0, waitingTexts: 0, waitingTokens: 0, keys: 0 };

describe('every text has exactly one outcome', () => {
  it.each([
    ['in order', 1],
    ['by length', 32],
  ])('whatever callers and workers do, taken %s', async (_, fusedTextsMax) => {
    const acts = fc.array(act, { minLength: 1, maxLength: 25 });
    const run = async (list: readonly Act[], fates: readonly Fate[], workers: number, closes: boolean): Promise<void> => {
      const simulation = new Simulation();
      const scheduler = simulation.scheduler(
        Array.from({ length: workers }, () => fatedWorker(simulation, fates)),
        { model: { ...MODEL, fusedTextsMax, fusedTokensMax: 100 }, cacheBytes: 5_000, limits: { bulk: { textsMax: 100 } } },
      );
      const results: { request: Act; outcome: Promise<EmbeddedText[] | SpillwayError> }[] = [];
      const aborts: AbortController[] = [];
      for (const request of list) {
        if (request.kind === 'abort') aborts.shift()?.abort();
        else if (request.kind === 'wait') await simulation.advance(request.ms);
        else {
          const abort = new AbortController();
          aborts.push(abort);
          const { priority, key, cache, deadlineMs } = request;
          const texts = request.texts.map((text) => (text === 0 ? '' : `text ${text}`));
          const asked = scheduler.embed({ texts, priority, key, cache, signal: abort.signal, ...(deadlineMs === undefined ? {} : { deadlineMs }) });
          results.push({ request, outcome: asked.catch((error: unknown) => error as SpillwayError) });
        }
        assertBalance(scheduler);
      }
      if (closes) void scheduler.close();
      await simulation.finish();
      await scheduler.idle();
      for (const { request, outcome } of results) {
        const ended = await outcome;
        if (ended instanceof SpillwayError) {
          expect(closes ? ['embed_closed', 'embed_overloaded'] : ['embed_overloaded']).toContain(ended.code);
          continue;
        }
        expect(ended).toHaveLength(request.texts.length);
        ended.forEach(({ status, vector }, index) => {
          const text = request.texts[index]!;
          if (status === 'ok') expect(vector).toEqual(vectorOf(`text ${text}`));
          if (text === 7) expect(['failed', 'cancelled', 'deadline']).toContain(status);
        });
      }
      assertBalance(scheduler);
      const { classes, requests, jobs, units } = scheduler.stats;
      expect({ requests, jobs, inFlight: units.inFlight }).toEqual({ requests: 0, jobs: 0, inFlight: 0 });
      for (const priority of PRIORITIES) expect(classes[priority]).toEqual(NOTHING);
    };
    await fc.assert(fc.asyncProperty(acts, fc.array(fate, { minLength: 1, maxLength: 7 }), fc.integer({ min: 1, max: 3 }), fc.boolean(), run), { numRuns: 150 });
  });
});
