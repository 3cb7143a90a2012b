import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { BACK_PRESSURED, CLOSED } from 'atomics-ring-buffer';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defineProtocol, type ActorRef } from '../../kernel/index.ts';
import { createSystem, type ActorHealth, type ChildSpec, type System } from '../../supervisors/index.ts';
import { ECHO_COUNTERS, FLOOD_LINES, echoProtocol, type EchoArgs } from './actors/echo.ts';
import { until } from './condition.ts';

type Echo = ActorRef<typeof echoProtocol.spec>;

const module = new URL('./actors/echo.ts', import.meta.url).href;
const LONG_MS = 20_000;
const ask = { deadlineMs: LONG_MS };

let system: System;
let spawned = 0;

beforeAll(async () => {
  system = await createSystem({ logLevel: 'error', supervisor: { intensity: 1_000, backoff: { minMs: 1, maxMs: 5, jitter: 0 } } });
});
afterAll(() => system.close());

interface EchoOptions extends Omit<Partial<ChildSpec>, 'start'> {
  readonly export?: 'echo' | 'parkedEcho';
  readonly args?: EchoArgs;
}

async function spawnEcho({ export: name = 'echo', args, ...spec }: EchoOptions = {}): Promise<Echo> {
  const id = spec.id ?? `echo-${++spawned}`;
  return system.spawn({ ...spec, id, start: { module, export: name, args } }, echoProtocol);
}

/** Messages to the actor that have come to an end, in one way or another. */
function settled({ counters }: ActorHealth): number {
  const { handled, failed, unknown_actor, undecodable, expired, cancelled, abandoned } = counters;
  return handled + failed + unknown_actor + undecodable + expired + cancelled + abandoned;
}

async function failOnce(actor: Echo): Promise<void> {
  await ended(actor.ask('fail', { code: '' }, ask));
}

const ended = async (promise: Promise<unknown>): Promise<unknown> => promise.then(() => 'answered', (error: unknown) => error);

describe.each(['echo', 'parkedEcho'] as const)('an actor that waits as %s', (name) => {
  let actor: Echo;
  beforeAll(async () => {
    actor = await spawnEcho({ export: name });
  });

  test('answers an ask', async () => {
    expect(await actor.ask('echo', { text: 'grüß 🌊' }, ask)).toEqual({ text: 'grüß 🌊', incarnation: 1 });
  });

  test('takes what it is told, in order', async () => {
    const numbers = Array.from({ length: 300 }, (_, number) => number);
    for (const number of numbers) expect(actor.tell('note', { number })).toBe(0);
    expect((await actor.ask('notes', {}, ask)).numbers).toEqual(numbers);
  });

  test('takes and gives numbers as typed arrays', async () => {
    const { values } = await actor.ask('double', { values: Float32Array.of(1.5, -2, 0) }, ask);
    expect(values).toEqual(Float32Array.of(3, -4, 0));
  });

  test('answers many asks at once, each with its own answer', async () => {
    const texts = Array.from({ length: 500 }, (_, index) => String(index));
    const answers = await Promise.all(texts.map((text) => actor.ask('echo', { text }, ask)));
    expect(answers.map(({ text }) => text)).toEqual(texts);
  });

  test('talks to another actor that it finds by name', async () => {
    const other = await spawnEcho();
    expect(await actor.ask('relay', { name: other.name, text: 'onward' }, ask)).toMatchObject({ text: 'onward' });
  });
});

