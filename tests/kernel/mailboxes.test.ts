import { BACK_PRESSURED } from 'atomics-ring-buffer';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEAD_LETTER_REASONS, type ActorInspection, type MailboxPolicy } from '../../kernel/index.ts';
import { createSystem, type System } from '../../supervisors/index.ts';
import { meshProtocol, type Mesh } from './actors/mesh.ts';
import { CAPACITY, KEYS, TTL_MS, feederProtocol, sinkProtocol, type Feeder, type Sink } from './actors/sink.ts';
import { until } from './condition.ts';

const sinks = new URL('./actors/sink.ts', import.meta.url).href;
const meshes = new URL('./actors/mesh.ts', import.meta.url).href;
const ask = { deadlineMs: 20_000 };

let system: System;
let spawned = 0;

beforeAll(async () => {
  system = await createSystem({ logLevel: 'error', supervisor: { intensity: 1_000, backoff: { minMs: 1, maxMs: 5, jitter: 0 } } });
});
afterAll(() => system.close());

const spawnSink = (name: string): Promise<Sink> => system.spawn({ id: `sink-${++spawned}`, start: { module: sinks, export: name } }, sinkProtocol);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, number) => number);
const taken = async (sink: Sink): Promise<readonly number[]> => (await sink.ask('taken', {}, ask)).numbers;

const SHED = ['dropped_newest', 'dropped_oldest', 'conflated', 'flushed'] as const;
/** Answers, which are no messages of anybody. */
const ANSWERS: readonly string[] = ['stale_reply', 'reply_refused'];
const ENDS = ['handled', 'failed', ...SHED, ...DEAD_LETTER_REASONS.filter((reason) => !ANSWERS.includes(reason))] as const;

/** Messages to the actors of this thread that have come to an end. */
function ends(name: string): number {
  const { counters } = system.health(name);
  return ENDS.reduce((sum, reason) => sum + counters[reason], 0);
}

/** What its thread shows of it, in shared memory. */
function entry(name: string): ActorInspection {
  return system.inspect().threads.find((thread) => thread.name === name)!.actors.find((actor) => actor.name === name)!;
}

/** Messages of the entry that have arrived, and those that have come to an end or wait. */
function books({ level, counts }: ActorInspection): { arrived: number; accounted: number } {
  const { arrived, ...ended } = counts;
  return { arrived, accounted: level + Object.values(ended).reduce((sum, count) => sum + count, 0) };
}

const sheds = (name: string): number => SHED.reduce((sum, reason) => sum + system.health(name).counters[reason], 0);

interface Case {
  readonly policy: MailboxPolicy;
  readonly export: string;
  /** How many of FED a sender is refused. */
  readonly refused: number;
  /** Which are handled, the gate being opened after all. */
  readonly handled: readonly number[];
}

/** Numbers that come while the actor has the first of them in its hands. */
const FED = 30;
const held = upTo(CAPACITY + 1);
const last = (count: number): number[] => upTo(FED).slice(-count);

const CASES: readonly Case[] = [
  { policy: 'refuse', export: 'refuse', refused: FED - CAPACITY - 1, handled: held },
  { policy: 'wait', export: 'wait', refused: FED - CAPACITY - 1, handled: held },
  { policy: 'drop_newest', export: 'dropNewest', refused: 0, handled: held },
  { policy: 'drop_oldest', export: 'dropOldest', refused: 0, handled: [0, ...last(CAPACITY)] },
  { policy: 'drop_oldest', export: 'parkedDropOldest', refused: 0, handled: [0, ...last(CAPACITY)] },
  // The place of a key is where it first came: 1, 2, 0 (as 3).
  { policy: 'conflate', export: 'conflate', refused: 0, handled: [0, 28, 29, 27] },
];

