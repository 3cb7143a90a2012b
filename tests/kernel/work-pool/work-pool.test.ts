import { execFile } from 'node:child_process';
import { getEventListeners } from 'node:events';
import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, test } from 'vitest';
import { Admission } from '../../../kernel/flow/admission.ts';
import { createWorkPool } from '../../../kernel/work-pool/work-pool.ts';
import { until } from '../condition.ts';
import { LONG_MS, endAll, expectLaw, failureOf, long, module, newGate, newPool, occupied } from './pool-under-test.ts';

afterEach(endAll);

describe('a task', () => {
  test('is answered with what the function returns', async () => {
    const pool = newPool();
    expect(await pool.run('echo', { text: 'grüß 🌊', bytes: Uint8Array.of(1, 2) }, long)).toEqual({ text: 'grüß 🌊', bytes: Uint8Array.of(1, 2) });
    expect(pool.stats()).toMatchObject({ accepted: 1, completed: 1, queued: 0, running: 0 });
  });

  test('without a deadline, or with one no timer keeps, is a TypeError and is not counted', () => {
    const pool = newPool();
    for (const deadlineMs of [undefined, 0, -1, NaN, Infinity, 2 ** 31]) {
      expect(() => pool.run('echo', 1, { deadlineMs } as never)).toThrow(TypeError);
    }
    expect(pool.stats()).toMatchObject({ accepted: 0, refused: 0 });
  });

  test('whose function throws fails with the error as its cause, and the worker goes on', async () => {
    const pool = newPool();
    const failure = await failureOf(pool.run('fail', { code: 'E_CHUNK' }, long));
    expect(failure).toMatchObject({ code: 'work_failed', details: { mayHaveBeenHandled: true } });
    expect(failure.cause).toMatchObject({ name: 'RangeError', message: 'the chunk has no end', code: 'E_CHUNK' });
    expect((failure.cause as Error).stack).toContain('pool-worker.ts');
    expect((await failureOf(pool.run('failWithoutText', undefined, long))).code).toBe('work_failed');
    expect(await pool.run('echo', 1, long)).toBe(1);
    expect(pool.stats()).toMatchObject({ failed: 2, completed: 1, crashed: 0 });
  });

  test('whose input cannot be copied fails before it begins', async () => {
    const failure = await failureOf(newPool().run('echo', () => 1, long));
    expect(failure).toMatchObject({ code: 'work_failed', details: { mayHaveBeenHandled: false } });
    expect(failure.message).toContain('input cannot be copied');
  });

  test('whose result cannot be copied fails and leaves its worker alive', async () => {
    const pool = newPool();
    const failure = await failureOf(pool.run('uncopyable', undefined, long));
    expect(failure).toMatchObject({ code: 'work_failed', cause: { name: 'DataCloneError' } });
    expect(pool.stats()).toMatchObject({ failed: 1, crashed: 0, threads: 1 });
  });

  test.each(['nothing', 'version', 'constructor', '__proto__', 'toString'])('for %s, which is no function of the module, is unknown', async (name) => {
    const failure = await failureOf(newPool().run(name as 'echo', 1, long));
    expect(failure).toMatchObject({ code: 'work_unknown', details: { name, mayHaveBeenHandled: false } });
    expect(failure.message).toContain('echo');
  });

  test('of a module that cannot be loaded fails with the reason, and does not hang', async () => {
    const failure = await failureOf(newPool({ module: new URL('absent.ts', module).href }).run('echo', 1, long));
    expect(failure).toMatchObject({ code: 'work_failed', cause: { code: 'ERR_MODULE_NOT_FOUND' }, details: { mayHaveBeenHandled: false } });
  });
});