describe('an ask', () => {
  let actor: Echo;
  beforeAll(async () => {
    actor = await spawnEcho({ mailbox: { dataBytes: 4_096 } });
  });

  test('ends at its deadline, and the handler can see that', async () => {
    const before = system.health(actor.name).counters.handled;
    await expect(actor.ask('hold', {}, { deadlineMs: 20 })).rejects.toMatchObject({
      code: 'ask_deadline',
      details: { mayHaveBeenHandled: true },
    });
    actor.tell('release', {});
    await until(() => system.health(actor.name).counters.handled === before + 2, 'both handlers have ended');
  });

  test('that was cancelled before is not sent', async () => {
    const before = settled(system.health(actor.name));
    await expect(actor.ask('echo', { text: '' }, { ...ask, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ask_cancelled',
      details: { mayHaveBeenHandled: false },
    });
    await actor.ask('echo', { text: '' }, ask);
    expect(settled(system.health(actor.name))).toBe(before + 1);
  });

  test('that is cancelled ends at once, and the next one finds the actor well', async () => {
    const cancel = new AbortController();
    const pending = ended(actor.ask('hold', {}, { ...ask, signal: cancel.signal }));
    await actor.ask('urgent', {}, ask);
    cancel.abort();
    expect(await pending).toMatchObject({ code: 'ask_cancelled', details: { mayHaveBeenHandled: true } });
    actor.tell('release', {});
    expect(await actor.ask('echo', { text: 'next' }, ask)).toMatchObject({ text: 'next' });
  });

  test('shows its handler that it was cancelled', async () => {
    const other = await spawnEcho();
    const cancel = new AbortController();
    const pending = ended(actor.ask('noteCancelled', { name: other.name }, { ...ask, signal: cancel.signal }));
    const notes = async (): Promise<number> => (await other.ask('notes', {}, ask)).numbers.length;
    // A cancel overtakes a message that has not begun, which would then never be handled.
    await until(async () => (await notes()) === 1, 'the handler began');
    cancel.abort();
    await pending;
    await until(async () => (await notes()) === 2, 'the handler saw the cancel');
  });

  test('whose message still waits in its lane when it is cancelled is never handled', async () => {
    // What an earlier ask gave up waiting for may still run.
    await actor.ask('echo', { text: '' }, ask);
    const before = system.health(actor.name).counters;
    const busy = actor.ask('hold', {}, ask);
    const cancel = new AbortController();
    const waiting = ended(actor.ask('echo', { text: 'never' }, { ...ask, signal: cancel.signal }));
    cancel.abort();
    expect(await waiting).toMatchObject({ code: 'ask_cancelled' });
    actor.tell('release', {});
    await busy;
    await actor.ask('echo', { text: '' }, ask);
    const { handled, cancelled } = system.health(actor.name).counters;
    expect(cancelled - before.cancelled).toBe(1);
    // What held it, the release and the one that came last.
    expect(handled - before.handled).toBe(3);
  });

  test('that has expired in its lane is not handled', async () => {
    // What an earlier ask gave up waiting for may still run.
    await actor.ask('echo', { text: '' }, ask);
    const before = system.health(actor.name).counters;
    const busy = actor.ask('block', { blockMs: 60 }, ask);
    await expect(actor.ask('echo', { text: 'late' }, { deadlineMs: 10 })).rejects.toMatchObject({ code: 'ask_deadline' });
    await busy;
    await actor.ask('echo', { text: '' }, ask);
    const { handled, expired, cancelled } = system.health(actor.name).counters;
    expect(expired + cancelled - before.expired - before.cancelled).toBe(1);
    expect(handled - before.handled).toBe(2);
  });

  test('is refused while its lane is full, and a tell says BACK_PRESSURED', async () => {
    const before = settled(system.health(actor.name));
    const busy = actor.ask('hold', {}, ask);
    let told = 0;
    let result = 0;
    while ((result = actor.tell('note', { number: told })) === 0) told++;
    expect(result).toBe(BACK_PRESSURED);
    await expect(actor.ask('echo', { text: '' }, ask)).rejects.toMatchObject({
      code: 'ask_refused',
      details: { mayHaveBeenHandled: false },
    });
    // The control lane has room of its own, and a handler that waits does not keep its actor from control.
    expect(await actor.ask('urgent', {}, ask)).toEqual({ notes: 0 });
    actor.tell('release', {});
    await busy;
    await until(() => settled(system.health(actor.name)) === before + told + 3, 'the lane is empty');
    expect((await actor.ask('notes', {}, ask)).numbers).toEqual(Array.from({ length: told }, (_, number) => number));
  });

  test('with a message longer than its lane takes is refused for good', async () => {
    const text = 'x'.repeat(5_000);
    await expect(actor.ask('echo', { text }, ask)).rejects.toMatchObject({
      code: 'message_too_large',
      details: { mayHaveBeenHandled: false },
    });
  });

  test('whose answer is longer than the lane back takes ends with message_too_large', async () => {
    await expect(actor.ask('answerLong', { characters: 600_000 }, ask)).rejects.toMatchObject({
      code: 'message_too_large',
      details: { mayHaveBeenHandled: true },
    });
    expect(await actor.ask('echo', { text: 'well' }, ask)).toMatchObject({ text: 'well' });
  });

  test('with a message that does not fit names the field', async () => {
    await expect(actor.ask('echo', { text: 7 as unknown as string }, ask)).rejects.toMatchObject({
      code: 'message_invalid',
      message: expect.stringContaining('/text') as string,
    });
    expect(() => actor.tell('note', { number: -1 })).toThrow('/number');
  });

  test.each([0, -1, Number.NaN, Infinity])('with the deadline %d is an error of the programmer', async (deadlineMs) => {
    await expect(actor.ask('echo', { text: '' }, { deadlineMs })).rejects.toThrow(TypeError);
  });

  test('that its handler fails with an operating error ends with its code and details, and the actor goes on', async () => {
    await expect(actor.ask('fail', { code: 'no_such_file' }, ask)).rejects.toMatchObject({
      code: 'no_such_file',
      message: 'told to fail',
      details: { hint: 1, mayHaveBeenHandled: true },
    });
    expect(await actor.ask('echo', { text: '' }, ask)).toMatchObject({ incarnation: 1 });
  });

  test.each([10, 600_000])('that fails with an error which cannot be sent as it is (%d characters) still hears its code', async (characters) => {
    await expect(actor.ask('failHugely', { characters }, ask)).rejects.toMatchObject({
      code: 'told_to_fail',
      details: { mayHaveBeenHandled: true },
    });
    expect(await actor.ask('echo', { text: '' }, ask)).toMatchObject({ incarnation: 1 });
  });

  test('that was passed on and refused there may still have been handled here', async () => {
    const refusing = await spawnEcho({ mailbox: { dataBytes: 1_024 } });
    const relaying = await spawnEcho();
    await expect(relaying.ask('relay', { name: refusing.name, text: 'x'.repeat(2_000) }, ask)).rejects.toMatchObject({
      code: 'message_too_large',
      details: { mayHaveBeenHandled: true },
    });
  });
});

describe('lanes', () => {
  test('an actor handles one data message at a time', async () => {
    const actor = await spawnEcho();
    const order: string[] = [];
    const first = actor.ask('hold', {}, ask).then(() => order.push('first'));
    const second = actor.ask('echo', { text: '' }, ask).then(() => order.push('second'));
    await actor.ask('urgent', {}, ask).then(() => order.push('urgent'));
    actor.tell('release', {});
    await Promise.all([first, second]);
    expect(order).toEqual(['urgent', 'first', 'second']);
  });

  test("an answer is not held up by a request in front of it that waits for the actor's own handler", async () => {
    const [asker, gossip] = await Promise.all([spawnEcho(), spawnEcho()]);
    await asker.ask('askGossip', { name: gossip.name, notes: 20 }, ask);
    await until(() => system.counters(asker.name, ECHO_COUNTERS).notes === 20, 'the notes are handled');
    const { numbers } = await asker.ask('notes', {}, ask);
    expect(numbers).toEqual(Array.from({ length: 20 }, (_, number) => number));
  });

  test('an actor may tell itself something, and is told after what it does now', async () => {
    const actor = await spawnEcho();
    await actor.ask('gossip', { about: actor.name, notes: 3 }, ask);
    await until(() => system.counters(actor.name, ECHO_COUNTERS).notes === 3, 'the notes are handled');
    await failOnce(actor);
    await actor.ask('gossip', { about: actor.name, notes: 2 }, ask);
    await until(() => system.counters(actor.name, ECHO_COUNTERS).notes === 5, 'so are those of its next life');
  });

  test('an answer is not held up on a thread that parks either', async () => {
    const [asker, gossip] = await Promise.all([spawnEcho({ export: 'parkedEcho' }), spawnEcho({ export: 'parkedEcho' })]);
    await asker.ask('askGossip', { name: gossip.name, notes: 20 }, ask);
    await until(() => system.counters(asker.name, ECHO_COUNTERS).notes === 20, 'the notes are handled');
  });

  test('a thread that parks goes on with a handler as soon as what it awaits has come', async () => {
    const [asker, other] = await Promise.all([spawnEcho({ export: 'parkedEcho' }), spawnEcho({ export: 'parkedEcho' })]);
    // At its event loop's rare turns alone, each of these would take a twentieth of a second.
    expect(await asker.ask('relayOften', { name: other.name, times: 400 }, { deadlineMs: 10_000 })).toEqual({ answers: 400 });
  });
});

describe('what cannot be delivered', () => {
  test('an undecodable message is counted and refused, and was not handled', async () => {
    const actor = await spawnEcho();
    const stranger = await system.resolve(
      actor.name,
      defineProtocol('stranger', {
        echo: { request: { properties: {} }, reply: { properties: {} } },
        // Its kind is beyond all that the actor understands.
        ...(Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`m${index}`, { request: { properties: {} } }])) as {
          m39: { request: { properties: Record<string, never> } };
        }),
      }),
    );
    await expect(stranger.ask('echo', {}, ask)).rejects.toMatchObject({
      code: 'message_invalid',
      details: { mayHaveBeenHandled: false },
    });
    expect(stranger.tell('m39', {})).toBe(0);
    await until(() => system.health(actor.name).counters.undecodable === 2, 'both are counted');
    expect(await actor.ask('echo', { text: 'well' }, ask)).toMatchObject({ text: 'well' });
  });

  test('an unknown name is not resolved, by the application or by an actor', async () => {
    await expect(system.resolve('nobody', echoProtocol)).rejects.toMatchObject({ code: 'actor_unknown', details: { name: 'nobody' } });
    const actor = await spawnEcho();
    await expect(actor.ask('relay', { name: 'nobody', text: '' }, ask)).rejects.toMatchObject({ code: 'actor_unknown' });
  });

  test('a reference to an actor that has left reaches nobody, even when another has its place', async () => {
    const former = await spawnEcho({ id: 'former' });
    await system.terminate('former');
    const next = await spawnEcho({ id: 'next' });
    expect(former.tell('note', { number: 1 })).toBe(CLOSED);
    await expect(former.ask('echo', { text: '' }, ask)).rejects.toMatchObject({
      code: 'actor_stopped',
      details: { mayHaveBeenHandled: false },
    });
    expect((await next.ask('notes', {}, ask)).numbers).toEqual([]);
    expect(system.health('next')).toMatchObject({ incarnation: 1, restarts: 0, deadLetters: 0 });
    expect(() => system.health('former')).toThrow('former');
  });
});

