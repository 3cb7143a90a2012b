import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeadLetter, Terminated } from '../../kernel/index.ts';
import { lightProtocol } from './actors/light.ts';
import { until } from '../kernel/condition.ts';
import { LightSystem, ask } from './light-system.ts';

let light: LightSystem;
beforeAll(async () => {
  light = await LightSystem.create();
});
afterAll(() => light.close());

describe('the application, like an actor,', () => {
  test('is told of dead letters until it has heard enough', async () => {
    const { system } = light;
    const parent = await light.spawn({ id: 'bereaved' });
    const gone = await light.spawnOn(parent);
    const letters: DeadLetter[] = [];
    // Who leaves takes nothing from others, neither from who has come with him nor from who listens with the same function.
    const listen = (letter: DeadLetter): void => void letters.push(letter);
    const [takeOff, ...others] = await Promise.all([system.onDeadLetter(listen), system.onDeadLetter(listen), system.onDeadLetter(() => {})]);
    for (const other of others) other();
    // What waits for an actor when it fails is lost.
    const gate = light.gate();
    gone.tell('wait', { path: gate.path });
    gone.tell('note', { number: 1 });
    gone.tell('note', { number: 2 });
    await until(() => system.inspect().threads.find(({ name }) => name === 'bereaved')!.actors.some(({ level }) => level === 2), 'two notes wait');
    parent.tell('crash', {});
    await until(() => letters.filter(({ message }) => message === 'note').length === 2, 'both notes are told');
    expect(letters.find(({ message }) => message === 'note')).toMatchObject({ to: gone.address, actor: 'child-0', protocol: 'light' });
    takeOff();
  });

  test('publishes to a group and sees its members, whom it does not join', async () => {
    const members = await Promise.all([light.spawn(), light.spawn()]);
    const group = await light.system.group('choir', lightProtocol);
    expect(group.members).toEqual([]);
    await Promise.all(members.map((member) => member.ask('join', { group: 'choir' }, ask)));
    await until(() => group.members.length === 2, 'both have joined');
    // The first finds that links are still being made where there are none.
    await until(() => group.publish('note', { number: 1 }).told === 2, 'both are told');
    await until(async () => (await Promise.all(members.map((member) => member.ask('notes', {}, ask)))).every(({ count }) => count > 0), 'both were told');
    await light.system.terminate(members[0].name);
    await until(() => group.members.length === 1, 'who has ended has left');
  });

  test('cancels what it has begun in a scope, and goes on with what it has not', async () => {
    const actor = await light.spawn();
    const scope = light.system.scope();
    const gate = light.gate();
    const cancelled = actor.ask('wait', { path: gate.path }, { ...ask, scope }).catch((error: unknown) => error);
    actor.tell('note', { number: 1 }, { scope });
    actor.tell('note', { number: 2 });
    const counted = actor.ask('notes', {}, ask);
    scope.cancel('enough');
    expect(await cancelled).toMatchObject({ code: 'ask_cancelled' });
    gate.open();
    expect(await counted).toMatchObject({ count: 1 });
  });

  test('is told once of the end of an actor, and not of its restart', async () => {
    const { system } = light;
    const actor = await light.spawn({ id: 'watched' });
    const child = await light.spawnOn(actor);
    const ends: [string, Terminated][] = [];
    system.watch(actor, (end) => void ends.push(['actor', end]));
    system.watch(child, (end) => void ends.push(['child', end]));
    system.watch(actor, () => expect.unreachable('it was cancelled')).cancel();
    // Its watchers are known there once it answers.
    await child.ask('notes', {}, ask);
    actor.tell('crash', {});
    await until(() => ends.length > 0, 'the light actor has ended with its thread');
    expect((await actor.ask('notes', {}, ask)).incarnation).toBe(2);
    expect(ends).toMatchObject([['child', { address: child.address }]]);
    await system.terminate('watched');
    await until(() => ends.length === 2, 'the actor has ended for good');
    expect(ends[1]).toMatchObject(['actor', { address: actor.address }]);
    await new Promise<void>((resolve) => void system.watch(actor.address, ({ reason }) => resolve(expect(reason).toBe('unknown'))));
  });
});