describe('a full pool', () => {
  test('refuses one task more, with and without a signal, and takes tasks again when there is room', async () => {
    const pool = newPool({ queueCapacity: 2 });
    const { gate, task } = await occupied(pool);
    const { signal } = new AbortController();
    const queued = [pool.run('echo', 1, { ...long, signal }), pool.run('echo', 2, long)];
    expect(pool.level).toBe(2);
    for (const options of [{ ...long, signal }, long]) {
      const refused = await failureOf(pool.run('echo', 3, options));
      expect(refused).toMatchObject({ code: 'work_refused', details: { reason: 'queue_full', mayHaveBeenHandled: false } });
      expect(refused.message).toContain('try again later');
    }
    gate.open();
    expect(await Promise.all([task, ...queued])).toEqual(['open', 1, 2]);
    expect(await pool.run('echo', 4, long)).toBe(4);
    expect(pool.stats()).toMatchObject({ accepted: 4, completed: 4, refused: 2 });
    expectLaw(pool);
  });

  test('begins queued tasks in the order of their arrival', async () => {
    const pool = newPool({ queueCapacity: 20 });
    const { gate } = await occupied(pool);
    const order: number[] = [];
    const tasks = Array.from({ length: 20 }, (_, number) => pool.run('echo', number, long).then(() => order.push(number)));
    gate.open();
    await Promise.all(tasks);
    expect(order).toEqual(Array.from({ length: 20 }, (_, number) => number));
  });

  test('stays within its bound and its memory at ten times what it takes', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const pool = newPool({ maxThreads: 2, queueCapacity: 8 });
    const { signal } = new AbortController();
    const round = async (): Promise<void> => {
      const tasks = Array.from({ length: 100 }, (_, index) => pool.run('echo', Array.from({ length: 1_000 }, () => index), { ...long, signal }));
      expect(pool.level).toBe(8);
      await Promise.allSettled(tasks);
    };
    const heapBytes = async (): Promise<number> => {
      for (let count = 0; count < 30; count++) await round();
      collect();
      return process.memoryUsage().heapUsed;
    };
    await heapBytes();
    const before = await heapBytes();
    // One list of 1,000 numbers for each of the 3,000 tasks offered would be 24 MB.
    expect(await heapBytes() - before).toBeLessThan(2_000_000);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(pool.stats()).toMatchObject({ accepted: 900, completed: 900, refused: 8_100, queued: 0, running: 0, lingering: 0 });
  });
});

describe('admission', () => {
  const quota = { ratePerSecond: 2, burst: 2, maxConcurrent: 1, maxKeys: 10 };

  test('decides by key, and its lease is released when the worker is free', async () => {
    const admission = new Admission({ tenant: quota, maxConcurrent: 10 });
    let nowMs = 0;
    const clock = { monotonicMs: () => nowMs, wallMs: () => 0 };
    const pool = newPool({ admission, clock });
    const key = { tenant: 'a' };
    const gate = newGate();
    const first = pool.run('hold', gate.memory, { ...long, key });
    expect(admission.inProgress).toBe(1);
    expect(await failureOf(pool.run('echo', 1, { ...long, key }))).toMatchObject({ code: 'work_refused', details: { reason: 'key_concurrency' } });
    const other = pool.run('echo', 'other', { ...long, key: { tenant: 'b' } });
    gate.open();
    expect(await Promise.all([first, other])).toEqual(['open', 'other']);
    await until(() => admission.inProgress === 0, 'the leases are back');
    await pool.run('echo', 2, { ...long, key });
    await until(() => admission.inProgress === 0, 'the lease is back');
    const deferred = await failureOf(pool.run('echo', 3, { ...long, key }));
    expect(deferred).toMatchObject({ code: 'work_refused', details: { reason: 'deferred', retryAfterMs: expect.any(Number) } });
    nowMs += deferred.details['retryAfterMs'] as number;
    expect(await pool.run('echo', 3, { ...long, key })).toBe(3);
    expect(pool.stats()).toMatchObject({ accepted: 4, refused: 2 });
  });

  test('gets its lease back from a task that is cancelled in the queue, and is not asked when the queue is full', async () => {
    const admission = new Admission({ tenant: { ...quota, burst: 100, maxConcurrent: 10 }, maxConcurrent: 10 });
    const pool = newPool({ admission, queueCapacity: 1 });
    const key = { tenant: 'a' };
    const gate = newGate();
    const running = pool.run('hold', gate.memory, { ...long, key });
    const controller = new AbortController();
    const queued = pool.run('echo', 1, { ...long, key, signal: controller.signal });
    expect((await failureOf(pool.run('echo', 2, { ...long, key }))).details).toMatchObject({ reason: 'queue_full' });
    expect(admission.inProgress).toBe(2);
    controller.abort();
    await failureOf(queued);
    expect(admission.inProgress).toBe(1);
    gate.open();
    await running;
    await until(() => admission.inProgress === 0, 'the lease is back');
    expect(admission.counts).toMatchObject({ accepted: 2, released: 2, doubleReleased: 0 });
  });

  test('wants a key for every task', () => {
    const pool = newPool({ admission: new Admission({ tenant: quota, maxConcurrent: 10 }) });
    expect(() => pool.run('echo', 1, long)).toThrow(TypeError);
  });
});

