/** `tell` and `send`: docs/reference/semantics.md. */
import { ADMIN_ACTION, BACK_PRESSURED, CLOSED, TOO_LONG } from 'atomics-ring-buffer';
import { describe, expect, test } from 'vitest';
import { until } from '../condition.ts';
import type { Call } from '../actors/puppet-commands.ts';
import { PLACEMENTS, SPAWNED, useStage } from './stage.ts';

const stage = useStage();
const SMALL = { mailbox: { capacity: 8 } };
const note = (number: number): Call => ['note', { number }];

describe.each(PLACEMENTS)('to an actor that is %s', (placement) => {
  test('[S17] a tell that returns 0 is taken, and one that is refused with BACK_PRESSURED is not', async () => {
    const { sender, subject } = await stage.pair(placement, SMALL);
    await stage.begin(sender, subject, 'first');
    const { told, result } = await stage.fill(sender, subject);
    expect(result).toBe(BACK_PRESSURED);
    await subject.do('release', 'first');
    await subject.hasLogged(`note ${told - 1}`);
    expect(await sender.note(subject, 777_777)).toEqual([0]);
    await subject.hasLogged('note 777777');
    expect((await subject.log()).filter((entry) => entry.startsWith('note'))).toHaveLength(told + 1);
  });

  test('[S18] a tell to an actor that has stopped returns CLOSED', async () => {
    const { sender, subject } = await stage.pair(placement);
    if (placement === 'the own actor of another thread') await stage.system.terminate(subject.thread);
    else await subject.do('stopSelf');
    await until(async () => (await sender.tell(subject, 'note', { number: 1 })) !== 0, 'tells are refused');
    expect(await sender.tell(subject, 'note', { number: 1 })).toBe(CLOSED);
  });

  test('[S21] a send waits for room, and keeps its order; what is told meanwhile is refused', async () => {
    const { sender, subject } = await stage.pair(placement, SMALL);
    await stage.begin(sender, subject, 'first');
    const { told } = await stage.fill(sender, subject);
    const sending = sender.do('sendAllThenTell', subject.address, [note(900_001), note(900_002), note(900_003)], note(900_004));
    await sender.do('life');
    await subject.do('release', 'first');
    expect(await sending).toEqual({ told: BACK_PRESSURED, sent: [{ answer: null }, { answer: null }, { answer: null }] });
    await subject.hasLogged('note 900003');
    expect((await subject.log()).slice(-4)).toEqual([`note ${told - 1}`, 'note 900001', 'note 900002', 'note 900003']);
  });

  test('[S22] a send that finds no room within its deadline was not sent', async () => {
    const { sender, subject } = await stage.pair(placement, SMALL);
    await stage.begin(sender, subject, 'first');
    const { told } = await stage.fill(sender, subject);
    expect(await sender.do('send', subject.address, 'note', { number: 900_001 }, { deadlineMs: 5 })).toMatchObject({ code: 'send_deadline', mayHaveBeenHandled: false });
    const cancelled = sender.do('send', subject.address, 'note', { number: 900_002 }, { cancel: 'it' });
    await sender.do('life');
    await sender.do('cancel', 'it');
    expect(await cancelled).toMatchObject({ code: 'send_cancelled', mayHaveBeenHandled: false });
    await subject.do('release', 'first');
    await subject.hasLogged(`note ${told - 1}`);
    await sender.ask(subject, 'echo', { text: 'last' });
    expect((await subject.log()).slice(-2)).toEqual([`note ${told - 1}`, 'echo last']);
  });

  test('[S23] a send to an actor that has stopped fails with actor_stopped, also while it waits for room', async () => {
    const { sender, subject } = await stage.pair(placement, SMALL);
    await stage.begin(sender, subject, 'first');
    await stage.fill(sender, subject);
    const waiting = sender.do('send', subject.address, 'note', { number: 900_001 });
    await sender.do('life');
    if (placement === 'the own actor of another thread') {
      const ended = stage.system.terminate(subject.thread);
      await subject.do('release', 'first').catch(() => {});
      await ended;
      // Its lane had room before it left, so the message was taken with the rest.
      expect(await waiting).toMatchObject({ answer: null });
    } else {
      await subject.do('stopSelf');
      expect(await waiting).toMatchObject({ code: 'actor_stopped', mayHaveBeenHandled: false });
    }
    expect(await sender.do('send', subject.address, 'note', { number: 1 })).toMatchObject({ code: 'actor_stopped', mayHaveBeenHandled: false });
  });
});

test('[S19] a tell of a message longer than half its lane returns TOO_LONG', async () => {
  const sender = await stage.spawn(stage.north);
  const subject = await stage.thread({ mailbox: { dataBytes: 4_096 } });
  await stage.link(sender, subject);
  expect(await sender.tell(subject, 'echo', { text: 'x'.repeat(4_096) })).toBe(TOO_LONG);
  expect(await sender.do('send', subject.address, 'echo', { text: 'x'.repeat(4_096) })).toMatchObject({ code: 'message_too_large', mayHaveBeenHandled: false });
  expect(await sender.ask(subject, 'echo', { text: 'x'.repeat(1_000) })).toMatchObject({ answer: { life: 1 } });
});

test('[S20] a first tell to another thread returns ADMIN_ACTION until there is a link; send and ask wait for it', async () => {
  const [teller, sender, asker] = await Promise.all([stage.thread(), stage.thread(), stage.thread()]);
  const subject = await stage.spawn(stage.south);
  expect(await teller.tell(subject, 'note', { number: 0 })).toBe(ADMIN_ACTION);
  await until(async () => (await teller.tell(subject, 'note', { number: 1 })) === 0, 'the link is made');
  expect(await sender.do('send', subject.address, 'note', { number: 2 })).toEqual({ answer: null });
  expect(await asker.ask(subject, 'echo', { text: '3' })).toMatchObject({ answer: { text: '3' } });
  expect((await subject.logged(3)).toSorted()).toEqual(['echo 3', 'note 1', 'note 2']);
});

test.each(SPAWNED)('[S24] a send to an actor (%s) whose mailbox shows the mode sync resolves once it has come down from it', async (placement) => {
  const { sender, subject } = await stage.pair(placement, { mailbox: { capacity: 8, marks: { sync: 2, syncLow: 0 } } });
  await stage.begin(sender, subject, 'first');
  await sender.note(subject, 1, 2);
  await subject.holds(2);
  let isThrough = false;
  const throttled = (async () => {
    await sender.do('send', subject.address, 'note', { number: 3 });
    isThrough = true;
    return subject.log();
  })();
  await subject.holds(3);
  await sender.do('life');
  expect(isThrough).toBe(false);
  await subject.do('release', 'first');
  expect(await throttled).toEqual(expect.arrayContaining(['note 1', 'note 2']));
});
