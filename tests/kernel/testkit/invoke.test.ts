import { describe, expect, test } from 'vitest';
import { defineActor, defineProtocol } from '../../../kernel/index.ts';
import { invoke } from '../../../kernel/testkit/index.ts';
import { counter } from './counter.ts';

describe('an actor that runs alone', () => {
  test('handles what the test calls, with copies, and counts', async () => {
    const actor = await invoke(counter, { start: 1 });
    expect(await actor.call('add', { number: 2 })).toEqual({ sum: 3 });
    await actor.call('note', { number: 4 });
    expect(actor.context.counters.read('notes')).toBe(1);
    expect(await actor.call('sum', {})).toEqual({ sum: 7 });
    expect(await actor.call('upTo', { number: 2 })).toEqual([{ number: 0 }, { number: 1 }]);
    await expect(actor.call('refuse', {})).rejects.toMatchObject({ code: 'told_to_refuse' });
    await expect(actor.call('crash', {})).rejects.toThrow('told to crash');
  });

  test('refuses what does not fit its protocol', async () => {
    const actor = await invoke(counter, { start: 1 });
    await expect(actor.call('add', { number: -1 })).rejects.toMatchObject({ code: 'message_invalid' });
  });

  test('is told what others answer, and what it sends is written down', async () => {
    const actor = await invoke(counter, { start: 0 }, { answer: ({ way, request }) => (way === 'ask' ? { sum: (request as { number: number }).number + 1 } : 0) });
    expect(await actor.call('askOn', { name: 'other', number: 5 })).toEqual({ sum: 6 });
    await actor.call('tellOn', { to: 99, number: 8 });
    expect(actor.context.sent).toMatchObject([
      { way: 'ask', protocol: 'counter', name: 'add', request: { number: 5 } },
      { way: 'tell', to: 99, name: 'note', request: { number: 8 } },
    ]);
  });

  test('has time pass when the test says so', async () => {
    const actor = await invoke(counter, { start: 0 });
    let sum: number | undefined;
    void actor.call('addLate', { number: 3, ms: 20 }).then((reply) => (sum = reply.sum));
    await actor.advance(19);
    expect(sum).toBeUndefined();
    await actor.advance(1);
    expect(sum).toBe(3);
  });

  test('puts messages aside and takes them back in its new behaviour', async () => {
    const actor = await invoke(counter, { start: 0 });
    await actor.call('later', {});
    expect(actor.stashed).toBe(1);
    await actor.advance(10);
    expect(actor.stashed).toBe(0);
    expect(await actor.call('sum', {})).toEqual({ sum: 100 });
  });

  test('is told of ends, and fails with those it is linked to', async () => {
    const protocol = defineProtocol('bonded', { begin: { request: { properties: {} } } });
    const ends: string[] = [];
    const bonded = defineActor<typeof protocol.spec, undefined>({
      protocol,
      start: (context) => ({
        handlers: {
          begin() {
            const child = context.spawn(counter, { start: 0 }, { name: 'child' });
            context.watch(child, ({ reason }) => ends.push(reason));
            context.link(7);
          },
        },
      }),
    });
    const actor = await invoke(bonded, undefined);
    await actor.call('begin', {});
    expect(actor.context.spawned).toMatchObject([{ args: { start: 0 }, options: { name: 'child' } }]);
    actor.context.bonds.find(({ way }) => way === 'watch')!.end({ reason: 'stopped', message: '' });
    expect(ends).toEqual(['stopped']);
    actor.context.bonds.find(({ way }) => way === 'link')!.end({ reason: 'crashed', message: 'gone' });
    await expect(actor.advance(1)).rejects.toMatchObject({ code: 'linked_actor_failed' });
  });
});
