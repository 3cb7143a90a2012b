import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../condition.ts';
import { ECHO, SmallSystem, isThere, type Outcast } from './small-system.ts';

const DEADLINE = { deadlineMs: 20_000 };
const pidOf = async (outcast: Outcast): Promise<number> => (await outcast.ask('pid', {}, DEADLINE)).pid;
const none = (): undefined => undefined;

describe('the end of an actor\'s process', () => {
  let system: SmallSystem;
  beforeEach(async () => {
    system = await SmallSystem.create();
  });
  afterEach(() => system.close());

  it.each([
    ['is killed', 'SIGKILL'],
    ['makes an access that the system forbids', 'SIGSEGV'],
  ])('is a crash of its life, with the signal in the report, when it %s', async (_, signal) => {
    await system.start({ name: 'outcast' });
    const outcast = await system.outcast('outcast');
    const pid = await pidOf(outcast);
    outcast.tell('signal', { name: signal });
    await until(async () => (await system.ends('outcast')).length === 1, 'it is so');
    const [end] = await system.ends('outcast');
    expect(end).toMatchObject({ reason: 'crashed', code: 'process_signalled', incarnation: 1 });
    expect(end!.message).toContain(signal);
    expect(isThere(pid)).toBe(false);
  });

  it('is a crash with the error of its actor, when a handler throws a defect', async () => {
    await system.start({ name: 'echo', source: ECHO });
    const { echoProtocol } = await import('../actors/echo.ts');
    const echo = await system.application.resolve('echo', echoProtocol);
    await expect(echo.ask('fail', { code: '' }, DEADLINE)).rejects.toMatchObject({ code: 'actor_stopped' }).catch(none);
    await until(async () => (await system.ends('echo')).length === 1, 'it is so');
    expect((await system.ends('echo'))[0]).toMatchObject({ reason: 'crashed', message: 'told to crash' });
  });

  it('is a crash with its exit code, or a stop if that is 0', async () => {
    await system.start({ name: 'outcast' }, 1);
    const outcast = await system.outcast('outcast');
    outcast.tell('exit', { code: 3 });
    await until(async () => (await outcast.ask('pid', {}, DEADLINE).catch(none))?.incarnation === 2, 'it is so');
    outcast.tell('exit', { code: 0 });
    await until(async () => (await system.ends('outcast')).length === 2, 'it is so');
    const ends = await system.ends('outcast');
    expect(ends.map(({ reason }) => reason)).toEqual(['crashed', 'stopped']);
    expect(ends[0]!.message).toContain('exit code 3');
  });

  it('leaves to the next life what waited for it, in order, and not what it had in hand', async () => {
    const thread = await system.start({ name: 'outcast' }, 1);
    const outcast = await system.outcast('outcast');
    const pid = await pidOf(outcast);
    const held = outcast.ask('hold', {}, DEADLINE).catch((error: { code: string; details: { mayHaveBeenHandled: boolean } }) => error);
    await until(() => system.actor('outcast').counts.arrived === 2, 'it has the ask in hand');
    for (let number = 0; number < 1_000; number++) outcast.tell('note', { number });
    process.kill(pid, 'SIGKILL');
    expect(await held).toMatchObject({ code: 'actor_restarted', details: { mayHaveBeenHandled: true } });
    const { numbers } = await outcast.ask('notes', {}, DEADLINE);
    expect(numbers).toEqual(Array.from({ length: 1_000 }, (_, number) => number));
    await until(() => system.application.block(thread).counters.read('abandoned') === 1, 'it is so');
  });

  it('loses and repeats nothing when it is killed again and again under load', async () => {
    const lives = 4;
    const thread = await system.start({ name: 'outcast' }, lives);
    const outcast = await system.outcast('outcast');
    let sent = 0;
    for (let life = 1; life <= lives; life++) {
      const { pid } = (await outcast.ask('pid', {}, DEADLINE))!;
      for (let number = 0; number < 3_000; number++) if (outcast.tell('note', { number: sent }) === 0) sent++;
      process.kill(pid, 'SIGKILL');
      await until(async () => (await system.ends('outcast')).length === life, 'it is so');
      await until(async () => (await outcast.ask('pid', {}, DEADLINE).catch(none))?.incarnation === life + 1, 'it is so');
    }
    await outcast.ask('notes', {}, DEADLINE);
    const { counters } = system.application.block(thread);
    const notes = system.application.block(thread).actorCounters(['notes']);
    // At most the one that each life had in hand.
    await until(() => notes.read('notes') + counters.read('abandoned') >= sent, 'it is so');
    expect(notes.read('notes')).toBeLessThanOrEqual(sent);
    expect(sent - notes.read('notes')).toBeLessThanOrEqual(lives);
  });

  it('comes when it is stopped by a signal and says nothing any more, and the next life is up', async () => {
    await system.start({ name: 'outcast', process: { silentAfterMs: 300 } }, 1);
    const outcast = await system.outcast('outcast');
    const pid = await pidOf(outcast);
    process.kill(pid, 'SIGSTOP');
    await until(async () => (await system.ends('outcast')).length === 1, 'it is so');
    expect((await system.ends('outcast'))[0]).toMatchObject({ reason: 'crashed', code: 'process_silent' });
    expect(isThere(pid)).toBe(false);
    expect(await pidOf(outcast)).not.toBe(pid);
  });

  it('does not come while a handler computes, and a watchdog sees whose', async () => {
    const thread = await system.start({ name: 'outcast', process: { silentAfterMs: 200 } });
    const outcast = await system.outcast('outcast');
    outcast.tell('spin', {});
    const block = system.application.block(thread);
    await until(() => block.handling !== 0, 'it is so');
    const { turns, handlingWord } = block;
    await until(() => block.heldSinceMs !== undefined, 'it is so');
    expect([block.turns, block.handlingWord]).toEqual([turns, handlingWord]);
    expect(await system.ends('outcast')).toEqual([]);
    expect(await system.kill('outcast')).toBe(true);
  });

  it('comes when it takes more memory than it is granted', async () => {
    await system.start({ name: 'outcast', process: { maxRssBytes: 250 * 2 ** 20 } });
    const outcast = await system.outcast('outcast');
    await expect(outcast.ask('allocate', { bytes: 400 * 2 ** 20 }, DEADLINE)).rejects.toThrow().catch(none);
    await until(async () => (await system.ends('outcast')).length === 1, 'it is so');
    expect((await system.ends('outcast'))[0]).toMatchObject({ reason: 'crashed', code: 'process_memory_exceeded' });
  });

  it('comes when it takes more processor time than it is granted', async () => {
    await system.start({ name: 'outcast', process: { maxCpuSeconds: 1.5 } });
    const outcast = await system.outcast('outcast');
    outcast.tell('spin', {});
    await until(async () => (await system.ends('outcast')).length === 1, 'it is so');
    expect((await system.ends('outcast'))[0]).toMatchObject({ reason: 'crashed', code: 'process_cpu_exceeded' });
  });

  it('comes at the deadline of a stop which it does not follow, also if it makes native calls', async () => {
    await system.start({ name: 'outcast', native: true });
    const outcast = await system.outcast('outcast');
    const pid = await pidOf(outcast);
    outcast.tell('spin', {});
    expect(await system.stop('outcast', 200)).toBe(true);
    expect(isThere(pid)).toBe(false);
    expect((await system.ends('outcast'))[0]).toMatchObject({ code: 'process_killed' });
  });

  it('is in order when it is asked to stop', async () => {
    await system.start({ name: 'outcast' });
    const pid = await pidOf(await system.outcast('outcast'));
    expect(await system.stop('outcast')).toBe(true);
    expect(isThere(pid)).toBe(false);
    expect(await system.ends('outcast')).toMatchObject([{ reason: 'stopped' }]);
  });
});
