import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { echoProtocol } from '../actors/echo.ts';
import { until } from '../condition.ts';
import { ECHO, SmallSystem, isThere, type Outcast } from './small-system.ts';

const DEADLINE = { deadlineMs: 20_000 };
const pidOf = async (outcast: Outcast): Promise<number> => (await outcast.ask('pid', {}, DEADLINE)).pid;
const none = (): undefined => undefined;

describe('the end of an actor\'s process', () => {
  let system: SmallSystem;
  let name = '';
  let tests = 0;
  beforeEach(() => {
    name = `outcast ${tests++}`;
  });
  beforeAll(async () => {
    system = await SmallSystem.create();
  });
  afterAll(() => system.close());

  it.each([
    ['is killed', 'SIGKILL'],
    ['makes an access that the system forbids', 'SIGSEGV'],
  ])('is a crash of its life, with the signal in the report, when it %s', async (_, signal) => {
    await system.start({ name });
    const outcast = await system.outcast(name);
    const pid = await pidOf(outcast);
    outcast.tell('signal', { name: signal });
    await until(async () => (await system.ends(name)).length === 1, 'its life has ended');
    const [end] = await system.ends(name);
    expect(end).toMatchObject({ reason: 'crashed', code: 'process_signalled', incarnation: 1 });
    expect(end!.message).toContain(signal);
    expect(isThere(pid)).toBe(false);
  });

  it('is a crash with the error of its actor, when a handler throws a defect', async () => {
    await system.start({ name, source: ECHO });
    const echo = await system.application.resolve(name, echoProtocol);
    await expect(echo.ask('fail', { code: '' }, DEADLINE)).rejects.toMatchObject({ code: 'actor_restarted' });
    await until(async () => (await system.ends(name)).length === 1, 'its life has ended');
    expect((await system.ends(name))[0]).toMatchObject({ reason: 'crashed', message: 'told to crash' });
  });

  it('is a crash with its exit code, or a stop if that is 0', async () => {
    await system.start({ name }, 1);
    const outcast = await system.outcast(name);
    outcast.tell('exit', { code: 3 });
    await until(async () => (await outcast.ask('pid', {}, DEADLINE).catch(none))?.incarnation === 2, 'the next life answers');
    outcast.tell('exit', { code: 0 });
    await until(async () => (await system.ends(name)).length === 2, 'both lives have ended');
    const ends = await system.ends(name);
    expect(ends.map(({ reason }) => reason)).toEqual(['crashed', 'stopped']);
    expect(ends[0]!.message).toContain('exit code 3');
  });

  it('leaves to the next life what waited for it, in order, and not what it had in hand', async () => {
    const thread = await system.start({ name }, 1);
    const outcast = await system.outcast(name);
    const pid = await pidOf(outcast);
    const held = outcast.ask('hold', {}, DEADLINE).catch((error: { code: string; details: { mayHaveBeenHandled: boolean } }) => error);
    await until(() => system.actor(name).counts.arrived === 2, 'it has the ask in hand');
    for (let number = 0; number < 1_000; number++) outcast.tell('note', { number });
    process.kill(pid, 'SIGKILL');
    expect(await held).toMatchObject({ code: 'actor_restarted', details: { mayHaveBeenHandled: true } });
    const { numbers } = await outcast.ask('notes', {}, DEADLINE);
    expect(numbers).toEqual(Array.from({ length: 1_000 }, (_, number) => number));
    await until(() => system.application.block(thread).counters.read('abandoned') === 1, 'what it had in hand is counted');
  });

  it('gives a message in hand to the next life, if it is delivered at least once, until that was tried too often', async () => {
    const delivery = { guarantee: 'at_least_once', maxRedeliveries: 2, onRestart: 'keep' } as const;
    const thread = await system.start({ name, delivery }, 3);
    const outcast = await system.outcast(name);
    outcast.tell('note', { number: 1 });
    const poison = outcast.ask('signalled', { name: 'SIGKILL' }, DEADLINE).catch((error: { code: string }) => error.code);
    outcast.tell('note', { number: 2 });
    await until(async () => (await system.ends(name)).length === 3, 'three lives have ended');
    expect((await outcast.ask('notes', {}, DEADLINE)).numbers).toEqual([2]);
    expect(await poison).toMatch(/^(?:actor_restarted|message_poisoned)$/);
    const { counters } = system.application.block(thread);
    await until(() => counters.read('poisoned') === 1, 'it was given up');
    expect(counters.read('redelivered')).toBe(2);
    expect(system.actor(name).counts.arrived).toBe(4);
  });

  it('loses and repeats nothing when it is killed again and again under load', async () => {
    const lives = 4;
    const thread = await system.start({ name }, lives);
    const outcast = await system.outcast(name);
    let sent = 0;
    for (let life = 1; life <= lives; life++) {
      const pid = await pidOf(outcast);
      for (let number = 0; number < 3_000; number++) if (outcast.tell('note', { number: sent }) === 0) sent++;
      process.kill(pid, 'SIGKILL');
      await until(async () => (await system.ends(name)).length === life, 'the life has ended');
      await until(async () => (await outcast.ask('pid', {}, DEADLINE).catch(none))?.incarnation === life + 1, 'the next life answers');
    }
    await outcast.ask('notes', {}, DEADLINE);
    const { counters } = system.application.block(thread);
    const notes = system.application.block(thread).actorCounters(['notes']);
    // At most the one that each life had in hand.
    await until(() => notes.read('notes') + counters.read('abandoned') >= sent, 'all is counted');
    expect(notes.read('notes')).toBeLessThanOrEqual(sent);
    expect(sent - notes.read('notes')).toBeLessThanOrEqual(lives);
  });

  it('comes when it is stopped by a signal and says nothing any more, and the next life is up', async () => {
    await system.start({ name, process: { silentAfterMs: 300 } }, 1);
    const outcast = await system.outcast(name);
    const pid = await pidOf(outcast);
    process.kill(pid, 'SIGSTOP');
    await until(async () => (await system.ends(name)).length === 1, 'its life has ended');
    expect((await system.ends(name))[0]).toMatchObject({ reason: 'crashed', code: 'process_silent' });
    expect(isThere(pid)).toBe(false);
    expect(await pidOf(outcast)).not.toBe(pid);
  });

  it('does not come while a handler computes, and a watchdog sees whose', async () => {
    const thread = await system.start({ name, process: { silentAfterMs: 200 } });
    const outcast = await system.outcast(name);
    outcast.tell('spin', {});
    const block = system.application.block(thread);
    await until(() => block.handling !== 0, 'a handler runs');
    const { turns, handlingWord } = block;
    await until(() => block.heldSinceMs !== undefined, 'the watchdog has seen it');
    expect([block.turns, block.handlingWord]).toEqual([turns, handlingWord]);
    expect(await system.ends(name)).toEqual([]);
    expect(await system.kill(name)).toBe(true);
  });

  it('comes when it takes more memory than it is granted', async () => {
    await system.start({ name, process: { maxRssBytes: 250 * 2 ** 20 } });
    const outcast = await system.outcast(name);
    outcast.tell('allocate', { bytes: 2 ** 30 });
    await until(async () => (await system.ends(name)).length === 1, 'its life has ended');
    expect((await system.ends(name))[0]).toMatchObject({ reason: 'crashed', code: 'process_memory_exceeded' });
  });

  it('comes when it takes more processor time than it is granted', async () => {
    await system.start({ name, process: { maxCpuSeconds: 1 } });
    const outcast = await system.outcast(name);
    outcast.tell('spin', {});
    await until(async () => (await system.ends(name)).length === 1, 'its life has ended');
    expect((await system.ends(name))[0]).toMatchObject({ reason: 'crashed', code: 'process_cpu_exceeded' });
  });

  it('comes at the deadline of a stop which it does not follow, also if it makes native calls', async () => {
    await system.start({ name, native: true });
    const outcast = await system.outcast(name);
    const pid = await pidOf(outcast);
    outcast.tell('spin', {});
    expect(await system.stop(name, 200)).toBe(true);
    expect(isThere(pid)).toBe(false);
    expect((await system.ends(name))[0]).toMatchObject({ code: 'process_killed' });
  });

  it('comes after what waited when it was told to stop', async () => {
    const thread = await system.start({ name });
    const outcast = await system.outcast(name);
    let sent = 0;
    while (sent < 20_000 && outcast.tell('note', { number: sent }) === 0) sent++;
    expect(await system.stop(name, 10_000)).toBe(true);
    expect(sent).toBeGreaterThan(5_000);
    expect(system.application.block(thread).actorCounters(['notes']).read('notes')).toBe(sent);
  });

  it('is in order when it is asked to stop', async () => {
    await system.start({ name });
    const pid = await pidOf(await system.outcast(name));
    expect(await system.stop(name)).toBe(true);
    expect(isThere(pid)).toBe(false);
    expect(await system.ends(name)).toMatchObject([{ reason: 'stopped' }]);
  });
});
