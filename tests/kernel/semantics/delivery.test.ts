/** Delivery, and what a failure leaves: docs/reference/semantics.md. */
import { describe, expect, test } from 'vitest';
import { until } from '../condition.ts';
import { PLACEMENTS, SPAWNED, useStage, type Placement, type Puppet } from './stage.ts';

const stage = useStage();

/** A pair whose subject is started again when it fails. */
const restarted = (placement: Placement): Promise<{ sender: Puppet; subject: Puppet }> => stage.pair(placement, { onFailure: 'restart' });

describe.each(PLACEMENTS)('to an actor that is %s', (placement) => {
  test('[S11] a message that was in the hands of an actor when it failed is not delivered again', async () => {
    const { sender, subject } = await restarted(placement);
    await stage.begin(sender, subject, 'first');
    await sender.tell(subject, 'note', { number: 1 });
    // A failure on the control lane, while the data message is in its hands.
    expect(await sender.ask(subject, 'do', { command: 'noSuchCommand', args: [] })).toMatchObject({ mayHaveBeenHandled: true });
    expect(await subject.logged(1)).toEqual(['note 1']);
    expect(await subject.do('life')).toBe(2);
  });

  test('[S12] what waits while it fails is handled by its next life, in order', async () => {
    const { sender, subject } = await restarted(placement);
    const go = await stage.hold(subject);
    await sender.do('tellAll', subject.address, [['note', { number: 1 }], ['fail', { code: '' }], ['note', { number: 2 }], ['note', { number: 3 }]]);
    go();
    expect(await subject.logged(2)).toEqual(['note 2', 'note 3']);
    expect(await subject.do('life')).toBe(2);
  });

  test('[S13] a message that its handler fails with a SpillwayError is handled, and the actor goes on', async () => {
    const { sender, subject } = await restarted(placement);
    await sender.do('tellAll', subject.address, [['fail', { code: 'told_to' }], ['note', { number: 1 }]]);
    expect(await subject.logged(2)).toEqual(['fail told_to', 'note 1']);
    expect(await subject.do('life')).toBe(1);
  });

  test('[S14] a reference stays good over a restart', async () => {
    const { sender, subject } = await restarted(placement);
    for (const life of [2, 3]) {
      await sender.tell(subject, 'fail', { code: '' });
      await subject.hasLives(life);
      expect(await sender.ask(subject, 'echo', { text: 'again' })).toMatchObject({ answer: { text: 'again', life } });
    }
  });
});

test('[S15] what a declared mailbox holds dies with its thread, and is counted', async () => {
  const sender = await stage.spawn(stage.north);
  const subject = await stage.thread({ export: 'puppetWithMailbox' });
  await stage.link(sender, subject);
  await stage.begin(sender, subject, 'first');
  const asked = sender.ask(subject, 'echo', { text: 'waits in the mailbox' });
  await sender.do('life');
  await sender.note(subject, 1, 2);
  await subject.holds(3);
  await sender.ask(subject, 'do', { command: 'noSuchCommand', args: [] });
  expect(await asked).toMatchObject({ code: 'actor_restarted', mayHaveBeenHandled: true });
  await until(() => stage.system.health(subject.thread).counters.abandoned === 4, 'the message in hand and the three that waited are counted');
  expect(await subject.do('life')).toBe(2);
  expect(await subject.log()).toEqual([]);
});

test.each(SPAWNED)('[S16] a spawned actor (%s) whose parent says so is stopped by its failure, and what waits ends there', async (placement) => {
  const { sender, subject } = await stage.pair(placement);
  await stage.begin(sender, subject, 'first');
  const waiting = sender.ask(subject, 'echo', { text: 'waits' });
  await sender.do('life');
  expect(await sender.ask(subject, 'do', { command: 'noSuchCommand', args: [] })).toMatchObject({ code: 'actor_stopped', mayHaveBeenHandled: true });
  expect(await waiting).toMatchObject({ code: 'actor_stopped', mayHaveBeenHandled: false });
});
