// What users of worker threads and their pools have asked for, each as a test named after what they wanted.
// Above each test are the threads in which they did.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BACK_PRESSURED, CLOSED } from 'atomics-ring-buffer';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_LANE_SIZES, type ActorRef } from '../../kernel/index.ts';
import { createSystem, type ChildSpec, type System } from '../../supervisors/index.ts';
import { EVERYDAY_COUNTERS, everydayProtocol } from './actors/everyday.ts';
import { until } from './condition.ts';

type Everyday = ActorRef<typeof everydayProtocol.spec>;

const module = new URL('./actors/everyday.ts', import.meta.url).href;
const ask = { deadlineMs: 20_000 };
const run = promisify(execFile);

let system: System;
let spawned = 0;

beforeAll(async () => {
  system = await createSystem({ logLevel: 'error', supervisor: { intensity: 1_000, backoff: { minMs: 1, maxMs: 5, jitter: 0 } } });
});
afterAll(() => system.close());

async function spawn(name: 'everyday' | 'parkedEveryday' = 'everyday', spec: Partial<ChildSpec> = {}): Promise<Everyday> {
  return system.spawn({ id: `everyday-${++spawned}`, shutdownMs: 500, start: { module, export: name }, ...spec }, everydayProtocol);
}

const counters = (actor: Everyday) => system.counters(actor.name, EVERYDAY_COUNTERS);
const codeOf = async (promise: Promise<unknown>): Promise<string> => promise.then(() => 'answered', (error: { code: string }) => error.code);

/** Runs a process and gives what it printed. It fails if the process does not end by itself. */
async function printed(child: string): Promise<string> {
  const { stdout } = await run(process.execPath, [...process.execArgv, fileURLToPath(new URL(child, import.meta.url))], { timeout: 40_000 });
  return stdout.trim();
}

describe('queues', () => {
  // nodejs/node#37428, #41762, workerpool#78, comedy#27
  test('a queue has a bound without anybody having asked for one', async () => {
    const actor = await spawn();
    const held = actor.ask('hold', {}, ask);
    await until(() => counters(actor).holding === 1, 'its thread is held');
    let told = 0;
    while (actor.tell('note', { number: told }) === 0) told++;
    // Every message takes more than a byte of the lane.
    expect(told).toBeLessThan(DEFAULT_LANE_SIZES.dataBytes);
    await held;
    await until(() => counters(actor).notes === told, 'none of those it took is lost');
  });

  // piscina#348, #868
  test('a full queue says so before it takes the message', async () => {
    const actor = await spawn();
    const held = actor.ask('hold', {}, ask);
    await until(() => counters(actor).holding === 1, 'its thread is held');
    expect(actor.level).toBe(0);
    let told = 0;
    while (actor.tell('note', { number: told }) === 0) told++;
    expect(actor.tell('note', { number: 0 })).toBe(BACK_PRESSURED);
    expect(actor.level).toBeGreaterThan(0);
    await expect(actor.ask('echo', { number: 0 }, ask)).rejects.toMatchObject({ code: 'ask_refused', details: { mayHaveBeenHandled: false } });
    await held;
    await until(() => counters(actor).notes === told, 'it took no other');
  });

  // piscina#868, nodejs/node#37428
  test('a producer can wait until there is room, and no longer than it wants', async () => {
    const actor = await spawn();
    const held = actor.ask('hold', {}, ask);
    await until(() => counters(actor).holding === 1, 'its thread is held');
    let told = 0;
    while (actor.tell('note', { number: told }) === 0) told++;
    expect(await codeOf(actor.send('note', { number: told }, { deadlineMs: 5 }))).toBe('send_deadline');
    await actor.send('note', { number: told }, ask);
    await held;
    await until(() => counters(actor).notes === told + 1, 'the one that waited has come');
  });
});

describe('a worker that ends', () => {
  // poolifier#3211, comlink#601, #463, threads.js#254, #268, workerpool#431
  test.each(['crash', 'exit'] as const)('ends every promise that waits for it, with a code (%s)', async (how) => {
    const actor = await spawn();
    const pending = Array.from({ length: 100 }, (_, number) => codeOf(number === 0 ? actor.ask('never', {}, ask) : actor.ask('echo', { number }, ask)));
    await until(() => counters(actor).holding === 1, 'it has the first in its hands');
    actor.tell(how, {});
    const codes = await Promise.all(pending);
    expect(codes[0]).toBe('actor_restarted');
    // Behind the one in its hands, what waited in the lane is for its next life.
    expect(codes.slice(1)).toEqual(Array.from({ length: 99 }, () => 'answered'));
    const last = codeOf(actor.ask('never', {}, ask));
    await system.terminate(actor.name);
    expect(await last).toBe('actor_stopped');
    expect(actor.tell('note', { number: 0 })).toBe(CLOSED);
  });

  // nodejs/node#47224, #25933
  test('because its heap is full takes neither its process nor its callers along', async () => {
    expect(JSON.parse(await printed('./heap-child.ts'))).toEqual({ outcome: 'actor_restarted', incarnation: 2 });
  });

  // comlink#692
  test('or a reference that nobody holds any more leaves what is asked already to be answered', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const actor = await spawn();
    let collected = false;
    const registry = new FinalizationRegistry(() => (collected = true));
    const answer = (async () => {
      const reference = await system.resolve(actor.name, everydayProtocol);
      registry.register(reference, undefined);
      return [reference.ask('hold', {}, ask), reference.ask('echo', { number: 5 }, ask)] as const;
    })();
    const [held, echoed] = await answer;
    await until(() => {
      collect();
      return collected;
    }, 'the reference is collected');
    await held;
    expect(await echoed).toMatchObject({ number: 5 });
  });
});

