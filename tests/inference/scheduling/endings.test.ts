import { describe, expect, it } from 'vitest';
import { SpillwayError } from '../../../kernel/index.ts';
import { HeldWorker, SerialWorker, Simulation, replyTo, textOf } from './simulation.ts';

const texts = (count: number): string[] => Array.from({ length: count }, (_, index) => textOf(index));
const statuses = (results: readonly { status: string }[]): string[] => results.map(({ status }) => status);

describe('a request', () => {
  it('without texts has no results', async () => {
    expect(await new Simulation().scheduler([new HeldWorker()]).embed({ texts: [] })).toEqual([]);
  });

  it('has its results at its deadline, vectors for those texts that were done in time', async () => {
    const simulation = new Simulation();
    const scheduler = simulation.scheduler([new SerialWorker(simulation)], { limits: { unitMs: 20 } });
    let endMs = 0;
    const startMs = simulation.nowMs;
    const request = scheduler.embed({ texts: texts(400), deadlineMs: 1_000 });
    void request.then(() => (endMs = simulation.nowMs));
    const [results] = await Promise.all([request, simulation.finish()]);
    expect(endMs - startMs).toBe(1_000);
    const ok = statuses(results).indexOf('deadline');
    expect(ok).toBeGreaterThan(80);
    expect(statuses(results.slice(0, ok)).every((status) => status === 'ok')).toBe(true);
    expect(statuses(results.slice(ok)).every((status) => status === 'deadline')).toBe(true);
    expect(scheduler.stats).toMatchObject({ requests: 0, jobs: 0, ended: 400 - ok });
  });

  it('tells the worker the time it has left, and that nobody waits any more', async () => {
    const simulation = new Simulation();
    const worker = new HeldWorker();
    const scheduler = simulation.scheduler([worker]);
    const abort = new AbortController();
    void scheduler.embed({ texts: ['a'], deadlineMs: 100, signal: abort.signal });
    void scheduler.embed({ texts: ['a'], deadlineMs: 700, signal: abort.signal });
    await simulation.settle();
    expect(worker.units[0]).toMatchObject({ deadlineMs: 700 });
    expect(worker.units[0]!.signal!.aborted).toBe(false);
    abort.abort();
    expect(worker.units[0]!.signal!.aborted).toBe(true);
  });

  it('that is cancelled before it begins costs no worker anything', async () => {
    const simulation = new Simulation();
    const worker = new HeldWorker();
    const scheduler = simulation.scheduler([worker]);
    const results = await scheduler.embed({ texts: ['a', 'b'], signal: AbortSignal.abort() });
    await simulation.settle();
    expect(statuses(results)).toEqual(['cancelled', 'cancelled']);
    expect(worker.units).toEqual([]);
    expect(scheduler.stats.classes.normal).toEqual({ heldTexts: 0, heldBytes: 0, waitingTexts: 0, waitingTokens: 0, keys: 0 });
  });

  it('gives a text another try if the worker gave it back for a deadline that was another\'s', async () => {
    const simulation = new Simulation();
    const worker = new HeldWorker();
    const scheduler = simulation.scheduler([worker]);
    void scheduler.embed({ texts: ['a'], deadlineMs: 50 });
    await simulation.settle();
    const patient = scheduler.embed({ texts: ['a'] });
    const reply = replyTo(['a']);
    worker.units[0]!.answer({ ...reply, outcomes: [{ status: 'deadline', tokens: 0, truncated: false }] });
    await simulation.settle();
    worker.units[1]!.answer();
    expect(statuses(await patient)).toEqual(['ok']);
  });

  it.each([
    [{ texts: ['a'], deadlineMs: 0 }, /deadlineMs/],
    [{ texts: ['a'], deadlineMs: Number.NaN }, /deadlineMs/],
    [{ texts: ['a'], priority: 'soon' as 'bulk' }, /priority/],
    [{ texts: ['a', 7 as unknown as string] }, /strings/],
  ])('that is none is a programmer\'s error: %j', async (request, message) => {
    const scheduler = new Simulation().scheduler([new HeldWorker()]);
    await expect(scheduler.embed(request)).rejects.toThrow(message);
    expect(scheduler.stats).toMatchObject({ submitted: 0, requests: 0 });
  });
});

describe('closing', () => {
  it('ends what waits with its error, lets end what is on its way, and refuses the rest', async () => {
    const simulation = new Simulation();
    const worker = new HeldWorker();
    const scheduler = simulation.scheduler([worker]);
    const onItsWay = scheduler.embed({ texts: ['a'] });
    await simulation.settle();
    const waiting = scheduler.embed({ texts: texts(100), priority: 'bulk' });
    const roomless = scheduler.whenRoom({ texts: 1e5, priority: 'bulk' });
    await simulation.settle();
    const closed = scheduler.close(new SpillwayError('model_unloaded', 'It was unloaded.'));
    await expect(waiting).rejects.toMatchObject({ code: 'model_unloaded' });
    await expect(scheduler.embed({ texts: ['b'] })).rejects.toMatchObject({ code: 'model_unloaded' });
    await roomless;
    let isClosed = false;
    void closed.then(() => (isClosed = true));
    await simulation.settle();
    expect(isClosed).toBe(false);
    for (const unit of worker.units) unit.answer();
    expect(statuses(await onItsWay)).toEqual(['ok']);
    await closed;
    expect(scheduler.stats).toMatchObject({ requests: 0, jobs: 0, rejected: 100 });
    await expect(simulation.scheduler([worker]).close()).resolves.toBeUndefined();
  });

  it('ends with its error what comes back without a result afterwards', async () => {
    const simulation = new Simulation();
    const worker = new HeldWorker();
    const scheduler = simulation.scheduler([worker]);
    const request = scheduler.embed({ texts: ['a'] });
    await simulation.settle();
    const closed = scheduler.close();
    worker.units[0]!.fail('actor_restarted');
    await expect(request).rejects.toMatchObject({ code: 'embed_closed' });
    await closed;
    expect(worker.units).toHaveLength(1);
  });

  it('is not needed for what waits to be done: idle says when', async () => {
    const simulation = new Simulation();
    const scheduler = simulation.scheduler([new SerialWorker(simulation)]);
    let done = false;
    void scheduler.embed({ texts: texts(50) }).then(() => (done = true));
    await Promise.all([scheduler.idle(), simulation.finish()]);
    expect(done).toBe(true);
    await scheduler.idle();
  });
});