describe('what an actor shows of itself', () => {
  test('can be read while its thread is blocked in a handler', async () => {
    const actor = await spawnEcho();
    actor.tell('note', { number: 1 });
    await actor.ask('urgent', {}, ask);
    await until(() => system.health(actor.name).counters.handled === 2, 'both are handled');
    const blocked = actor.ask('block', { blockMs: 150 }, ask);
    await until(() => system.counters(actor.name, ECHO_COUNTERS).blocking === 1, 'the handler blocks');
    expect(system.health(actor.name)).toMatchObject({ state: 'running', incarnation: 1, restarts: 0 });
    expect(system.counters(actor.name, ECHO_COUNTERS).notes).toBe(1);
    await blocked;
    expect(system.health(actor.name).counters.handled).toBe(3);
  });

  test('at quiet, every message sent to it is handled, failed or a dead letter', async () => {
    const actor = await spawnEcho({ mailbox: { dataBytes: 16_384 } });
    let sent = 0;
    const asks: Promise<unknown>[] = [];
    const send = (promise: Promise<unknown>): void => {
      sent++;
      asks.push(ended(promise));
    };
    for (let round = 0; round < 40; round++) {
      if (actor.tell('note', { number: round }) === 0) sent++;
      send(actor.ask('echo', { text: 'x' }, ask));
      send(actor.ask('fail', { code: 'told' }, ask));
      send(actor.ask('urgent', {}, ask));
      send(actor.ask('slow', { delayMs: 3 }, { deadlineMs: round % 4 === 0 ? 1 : LONG_MS }));
      if (round % 10 === 0) send(actor.ask('fail', { code: '' }, ask));
      const cancel = new AbortController();
      send(actor.ask('echo', { text: 'y' }, { ...ask, signal: cancel.signal }));
      if (round % 2 === 0) cancel.abort();
      await asks[round * 2];
    }
    await Promise.all(asks);
    await until(() => settled(system.health(actor.name)) === sent, 'every message has come to an end');
    expect(system.health(actor.name)).toMatchObject({ state: 'running', restarts: 4 });
  });

  test('messages that an actor had in its hands when it left by process.exit are counted', async () => {
    const actor = await spawnEcho();
    const pending = ended(actor.ask('exit', { code: 3 }, ask));
    expect(await pending).toMatchObject({ code: 'actor_restarted', details: { mayHaveBeenHandled: true } });
    await until(() => system.health(actor.name).state === 'running', 'it is up again');
    expect(system.health(actor.name).counters.abandoned).toBe(1);
  });

  test('log lines that hold more than plain data do not fail their actor, and a flood of them is counted', async () => {
    const child = fileURLToPath(new URL('./log-child.ts', import.meta.url));
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [...process.execArgv, child], {
      maxBuffer: 2 ** 24,
    });
    const { counters, incarnation } = JSON.parse(stdout) as ActorHealth;
    const lines = stderr.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines[0]).toMatchObject({ level: 50, actor: 'logger', error: expect.stringContaining('in a field') as string });
    expect(counters.telemetryLost).toBeGreaterThan(0);
    expect(lines.length + counters.telemetryLost).toBe(FLOOD_LINES + 1);
    expect(incarnation).toBe(1);
  });
});
