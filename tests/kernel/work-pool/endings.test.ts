import { afterEach, describe, expect, test } from 'vitest';
import { until } from '../condition.ts';
import { ManualTimers, endAll, expectLaw, failureOf, long, newGate, newPool, occupied, type Pool } from './pool-under-test.ts';

afterEach(endAll);

describe('a deadline', () => {
  test('that passes in the queue ends the task, which then never runs', async () => {
    const timers = new ManualTimers();
    const pool = newPool({ after: timers.after });
    const { gate, task } = await occupied(pool);
    const late = newGate();
    const queued = pool.run('hold', late.memory, { deadlineMs: 77 });
    timers.fire(77);
    expect(await failureOf(queued)).toMatchObject({ code: 'work_deadline', details: { mayHaveBeenHandled: false } });
    expect(pool.level).toBe(0);
    gate.open();
    expect(await task).toBe('open');
    expect(await pool.run('echo', 1, long)).toBe(1);
    expect(late.begun).toBe(0);
    expect(pool.stats()).toMatchObject({ expired: 1, completed: 2, killed: 0 });
    expectLaw(pool);
  });

  test('that passes while the function runs ends the task at once, and the worker goes on', async () => {
    const timers = new ManualTimers();
    const pool = newPool({ after: timers.after });
    const gate = newGate();
    const task = pool.run('spin', gate.memory, { deadlineMs: 77 });
    await until(() => gate.begun === 1, 'the function runs');
    timers.fire(77);
    expect(await failureOf(task)).toMatchObject({ code: 'work_deadline', details: { mayHaveBeenHandled: true } });
    await until(() => pool.stats().lingering === 0, 'the function has noticed');
    expect(gate.ended).toBe(1);
    expect(await pool.run('echo', 1, long)).toBe(1);
    expect(pool.stats()).toMatchObject({ expired: 1, completed: 1, killed: 0, crashed: 0, threads: 1 });
    expect(timers.delaysMs).toEqual([]);
  });

  test('that passes before the worker is there ends the task, which then never runs', async () => {
    const timers = new ManualTimers();
    const pool = newPool({ after: timers.after });
    const gate = newGate();
    const task = pool.run('hold', gate.memory, { deadlineMs: 77 });
    timers.fire(77);
    expect(await failureOf(task)).toMatchObject({ code: 'work_deadline', details: { mayHaveBeenHandled: false } });
    expect(await pool.run('echo', 1, long)).toBe(1);
    expect(gate.begun).toBe(0);
  });

  test('is kept by real timers as well', async () => {
    const pool = newPool();
    const { gate } = await occupied(pool);
    expect((await failureOf(pool.run('echo', 1, { deadlineMs: 5 }))).code).toBe('work_deadline');
    gate.open();
  });
});

describe('a cancel', () => {
  test('before the call ends the task at once', async () => {
    const pool = newPool();
    expect((await failureOf(pool.run('echo', 1, { ...long, signal: AbortSignal.abort() }))).code).toBe('work_cancelled');
    expect(pool.stats()).toMatchObject({ accepted: 1, cancelled: 1, threads: 0 });
  });

  test('of a queued task frees its room and kills no worker', async () => {
    const pool = newPool({ queueCapacity: 1 });
    const { gate, task } = await occupied(pool);
    const controller = new AbortController();
    const queued = pool.run('echo', 1, { ...long, signal: controller.signal });
    controller.abort();
    expect(await failureOf(queued)).toMatchObject({ code: 'work_cancelled', details: { mayHaveBeenHandled: false } });
    const next = pool.run('echo', 2, long);
    gate.open();
    expect(await Promise.all([task, next])).toEqual(['open', 2]);
    expect(pool.stats()).toMatchObject({ cancelled: 1, completed: 2, killed: 0, crashed: 0 });
    expectLaw(pool);
  });

  test('of a running task tells the function, and leaves its neighbours and their workers alone', async () => {
    const pool = newPool({ maxThreads: 2 });
    const neighbour = await occupied(pool);
    const gate = newGate();
    const controller = new AbortController();
    const task = pool.run('spin', gate.memory, { ...long, signal: controller.signal });
    const behind = pool.run('echo', 'behind', long);
    await until(() => gate.begun === 1, 'the function runs');
    controller.abort();
    expect(await failureOf(task)).toMatchObject({ code: 'work_cancelled', details: { mayHaveBeenHandled: true } });
    expect(await behind).toBe('behind');
    expect(gate.ended).toBe(1);
    neighbour.gate.open();
    expect(await neighbour.task).toBe('open');
    expect(pool.stats()).toMatchObject({ cancelled: 1, completed: 2, killed: 0, crashed: 0, threads: 2 });
  });

  test('of a function that heeds nothing terminates its worker after a while, and no other', async () => {
    const timers = new ManualTimers();
    const pool = newPool({ maxThreads: 2, killAfterMs: 333, after: timers.after });
    const neighbour = await occupied(pool);
    const gate = newGate();
    const controller = new AbortController();
    const task = pool.run('spinForever', gate.memory, { ...long, signal: controller.signal });
    const behind = pool.run('echo', 'behind', long);
    await until(() => gate.begun === 1, 'the function runs');
    controller.abort();
    expect((await failureOf(task)).code).toBe('work_cancelled');
    expect(pool.stats()).toMatchObject({ lingering: 1, queued: 1, killed: 0 });
    timers.fire(333);
    expect(await behind).toBe('behind');
    neighbour.gate.open();
    expect(await neighbour.task).toBe('open');
    expect(pool.stats()).toMatchObject({ cancelled: 1, completed: 2, killed: 1, crashed: 0, lingering: 0 });
    expectLaw(pool);
  });
});

