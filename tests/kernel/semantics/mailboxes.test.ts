/** Mailboxes: their policies and modes, on actors as they run. The table of all decisions is held by ../mailbox/. */
import { BACK_PRESSURED } from 'atomics-ring-buffer';
import { describe, expect, test } from 'vitest';
import { until } from '../condition.ts';
import type { PuppetOptions } from '../actors/puppet-commands.ts';
import { SPAWNED, useStage, type Placement, type Puppet } from './stage.ts';

const stage = useStage();
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

/** A subject that holds the first message in its hands, so that all others wait in its mailbox. */
async function busyPair(placement: Placement, options: PuppetOptions): Promise<{ sender: Puppet; subject: Puppet }> {
  const pair = await stage.pair(placement, options);
  await stage.begin(pair.sender, pair.subject, 'busy');
  return pair;
}

/** Tells notes one by one, each once the one before has reached the mailbox. */
async function noteSlowly({ sender, subject }: { sender: Puppet; subject: Puppet }, numbers: readonly number[]): Promise<number[]> {
  const results: number[] = [];
  for (const number of numbers) {
    results.push(...(await sender.note(subject, number)));
    await sender.ask(subject, 'urgentEcho', { text: '' });
    await until(async () => !(await stillInLane(sender, subject)), 'it has left its lane');
  }
  return results;
}

/** A level beyond what the mailbox shows is that of the lane. */
async function stillInLane(sender: Puppet, subject: Puppet): Promise<boolean> {
  return (await sender.do('levelOf', subject.address)) !== (await subject.do('levelOf', subject.address));
}

async function handledNotes(subject: Puppet): Promise<number[]> {
  await subject.do('release', 'busy');
  await subject.hasLogged('released busy');
  await subject.ask(subject, 'echo', { text: 'end' }).catch(() => {});
  await subject.hasLogged('echo end');
  return (await subject.log()).filter((entry) => entry.startsWith('note ')).map((entry) => Number(entry.slice('note '.length)));
}

const shedOf = (subject: Puppet) => stage.system.health(subject.thread).counters;

