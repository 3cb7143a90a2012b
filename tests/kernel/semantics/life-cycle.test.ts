/** Spawned actors, their ends, and who hears of them: docs/reference/semantics.md. */
import { CLOSED } from 'atomics-ring-buffer';
import { describe, expect, test } from 'vitest';
import { until } from '../condition.ts';
import { PLACEMENTS, SPAWNED, addressOf, useStage, type Placement, type Puppet } from './stage.ts';

const stage = useStage();

/** Ends the subject for good. */
async function end(placement: Placement, subject: Puppet): Promise<void> {
  if (placement === 'the own actor of another thread') await stage.system.terminate(subject.thread);
  else await subject.do('stopSelf');
}

describe('a spawned actor', () => {
  test('[S58] can be sent to at once; what comes before it has started waits, in its order', async () => {
    const parent = await stage.spawn(stage.south);
    const gate = stage.gate();
    const child = await parent.do('spawn', 'slow to start', { args: { startGate: gate } });
    await parent.note(child, 1, 2);
    const urgent = parent.ask(child, 'urgentEcho', { text: 'urgent' });
    const asked = parent.ask(child, 'echo', { text: 'asked' });
    await stage.link(stage.north, parent);
    const fromAfar = stage.north.ask(child, 'urgentEcho', { text: 'from afar' });
    await stage.north.do('life');
    stage.openGate(gate);
    expect(await Promise.all([urgent, asked, fromAfar])).toMatchObject([{ answer: { text: 'urgent' } }, { answer: { text: 'asked' } }, { answer: { text: 'from afar' } }]);
    expect(await parent.ask(child, 'do', { command: 'log', args: [0] })).toEqual({ answer: { result: ['note 1', 'note 2', 'echo asked'] } });
  });

  test('[S59] whose start throws is not there, and its parent is told by the throw', async () => {
    const parent = await stage.spawn(stage.south);
    expect(await parent.do('trySpawn', { args: { failStartOf: [1] } })).toEqual({ code: 'Error', message: 'told to fail in start' });
    expect(await parent.do('children')).toEqual([]);
  });

  test('[S60] is stopped by its parent alone', async () => {
    const parent = await stage.spawn(stage.south);
    const [child, stranger] = [await stage.spawn(parent), await stage.spawn(stage.south)];
    expect(await stranger.do('stop', child.address)).toMatchObject({ code: 'not_a_child' });
    expect(await parent.do('children')).toEqual([child.address]);
    expect(await parent.do('stop', child.address)).toEqual({ answer: null });
    expect(await parent.do('children')).toEqual([]);
    expect(await parent.do('stop', child.address)).toEqual({ answer: null });
  });

  test('[S61] ends with its parent, its own children first', async () => {
    const witness = await stage.spawn(stage.south);
    const parent = await stage.spawn(stage.south);
    const family = [parent, await stage.spawn(parent), await stage.spawn(parent)];
    family.push(await stage.spawn(family[2]!));
    for (const [index, member] of family.entries()) await member.do('tellEndTo', witness.address, index);
    await parent.do('stopSelf');
    const ends = await witness.logged(4);
    expect(ends.indexOf('note 3')).toBeLessThan(ends.indexOf('note 2'));
    expect(ends.indexOf('note 0')).toBe(3);
  });

  test('[S61] ends with its thread, and its stop is run', async () => {
    const witness = await stage.spawn(stage.south);
    const thread = await stage.thread();
    const child = await stage.spawn(thread);
    await stage.link(child, witness);
    for (const [index, member] of [thread, child].entries()) await member.do('tellEndTo', witness.address, index);
    await stage.system.terminate(thread.thread);
    expect(await witness.logged(2)).toEqual(['note 1', 'note 0']);
  });

  test('[S62] that stops itself ends with the message in its hands; what waits behind it is not handled', async () => {
    for (const placement of SPAWNED) {
      const { sender, subject } = await stage.pair(placement);
      const go = await stage.hold(subject);
      const outcomes = sender.do('askAll', subject.address, ['leave', 'echo', 'urgentEcho'].map((name) => [name, { text: name }]));
      await sender.do('life');
      go();
      expect(await outcomes).toMatchObject([
        { answer: { text: 'leave', life: 1 } },
        { code: 'actor_stopped', mayHaveBeenHandled: false },
        // As control it comes before the message by which the actor leaves.
        { answer: { text: 'urgentEcho', life: 1 } },
      ]);
    }
  });

  test('[S63] that fails is stopped, started again, or fails its parent, as was said when it was spawned', async () => {
    const grandparent = await stage.spawn(stage.south);
    const parent = await stage.spawn(grandparent, { onFailure: 'restart' });
    const children = {
      default: await stage.spawn(parent),
      stop: await stage.spawn(parent, { onFailure: 'stop' }),
      restart: await stage.spawn(parent, { onFailure: 'restart' }),
      escalate: await stage.spawn(parent, { onFailure: 'escalate' }),
    };
    for (const name of ['default', 'stop', 'restart'] as const) await parent.tell(children[name], 'fail', { code: '' });
    await children.restart.hasLives(2);
    await until(async () => (await parent.do('children')).length === 2, 'two have stopped');
    expect(await parent.do('children')).toEqual([children.restart.address, children.escalate.address]);
    await parent.tell(children.escalate, 'fail', { code: '' });
    await parent.hasLives(2);
    expect(await parent.do('children')).toEqual([]);
  });

  test('[S64] that is started again has lost its children and kept its address', async () => {
    const parent = await stage.spawn(stage.south);
    const witness = await stage.spawn(stage.south);
    const child = await stage.spawn(parent, { onFailure: 'restart' });
    const grandchild = await stage.spawn(child);
    await witness.do('watch', grandchild.address, 'grandchild');
    await child.ask(child, 'do', { command: 'noSuchCommand', args: [] }).catch(() => {});
    await child.hasLives(2);
    await witness.hasLogged('ended grandchild stopped');
    expect(await parent.do('children')).toEqual([child.address]);
    expect(await child.do('children')).toEqual([]);
  });
});

