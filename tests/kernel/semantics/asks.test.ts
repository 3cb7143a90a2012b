/** `ask`, and each of the ways in which one ends: docs/reference/semantics.md. */
import { describe, expect, test } from 'vitest';
import { until } from '../condition.ts';
import { PLACEMENTS, SPAWNED, useStage, type Placement, type Puppet } from './stage.ts';

const stage = useStage();
const echo = (sender: Puppet, subject: Puppet, text: string, options = {}) => sender.ask(subject, 'echo', { text }, options);
const countersOf = (subject: Puppet) => stage.system.health(subject.thread).counters;

async function stopped(placement: Placement, subject: Puppet): Promise<void> {
  if (placement === 'the own actor of another thread') await stage.system.terminate(subject.thread);
  else await subject.do('stopSelf');
}

describe.each(PLACEMENTS)('of an actor that is %s', (placement) => {
  test('[S25] an ask ends with the answer, once', async () => {
    const { sender, subject } = await stage.pair(placement);
    const answers = await Promise.all(Array.from({ length: 50 }, (_, index) => echo(sender, subject, String(index))));
    expect(answers).toEqual(Array.from({ length: 50 }, (_, index) => ({ answer: { text: String(index), life: 1 } })));
    expect(await subject.log()).toHaveLength(50);
  });

  test('[S26] the code and message of a SpillwayError that the handler throws are the end of the ask', async () => {
    const { sender, subject } = await stage.pair(placement);
    expect(await sender.ask(subject, 'fail', { code: 'no_such_file' })).toEqual({ code: 'no_such_file', message: 'told to fail', mayHaveBeenHandled: true });
    expect(await echo(sender, subject, 'goes on')).toMatchObject({ answer: { life: 1 } });
  });

  test('[S27] ask_refused: there was no room, and it was not handled', async () => {
    const { sender, subject } = await stage.pair(placement);
    await stage.begin(sender, subject, 'first');
    const { told } = await stage.fill(sender, subject);
    expect(await echo(sender, subject, 'refused')).toMatchObject({ code: 'ask_refused', mayHaveBeenHandled: false });
    await subject.do('release', 'first');
    await subject.hasLogged(`note ${told - 1}`);
    expect(await subject.log()).not.toContain('echo refused');
  });

  test('[S28] ask_deadline: it may have been handled; begun or not, nobody takes its answer any more', async () => {
    const { sender, subject } = await stage.pair(placement);
    const begun = sender.ask(subject, 'hold', { key: 'begun' }, { deadlineMs: 30 });
    await subject.hasLogged('hold begun');
    const waiting = await echo(sender, subject, 'waits', { deadlineMs: 5 });
    expect(waiting).toMatchObject({ code: 'ask_deadline', mayHaveBeenHandled: true });
    expect(await begun).toMatchObject({ code: 'ask_deadline', mayHaveBeenHandled: true });
    await subject.do('release', 'begun');
    await subject.hasLogged('released begun cancelled');
    await echo(sender, subject, 'next');
    expect(await subject.log()).toEqual(['hold begun', 'released begun cancelled', 'echo next']);
  });

  test('[S29] ask_cancelled: at once, and not handled if it was cancelled before it was sent', async () => {
    const { sender, subject } = await stage.pair(placement);
    const { outcome } = await stage.begin(sender, subject, 'begun', { cancel: 'begun' });
    await sender.do('cancel', 'begun');
    expect(await outcome).toMatchObject({ code: 'ask_cancelled', mayHaveBeenHandled: true });
    await sender.do('openScope', 'over');
    await sender.do('cancelScope', 'over');
    expect(await echo(sender, subject, 'never sent', { scope: 'over' })).toMatchObject({ code: 'ask_cancelled', mayHaveBeenHandled: false });
    await subject.do('release', 'begun');
    await echo(sender, subject, 'next');
    expect(await subject.log()).toEqual(['hold begun', 'released begun cancelled', 'echo next']);
  });

  test('[S30] one that is cancelled while its message waits is never handled', async () => {
    const { sender, subject } = await stage.pair(placement);
    const before = countersOf(subject).cancelled;
    await stage.begin(sender, subject, 'first');
    const waiting = echo(sender, subject, 'never handled', { cancel: 'it' });
    await sender.do('life');
    await sender.do('cancel', 'it');
    expect(await waiting).toMatchObject({ code: 'ask_cancelled', mayHaveBeenHandled: true });
    await subject.do('release', 'first');
    await echo(sender, subject, 'next');
    expect(await subject.log()).toEqual(['hold first', 'released first', 'echo next']);
    expect(countersOf(subject).cancelled - before).toBe(1);
  });

  test('[S31] one whose deadline has passed while its message waits is never handled', async () => {
    const { sender, subject } = await stage.pair(placement);
    const before = countersOf(subject);
    await stage.begin(sender, subject, 'first');
    expect(await echo(sender, subject, 'too late', { deadlineMs: 5 })).toMatchObject({ code: 'ask_deadline' });
    await subject.do('release', 'first');
    await echo(sender, subject, 'next');
    expect(await subject.log()).toEqual(['hold first', 'released first', 'echo next']);
    const { expired, cancelled } = countersOf(subject);
    expect(expired + cancelled - before.expired - before.cancelled).toBe(1);
  });

  test('[S32] actor_restarted: the actor failed while it had the message, and will be there again', async () => {
    const { sender, subject } = await stage.pair(placement, { onFailure: 'restart' });
    const { outcome } = await stage.begin(sender, subject, 'first');
    const waiting = echo(sender, subject, 'waits');
    await sender.do('life');
    expect(await sender.ask(subject, 'do', { command: 'noSuchCommand', args: [] })).toMatchObject({ code: 'actor_restarted', mayHaveBeenHandled: true });
    expect(await outcome).toMatchObject({ code: 'actor_restarted', mayHaveBeenHandled: true });
    expect(await waiting).toEqual({ answer: { text: 'waits', life: 2 } });
  });

  test('[S33] actor_stopped: the actor has gone for good; the ask says whether it had the message', async () => {
    const { sender, subject } = await stage.pair(placement);
    if (placement === 'the own actor of another thread') {
      const { outcome } = await stage.begin(sender, subject, 'never released');
      await stage.system.terminate(subject.thread);
      expect(await outcome).toMatchObject({ code: 'actor_stopped', mayHaveBeenHandled: true });
    } else {
      const { outcome } = await stage.begin(sender, subject, 'never released');
      const waiting = echo(sender, subject, 'waits');
      await sender.do('life');
      await stopped(placement, subject);
      expect(await outcome).toMatchObject({ code: 'actor_stopped', mayHaveBeenHandled: true });
      expect(await waiting).toMatchObject({ code: 'actor_stopped', mayHaveBeenHandled: false });
    }
    expect(await echo(sender, subject, 'after')).toMatchObject({ code: 'actor_stopped', mayHaveBeenHandled: false });
  });

  test('[S34] an answer that comes too late is counted as stale_reply', async () => {
    const { sender, subject } = await stage.pair(placement);
    const before = countersOf(sender).stale_reply;
    const { outcome } = await stage.begin(sender, subject, 'first', { cancel: 'it' });
    await sender.do('cancel', 'it');
    await outcome;
    await subject.do('release', 'first');
    await until(() => countersOf(sender).stale_reply === before + 1, 'it is counted');
  });
});

