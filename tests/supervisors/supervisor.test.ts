import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ActorRef } from '../../kernel/index.ts';
import { createSystem, type ChildSpec, type Restart, type System } from '../../supervisors/index.ts';
import { ECHO_COUNTERS, echoProtocol, type EchoArgs } from '../kernel/actors/echo.ts';
import { until } from '../kernel/condition.ts';

type Echo = ActorRef<typeof echoProtocol.spec>;
type EchoOptions = Omit<Partial<ChildSpec>, 'start'> & { readonly args?: EchoArgs };

const module = new URL('../kernel/actors/echo.ts', import.meta.url).href;
const ask = { deadlineMs: 20_000 };
/** Longer than any test takes. */
const NEVER_MS = 600_000;

let folder: string;
let system: System;
let spawned = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'spillway-supervisor-'));
  system = await createSystem({
    logLevel: 'error',
    supervisor: { intensity: 1_000, backoff: { minMs: 1, maxMs: 5, jitter: 0 } },
  });
});
afterAll(async () => {
  await system.close();
  rmSync(folder, { recursive: true, force: true });
});

function specOf({ args, ...spec }: EchoOptions = {}): ChildSpec {
  return { ...spec, id: spec.id ?? `child-${++spawned}`, start: { module, export: 'echo', args } };
}

const spawnEcho = (options: EchoOptions = {}): Promise<Echo> => system.spawn(specOf(options), echoProtocol);

const crash = (actor: Echo): Promise<unknown> => failureOf(actor.ask('fail', { code: '' }, ask));

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.unreachable('it was answered'),
    (error: unknown) => error,
  );
}

async function childOf(id: string, of: System = system) {
  return (await of.children()).find((child) => child.id === id);
}

const runningAs = (id: string, incarnation: number) => (): boolean => {
  const health = system.health(id);
  return health.state === 'running' && health.incarnation === incarnation;
};

/** The same table stands in supervisors/README.md. */
describe.each([
  ['permanent', 'a normal exit', true],
  ['permanent', 'a crash', true],
  ['permanent', 'an exit with an error code', true],
  ['transient', 'a normal exit', false],
  ['transient', 'a crash', true],
  ['transient', 'an exit with an error code', true],
  ['temporary', 'a normal exit', false],
  ['temporary', 'a crash', false],
  ['temporary', 'an exit with an error code', false],
] as [Restart, string, boolean][])('a %s child after %s', (restart, how, isRestarted) => {
  test(isRestarted ? 'is restarted' : 'is not restarted', async () => {
    const actor = await spawnEcho({ restart });
    const end = how === 'a crash' ? crash(actor) : failureOf(actor.ask('exit', { code: how === 'a normal exit' ? 0 : 3 }, ask));
    const code = isRestarted ? 'actor_restarted' : 'actor_stopped';
    expect(await end).toMatchObject({ code, details: { mayHaveBeenHandled: true } });
    if (isRestarted) {
      expect(await actor.ask('echo', { text: 'again' }, ask)).toEqual({ text: 'again', incarnation: 2 });
      // Its answer may be here before its supervisor has heard that it is up.
      await until(async () => (await childOf(actor.name))?.state === 'running', 'its supervisor knows');
      expect(await childOf(actor.name)).toMatchObject({ restarts: 1 });
    } else {
      const kept = { state: 'stopped', restarts: 0 };
      if (restart === 'temporary') expect(await childOf(actor.name)).toBeUndefined();
      else expect(await childOf(actor.name)).toMatchObject(kept);
      expect(await failureOf(actor.ask('echo', { text: '' }, ask))).toMatchObject({
        code: 'actor_stopped',
        details: { mayHaveBeenHandled: false },
      });
    }
  });
});

