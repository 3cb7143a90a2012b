import { describe, expect, it } from 'vitest';
import { HeldWorker, MODEL, SerialWorker, Simulation, replyTo, textOf, vectorOf } from './simulation.ts';

const texts = (count: number): string[] => Array.from({ length: count }, (_, index) => textOf(index));
const statuses = (results: readonly { status: string }[]): string[] => results.map(({ status }) => status);

describe('a worker that fails', () => {
  it('costs no text anything if it was not the text\'s fault', async () => {
    const simulation = new Simulation();
    const workers = [new SerialWorker(simulation), new SerialWorker(simulation)];
    const scheduler = simulation.scheduler(workers);
    const request = scheduler.embed({ texts: texts(400) });
    for (let crash = 0; crash < 5; crash++) {
      await simulation.advance(205);
      workers[crash % 2]!.crash();
    }
    await simulation.finish();
    const results = await request;
    results.forEach(({ status, vector }, index) => expect([status, vector]).toEqual(['ok', vectorOf(textOf(index))]));
    expect(scheduler.stats.units.failed).toBe(5);
  });

  it.each([[1], [2]])('because of a text costs that text alone, and %i workers three lives', async (count) => {
    const simulation = new Simulation();
    const workers = Array.from({ length: count }, () => new SerialWorker(simulation));
    const bad = textOf(137);
    for (const { poison } of workers) poison.add(bad);
    const scheduler = simulation.scheduler(workers);
    const [results] = await Promise.all([scheduler.embed({ texts: texts(400) }), simulation.finish()]);
    expect(results.flatMap(({ status }, index) => (status === 'ok' ? [] : [index]))).toEqual([137]);
    expect(results[137]).toMatchObject({ status: 'failed', reason: expect.stringContaining('actor_restarted') as string });
    expect(workers.reduce((sum, { crashes }) => sum + crashes, 0)).toBe(3);
    results.forEach(({ vector }, index) => index === 137 || expect(vector).toEqual(vectorOf(textOf(index))));
  });

  it('only by the deadlines of those who waited first costs those who wait longer nothing', async () => {
    const simulation = new Simulation();
    const worker = new HeldWorker();
    const scheduler = simulation.scheduler([worker]);
    const hurried = [];
    for (let turn = 0; turn < 5; turn++) {
      hurried.push(scheduler.embed({ texts: ['wanted'], deadlineMs: 5 }));
      await simulation.settle();
      // Somebody else comes while it is on its way.
      if (turn === 4) hurried.push(scheduler.embed({ texts: ['wanted'], deadlineMs: 60_000 }));
      else hurried.push(scheduler.embed({ texts: ['wanted'], deadlineMs: 10 }));
      await simulation.advance(5);
      worker.units.at(-1)!.fail('ask_deadline');
      await simulation.settle();
    }
    worker.units.at(-1)!.answer();
    const ends = (await Promise.all(hurried)).map(([result]) => result!.status);
    expect(ends).toEqual([...Array.from({ length: 9 }, () => 'deadline'), 'ok']);
  });

  it('because of an urgent text costs the neighbours it passed nothing', async () => {
    const simulation = new Simulation();
    const worker = new SerialWorker(simulation);
    worker.poison.add('bad');
    const scheduler = simulation.scheduler([worker]);
    const bulk = scheduler.embed({ texts: texts(60), priority: 'bulk' });
    await simulation.advance(100);
    const urgent = scheduler.embed({ texts: ['good', 'bad', 'fine'], priority: 'interactive' });
    await simulation.finish();
    expect(statuses(await urgent)).toEqual(['ok', 'failed', 'ok']);
    expect(new Set(statuses(await bulk))).toEqual(new Set(['ok']));
  });

  it('once has one unit in hand until it has answered, and the others have the rest', async () => {
    const simulation = new Simulation();
    const workers = [new HeldWorker(), new HeldWorker()];
    const scheduler = simulation.scheduler(workers);
    void scheduler.embed({ texts: texts(200) });
    await simulation.settle();
    for (const unit of workers[0]!.units) unit.fail('actor_restarted');
    await simulation.settle();
    expect(workers[0]!.units).toHaveLength(3);
    // It may be loading its model, and what is urgent would wait for that.
    void scheduler.embed({ texts: ['urgent'], priority: 'interactive' });
    await simulation.settle();
    expect(workers.map(({ units }) => units.filter(({ urgent }) => urgent).length)).toEqual([0, 1]);
    workers[0]!.units[2]!.answer();
    await simulation.settle();
    expect(workers[0]!.units).toHaveLength(5);
  });

  it.each([
    ['another model', { ...replyTo(['a']), sha256: 'other' }],
    ['nothing', { ...replyTo(['a']), outcomes: [] }],
    ['other dimensions', { ...replyTo(['a']), dimensions: 2, vectors: new Float32Array(2) }],
    ['too few values', { ...replyTo(['a']), vectors: new Float32Array(3) }],
  ])('by answering with %s has not answered', async (_, reply) => {
    const simulation = new Simulation();
    const worker = new HeldWorker();
    const scheduler = simulation.scheduler([worker]);
    const request = scheduler.embed({ texts: ['a'] });
    for (let attempt = 0; attempt < 2; attempt++) {
      await simulation.settle();
      worker.units[attempt]!.answer(reply);
    }
    expect(await request).toMatchObject([{ status: 'failed', reason: expect.stringContaining('embed_answer_invalid') as string }]);
    expect(scheduler.stats.cache.entries).toBe(0);
  });

  it('before it gives a promise is no different', async () => {
    let calls = 0;
    const worker = {
      embed(unit: readonly string[]) {
        if (++calls === 1) throw new Error('not yet');
        return Promise.resolve(replyTo(unit));
      },
    };
    expect(statuses(await new Simulation().scheduler([worker]).embed({ texts: ['a'] }))).toEqual(['ok']);
  });
});