test('[S35] message_too_large: the message was not sent, or the answer does not fit its lane', async () => {
  const sender = await stage.spawn(stage.north);
  const subject = await stage.thread({ mailbox: { dataBytes: 4_096 } });
  await stage.link(sender, subject);
  expect(await echo(sender, subject, 'x'.repeat(4_096))).toMatchObject({ code: 'message_too_large', mayHaveBeenHandled: false });
  const narrow = await stage.thread({ mailbox: { dataBytes: 1_024 } });
  const wide = await stage.spawn(stage.south);
  await stage.link(narrow, wide);
  expect(await narrow.ask(wide, 'echo', { text: 'x'.repeat(2_000) })).toMatchObject({ code: 'message_too_large', mayHaveBeenHandled: true });
  expect(await wide.log()).toHaveLength(1);
});

test.each(SPAWNED)('[S36] asks that wait for each other across two actors (%s) go on, since control and answers pass', async (placement) => {
  const { sender, subject } = await stage.pair(placement);
  const { outcome } = await stage.begin(sender, subject, 'first');
  const back = subject.ask(sender, 'echo', { text: 'back' });
  expect(await back).toMatchObject({ answer: { text: 'back' } });
  await subject.do('release', 'first');
  expect(await outcome).toEqual({ answer: { cancelled: false } });
});