describe.each(PLACEMENTS)('of an actor that is %s', (placement) => {
  test('[S65] a watcher is told once of the end, and a watch that is taken off tells nothing', async () => {
    const { sender, subject } = await stage.pair(placement);
    await sender.do('watch', subject.address, 'kept');
    await sender.do('watch', subject.address, 'taken off');
    await sender.do('cancelTimer', 'taken off');
    await sender.ask(subject, 'urgentEcho', { text: '' });
    await end(placement, subject);
    expect(await sender.logged(1)).toEqual([expect.stringMatching(/^ended kept (stopped|crashed)/)]);
    await sender.do('watch', subject.address, 'late');
    await sender.hasLogged('ended late unknown');
    expect(await sender.log()).toHaveLength(2);
  });

  test('[S66] a restart is no end', async () => {
    const { sender, subject } = await stage.pair(placement, { onFailure: 'restart' });
    await sender.do('watch', subject.address, 'it');
    await sender.ask(subject, 'urgentEcho', { text: '' });
    await sender.tell(subject, 'fail', { code: '' });
    await subject.hasLives(2);
    expect(await sender.log()).toEqual([]);
    await end(placement, subject);
    await sender.logged(1);
  });
});

describe.each(SPAWNED)('of an actor that is %s', (placement) => {
  test('[S65] a watcher is told of a failure, and with what it failed', async () => {
    const { sender, subject } = await stage.pair(placement);
    await sender.do('watch', subject.address, 'it');
    await sender.tell(subject, 'fail', { code: '' });
    expect(await sender.logged(1)).toEqual(['ended it crashed told to crash']);
  });

  test('[S68] a link makes two fail together, either way', async () => {
    for (const [linker, failing] of [[0, 1], [0, 0]] as const) {
      const { sender, subject } = await stage.pair(placement);
      const witness = await stage.spawn(stage.south);
      const pair = [sender, subject];
      await pair[linker]!.do('link', addressOf(pair[1 - linker]!));
      await sender.ask(subject, 'urgentEcho', { text: '' });
      for (const each of pair) await witness.do('watch', each.address, `one of two`);
      await stage.link(witness, sender);
      await witness.tell(pair[failing]!, 'fail', { code: '' });
      expect((await witness.logged(2)).toSorted()).toEqual(['ended one of two crashed The', 'ended one of two crashed told to crash'].map((entry) => expect.stringMatching(new RegExp(`^${entry}`))));
    }
  });

  test('[S69] a proper stop of one that is linked concerns nobody', async () => {
    const { sender, subject } = await stage.pair(placement);
    await sender.do('link', subject.address);
    await sender.do('watch', subject.address, 'it');
    await subject.do('stopSelf');
    await sender.hasLogged('ended it stopped');
    expect(await sender.ask(stage.south, 'urgentEcho', { text: 'well' })).toMatchObject({ answer: { text: 'well' } });
    expect(await sender.do('life')).toBe(1);
  });
});

test('[S67] what a failure takes along is stopped; what a thread takes along that ends without a word has crashed', async () => {
  for (const [how, childEnd, linkedEnd] of [['fail', /^ended child stopped$/, undefined], ['exit', /^ended child crashed its thread ended$/, /^ended linked crashed/]] as const) {
    const thread = await stage.thread();
    const child = await stage.spawn(thread);
    const [watcher, linked] = [await stage.spawn(stage.south), await stage.spawn(stage.south)];
    for (const each of [watcher, linked]) await stage.link(each, child);
    await watcher.do('watch', child.address, 'child');
    await watcher.do('watch', linked.address, 'linked');
    await linked.do('link', child.address);
    for (const each of [watcher, linked]) await stage.link(each, child);
    await watcher.ask(thread, how, { code: '' });
    const ends = await watcher.logged(linkedEnd === undefined ? 1 : 2);
    expect(ends).toContainEqual(expect.stringMatching(childEnd));
    if (linkedEnd !== undefined) expect(ends).toContainEqual(expect.stringMatching(linkedEnd));
    else expect(await linked.do('life')).toBe(1);
    await thread.hasLives(2);
    expect(await watcher.tell(child, 'note', { number: 1 })).toBe(CLOSED);
  }
});

test('[S14] an address of a spawned actor is not given to another, not even when its thread has left', async () => {
  const sender = await stage.spawn(stage.north);
  const former = await stage.thread();
  const child = await stage.spawn(former);
  await stage.link(sender, child);
  await stage.system.terminate(former.thread);
  const next = await stage.thread();
  const nextChild = await stage.spawn(next);
  expect(nextChild.address >>> 22).toBe(child.address >>> 22);
  expect(nextChild.address).not.toBe(child.address);
  expect(await sender.ask(nextChild, 'echo', { text: 'to the next' })).toEqual({ answer: { text: 'to the next', life: 1 } });
  expect(await sender.ask(child, 'echo', { text: 'to the former' })).toMatchObject({ code: 'actor_stopped', mayHaveBeenHandled: false });
  expect(await nextChild.log()).toEqual(['echo to the next']);
});