describe.each(CASES)('a mailbox of the policy $policy ($export)', (mailbox) => {
  test('between threads decides as it says, and every message is accounted for', async () => {
    const sink = await spawnSink(mailbox.export);
    await sink.ask('gate', { open: false }, ask);
    const asked = entry(sink.name).counts.arrived;
    let accepted = 0;
    for (const number of upTo(FED)) {
      const result = sink.tell('put', { number, key: number % KEYS });
      if (result === 0) accepted++;
      else expect(result).toBe(BACK_PRESSURED);
      // One after the other: what lies in a lane has left its sender and is taken beyond the bound.
      await until(() => entry(sink.name).counts.arrived === asked + accepted, 'the mailbox has it');
      await until(() => books(entry(sink.name)).accounted === asked + accepted - 1, 'all but the one in its hands are accounted for');
      expect(entry(sink.name).level).toBeLessThanOrEqual(CAPACITY);
    }
    expect(FED - accepted).toBe(mailbox.refused);
    expect(sheds(sink.name)).toBe(accepted - mailbox.handled.length);
    await sink.ask('gate', { open: true }, ask);
    await until(async () => (await taken(sink)).length === mailbox.handled.length, 'what was kept is handled');
    expect(await taken(sink)).toEqual(mailbox.handled);
    await until(() => books(entry(sink.name)).accounted === entry(sink.name).counts.arrived, 'all are accounted for');
    expect(entry(sink.name)).toMatchObject({ level: 0, mode: 'async' });
    // With room it takes messages again, whatever it has refused or dropped.
    expect(sink.tell('put', { number: 100, key: 0 })).toBe(0);
    await until(async () => (await taken(sink)).at(-1) === 100, 'it is taken');
    const { handled, failed } = system.health(sink.name).counters;
    expect(failed).toBe(0);
    expect(accepted + 1).toBe(mailbox.handled.length + 1 + sheds(sink.name));
    expect(handled).toBeGreaterThanOrEqual(mailbox.handled.length + 1);
  });

  test('on one thread decides the same', async () => {
    const feeder: Feeder = await system.spawn({ id: `feeder-${++spawned}`, start: { module: sinks, export: 'feeder' } }, feederProtocol);
    await feeder.ask('make', { policy: mailbox.policy }, ask);
    await feeder.ask('gate', { open: false }, ask);
    const first = await feeder.ask('tell', { first: 0, count: 1 }, ask);
    await until(async () => (await feeder.ask('taken', {}, ask)).numbers.length === 1, 'it has the first in its hands');
    const { results } = await feeder.ask('tell', { first: 1, count: FED - 1 }, ask);
    expect([...first.results, ...results].filter((result) => result === BACK_PRESSURED).length).toBe(mailbox.refused);
    await feeder.ask('gate', { open: true }, ask);
    await until(async () => (await feeder.ask('taken', {}, ask)).numbers.length === mailbox.handled.length, 'what was kept is handled');
    expect((await feeder.ask('taken', {}, ask)).numbers).toEqual(mailbox.handled);
    expect(sheds(feeder.name)).toBe(FED - mailbox.refused - mailbox.handled.length);
    expect((await feeder.ask('level', {}, ask)).level).toBe(0);
  });
});

test('a mailbox of the policy expire hands over nothing that is older than it may be', async () => {
  const sink = await spawnSink('expire');
  await sink.ask('gate', { open: false }, ask);
  for (const number of upTo(5)) expect(sink.tell('put', { number, key: 0 })).toBe(0);
  await until(() => sink.level === 4, 'one is in its hands, four wait');
  const bornMs = performance.now();
  await until(() => performance.now() > bornMs + TTL_MS * 2, 'they are too old');
  expect(sink.tell('put', { number: 5, key: 0 })).toBe(0);
  await until(() => sink.level === 5, 'it has the young one too');
  await sink.ask('gate', { open: true }, ask);
  await until(async () => (await taken(sink)).length === 2, 'the young one is handled');
  expect(await taken(sink)).toEqual([0, 5]);
  expect(system.health(sink.name).counters.expired).toBe(4);
});

