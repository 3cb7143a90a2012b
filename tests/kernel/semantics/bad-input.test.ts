/** Bad input, each with its code; the thread and its neighbours go on: docs/reference/semantics.md. */
import { CLOSED } from 'atomics-ring-buffer';
import { afterEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../../../kernel/index.ts';
import { createSystem } from '../../../supervisors/index.ts';
import { until } from '../condition.ts';
import { PLACEMENTS, SPAWNED, useStage } from './stage.ts';

const stage = useStage();

afterEach(async () => {
  for (const thread of [stage.north, stage.south]) expect(await thread.do('life')).toBe(1);
});

describe.each(PLACEMENTS)('to an actor that is %s', (placement) => {
  test('[S94] message_invalid: a message that does not fit names the field, what was expected and what came, and is not sent', async () => {
    const { sender, subject } = await stage.pair(placement);
    const wrong = { code: 'message_invalid', message: expect.stringMatching(/field \/number must be a uint32, and is /) as string };
    expect(await sender.do('tellBadly', subject.address, 'note', { number: -1 })).toMatchObject(wrong);
    expect(await sender.ask(subject, 'echo', { text: 7 })).toMatchObject({ code: 'message_invalid', message: expect.stringContaining('/text') as string });
    expect(await sender.do('send', subject.address, 'note', { number: 'one' })).toMatchObject(wrong);
    expect(await sender.ask(subject, 'echo', { text: 'well' })).toMatchObject({ answer: { text: 'well' } });
    expect(await subject.log()).toEqual(['echo well']);
  });

  test('[S95] value_refused: keys that reach a prototype, nesting beyond the limit, and what is no data', async () => {
    const { sender, subject } = await stage.pair(placement);
    for (const what of ['proto', 'deep', 'function', 'cyclic'] as const) {
      const outcome = await sender.do('askBadly', subject.address, what);
      expect([what, outcome.code, outcome.mayHaveBeenHandled]).toEqual([what, 'value_refused', false]);
    }
    expect(await sender.ask(subject, 'value', { value: { well: [1] } })).toEqual({ answer: { value: { well: [1] } } });
  });

  test('[S96] an ask without a deadline, or one that is not finite, is a TypeError', async () => {
    const { sender, subject } = await stage.pair(placement);
    for (const deadlineMs of [0, -1, Number.NaN, Infinity]) {
      expect(await sender.ask(subject, 'echo', { text: '' }, { deadlineMs })).toMatchObject({ code: 'TypeError' });
      expect(await sender.do('send', subject.address, 'note', { number: 1 }, { deadlineMs })).toMatchObject({ code: 'TypeError' });
    }
    await expect(subject.ref.ask('echo', { text: '' }, {} as { deadlineMs: number })).rejects.toThrow(TypeError);
    expect(await subject.log()).toEqual([]);
  });

  test('[S97] an answer that does not fit its protocol is a defect of the actor that gives it', async () => {
    const { sender, subject } = await stage.pair(placement, { onFailure: 'restart' });
    expect(await sender.ask(subject, 'answerWrongly', {})).toMatchObject({ code: 'actor_restarted', mayHaveBeenHandled: true });
    await subject.hasLives(2);
  });

  test('[S98] of two answers to one ask the first counts, and the second is counted as stale_reply', async () => {
    const { sender, subject } = await stage.pair(placement);
    const target = await stage.spawn(stage.south);
    await stage.link(subject, target);
    const before = stage.system.health(sender.thread).counters.stale_reply;
    expect(await sender.ask(subject, 'passTwice', { to: target.address, text: 'the' })).toEqual({ answer: { text: 'the first', life: 1 } });
    await until(() => stage.system.health(sender.thread).counters.stale_reply === before + 1, 'the second is counted');
  });

  test('[S99] timers want a finite time, and there are as many as there may be', async () => {
    const { subject } = await stage.pair(placement);
    for (const delayMs of [-1, Infinity]) expect(await subject.do('tryAfter', delayMs)).toMatchObject({ code: 'timer_invalid' });
    const { made, code } = await subject.do('manyTimers', 100_000);
    expect(code).toBe('timers_full');
    expect(made).toBe(4_096);
  });

  test('[S101] a handler that never ends leaves its neighbours alone', async () => {
    const { sender, subject } = await stage.pair(placement);
    const neighbour = await stage.spawn(subject.thread === stage.north.thread ? stage.north : stage.south);
    await stage.begin(sender, subject, 'never released');
    expect(await sender.ask(subject, 'echo', { text: '' }, { deadlineMs: 20 })).toMatchObject({ code: 'ask_deadline' });
    expect(await sender.ask(neighbour, 'echo', { text: 'well' })).toMatchObject({ answer: { text: 'well' } });
  });
});

test('[S101] a handler that holds its thread leaves the other threads alone', async () => {
  const { sender, subject } = await stage.pair('the own actor of another thread');
  const go = await stage.hold(subject);
  expect(await sender.ask(subject, 'urgentEcho', { text: '' }, { deadlineMs: 20 })).toMatchObject({ code: 'ask_deadline', mayHaveBeenHandled: true });
  expect(await sender.ask(stage.south, 'urgentEcho', { text: 'well' })).toMatchObject({ answer: { text: 'well' } });
  go();
  expect(await sender.ask(subject, 'urgentEcho', { text: 'well again' })).toMatchObject({ answer: { text: 'well again' } });
});

describe.each(SPAWNED)('of an actor that is %s', (placement) => {
  test('[S100] a stash is declared, holds what its handler has in hand, and no control', async () => {
    const { sender, subject } = await stage.pair(placement, { stashCapacity: 0 });
    expect(await sender.ask(subject, 'later', { text: '' })).toMatchObject({ code: 'stash_undeclared', mayHaveBeenHandled: true });
    const { subject: other } = await stage.pair(placement);
    expect(await other.do('tryStash')).toMatchObject({ code: 'TypeError' });
  });

  test('[S102] an unknown address ends an ask with actor_stopped, and a tell is refused or counted', async () => {
    const { sender, subject } = await stage.pair(placement);
    const nobody = subject.address + (6_000 << 4);
    expect(await sender.ask(nobody, 'echo', { text: '' })).toMatchObject({ code: 'actor_stopped', mayHaveBeenHandled: false });
    expect([0, CLOSED]).toContain(await sender.tell(nobody, 'note', { number: 1 }));
    const noThread = (900 << 22) | 1;
    expect(await sender.ask(noThread >>> 0, 'echo', { text: '' })).toMatchObject({ code: 'actor_stopped', mayHaveBeenHandled: false });
    expect(await sender.do('resolve', 'nobody')).toMatchObject({ code: 'actor_unknown' });
  });
});

describe('a spec', () => {
  test('[S103] mailbox_invalid: marks in the wrong order, keys that there are not, and values out of range', async () => {
    for (const mailbox of [{ marks: { sync: 4, syncLow: 4 } }, { capasity: 4 }, { capacity: 0 }, { policy: 'expire' }] as object[]) {
      expect(await stage.north.do('trySpawn', { mailbox })).toMatchObject({ code: 'mailbox_invalid' });
    }
    expect(await stage.north.do('children')).not.toContain(undefined);
    for (const name of ['puppetWithBadMarks', 'puppetWithUnknownKey']) {
      await expect(stage.thread({ export: name })).rejects.toMatchObject({ code: 'mailbox_invalid' });
    }
  });

  test('[S104] spec_invalid and config_invalid: a key that there is not, or a value out of range', async () => {
    await expect(stage.thread({ mailbox: { dataBites: 4_096 } as object })).rejects.toMatchObject({ code: 'spec_invalid' });
    await expect(stage.thread({ mailbox: { highMarkBytes: 1_024, lowMarkBytes: 1_024 } })).rejects.toMatchObject({ code: 'spec_invalid' });
    await expect(createSystem({ maxThreads: 1 })).rejects.toMatchObject({ code: 'spec_invalid' });
    const config = { name: 'puppet', schema: { optionalProperties: { level: { type: 'uint8' } } }, defaults: {}, env: {}, cwd: import.meta.dirname } as const;
    await expect(loadConfig({ ...config, flags: { lewel: 1 } })).rejects.toMatchObject({ code: 'config_invalid' });
    await expect(loadConfig({ ...config, flags: { level: 300 } })).rejects.toMatchObject({ code: 'config_invalid' });
  });
});
