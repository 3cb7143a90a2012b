import { describe, expect, it } from 'vitest';
import { BATCH_UNITS_MAX, TEXT_UNITS_MAX, batchTextsMax } from '../../../actors/inference/scheduling/index.ts';
import { HeldWorker, MODEL, SerialWorker, Simulation, replyTo, textOf, tokensOf, vectorOf } from './simulation.ts';

const texts = (count: number, tokens = 10, name = 't'): string[] => Array.from({ length: count }, (_, index) => textOf(`${name}${index}`, tokens));
const statuses = (results: readonly { status: string }[]): string[] => results.map(({ status }) => status);

describe('a unit', () => {
  it('goes out at once, with what waits, and two are in each worker\'s hands', async () => {
    const simulation = new Simulation();
    const workers = [new HeldWorker(), new HeldWorker()];
    const scheduler = simulation.scheduler(workers);
    const done = scheduler.embed({ texts: texts(200) });
    await simulation.settle();
    expect(workers.map(({ units }) => units.length)).toEqual([2, 2]);
    expect(scheduler.stats.units.inFlight).toBe(4);
    // Whoever answers gets the next one, and nobody else.
    workers[1]!.units[0]!.answer();
    await simulation.settle();
    expect(workers.map(({ units }) => units.length)).toEqual([2, 3]);
    void done;
  });

  it('takes in the texts of requests that come in the same turn', async () => {
    const simulation = new Simulation();
    const worker = new HeldWorker();
    const scheduler = simulation.scheduler([worker]);
    for (const text of texts(8)) void scheduler.embed({ texts: [text] });
    await simulation.settle();
    expect(worker.units.map((unit) => unit.texts.length)).toEqual([4, 2]);
  });

  it('gets smaller towards the end, so that no worker is left with a full one while others have nothing', async () => {
    const simulation = new Simulation();
    const workers = [new SerialWorker(simulation), new SerialWorker(simulation), new SerialWorker(simulation)];
    const scheduler = simulation.scheduler(workers, { limits: { unitMs: 320 } });
    const startMs = simulation.nowMs;
    let endMs = 0;
    void scheduler.embed({ texts: texts(200) }).then(() => (endMs = simulation.nowMs));
    await simulation.finish();
    // 200 texts of 10 ms on three workers; full units to the end would cost up to 320 ms more.
    expect(endMs - startMs).toBeGreaterThanOrEqual(667);
    expect(endMs - startMs).toBeLessThan(667 + 3 * 10);
  });

  it('is as large as what its worker does in unitMs', async () => {
    const simulation = new Simulation();
    const worker = new SerialWorker(simulation, 2);
    const sizes: number[] = [];
    const counting = { embed: (unit: readonly string[], options: Parameters<SerialWorker['embed']>[1]) => (sizes.push(unit.reduce((sum, text) => sum + tokensOf(text), 0)), worker.embed(unit, options)) };
    const scheduler = simulation.scheduler([counting], { limits: { unitMs: 200 } });
    await Promise.all([scheduler.embed({ texts: texts(400) }), simulation.finish()]);
    // 100 tokens in 200 ms, as soon as the worker's speed is known, and as far as whole texts fit.
    expect(new Set(sizes.slice(6, -12))).toEqual(new Set([90]));
    expect(scheduler.stats.tokensPerSecond).toBeCloseTo(500, 0);
    expect(worker.idleMs).toBe(0);
  });

  it.each([
    ['texts', texts(500, 3), (unit: readonly string[]) => unit.length, batchTextsMax(MODEL.dimensions)],
    ['UTF-16 units', Array.from({ length: 20 }, (_, index) => `${index}${'x'.repeat(50_000)}`), (unit: readonly string[]) => unit.join('').length, BATCH_UNITS_MAX],
  ])('has no more %s than a message', async (_, list, measure, most) => {
    const simulation = new Simulation();
    const sizes: number[] = [];
    const worker = { embed: (unit: readonly string[]) => (sizes.push(measure(unit)), Promise.resolve(replyTo(unit))) };
    await simulation.scheduler([worker], { model: { ...MODEL, tokensMax: 10 } }).embed({ texts: list, priority: 'bulk' });
    expect(Math.max(...sizes)).toBeLessThanOrEqual(most);
    expect(Math.max(...sizes)).toBeGreaterThan(most / 2);
  });

  it('has texts of one truncation only', async () => {
    const simulation = new Simulation();
    const worker = new HeldWorker();
    const scheduler = simulation.scheduler([worker]);
    const requests = [scheduler.embed({ texts: texts(9, 10, 'left'), truncate: 'left' }), scheduler.embed({ texts: texts(9, 10, 'none') })];
    for (let index = 0; index === 0 || index < worker.units.length; index++) {
      await simulation.settle();
      worker.units[index]!.answer();
      await simulation.settle();
    }
    await Promise.all(requests);
    const policies = worker.units.map(({ truncate = 'none', texts: unit }) => [truncate, ...new Set(unit.map((text) => text.replace(/\d.*/, '')))]);
    for (const [policy, ...names] of policies) expect(names).toEqual([policy]);
  });

  it('is not sent for what is too long for any message, and its neighbours are', async () => {
    const simulation = new Simulation();
    const worker = new SerialWorker(simulation);
    const scheduler = simulation.scheduler([worker]);
    const [results] = await Promise.all([scheduler.embed({ texts: ['a', 'x'.repeat(TEXT_UNITS_MAX + 1), '', 'b'] }), simulation.finish()]);
    expect(statuses(results)).toEqual(['ok', 'too_many_bytes', 'empty', 'ok']);
    expect(results[1]).toMatchObject({ limit: TEXT_UNITS_MAX, vector: new Float32Array(0) });
    expect(results[3]!.vector).toEqual(vectorOf('b'));
  });

  it('that is too large for the lane is sent again in halves', async () => {
    const simulation = new Simulation();
    const worker = new HeldWorker();
    const scheduler = simulation.scheduler([worker], { limits: { unitMs: 1e6 } });
    const done = scheduler.embed({ texts: texts(32) });
    await simulation.settle();
    expect(worker.units.map((unit) => unit.texts.length)).toEqual([16, 8]);
    worker.units[0]!.fail('message_too_large');
    await simulation.settle();
    expect(worker.units[2]!.texts.length).toBeLessThanOrEqual(8);
    for (let index = 1; index < worker.units.length; index++) {
      worker.units[index]!.answer();
      await simulation.settle();
    }
    expect(statuses(await done)).toEqual(Array.from({ length: 32 }, () => 'ok'));
  });
});