describe('an ask that a mailbox gives up', () => {
  test.each(['dropNewest', 'dropOldest', 'conflate'] as const)('ends at once between threads, and was not handled (%s)', async (name) => {
    const sink = await spawnSink(name);
    await sink.ask('gate', { open: false }, ask);
    const outcomes = upTo(CAPACITY + 3).map((number) =>
      sink.ask('ask', { number, key: 0 }, ask).then(
        () => 'answered',
        (error: { code: string; details: { mayHaveBeenHandled: boolean } }) => `${error.code} ${error.details.mayHaveBeenHandled}`,
      ),
    );
    const lost = name === 'conflate' ? CAPACITY + 1 : 2;
    let refused = 0;
    for (const outcome of outcomes) void outcome.then((text) => (refused += text === 'ask_refused false' ? 1 : 0));
    await until(() => refused === lost, 'the askers are told before the gate opens');
    await sink.ask('gate', { open: true }, ask);
    expect((await Promise.all(outcomes)).filter((text) => text === 'answered').length).toBe(outcomes.length - lost);
  });

  test('ends at once on one thread, also if it is the one that comes', async () => {
    const feeder: Feeder = await system.spawn({ id: `feeder-${++spawned}`, start: { module: sinks, export: 'feeder' } }, feederProtocol);
    await feeder.ask('make', { policy: 'drop_newest' }, ask);
    await feeder.ask('gate', { open: false }, ask);
    await feeder.ask('tell', { first: 0, count: 1 }, ask);
    await until(async () => (await feeder.ask('taken', {}, ask)).numbers.length === 1, 'it has the first in its hands');
    await feeder.ask('tell', { first: 1, count: CAPACITY }, ask);
    expect(await feeder.ask('ask', { number: 100 }, ask)).toEqual({ code: 'ask_refused', may: false });
    await feeder.ask('gate', { open: true }, ask);
  });
});

describe('the books of a whole system', () => {
  test.each([1, 2])('at quiet, what was sent is what has come to an end (seed %d)', async (seed) => {
    const names = upTo(3).map((index) => `mesh-${seed}-${index}`);
    const actors: Mesh[] = await Promise.all(names.map((id) => system.spawn({ id, start: { module: meshes, export: 'mesh' } }, meshProtocol)));
    // The application's own, which has no counts to be looked at.
    let told = 0;
    const run = async (messages: number): Promise<void> => {
      told += actors.length;
      await Promise.all(actors.map((actor, index) => actor.ask('run', { seed: seed * 100 + index, messages, names }, ask)));
    };
    const sent = (): number => names.reduce((sum, name) => sum + system.health(name).counters.sent, told);
    const ended = (): number => names.reduce((sum, name) => sum + ends(name), 0);
    await run(2_000);
    await until(() => sent() === ended(), 'every message has come to an end');
    // Among them all ends that such a system has.
    const total = (name: (typeof ENDS)[number]): number => names.reduce((sum, actor) => sum + system.health(actor).counters[name], 0);
    for (const end of ['handled', 'failed', 'fenced', 'actor_stopped'] as const) expect(total(end), end).toBeGreaterThan(0);
    expect(total('dropped_newest') + total('dropped_oldest')).toBeGreaterThan(0);
    // The books also hold where a thread ends with messages in its hands and in its queues.
    const running = Promise.allSettled([run(1_000)]);
    const { handled } = system.health(names[0]!).counters;
    await until(() => system.health(names[0]!).counters.handled > handled + 100, 'it is in the middle of it');
    told++;
    expect(actors[0]!.tell('crash', {})).toBe(0);
    await running;
    await until(() => system.health(names[0]!).restarts === 1 && system.health(names[0]!).state === 'running', 'it is up again');
    await until(() => sent() === ended(), 'every message has come to an end');
  });
});
