/** `become`, the stash, timers and the receive timeout: docs/reference/semantics.md. */
import { describe, expect, test } from 'vitest';
import { until } from '../condition.ts';
import { PLACEMENTS, SPAWNED, useStage } from './stage.ts';

const stage = useStage();
const LATER = { text: 'x' };

describe.each(PLACEMENTS)('of an actor that is %s', (placement) => {
  test('[S48] become changes how the next message is handled, and gives back how it was', async () => {
    const { sender, subject } = await stage.pair(placement);
    await sender.note(subject, 1);
    await subject.hasLogged('note 1');
    await subject.do('becomeOther');
    await sender.note(subject, 2);
    await subject.hasLogged('became 2');
    await subject.do('becomeFormer');
    await sender.note(subject, 3);
    expect(await subject.logged(3)).toEqual(['note 1', 'became 2', 'note 3']);
  });

  test('[S49] what was stashed comes back in front of what waits, in its order, and is answered then', async () => {
    const { sender, subject } = await stage.pair(placement);
    const answers = ['a', 'b'].map((text) => sender.ask(subject, 'later', { text }));
    await sender.do('life');
    // Answered only behind the two that were put aside.
    await sender.ask(subject, 'echo', { text: 'c' });
    await stage.begin(sender, subject, 'busy');
    await sender.note(subject, 1);
    await subject.do('open');
    expect(await subject.do('unstash')).toBe(2);
    await subject.do('release', 'busy');
    expect(await subject.logged(6)).toEqual(['echo c', 'hold busy', 'released busy', 'later a', 'later b', 'note 1']);
    expect(await Promise.all(answers)).toEqual([{ answer: { text: 'a', life: 1 } }, { answer: { text: 'b', life: 1 } }]);
  });

  test('[S50] a stash that is full fails the message with stash_full, and keeps what it has', async () => {
    const { sender, subject } = await stage.pair(placement);
    const kept = ['a', 'b', 'c', 'd'].map((text) => sender.ask(subject, 'later', { text }));
    await sender.do('life');
    expect(await sender.ask(subject, 'later', LATER)).toMatchObject({ code: 'stash_full', mayHaveBeenHandled: true });
    await subject.do('open');
    expect(await subject.do('unstash')).toBe(4);
    expect(await Promise.all(kept)).toEqual(['a', 'b', 'c', 'd'].map((text) => ({ answer: { text, life: 1 } })));
  });

  test('[S52] a timer runs once or again and again, until it is cancelled', async () => {
    const { subject } = await stage.pair(placement);
    await subject.do('every', 'beat', 1);
    await subject.do('after', 'once', 1);
    await until(async () => (await subject.log()).filter((entry) => entry === 'every beat').length >= 3, 'it runs again and again');
    await subject.hasLogged('after once');
    await subject.do('cancelTimer', 'beat');
    const beats = (await subject.log()).length;
    await subject.do('afterAndCancelled', 'never', 1);
    // Timers of one thread run in the order of their times.
    await subject.do('after', 'last', 5);
    await subject.hasLogged('after last');
    const log = await subject.log();
    expect(log).toHaveLength(beats + 1);
    expect(log.filter((entry) => entry === 'after once')).toHaveLength(1);
  });

  test('[S53] timers run while a data handler is pending', async () => {
    const { sender, subject } = await stage.pair(placement);
    await stage.begin(sender, subject, 'busy');
    await subject.do('after', 'meanwhile', 1);
    await subject.hasLogged('after meanwhile');
    expect(await subject.log()).toEqual(['hold busy', 'after meanwhile']);
  });

  test('[S56] the receive timeout is called whenever no data have come for so long, until it is taken off', async () => {
    const { subject } = await stage.pair(placement);
    await subject.do('receiveTimeout', 2);
    await until(async () => (await subject.log()).length >= 2, 'it is called again and again, also while control comes');
    await subject.do('receiveTimeout', null);
    const silences = (await subject.log()).length;
    await subject.do('after', 'later', 10);
    await subject.hasLogged('after later');
    expect(await subject.log()).toHaveLength(silences + 1);
  });
});

describe.each(SPAWNED)('of an actor that is %s', (placement) => {
  test('[S51] what was stashed by one life comes back to the next', async () => {
    const { sender, subject } = await stage.pair(placement, { onFailure: 'restart' });
    const answer = sender.ask(subject, 'later', { text: 'a' });
    await sender.do('life');
    await sender.ask(subject, 'fail', { code: '' });
    // The next life puts it aside again, as it is closed.
    await subject.hasLives(2);
    await sender.ask(subject, 'echo', { text: 'behind it' });
    await subject.do('open');
    expect(await subject.do('unstash')).toBe(1);
    expect(await answer).toEqual({ answer: { text: 'a', life: 2 } });
  });

  test('[S54] timers end with the life that made them', async () => {
    const { sender, subject } = await stage.pair(placement, { onFailure: 'restart' });
    await subject.do('after', 'of the first life', 5);
    await subject.do('receiveTimeout', 5);
    await sender.ask(subject, 'fail', { code: '' });
    await subject.hasLives(2);
    await subject.do('after', 'of the second life', 10);
    await subject.hasLogged('after of the second life');
    expect(await subject.log()).toEqual(['after of the second life']);
  });

  test('[S55] what fails in a timer or a watch fails the actor', async () => {
    const { subject } = await stage.pair(placement, { onFailure: 'restart' });
    await subject.do('failAfter', 1);
    await subject.hasLives(2);
    // There is nobody at this address, which is an end to tell of.
    await subject.do('watchBadly', subject.address + 1);
    await subject.hasLives(3);
  });
});

test('[S57] the receive timeout is not called while data come', async () => {
  const { sender, subject } = await stage.pair('spawned on another thread');
  await subject.do('receiveTimeout', 400);
  await subject.do('after', 'end', 600);
  for (let number = 0; !(await subject.log()).includes('after end'); number++) await sender.note(subject, number);
  expect(await subject.log()).not.toContain('silence');
});