describe('an interactive text', () => {
  it('passes what the workers have in hand, each of several by the one with the least urgent work', async () => {
    const simulation = new Simulation();
    const workers = [new HeldWorker(), new HeldWorker()];
    const scheduler = simulation.scheduler(workers);
    void scheduler.embed({ texts: texts(200), priority: 'bulk' });
    await simulation.settle();
    void scheduler.embed({ texts: ['first', 'second'], priority: 'interactive' });
    await simulation.settle();
    expect(workers.map(({ units }) => units.map(({ urgent }) => urgent))).toEqual([[false, false, true], [false, false, true]]);
  });

  it('that would have to wait goes to two workers, and the first answer ends the other', async () => {
    const simulation = new Simulation();
    const workers = [new HeldWorker(), new HeldWorker(), new HeldWorker()];
    const scheduler = simulation.scheduler(workers);
    void scheduler.embed({ texts: texts(200), priority: 'bulk' });
    await simulation.settle();
    const answer = scheduler.embed({ texts: ['a question'], priority: 'interactive' });
    await simulation.settle();
    const asked = workers.flatMap(({ units }) => units.filter(({ urgent }) => urgent));
    expect(asked.map((unit) => unit.texts)).toEqual([['a question'], ['a question']]);
    // As long as it is on its way, others go to one worker each.
    void scheduler.embed({ texts: ['another'], priority: 'interactive' });
    await simulation.settle();
    expect(workers.flatMap(({ units }) => units).filter((unit) => unit.texts.includes('another'))).toHaveLength(1);
    asked[1]!.answer();
    expect((await answer)[0]).toMatchObject({ status: 'ok', vector: vectorOf('a question') });
    expect(asked[0]!.signal?.aborted).toBe(true);
    asked[0]!.fail('ask_cancelled');
    await simulation.settle();
    expect(scheduler.stats).toMatchObject({ computed: 1, units: { answered: 1, failed: 0, withdrawn: 1 } });
  });

  it.each([
    ['is idle', 0, MODEL],
    ['computes it beside what has begun', 200, { ...MODEL, overlaps: true }],
  ])('goes to one worker alone where that one %s', async (_, bulkTexts, model) => {
    const simulation = new Simulation();
    const workers = [new HeldWorker(), new HeldWorker()];
    const scheduler = simulation.scheduler(workers, { model });
    if (bulkTexts > 0) void scheduler.embed({ texts: texts(bulkTexts), priority: 'bulk' });
    await simulation.settle();
    void scheduler.embed({ texts: ['a question'], priority: 'interactive' });
    await simulation.settle();
    expect(workers.flatMap(({ units }) => units.filter(({ urgent }) => urgent))).toHaveLength(1);
  });

  it('with two workers waits for the shorter of the running texts', async () => {
    const simulation = new Simulation();
    const workers = [new SerialWorker(simulation, 1), new SerialWorker(simulation, 10)];
    const scheduler = simulation.scheduler(workers);
    void scheduler.embed({ texts: texts(200, 20), priority: 'bulk' });
    await simulation.advance(105);
    for (const name of ['one', 'two', 'three', 'four']) {
      const sentMs = simulation.nowMs;
      let waitedMs = Infinity;
      void scheduler.embed({ texts: [name], priority: 'interactive' }).then(() => (waitedMs = simulation.nowMs - sentMs));
      await simulation.advance(50);
      expect(waitedMs).toBeLessThanOrEqual(20 + tokensOf(name));
    }
    await simulation.finish();
    const { units } = scheduler.stats;
    expect(units).toEqual({ sent: units.answered + units.withdrawn, answered: units.answered, failed: 0, withdrawn: 4, inFlight: 0 });
  });

  it('that fails one of its two workers has its vector of the other', async () => {
    const simulation = new Simulation();
    const workers = [new HeldWorker(), new HeldWorker()];
    const scheduler = simulation.scheduler(workers);
    void scheduler.embed({ texts: texts(200), priority: 'bulk' });
    await simulation.settle();
    const answer = scheduler.embed({ texts: ['a question'], priority: 'interactive' });
    await simulation.settle();
    const [one, other] = workers.map(({ units }) => units.find(({ urgent }) => urgent)!);
    one!.fail('actor_restarted');
    await simulation.settle();
    other!.answer();
    expect((await answer)[0]).toMatchObject({ status: 'ok' });
  });

  it('waits for no more than the running text', async () => {
    const simulation = new Simulation();
    const worker = new SerialWorker(simulation);
    const scheduler = simulation.scheduler([worker]);
    void scheduler.embed({ texts: texts(200, 20), priority: 'bulk' });
    await simulation.advance(105);
    const sentMs = simulation.nowMs;
    let waitedMs = 0;
    void scheduler.embed({ texts: ['a question'], priority: 'interactive' }).then(() => (waitedMs = simulation.nowMs - sentMs));
    await simulation.finish();
    expect(waitedMs).toBeLessThanOrEqual(20 + tokensOf('a question'));
  });

  it('that is on its way in a unit of bulk is sent once more, and the first result is everybody\'s', async () => {
    const simulation = new Simulation();
    const worker = new HeldWorker();
    const scheduler = simulation.scheduler([worker]);
    const bulk = scheduler.embed({ texts: ['a', 'b'], priority: 'bulk' });
    await simulation.settle();
    const interactive = scheduler.embed({ texts: ['b'], priority: 'interactive' });
    await simulation.settle();
    const [slow, , urgent] = [worker.units.find((unit) => unit.texts.includes('b'))!, undefined, worker.units.find((unit) => unit.urgent)!];
    expect(urgent.texts).toEqual(['b']);
    urgent.answer();
    const [first] = await interactive;
    // A backend that computes texts together may give another neighbour's company a slightly different vector.
    const other = replyTo(slow.texts);
    slow.answer({ ...other, vectors: other.vectors.map((value) => value + 0.001) });
    for (const unit of worker.units) unit.answer();
    expect((await bulk)[1]!.vector).toBe(first!.vector);
  });
});