describe('cancelling', () => {
  // piscina#156, tinypool#52, poolifier#888, workerpool#479
  test('a task ends it and leaves its worker alive', async () => {
    const actor = await spawn();
    const cancel = new AbortController();
    const work = codeOf(actor.ask('work', { steps: 1_000_000 }, { ...ask, signal: cancel.signal }));
    await until(() => counters(actor).steps > 0, 'it works');
    cancel.abort();
    expect(await work).toBe('ask_cancelled');
    const { steps } = counters(actor);
    expect(await actor.ask('echo', { number: 1 }, ask)).toEqual({ number: 1, incarnation: 1 });
    expect(counters(actor).steps).toBeLessThan(steps + 1_000);
  });

  // workerpool#548
  test('a task does not hit the next one', async () => {
    const actor = await spawn();
    for (let round = 0; round < 200; round++) {
      const cancel = new AbortController();
      const first = codeOf(actor.ask('work', { steps: round % 5 }, { ...ask, signal: cancel.signal }));
      const next = actor.ask('echo', { number: round }, ask);
      if (round % 2 === 0) await actor.ask('echo', { number: 0 }, ask);
      cancel.abort();
      expect(await next).toEqual({ number: round, incarnation: 1 });
      expect(['answered', 'ask_cancelled']).toContain(await first);
    }
  });
});

describe('what is sent', () => {
  // piscina#58, #155, comlink#662
  test('may hold typed arrays at any depth, there and back, and stays its sender\'s', async () => {
    const actor = await spawn();
    const values = Float64Array.of(1, 2.5, -3);
    const { table } = await actor.ask('double', { table: { rows: [{ values }, { values: new Float64Array() }] } }, ask);
    expect(table.rows.map((row) => row.values)).toEqual([Float64Array.of(2, 5, -6), new Float64Array()]);
    expect(values).toEqual(Float64Array.of(1, 2.5, -3));
    expect(values.buffer.detached).toBe(false);
  });

  // nodejs/node#34355, comlink#497: what a clone costs is measured in `npm run bench -- kernel`
  test('is what it was when it was sent, between threads and on one', async () => {
    const actor = await spawn();
    const values = Float64Array.of(1);
    const doubled = actor.ask('double', { table: { rows: [{ values }] } }, ask);
    values[0] = 100;
    expect((await doubled).table.rows[0]!.values).toEqual(Float64Array.of(2));
    expect((await actor.ask('changeAfterTell', {}, ask)).numbers).toEqual([1, 2, 3]);
  });
});

describe('waiting', () => {
  // piscina#331, #346, #687
  test.each(['everyday', 'parkedEveryday'] as const)('for messages does not keep a worker from its timers (%s)', async (name) => {
    const actor = await spawn(name);
    await actor.ask('ticks', {}, ask);
    await until(() => counters(actor).ticks >= 5, 'its interval runs while it waits');
    expect(await actor.ask('echo', { number: 1 }, ask)).toMatchObject({ incarnation: 1 });
  });

  // nodejs/node#44729, #61941
  test('for an answer keeps the process alive, and a closed system lets it end', async () => {
    expect(await printed('./everyday-child.ts')).toBe('42');
  });

  // nact#74, #76, #143
  test('for one actor does not keep another from its work: they have threads of their own', async () => {
    const [held, free] = await Promise.all([spawn(), spawn('parkedEveryday')]);
    const order: string[] = [];
    const holding = held.ask('hold', {}, ask).then(() => order.push('held'));
    await until(() => counters(held).holding === 1, 'its thread is held');
    for (let number = 0; number < 20; number++) await free.ask('echo', { number }, ask);
    order.push('free');
    await holding;
    expect(order).toEqual(['free', 'held']);
  });

  // nodejs/performance#5, node#44729: a thread that is held does not hold up control of the others
  test('in a handler can be seen from outside, while the thread hangs', async () => {
    const actor = await spawn();
    const held = actor.ask('hold', {}, ask);
    await until(() => counters(actor).holding === 1, 'its thread is held');
    expect(system.health(actor.name)).toMatchObject({ state: 'running', incarnation: 1 });
    await held;
  });
});

describe('the life of workers', () => {
  // nodejs/node#51868, #45685, comlink#63
  test('one after the other give back the place and the memory that they had', async () => {
    const small = await createSystem({ logLevel: 'error', maxThreads: 4 });
    try {
      let before = 0;
      for (let life = 0; life < 30; life++) {
        const actor = await small.spawn({ id: 'one', start: { module, export: 'everyday' } }, everydayProtocol);
        await actor.ask('echo', { number: life }, ask);
        await small.terminate('one');
        // The first lives fill caches, and once in a while the process takes a step of some tens of megabytes.
        if (life === 9) before = process.memoryUsage().rss;
      }
      const perLife = (process.memoryUsage().rss - before) / 20;
      expect(perLife).toBeLessThan(2 ** 20 * 4);
    } finally {
      await small.close();
    }
  });

  // piscina#92, #143, #153, #742, #793, tsx#354
  test('begins with a module as it is: ESM, TypeScript, by its URL', async () => {
    expect(module.endsWith('.ts')).toBe(true);
    expect(await (await spawn()).ask('echo', { number: 3 }, ask)).toEqual({ number: 3, incarnation: 1 });
    const missing = system.spawn({ id: 'missing', restart: 'temporary', start: { module: new URL('./actors/nowhere.ts', import.meta.url).href, export: 'x' } }, everydayProtocol);
    await expect(missing).rejects.toMatchObject({ code: 'actor_start_failed', message: expect.stringContaining('nowhere.ts') as string });
  });
});
