/** Order, lanes, one at a time, and fairness: docs/reference/semantics.md. */
import { BACK_PRESSURED } from 'atomics-ring-buffer';
import { describe, expect, test } from 'vitest';
import type { Call } from '../actors/puppet-commands.ts';
import { PLACEMENTS, SPAWNED, useStage } from './stage.ts';

const stage = useStage();
const range = (count: number): number[] => Array.from({ length: count }, (_, number) => number);
const call = (name: string, number: number): Call => [name, { number }];

describe.each(PLACEMENTS)('to an actor that is %s', (placement) => {
  test('[S1] messages of one sender arrive in the order sent within a lane', async () => {
    const { sender, subject } = await stage.pair(placement);
    const calls = range(200).map((number) => call(number % 2 === 0 ? 'note' : 'urgent', number));
    expect(await sender.do('tellAll', subject.address, calls)).toEqual(calls.map(() => 0));
    const log = await subject.logged(200);
    expect(log.filter((entry) => entry.startsWith('note'))).toEqual(range(100).map((index) => `note ${2 * index}`));
    expect(log.filter((entry) => entry.startsWith('urgent'))).toEqual(range(100).map((index) => `urgent ${2 * index + 1}`));
  });

  test('[S1] asks and tells of one lane keep one order', async () => {
    const { sender, subject } = await stage.pair(placement);
    await stage.begin(sender, subject, 'first');
    await sender.note(subject, 1);
    const asked = sender.ask(subject, 'echo', { text: '2' });
    // The ask is sent when its command has begun, and commands are control.
    await sender.do('life');
    await sender.note(subject, 3);
    await subject.do('release', 'first');
    await asked;
    expect(await subject.logged(5)).toEqual(['hold first', 'released first', 'note 1', 'echo 2', 'note 3']);
  });

  test('[S2] control is taken before data', async () => {
    const { sender, subject } = await stage.pair(placement);
    const go = await stage.hold(subject);
    await sender.do('tellAll', subject.address, [call('note', 1), call('note', 2), call('urgent', 3), call('urgent', 4)]);
    go();
    expect(await subject.logged(4)).toEqual(['urgent 3', 'urgent 4', 'note 1', 'note 2']);
  });

  test('[S3] data is taken before telemetry', async () => {
    const { sender, subject } = await stage.pair(placement);
    const go = await stage.hold(subject);
    await sender.do('tellAll', subject.address, [call('gauge', 1), call('note', 2), call('note', 3)]);
    go();
    expect(await subject.logged(3)).toEqual(['note 2', 'note 3', 'gauge 1']);
  });

  test('[S4] control reaches an actor whose data have no room any more', async () => {
    const { sender, subject } = await stage.pair(placement);
    await stage.begin(sender, subject, 'first');
    expect((await stage.fill(sender, subject)).result).toBe(BACK_PRESSURED);
    await sender.tell(subject, 'urgent', { number: 1 });
    await subject.hasLogged('urgent 1');
    expect((await subject.log()).some((entry) => entry.startsWith('note'))).toBe(false);
    await subject.do('release', 'first');
    await subject.hasLogged('note 0');
  });

  test('[S5] a full control lane refuses its sender, and none of those it took is lost', async () => {
    const { sender, subject } = await stage.pair(placement);
    const go = await stage.hold(subject);
    const { told, result } = await sender.do('flood', subject.address, 'urgent', 10_000);
    expect(told).toBeGreaterThan(100);
    expect(result).toBe(BACK_PRESSURED);
    go();
    expect(await subject.logged(told)).toEqual(range(told).map((number) => `urgent ${number}`));
  });

  test('[S6] while a handler is pending the next data message waits, and control is handled', async () => {
    const { sender, subject } = await stage.pair(placement);
    await stage.begin(sender, subject, 'first');
    await sender.do('tellAll', subject.address, [call('note', 1), call('urgent', 2)]);
    await subject.hasLogged('urgent 2');
    expect(await subject.log()).toEqual(['hold first', 'urgent 2']);
    await subject.do('release', 'first');
    expect((await subject.logged(4)).slice(2)).toEqual(['released first', 'note 1']);
  });
});

describe('actors of one thread', () => {
  test('[S7] take turns of at most 32 data messages', async () => {
    const sender = await stage.spawn(stage.north);
    const [flooded, quiet] = await Promise.all([stage.spawn(stage.north), stage.spawn(stage.north)]);
    const flood = range(500).map((number) => [flooded.address, ...call('note', number)] as const);
    await sender.do('tellSeveral', [...flood, [quiet.address, 'note', { number: 1 }]]);
    await Promise.all([flooded.logged(500), quiet.logged(1)]);
    const floodTurns = await flooded.do('turns');
    const [quietTurn] = await quiet.do('turns');
    expect(floodTurns.filter((turn) => turn < quietTurn!).length).toBeLessThanOrEqual(64);
  });

  test('[S6] one that waits in a handler does not keep its neighbours waiting', async () => {
    const sender = await stage.spawn(stage.north);
    const [waiting, neighbour] = await Promise.all([stage.spawn(stage.north), stage.spawn(stage.north)]);
    await stage.begin(sender, waiting, 'first');
    await sender.note(waiting, 1);
    expect(await sender.ask(neighbour, 'echo', { text: 'well' })).toMatchObject({ answer: { text: 'well' } });
    await waiting.do('release', 'first');
    await waiting.hasLogged('note 1');
  });
});

test('[S8] senders on different threads take turns', async () => {
  const subject = await stage.thread();
  const [first, second] = await Promise.all([stage.spawn(stage.north), stage.spawn(stage.south)]);
  await Promise.all([stage.link(first, subject), stage.link(second, subject)]);
  const go = await stage.hold(subject);
  await first.do('tellAll', subject.address, range(300).map((number) => call('note', number)));
  await second.do('tellAll', subject.address, range(300).map((number) => call('note', 1_000 + number)));
  go();
  const log = await subject.logged(600);
  const fromSecond = log.slice(0, 100).filter((entry) => Number(entry.slice('note '.length)) >= 1_000).length;
  expect(fromSecond).toBeGreaterThanOrEqual(48);
  expect(fromSecond).toBeLessThanOrEqual(52);
});

describe('between actors of one thread', () => {
  test.each(SPAWNED)('[S9] what is sent is a copy, as from one that is %s', async (placement) => {
    const { sender, subject } = await stage.pair(placement);
    expect(await sender.do('askAndChange', subject.address)).toEqual({ list: [1, 2, 3], bytes: [1, 2, 3], isSame: false });
  });

  test('[S10] nothing is handled in the middle of the handler that sends it', async () => {
    const { sender, subject } = await stage.pair('spawned on the same thread');
    await sender.do('tellAll', subject.address, [call('urgent', 1), call('note', 2)]);
    const log = await subject.logged(2);
    expect(log).toEqual(['urgent 1', 'note 2']);
  });
});