describe('the end of an actor', () => {
  test.each([
    ['an exception outside any handler', 'exception', 'told to throw later'],
    ['a rejection that nobody handles', 'rejection', 'told to reject'],
  ] as const)('%s ends it, after what it had answered', async (_, how, reason) => {
    const actor = await spawnEcho();
    expect(await actor.ask('failLater', { how }, ask)).toEqual({});
    await until(runningAs(actor.name, 2), 'it was restarted');
    expect(await childOf(actor.name)).toMatchObject({ restarts: 1, lastError: reason });
  });

  test('an answer that does not fit its schema is a defect', async () => {
    const actor = await spawnEcho();
    expect(await failureOf(actor.ask('answerWrongly', {}, ask))).toMatchObject({ code: 'actor_restarted' });
    await until(runningAs(actor.name, 2), 'it was restarted');
    expect((await childOf(actor.name))?.lastError).toContain('answerWrongly');
  });

  test('a defect with a message longer than a lane is still reported', async () => {
    const actor = await spawnEcho();
    await failureOf(actor.ask('crashHugely', { characters: 100_000 }, ask));
    await until(runningAs(actor.name, 2), 'it was restarted');
    expect((await childOf(actor.name))?.lastError).toMatch(/^x{2000}$/);
  });

  test('asks in flight end with actor_restarted, and those still in the lane are answered by the next incarnation', async () => {
    const actor = await spawnEcho({ args: { stopMs: 40 } });
    // All are in the lane before the first is handled, and `stop` gives the dying incarnation time to take them.
    const failing = crash(actor);
    const waiting = Array.from({ length: 20 }, (_, index) => actor.ask('echo', { text: String(index) }, ask));
    expect(await failing).toMatchObject({ code: 'actor_restarted', details: { mayHaveBeenHandled: true } });
    expect(await Promise.all(waiting)).toEqual(waiting.map((_, index) => ({ text: String(index), incarnation: 2 })));
  });

  test('a pending handler is ended by the crash of another one', async () => {
    const actor = await spawnEcho();
    const pending = failureOf(actor.ask('slow', { delayMs: NEVER_MS }, ask));
    // Control goes before data: told at once, the crash could come before the other handler has begun.
    await until(() => system.counters(actor.name, ECHO_COUNTERS).slow === 1, 'the slow handler has begun');
    actor.tell('failUrgently', {});
    expect(await pending).toMatchObject({ code: 'actor_restarted', details: { mayHaveBeenHandled: true } });
    await until(runningAs(actor.name, 2), 'it was restarted');
    expect(system.health(actor.name).counters).toMatchObject({ failed: 1, abandoned: 1 });
  });

  test('what it told others before is still handled', async () => {
    const [gossip, listener] = await Promise.all([spawnEcho(), spawnEcho()]);
    const busy = listener.ask('block', { blockMs: 150 }, ask);
    await gossip.ask('gossip', { about: listener.name, notes: 50 }, ask);
    await system.terminate(gossip.name);
    await busy;
    await until(() => system.counters(listener.name, ECHO_COUNTERS).notes === 50, 'all notes are handled');
  });

  test('restarts go on while the thread of the application is blocked', async () => {
    const actor = await spawnEcho();
    const firstStartMs = system.counters(actor.name, ECHO_COUNTERS).startedAtMs;
    actor.tell('fail', { code: '' });
    const nobody = new Int32Array(new SharedArrayBuffer(4));
    // Not one turn of the event loop from here on, until the new incarnation is seen in shared memory.
    for (let look = 0; look < 2_000 && !runningAs(actor.name, 2)(); look++) Atomics.wait(nobody, 0, 0, 10);
    const unblockedMs = Date.now();
    const secondStartMs = system.counters(actor.name, ECHO_COUNTERS).startedAtMs;
    expect(system.health(actor.name)).toMatchObject({ state: 'running', incarnation: 2, restarts: 1 });
    expect(secondStartMs).toBeGreaterThan(firstStartMs);
    expect(secondStartMs).toBeLessThanOrEqual(unblockedMs);
  });
});