describe('a worker that refuses', () => {
  it('is left alone for a while that doubles, and others are tried meanwhile', async () => {
    const simulation = new Simulation();
    const workers = [new HeldWorker(), new HeldWorker()];
    const scheduler = simulation.scheduler(workers);
    const request = scheduler.embed({ texts: ['a'] });
    await simulation.settle();
    workers[0]!.units[0]!.fail('ask_refused');
    await simulation.settle();
    expect(workers.map(({ units }) => units.length)).toEqual([1, 1]);
    workers[1]!.units[0]!.fail('ask_refused');
    await simulation.advance(19);
    expect(workers.map(({ units }) => units.length)).toEqual([1, 1]);
    await simulation.advance(2);
    expect(workers.map(({ units }) => units.length)).toEqual([2, 1]);
    workers[0]!.units[1]!.fail('ask_refused');
    await simulation.settle();
    workers[1]!.units[1]!.fail('ask_refused');
    await simulation.advance(39);
    expect(workers.map(({ units }) => units.length)).toEqual([2, 2]);
    await simulation.advance(2);
    workers[0]!.units[2]!.answer();
    expect(statuses(await request)).toEqual(['ok']);
  });

  it('for ever fails a text after a bounded number of tries, or at its deadline', async () => {
    const simulation = new Simulation();
    const worker = { embed: () => Promise.reject(Object.assign(new Error('no'), {})) };
    const held = new HeldWorker();
    const refusing = { embed: (unit: readonly string[], options: Parameters<HeldWorker['embed']>[1]) => {
      const answer = held.embed(unit, options);
      held.units.at(-1)!.fail('ask_refused');
      return answer;
    } };
    const scheduler = simulation.scheduler([refusing]);
    const patient = scheduler.embed({ texts: ['a'] });
    const hasty = scheduler.embed({ texts: ['b'], deadlineMs: 100 });
    await simulation.finish();
    expect(await patient).toMatchObject([{ status: 'failed', reason: expect.stringContaining('ask_refused') as string }]);
    expect(statuses(await hasty)).toEqual(['deadline']);
    const other = simulation.scheduler([worker]).embed({ texts: ['c'] });
    await simulation.finish();
    expect(await other).toMatchObject([{ status: 'failed', reason: 'no' }]);
  });
});

describe('a worker that has stopped', () => {
  it('is not asked again, and what it had goes to others', async () => {
    const simulation = new Simulation();
    const stopped = new HeldWorker();
    const worker = new SerialWorker(simulation);
    const scheduler = simulation.scheduler([stopped, worker], { model: MODEL });
    const request = scheduler.embed({ texts: texts(100) });
    await simulation.settle();
    for (const unit of stopped.units) unit.fail('actor_stopped');
    await simulation.finish();
    expect(new Set(statuses(await request))).toEqual(new Set(['ok']));
    expect(stopped.units).toHaveLength(2);
    expect(scheduler.stats.workers).toEqual({ present: 1, gone: 1 });
  });

  it('as the last one closes the scheduler with its error', async () => {
    const simulation = new Simulation();
    const worker = new HeldWorker();
    const scheduler = simulation.scheduler([worker]);
    const request = scheduler.embed({ texts: texts(100) });
    await simulation.settle();
    for (const unit of worker.units) unit.fail('actor_stopped');
    await expect(request).rejects.toMatchObject({ code: 'actor_stopped' });
    await expect(scheduler.embed({ texts: ['a'] })).rejects.toMatchObject({ code: 'actor_stopped' });
  });
});
