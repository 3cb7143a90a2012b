import { describe, expect, it } from 'vitest';
import { SpillwayError } from '../../../kernel/index.ts';
import type { SchedulerLimits } from '../../../actors/inference/scheduling/index.ts';
import { ROOM_WAITERS_MAX } from '../../../actors/inference/scheduling/room-waiters.ts';
import { HeldWorker, SerialWorker, Simulation, textOf } from './simulation.ts';

const texts = (count: number, name = 't'): string[] => Array.from({ length: count }, (_, index) => textOf(`${name}${index}`));
const LIMITS: SchedulerLimits = { bulk: { textsMax: 1_000 }, normal: { waitMsMax: 5_000 }, interactive: { waitMsMax: 500 }, unitMs: 100 };

async function refusal(request: Promise<unknown>): Promise<SpillwayError> {
  const error: unknown = await request.then(() => undefined, (thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(SpillwayError);
  return error as SpillwayError;
}

describe('a request is refused as a whole', () => {
  it('when its class would wait for longer than it may, and taken when it comes again as it was told', async () => {
    const simulation = new Simulation();
    const scheduler = simulation.scheduler([new SerialWorker(simulation)], { limits: LIMITS });
    void scheduler.embed({ texts: texts(1_000) });
    await simulation.advance(1_000);
    const error = await refusal(scheduler.embed({ texts: texts(1, 'late') }));
    expect(error.code).toBe('embed_overloaded');
    const { retryAfterMs, waitingTexts, estimatedWaitMs } = error.details as Record<string, number>;
    expect(waitingTexts).toBe(scheduler.stats.classes.normal.waitingTexts);
    expect(estimatedWaitMs).toBeGreaterThan(8_000);
    expect(estimatedWaitMs).toBeLessThan(10_000);
    expect(scheduler.stats).toMatchObject({ refusedRequests: 1, refusedTexts: 1, submitted: 1_000 });
    await simulation.advance(retryAfterMs! * 1.1);
    const taken = scheduler.embed({ texts: texts(1, 'late') });
    await simulation.finish();
    expect((await taken)[0]!.status).toBe('ok');
  });

  it('though classes above and other keys wait for less, and bulk for as long as it takes', async () => {
    const simulation = new Simulation();
    const scheduler = simulation.scheduler([new SerialWorker(simulation)], { limits: LIMITS });
    void scheduler.embed({ texts: texts(1_000), key: 'busy' });
    await simulation.advance(1_000);
    const taken = [
      scheduler.embed({ texts: ['q'], priority: 'interactive' }),
      scheduler.embed({ texts: ['another'], key: 'other' }),
      scheduler.embed({ texts: ['later'], priority: 'bulk' }),
    ];
    expect((await refusal(scheduler.embed({ texts: ['more'], key: 'busy' }))).code).toBe('embed_overloaded');
    expect(scheduler.estimatedWaitMs('normal', 'busy')).toBeGreaterThan(5_000);
    expect(scheduler.estimatedWaitMs('normal', 'other')).toBeLessThan(1_500);
    await simulation.finish();
    expect((await Promise.all(taken)).flat().map(({ status }) => status)).toEqual(['ok', 'ok', 'ok']);
  });

  it('when its class holds as much as it may; one key is never given all of it', async () => {
    const simulation = new Simulation();
    const scheduler = simulation.scheduler([new HeldWorker()], { limits: LIMITS });
    const bulk = { priority: 'bulk' } as const;
    expect(scheduler.room('bulk', 'greedy')).toBe(800);
    void scheduler.embed({ ...bulk, texts: texts(800, 'a'), key: 'greedy' });
    const error = await refusal(scheduler.embed({ ...bulk, texts: ['one more'], key: 'greedy' }));
    expect(error.details).toMatchObject({ waitingTexts: 800 });
    // Of the 200 that are left, the next key may have four fifths, and so on.
    expect(scheduler.room('bulk', 'second')).toBe(160);
    void scheduler.embed({ ...bulk, texts: texts(160, 'b'), key: 'second' });
    expect(scheduler.room('bulk', 'third')).toBe(32);
    expect(scheduler.room('normal', 'greedy')).toBeGreaterThan(1_000);
  });

  it('when it has more bytes than there is room for', async () => {
    const scheduler = new Simulation().scheduler([new HeldWorker()], { limits: { normal: { bytesMax: 10_000 } } });
    void scheduler.embed({ texts: ['x'.repeat(3_000)] });
    expect((await refusal(scheduler.embed({ texts: ['y'.repeat(3_000)] }))).code).toBe('embed_overloaded');
    expect((await refusal(scheduler.embed({ texts: ['y'.repeat(5_000)] }))).code).toBe('embed_request_too_large');
  });

  it('for good when it is larger than its class ever takes', async () => {
    const scheduler = new Simulation().scheduler([new HeldWorker()], { limits: LIMITS });
    const error = await refusal(scheduler.embed({ texts: texts(801), priority: 'bulk' }));
    expect(error).toMatchObject({ code: 'embed_request_too_large', details: { texts: 801, textsMax: 800 } });
    expect((await refusal(scheduler.whenRoom({ texts: 801, priority: 'bulk' }))).code).toBe('embed_request_too_large');
  });

  it('unless the cache has all that it asks for', async () => {
    const simulation = new Simulation();
    const worker = new HeldWorker();
    const scheduler = simulation.scheduler([worker], { limits: LIMITS });
    const known = scheduler.embed({ texts: ['known'], priority: 'bulk' });
    await simulation.settle();
    worker.units[0]!.answer();
    await known;
    void scheduler.embed({ texts: texts(800), priority: 'bulk' });
    expect((await refusal(scheduler.embed({ texts: ['known', 'unknown'], priority: 'bulk' }))).code).toBe('embed_overloaded');
    expect((await scheduler.embed({ texts: ['known', 'known'], priority: 'bulk' })).map(({ cached }) => cached)).toEqual([true, true]);
  });

  it('when its key is over its quota, with a hint when to come again', async () => {
    const simulation = new Simulation();
    const worker = new SerialWorker(simulation);
    const quota = { tenant: { ratePerSecond: 100, burst: 100, maxConcurrent: 2, maxKeys: 10 }, maxConcurrent: 10 };
    const scheduler = simulation.scheduler([worker], { quota });
    void scheduler.embed({ texts: texts(9), key: 'a' });
    const error = await refusal(scheduler.embed({ texts: texts(5, 'more'), key: 'a' }));
    expect(error).toMatchObject({ code: 'embed_quota_exceeded', details: { reason: 'rate' } });
    await expect(refusal(scheduler.embed({ texts: texts(50), key: 'a' }))).resolves.toMatchObject({ details: { reason: 'too_costly' } });
    void scheduler.embed({ texts: texts(5), key: 'b' });
    // What a text costs is estimated anew with every answer.
    await simulation.advance(1.2 * (error.details['retryAfterMs'] as number));
    const again = scheduler.embed({ texts: texts(5, 'more'), key: 'a' });
    await simulation.finish();
    expect(await again).toHaveLength(5);
    // What has ended holds nothing of the quota.
    for (let round = 0; round < 5; round++) {
      await simulation.advance(1_000);
      await Promise.all([scheduler.embed({ texts: [`round ${round}`], key: 'a' }), simulation.finish()]);
    }
  });
});

describe('waiting for room', () => {
  it('ends at once if there is some for its key, and else when there is, in order', async () => {
    const simulation = new Simulation();
    const scheduler = simulation.scheduler([new SerialWorker(simulation)], { limits: LIMITS });
    await scheduler.whenRoom({ texts: 800, priority: 'bulk' });
    void scheduler.embed({ texts: texts(800), priority: 'bulk' });
    const order: string[] = [];
    const wait = (name: string, key: string, count: number): void => void scheduler.whenRoom({ texts: count, key, priority: 'bulk' }).then(() => order.push(name));
    wait('large', '', 400);
    wait('small', '', 1);
    wait('other', 'other key', 100);
    await simulation.settle();
    expect(order).toEqual(['other']);
    expect(scheduler.stats.roomWaiters).toBe(2);
    await simulation.finish();
    expect(order).toEqual(['other', 'large', 'small']);
  });

  it('lets a stream go on for ever within bounds, without a refusal', async () => {
    const simulation = new Simulation();
    const scheduler = simulation.scheduler([new SerialWorker(simulation, 0.1)], { limits: LIMITS });
    let held = 0;
    const stream = async (): Promise<number> => {
      const requests: Promise<unknown>[] = [];
      for (let round = 0; round < 40; round++) {
        await scheduler.whenRoom({ texts: 100, priority: 'bulk' });
        requests.push(scheduler.embed({ texts: texts(100, `${round}-`), priority: 'bulk' }));
        held = Math.max(held, scheduler.stats.classes.bulk.heldTexts);
      }
      return (await Promise.all(requests)).length;
    };
    const [count] = await Promise.all([stream(), simulation.finish()]);
    expect(count).toBe(40);
    expect(held).toBe(800);
    expect(scheduler.stats).toMatchObject({ refusedRequests: 0, outcomes: { ok: 4_000 } });
  });

  it('ends when the caller gives up, and those behind do not wait for it', async () => {
    const simulation = new Simulation();
    const scheduler = simulation.scheduler([new HeldWorker()], { limits: LIMITS });
    void scheduler.embed({ texts: texts(700), priority: 'bulk' });
    const abort = new AbortController();
    const first = scheduler.whenRoom({ texts: 200, priority: 'bulk', signal: abort.signal });
    const second = scheduler.whenRoom({ texts: 50, priority: 'bulk' });
    await simulation.settle();
    expect(scheduler.stats.roomWaiters).toBe(2);
    abort.abort();
    expect((await refusal(first)).code).toBe('embed_cancelled');
    await second;
    expect((await refusal(scheduler.whenRoom({ signal: abort.signal }))).code).toBe('embed_cancelled');
    expect(scheduler.stats.roomWaiters).toBe(0);
  });

  it('ends with its deadline, and those behind do not wait for it', async () => {
    const simulation = new Simulation();
    const scheduler = simulation.scheduler([new HeldWorker()], { limits: LIMITS });
    void scheduler.embed({ texts: texts(700), priority: 'bulk' });
    const first = scheduler.whenRoom({ texts: 200, priority: 'bulk', deadlineMs: 50 });
    const second = scheduler.whenRoom({ texts: 50, priority: 'bulk' });
    await simulation.advance(49);
    expect(scheduler.stats.roomWaiters).toBe(2);
    const refused = refusal(first);
    await simulation.advance(2);
    expect((await refused).code).toBe('embed_deadline');
    await second;
    expect(scheduler.stats.roomWaiters).toBe(0);
    // Nothing is left of the deadline of one that was served.
    await simulation.finish();
  });

  it('is bounded', async () => {
    const scheduler = new Simulation().scheduler([new HeldWorker()], { limits: LIMITS });
    const held = refusal(scheduler.embed({ texts: texts(800), priority: 'bulk' }));
    const waiting = Array.from({ length: ROOM_WAITERS_MAX }, () => scheduler.whenRoom({ priority: 'bulk' }));
    expect((await refusal(scheduler.whenRoom({ priority: 'bulk' }))).code).toBe('embed_overloaded');
    const ends = Promise.allSettled(waiting);
    void scheduler.close();
    expect((await held).code).toBe('embed_closed');
    expect((await ends).every(({ status }) => status === 'rejected')).toBe(true);
  });
});