describe('a start that fails', () => {
  test('is tried again after a restart, until it succeeds', async () => {
    const actor = await spawnEcho({ args: { failStartOf: [2, 3] } });
    await crash(actor);
    expect(await actor.ask('echo', { text: '' }, ask)).toMatchObject({ incarnation: 4 });
    expect(await childOf(actor.name)).toMatchObject({ restarts: 3, lastError: expect.stringContaining('told to fail in start') as string });
  });

  test('rejects the spawn with its cause if it is the first, and leaves nothing behind', async () => {
    await expect(spawnEcho({ id: 'failing', args: { failStartOf: [1] } })).rejects.toMatchObject({
      code: 'actor_start_failed',
      message: expect.stringMatching(/failing.*told to fail in start/) as string,
    });
    expect(await childOf('failing')).toBeUndefined();
    expect(await (await spawnEcho({ id: 'failing' })).ask('echo', { text: '' }, ask)).toMatchObject({ incarnation: 1 });
  });

  test.each([
    ['a module that is not there', { module: `${module}.not`, export: 'echo' }],
    ['an export that is not there', { module, export: 'nothing' }],
    ['an export that is no actor', { module, export: 'echoProtocol' }],
  ])('%s rejects the spawn', async (_, start) => {
    await expect(system.spawn({ id: 'wrong', start }, echoProtocol)).rejects.toMatchObject({ code: 'actor_start_failed' });
  });

  test('arguments that cannot be sent reject the spawn, and the tree goes on', async () => {
    const start = { module, export: 'echo', args: { run() {} } };
    await expect(system.spawn({ id: 'wrong', start }, echoProtocol)).rejects.toThrow();
    await expect(system.spawn(specOf({ mailbox: { dataBytes: 5_000 } }), echoProtocol)).rejects.toMatchObject({ code: 'spec_invalid' });
    expect(Array.isArray(await system.children())).toBe(true);
  });
});

