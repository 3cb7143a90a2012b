/** Names and groups: docs/reference/semantics.md. */
import { describe, expect, test } from 'vitest';
import { until } from '../condition.ts';
import { PLACEMENTS, useStage, type Placement, type Puppet } from './stage.ts';

const stage = useStage();
let lastName = 0;
const newName = (): string => `name-${++lastName}`;

async function end(placement: Placement, subject: Puppet): Promise<void> {
  if (placement === 'the own actor of another thread') await stage.system.terminate(subject.thread);
  else await subject.do('stopSelf');
}

async function knows(puppet: Puppet, group: string, members: readonly Puppet[]): Promise<void> {
  const wanted = members.map(({ address }) => address).toSorted((a, b) => a - b);
  await until(async () => (await puppet.do('members', group)).toSorted((a, b) => a - b).join() === wanted.join(), `${puppet.ref.name} knows the members of ${group}`);
}

describe.each(PLACEMENTS)('of an actor that is %s', (placement) => {
  test('[S70] a name is found from every thread until its actor ends, and is then free', async () => {
    const { sender, subject } = await stage.pair(placement);
    const name = newName();
    expect(await subject.do('register', name)).toEqual({ answer: null });
    for (const puppet of [sender, stage.south, subject]) expect(await puppet.do('resolve', name)).toEqual({ answer: subject.address });
    await end(placement, subject);
    await until(async () => (await sender.do('resolve', name)).code === 'actor_unknown', 'the name is gone');
    expect(await sender.do('register', name)).toEqual({ answer: null });
  });

  test('[S71] a name that another has is refused with name_taken', async () => {
    const { sender, subject } = await stage.pair(placement);
    const name = newName();
    await subject.do('register', name);
    expect(await sender.do('register', name)).toMatchObject({ code: 'name_taken' });
    expect(await sender.do('register', subject.thread)).toMatchObject({ code: 'name_taken' });
    // Again by the one who has it, it is no change.
    expect(await subject.do('register', name)).toEqual({ answer: null });
  });

  test('[S72] a member of a group is known everywhere a moment after it has joined, and until it leaves or ends', async () => {
    const { sender, subject } = await stage.pair(placement);
    const other = await stage.spawn(stage.south);
    const group = newName();
    for (const puppet of [sender, subject, other]) await puppet.do('openGroup', group);
    await subject.do('join', group);
    await other.do('join', group);
    for (const puppet of [sender, subject, other]) await knows(puppet, group, [subject, other]);
    await other.do('leave', group);
    await knows(sender, group, [subject]);
    await end(placement, subject);
    await knows(sender, group, []);
  });

  test('[S73] publish tells each member once, and says who refused', async () => {
    const { sender, subject } = await stage.pair(placement);
    const group = newName();
    const full = await stage.spawn(stage.north, { mailbox: { capacity: 1 } });
    for (const puppet of [sender, subject, full]) {
      await puppet.do('openGroup', group);
      await puppet.do('join', group);
    }
    await knows(sender, group, [sender, subject, full]);
    await stage.begin(sender, full, 'busy');
    await sender.note(full, 1);
    const { told, refused } = await sender.do('publish', group, 7);
    expect(told).toBe(2);
    expect(refused).toEqual([{ address: full.address, result: expect.any(Number) as number }]);
    expect(await sender.logged(1)).toEqual(['note 7']);
    expect(await subject.logged(1)).toEqual(['note 7']);
  });
});