describe('close', () => {
  test('lets what is queued and running end, and refuses what comes later', async () => {
    const pool = newPool();
    const { gate, task } = await occupied(pool);
    const queued = pool.run('echo', 1, long);
    const closed = pool.close(LONG_MS);
    expect(await failureOf(pool.run('echo', 2, long))).toMatchObject({ code: 'system_closed', details: { mayHaveBeenHandled: false } });
    gate.open();
    expect(await Promise.all([task, queued, closed])).toEqual(['open', 1, true]);
    expect(pool.stats()).toMatchObject({ accepted: 2, completed: 2, refused: 1, threads: 0 });
    expect(await pool.close(1)).toBe(true);
  });

  test('ends the rest at its deadline and terminates the workers, whatever they do', async () => {
    const pool = newPool();
    const gate = newGate();
    const running = pool.run('spinForever', gate.memory, long);
    const queued = pool.run('echo', 1, long);
    await until(() => gate.begun === 1, 'the function runs');
    const closed = pool.close(20);
    expect(await failureOf(running)).toMatchObject({ code: 'system_closed', details: { mayHaveBeenHandled: true } });
    expect(await failureOf(queued)).toMatchObject({ code: 'system_closed', details: { mayHaveBeenHandled: false } });
    expect(await closed).toBe(false);
    expect(pool.stats()).toMatchObject({ closed: 2, queued: 0, running: 0, threads: 0 });
    expectLaw(pool);
  });

  test('of a pool that never ran anything has nothing to wait for', async () => {
    expect(await newPool().close(LONG_MS)).toBe(true);
  });
});

describe('what a pool is told', () => {
  test.each([
    ['a module that is no URL', { module: './work.ts' }],
    ['no thread', { maxThreads: 0 }],
    ['a queue without a bound', { queueCapacity: Infinity }],
    ['half a place', { queueCapacity: 1.5 }],
    ['a negative idle time', { idleTimeoutMs: -1 }],
    ['a time that no timer keeps', { killAfterMs: 2 ** 31 }],
  ])('is refused where it is %s', (_, options) => {
    expect(() => createWorkPool({ module, ...options })).toThrow(TypeError);
  });
});

describe('piscina', () => {
  test('is loaded with the first task, and not with the pool', async () => {
    const pool = JSON.stringify(import.meta.resolve('../../../kernel/work-pool/work-pool.ts'));
    const code = `
      import { createRequire } from 'node:module';
      const { createWorkPool } = await import(${pool});
      const isLoaded = () => Object.keys(createRequire(import.meta.url).cache).some((file) => file.includes('/node_modules/piscina/'));
      const pool = createWorkPool({ module: ${JSON.stringify(module)} });
      const before = isLoaded();
      await pool.run('echo', 1, { deadlineMs: ${LONG_MS} });
      console.log(before, isLoaded());
    `;
    const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, '--input-type=module', '-e', code], { timeout: LONG_MS });
    expect(stdout.trim()).toBe('false true');
  });
});