describe.each(SPAWNED)('of an actor that is %s', (placement) => {
  test('[S74] refuse and wait: from the mark of drop on arrivals are refused, until the level is down at its low mark', async () => {
    for (const policy of ['refuse', 'wait'] as const) {
      const pair = await busyPair(placement, { mailbox: { capacity: 4, policy, marks: { drop: 4, dropLow: 2, sync: 2, syncLow: 1 } } });
      expect(await noteSlowly(pair, range(0, 6))).toEqual([0, 0, 0, 0, BACK_PRESSURED, BACK_PRESSURED]);
      await pair.subject.do('release', 'busy');
      await pair.subject.hasLogged('note 3');
      expect(await pair.sender.note(pair.subject, 9)).toEqual([0]);
      await pair.subject.hasLogged('note 9');
    }
  });

  test('[S75] drop_newest: at capacity the arrival is shed, and its sender is not refused', async () => {
    const pair = await busyPair(placement, { mailbox: { capacity: 4, policy: 'drop_newest' } });
    const before = shedOf(pair.subject).dropped_newest;
    expect(await noteSlowly(pair, range(0, 7))).toEqual([0, 0, 0, 0, 0, 0, 0]);
    expect(await handledNotes(pair.subject)).toEqual([0, 1, 2, 3]);
    expect(shedOf(pair.subject).dropped_newest - before).toBe(3);
  });

  test('[S76] drop_oldest: at capacity the oldest is shed for the arrival', async () => {
    const pair = await busyPair(placement, { mailbox: { capacity: 4, policy: 'drop_oldest' } });
    const before = shedOf(pair.subject).dropped_oldest;
    expect(await noteSlowly(pair, range(0, 7))).toEqual([0, 0, 0, 0, 0, 0, 0]);
    expect(await handledNotes(pair.subject)).toEqual([3, 4, 5, 6]);
    expect(shedOf(pair.subject).dropped_oldest - before).toBe(3);
  });

  test('[S77] conflate: an arrival takes the place of the one with its key', async () => {
    const pair = await busyPair(placement, { mailbox: { capacity: 4, policy: 'conflate' }, keyModulo: 3 });
    const before = shedOf(pair.subject).conflated;
    expect(await noteSlowly(pair, range(0, 7))).toEqual([0, 0, 0, 0, 0, 0, 0]);
    expect(await handledNotes(pair.subject)).toEqual([6, 4, 5]);
    expect(shedOf(pair.subject).conflated - before).toBe(4);
  });

  test('[S78] expire: what has waited for longer than its time is not handled', async () => {
    const pair = await busyPair(placement, { mailbox: { policy: 'expire', ttlMs: 100 } });
    const before = shedOf(pair.subject).expired;
    await noteSlowly(pair, [0, 1]);
    await pair.subject.do('after', 'both are too old', 200);
    await pair.subject.hasLogged('after both are too old');
    await pair.subject.do('release', 'busy');
    await until(() => shedOf(pair.subject).expired === before + 2, 'both are counted');
    expect((await pair.subject.log()).filter((entry) => entry.startsWith('note'))).toEqual([]);
  });

  test('[S79] flush: at its mark a mailbox that may lose messages gives up all it has, and begins anew', async () => {
    const pair = await busyPair(placement, { mailbox: { capacity: 4, policy: 'drop_oldest', marks: { flush: 4 } } });
    const before = shedOf(pair.subject).flushed;
    expect(await noteSlowly(pair, range(0, 6))).toEqual([0, 0, 0, 0, 0, 0]);
    expect(await handledNotes(pair.subject)).toEqual([4, 5]);
    expect(shedOf(pair.subject).flushed - before).toBe(4);
  });

  test('[S80] without a mailbox of its own it refuses from 1,000 messages on', async () => {
    const pair = await busyPair(placement, {});
    await pair.sender.note(pair.subject, ...range(0, 999));
    await pair.subject.holds(999);
    expect(await noteSlowly(pair, [999, 1_000])).toEqual([0, BACK_PRESSURED]);
  });

  test('[S105] an ask whose message the mailbox sheds ends with ask_refused', async () => {
    const { sender, subject } = await busyPair(placement, { mailbox: { capacity: 1, policy: 'drop_newest' } });
    const first = sender.ask(subject, 'echo', { text: 'kept' });
    await sender.do('life');
    expect(await sender.ask(subject, 'echo', { text: 'shed' })).toMatchObject({ code: 'ask_refused', mayHaveBeenHandled: false });
    await subject.do('release', 'busy');
    expect(await first).toMatchObject({ answer: { text: 'kept' } });
  });

  test('[S81] telemetry takes no room of the data', async () => {
    const pair = await busyPair(placement, { mailbox: { capacity: 2 } });
    await pair.sender.do('flood', pair.subject.address, 'gauge', 100);
    await pair.sender.ask(pair.subject, 'urgentEcho', { text: '' });
    expect(await noteSlowly(pair, [1, 2])).toEqual([0, 0]);
    await pair.subject.do('release', 'busy');
    expect((await pair.subject.logged(104)).slice(0, 5)).toEqual(['hold busy', 'released busy', 'note 1', 'note 2', 'gauge 0']);
  });
});

test('[S82] the same arrivals lead to the same decisions', async () => {
  const runs: unknown[] = [];
  for (let run = 0; run < 3; run++) {
    const { sender, subject } = await busyPair('spawned on the same thread', { mailbox: { capacity: 8, policy: 'drop_oldest', marks: { flush: 24 } } });
    const results = await sender.note(subject, ...range(0, 50));
    runs.push([results, await handledNotes(subject)]);
  }
  expect(runs[1]).toEqual(runs[0]);
  expect(runs[2]).toEqual(runs[0]);
});