describe('terminate', () => {
  test('ends an actor for good; its asks and references end with it', async () => {
    const actor = await spawnEcho({ shutdownMs: 200 });
    const pending = failureOf(actor.ask('slow', { delayMs: NEVER_MS }, ask));
    await actor.ask('urgent', {}, ask);
    expect(await system.terminate(actor.name)).toBe(true);
    expect(await pending).toMatchObject({ code: 'actor_stopped', details: { mayHaveBeenHandled: true } });
    expect(await failureOf(actor.ask('echo', { text: '' }, ask))).toMatchObject({ code: 'actor_stopped' });
    await expect(system.resolve(actor.name, echoProtocol)).rejects.toMatchObject({ code: 'actor_unknown' });
  });

  test('of an unknown child is refused', async () => {
    await expect(system.terminate('nobody')).rejects.toMatchObject({ code: 'child_unknown' });
  });

  test('makes room for a new actor under the same id', async () => {
    await spawnEcho({ id: 'again' });
    await expect(spawnEcho({ id: 'again' })).rejects.toMatchObject({ code: 'child_exists' });
    for (let round = 0; round < 3; round++) {
      await system.terminate('again');
      const actor = await spawnEcho({ id: 'again' });
      expect(await actor.ask('echo', { text: 'new' }, ask)).toEqual({ text: 'new', incarnation: 1 });
    }
  });

  test('ends an actor that ignores its stop at its deadline', async () => {
    const actor = await spawnEcho({ shutdownMs: 100, args: { stopMs: NEVER_MS } });
    expect(await system.terminate(actor.name)).toBe(true);
    expect(await childOf(actor.name)).toBeUndefined();
  });

  test('ends an actor whose thread is blocked at its deadline', async () => {
    const actor = await spawnEcho({ shutdownMs: 100 });
    const pending = failureOf(actor.ask('block', { blockMs: NEVER_MS }, ask));
    expect(await system.terminate(actor.name)).toBe(true);
    expect(await pending).toMatchObject({ code: 'actor_stopped' });
  });

  test('ends an actor that still starts, and its spawn is rejected', async () => {
    const spawning = failureOf(spawnEcho({ id: 'starting', shutdownMs: 100, args: { startMs: NEVER_MS } }));
    await until(async () => (await childOf('starting')) !== undefined, 'it starts');
    expect(await system.terminate('starting')).toBe(true);
    expect(await spawning).toMatchObject({ code: 'actor_start_failed' });
    expect(await childOf('starting')).toBeUndefined();
  });

  test('of a native actor that still starts waits for its start and then stops it in order', async () => {
    const stopFile = join(folder, 'native-start');
    const spawning = failureOf(spawnEcho({ id: 'native-start', native: true, args: { startMs: 400, stopFile } }));
    await until(async () => (await childOf('native-start')) !== undefined, 'it starts');
    expect(await system.terminate('native-start')).toBe(true);
    await spawning;
    expect(readFileSync(stopFile, 'utf8')).toBe('native-start shutdown\n');
  });

  test('of a native actor that ignores its stop says so and leaves it alone until it has ended', async () => {
    const actor = await spawnEcho({ native: true, shutdownMs: 100, args: { stopMs: 700 } });
    expect(await system.terminate(actor.name)).toBe(false);
    expect(await childOf(actor.name)).toMatchObject({ state: 'stopping' });
    await until(async () => (await childOf(actor.name)) === undefined, 'it has ended by itself');
  });

  test('of an actor that waits for its restart cancels the restart', async () => {
    const slow = await createSystem({ logLevel: 'error', supervisor: { backoff: { minMs: NEVER_MS, maxMs: NEVER_MS, jitter: 0 } } });
    const actor = await slow.spawn(specOf(), echoProtocol);
    await crash(actor);
    expect(await childOf(actor.name, slow)).toMatchObject({ state: 'restarting' });
    const waiting = failureOf(actor.ask('echo', { text: '' }, ask));
    expect(await slow.terminate(actor.name)).toBe(true);
    expect(await waiting).toMatchObject({ code: 'actor_stopped', details: { mayHaveBeenHandled: false } });
    await slow.close();
  });
});

describe('the bounds of a system', () => {
  test('more failures than the intensity permits stop all children', async () => {
    const fragile = await createSystem({
      logLevel: 'error',
      supervisor: { intensity: 1, periodMs: NEVER_MS, backoff: { minMs: 1, maxMs: 1, jitter: 0 } },
    });
    const [failing, bystander] = await Promise.all([
      fragile.spawn(specOf({ id: 'failing' }), echoProtocol),
      fragile.spawn(specOf({ id: 'bystander', shutdownMs: 200 }), echoProtocol),
    ]);
    const pending = failureOf(bystander.ask('slow', { delayMs: NEVER_MS }, ask));
    expect(await crash(failing)).toMatchObject({ code: 'actor_restarted' });
    expect(await failing.ask('echo', { text: '' }, ask)).toMatchObject({ incarnation: 2 });
    expect(await crash(failing)).toMatchObject({ code: 'actor_stopped' });
    expect(await pending).toMatchObject({ code: 'actor_stopped' });
    expect((await fragile.children()).map(({ state }) => state)).toEqual(['stopped', 'stopped']);
    await expect(fragile.spawn(specOf(), echoProtocol)).rejects.toMatchObject({ code: 'restart_intensity' });
    await fragile.close();
  });

  test('no more threads start than maxThreads, and a place that is given up is free again', async () => {
    const small = await createSystem({ logLevel: 'error', maxThreads: 3 });
    await small.spawn(specOf({ id: 'only' }), echoProtocol);
    await expect(small.spawn(specOf({ id: 'too-many' }), echoProtocol)).rejects.toMatchObject({ code: 'too_many_threads' });
    await small.terminate('only');
    expect((await small.spawn(specOf({ id: 'next' }), echoProtocol)).name).toBe('next');
    await small.close();
  });
});
