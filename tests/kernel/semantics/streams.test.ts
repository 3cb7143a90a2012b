/** Streaming answers, and asks that are handed on: docs/reference/semantics.md. */
import { CLOSED } from 'atomics-ring-buffer';
import { describe, expect, test } from 'vitest';
import { until } from '../condition.ts';
import { PLACEMENTS, SPAWNED, useStage } from './stage.ts';

const stage = useStage();
const MANY = 1_000_000;

describe.each(PLACEMENTS)('from an actor that is %s', (placement) => {
  test('[S37] a stream brings its items in order, each once, and then its end', async () => {
    const { sender, subject } = await stage.pair(placement);
    await sender.do('openStream', 's', subject.address, { count: 100, ending: 'done' });
    expect(await sender.do('pull', 's', 101)).toEqual({ items: Array.from({ length: 100 }, (_, item) => item), answer: 'done' });
    expect(await sender.do('pull', 's', 1)).toEqual({ items: [], answer: 'done' });
  });

  test('[S38] nothing is made beyond what was taken and the demand', async () => {
    const { sender, subject } = await stage.pair(placement);
    await sender.do('openStream', 's', subject.address, { count: MANY, ending: 'done' }, { demand: 4 });
    expect(await sender.do('pull', 's', 10)).toMatchObject({ answer: 'more' });
    // What it would make too much it would make before it answers this.
    await sender.ask(subject, 'urgentEcho', { text: '' });
    await sender.ask(subject, 'echo', { text: '' });
    const items = (await subject.log()).filter((entry) => entry.startsWith('item '));
    expect(items.length).toBeGreaterThanOrEqual(10);
    expect(items.length).toBeLessThanOrEqual(14);
    await sender.do('leaveStream', 's');
  });

  test('[S39] the actor handles other messages between the items', async () => {
    const { sender, subject } = await stage.pair(placement);
    await sender.do('openStream', 's', subject.address, { count: MANY, ending: 'done' }, { demand: 1 });
    await sender.do('pull', 's', 2);
    expect(await sender.ask(subject, 'echo', { text: 'between' })).toMatchObject({ answer: { text: 'between' } });
    expect(await sender.do('pull', 's', 2)).toMatchObject({ items: [2, 3] });
    await sender.do('leaveStream', 's');
  });

  test('[S40] leaving a stream early ends it at its actor too', async () => {
    const { sender, subject } = await stage.pair(placement);
    await sender.do('openStream', 's', subject.address, { count: MANY, ending: 'done' });
    await sender.do('pull', 's', 3);
    await sender.do('leaveStream', 's');
    await subject.hasLogged('items over');
    expect(await sender.do('pull', 's', 1)).toEqual({ items: [], answer: 'done' });
  });

  test('[S41] what ends an ask ends a stream, behind the items that came before', async () => {
    const { sender, subject } = await stage.pair(placement, { onFailure: 'restart' });
    await sender.do('openStream', 'fails', subject.address, { count: 3, ending: 'error' });
    expect(await sender.do('pull', 'fails', 9)).toMatchObject({ items: [0, 1, 2], code: 'told_to_fail', mayHaveBeenHandled: true });
    await sender.do('openStream', 'late', subject.address, { count: 2, ending: 'never' }, { deadlineMs: 30 });
    expect(await sender.do('pull', 'late', 9)).toMatchObject({ items: [0, 1], code: 'ask_deadline', mayHaveBeenHandled: true });
    await sender.do('openStream', 'cancelled', subject.address, { count: 2, ending: 'never' }, { cancel: 'it' });
    const cancelled = sender.do('pull', 'cancelled', 9);
    await sender.do('life');
    await sender.do('cancel', 'it');
    expect(await cancelled).toMatchObject({ code: 'ask_cancelled', mayHaveBeenHandled: true });
  });

  test('[S42] the end of its actor ends a stream', async () => {
    const { sender, subject } = await stage.pair(placement);
    await sender.do('openStream', 's', subject.address, { count: 2, ending: 'never' });
    expect(await sender.do('pull', 's', 2)).toMatchObject({ items: [0, 1] });
    const rest = sender.do('pull', 's', 1);
    await sender.do('life');
    if (placement === 'the own actor of another thread') await stage.system.terminate(subject.thread);
    else await subject.do('stopSelf');
    expect(await rest).toMatchObject({ items: [], code: 'actor_stopped', mayHaveBeenHandled: true });
  });

  test('[S43] a stream that fails with a defect fails its actor', async () => {
    const { sender, subject } = await stage.pair(placement, { onFailure: 'restart' });
    await sender.do('openStream', 's', subject.address, { count: 2, ending: 'defect' });
    const { items, code, mayHaveBeenHandled } = await sender.do('pull', 's', 9);
    expect(items).toEqual([0, 1]);
    expect(['actor_stopped', 'actor_restarted']).toContain(code);
    expect(mayHaveBeenHandled).toBe(true);
    await subject.hasLives(2);
  });
});

describe.each(SPAWNED)('by an actor that is %s', (placement) => {
  test('[S44] an ask that is forwarded is answered by whom it was forwarded to', async () => {
    const { sender, subject } = await stage.pair(placement);
    const [near, far] = await Promise.all([stage.spawn(stage.north), stage.spawn(stage.south)]);
    for (const target of [near, far]) {
      await stage.link(subject, target);
      expect(await sender.ask(subject, 'passOn', { to: target.address, text: 'onward' })).toEqual({ answer: { text: 'onward', life: 1 } });
      expect(await target.log()).toEqual(['echo onward']);
    }
  });

  test('[S45] it keeps its deadline, and its cancel reaches whoever has it now', async () => {
    const { sender, subject } = await stage.pair(placement);
    const target = await stage.spawn(stage.south);
    await stage.link(subject, target);
    await stage.link(sender, target);
    const late = sender.ask(subject, 'passHold', { to: target.address, key: 'late' }, { deadlineMs: 40 });
    await target.hasLogged('hold late');
    expect(await late).toMatchObject({ code: 'ask_deadline', mayHaveBeenHandled: true });
    await target.do('release', 'late');
    await target.hasLogged('released late cancelled');
    const cancelled = sender.ask(subject, 'passHold', { to: target.address, key: 'cancelled' }, { cancel: 'it' });
    await target.hasLogged('hold cancelled');
    await sender.do('cancel', 'it');
    expect(await cancelled).toMatchObject({ code: 'ask_cancelled', mayHaveBeenHandled: true });
    await target.do('release', 'cancelled');
    await target.hasLogged('released cancelled cancelled');
  });

  test('[S46] the end of whoever has it ends it', async () => {
    const { sender, subject } = await stage.pair(placement);
    const target = await stage.thread();
    await stage.link(subject, target);
    const pending = sender.ask(subject, 'passHold', { to: target.address, key: 'held' });
    await target.hasLogged('hold held');
    await stage.system.terminate(target.thread);
    expect(await pending).toMatchObject({ code: 'actor_stopped', mayHaveBeenHandled: true });
  });

  test('[S47] a forward that is refused leaves the ask with its handler', async () => {
    const { sender, subject } = await stage.pair(placement);
    const gone = await stage.spawn(stage.north);
    await stage.link(subject, gone);
    await gone.do('stopSelf');
    await until(async () => (await subject.tell(gone, 'note', { number: 1 })) === CLOSED, 'it has gone');
    const outcome = await sender.ask(subject, 'passOn', { to: gone.address, text: 'onward' });
    expect(outcome).toEqual({ answer: { text: `refused ${CLOSED}`, life: 1 } });
  });
});