describe('a worker that dies', () => {
  test.each([
    ['by process.exit', (pool: Pool) => pool.run('exit', 3, long), 'code: 3'],
    ['of its heap limit', (pool: Pool) => pool.run('growHeap', undefined as never, long), 'memory limit'],
  ])('%s ends its task as crashed, and another takes its place', async (_, start, reason) => {
    const pool = newPool({ resourceLimits: { maxOldGenerationSizeMb: 24 } });
    const crashing = start(pool);
    const behind = pool.run('echo', 'behind', long);
    const failure = await failureOf(crashing);
    expect(failure).toMatchObject({ code: 'work_crashed', details: { mayHaveBeenHandled: true } });
    expect(failure.message).toContain(reason);
    expect(await behind).toBe('behind');
    expect(pool.stats()).toMatchObject({ crashed: 1, completed: 1 });
    expectLaw(pool);
  });

  test('of a stray exception takes only its own task along', async () => {
    const pool = newPool({ maxThreads: 2 });
    const neighbour = await occupied(pool);
    const gate = newGate();
    const crashing = pool.run('crash', gate.memory, long);
    await until(() => gate.begun === 1, 'the function runs');
    gate.open();
    expect((await failureOf(crashing)).message).toContain('stray exception');
    neighbour.gate.open();
    expect(await neighbour.task).toBe('open');
    expect(pool.stats()).toMatchObject({ crashed: 1, completed: 1 });
  });

  test('between two tasks is replaced, and is named by the deadline of a task that did not get one in time', async () => {
    const timers = new ManualTimers();
    const pool = newPool({ after: timers.after });
    const gate = newGate();
    await pool.run('throwLater', gate.memory, long);
    gate.open();
    await until(() => pool.stats().lost === 1, 'the worker has died');
    const late = pool.run('echo', 1, { deadlineMs: 77 });
    timers.fire(77);
    expect(await failureOf(late)).toMatchObject({ code: 'work_deadline', cause: { message: 'stray exception' }, details: { mayHaveBeenHandled: false } });
    expect(await pool.run('echo', 2, long)).toBe(2);
    expect(pool.stats()).toMatchObject({ completed: 2, crashed: 0, expired: 1, lost: 1 });
  });

  test('while it loads the module ends its task, which was not handled', async () => {
    const pool = newPool({ module: 'data:text/javascript,process.exit(7)' });
    const failure = await failureOf(pool.run('echo', 1, long));
    expect(failure).toMatchObject({ code: 'work_crashed', details: { mayHaveBeenHandled: false } });
    expect(failure.message).toContain('code: 7');
  });

  test('before it begins a task that was given up leaves its place to others after a while', async () => {
    const timers = new ManualTimers();
    const pool = newPool({ module: 'data:text/javascript,await new Promise(() => setInterval(() => {}, 1_000))', killAfterMs: Infinity, after: timers.after });
    const stuck = pool.run('echo', 1, { deadlineMs: 77 });
    timers.fire(77);
    expect(await failureOf(stuck)).toMatchObject({ code: 'work_deadline', details: { mayHaveBeenHandled: false } });
    expect(pool.stats().lingering).toBe(1);
    timers.fire(10_000);
    await until(() => pool.stats().lingering === 0, 'the place is free again');
    expect(pool.stats().killed).toBe(1);
  });
});
