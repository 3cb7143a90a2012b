import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { echoProtocol } from '../actors/echo.ts';
import { until } from '../condition.ts';
import { ECHO, SmallSystem, isThere, type Outcast } from './small-system.ts';

const DEADLINE = { deadlineMs: 20_000 };
const pidOf = async (outcast: Outcast): Promise<number> => (await outcast.ask('pid', {}, DEADLINE)).pid;
const none = (): undefined => undefined;

describe('the end of an actor\'s process', () => {
  let system: SmallSystem;
  beforeAll(async () => {
    system = await SmallSystem.create();
  });
  afterAll(() => system.close());

  it.concurrent('is a crash with the signal or exit code in its report, or a stop if that is 0', async () => {
    const name = 'various';
    await system.start({ name }, 3);
    const outcast = await system.outcast(name);
    const inLife = async (life: number): Promise<number> => {
      await until(async () => (await outcast.ask('pid', {}, DEADLINE).catch(none))?.incarnation === life, `life ${life} answers`);
      return pidOf(outcast);
    };
    const pids = [await inLife(1)];
    outcast.tell('signal', { name: 'SIGKILL' });
    pids.push(await inLife(2));
    outcast.tell('signal', { name: 'SIGSEGV' });
    pids.push(await inLife(3));
    outcast.tell('exit', { code: 3 });
    pids.push(await inLife(4));
    outcast.tell('exit', { code: 0 });
    await until(async () => (await system.ends(name)).length === 4, 'all lives have ended');
    const ends = await system.ends(name);
    expect(ends.map(({ reason, code, incarnation }) => [reason, code, incarnation])).toEqual([
      ['crashed', 'process_signalled', 1],
      ['crashed', 'process_signalled', 2],
      ['crashed', '', 3],
      ['stopped', '', 4],
    ]);
    ['SIGKILL', 'SIGSEGV', 'exit code 3'].forEach((words, life) => expect(ends[life]!.message).toContain(words));
    expect(pids.some(isThere)).toBe(false);
  });

  it.concurrent('is a crash with the error of its actor, when a handler throws a defect', async () => {
    const name = 'failing';
    await system.start({ name, source: ECHO });
    const echo = await system.application.resolve(name, echoProtocol);
    await expect(echo.ask('fail', { code: '' }, DEADLINE)).rejects.toMatchObject({ code: 'actor_restarted' });
    await until(async () => (await system.ends(name)).length === 1, 'its life has ended');
    expect((await system.ends(name))[0]).toMatchObject({ reason: 'crashed', message: 'told to crash' });
  });

  it.concurrent('leaves to the next life what waited for it, in order, and not what it had in hand', async () => {
    const name = 'heir';
    // No thread that stands by could be a process.
    const thread = await system.start({ name, standby: 1 }, 1);
    const outcast = await system.outcast(name);
    const pid = await pidOf(outcast);
    const held = outcast.ask('hold', {}, DEADLINE).catch((error: { code: string; details: { mayHaveBeenHandled: boolean } }) => error);
    await until(() => system.actor(name).counts.arrived === 2, 'it has the ask in hand');
    for (let number = 0; number < 1_000; number++) outcast.tell('note', { number });
    process.kill(pid, 'SIGKILL');
    expect(await held).toMatchObject({ code: 'actor_restarted', details: { mayHaveBeenHandled: true } });
    const { numbers } = await outcast.ask('notes', {}, DEADLINE);
    expect([process.pid, pid]).not.toContain(await pidOf(outcast));
    expect(numbers).toEqual(Array.from({ length: 1_000 }, (_, number) => number));
    await until(() => system.application.block(thread).counters.read('abandoned') === 1, 'what it had in hand is counted');
  });

  it.concurrent('loses and repeats nothing when it is killed again and again under load', async () => {
    const name = 'besieged';
    const lives = 2;
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

  it.concurrent('comes when it is stopped by a signal and says nothing any more, and the next life is up', async () => {
    const name = 'silent';
    await system.start({ name, process: { silentAfterMs: 300 } }, 1);
    const outcast = await system.outcast(name);
    const pid = await pidOf(outcast);
    process.kill(pid, 'SIGSTOP');
    await until(async () => (await system.ends(name)).length === 1, 'its life has ended');
    expect((await system.ends(name))[0]).toMatchObject({ reason: 'crashed', code: 'process_silent' });
    expect(isThere(pid)).toBe(false);
    expect(await pidOf(outcast)).not.toBe(pid);
  });

  it.concurrent('does not come while a handler computes, and a watchdog sees whose, but at the deadline of a stop, also if it makes native calls', async () => {
    const name = 'spinning';
    const thread = await system.start({ name, native: true, process: { silentAfterMs: 2_000 } });
    const outcast = await system.outcast(name);
    const pid = await pidOf(outcast);
    outcast.tell('spin', {});
    const block = system.application.block(thread);
    await until(() => block.handling !== 0, 'a handler runs');
    const { turns, handlingWord } = block;
    await until(() => block.heldSinceMs !== undefined, 'the watchdog has seen it');
    expect([block.turns, block.handlingWord]).toEqual([turns, handlingWord]);
    expect(await system.ends(name)).toEqual([]);
    expect(await system.stop(name, 200)).toBe(true);
    expect(isThere(pid)).toBe(false);
    expect(await system.ends(name)).toMatchObject([{ reason: 'crashed', code: 'process_killed' }]);
  });

  it.concurrent('comes when it takes more memory than it is granted', async () => {
    const name = 'greedy';
    await system.start({ name, process: { maxRssBytes: 250 * 2 ** 20 } });
    const outcast = await system.outcast(name);
    outcast.tell('allocate', { bytes: 2 ** 30 });
    await until(async () => (await system.ends(name)).length === 1, 'its life has ended');
    expect((await system.ends(name))[0]).toMatchObject({ reason: 'crashed', code: 'process_memory_exceeded' });
  });

  it.concurrent('comes when it takes more processor time than it is granted', async () => {
    const name = 'busy';
    await system.start({ name, process: { maxCpuSeconds: 1 } });
    const outcast = await system.outcast(name);
    outcast.tell('spin', {});
    await until(async () => (await system.ends(name)).length === 1, 'its life has ended');
    expect((await system.ends(name))[0]).toMatchObject({ reason: 'crashed', code: 'process_cpu_exceeded' });
  });

  it.concurrent('is in order when it is told to stop, and comes after what waited', async () => {
    const name = 'loaded';
    const thread = await system.start({ name });
    const outcast = await system.outcast(name);
    const pid = await pidOf(outcast);
    let sent = 0;
    while (sent < 20_000 && outcast.tell('note', { number: sent }) === 0) sent++;
    expect(await system.stop(name, 10_000)).toBe(true);
    expect(sent).toBeGreaterThan(5_000);
    expect(system.application.block(thread).actorCounters(['notes']).read('notes')).toBe(sent);
    expect(isThere(pid)).toBe(false);
    expect(await system.ends(name)).toMatchObject([{ reason: 'stopped' }]);
  });
});
