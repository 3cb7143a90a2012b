import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../condition.ts';
import { FALSE_CHILD, OUTCAST, SmallSystem } from './small-system.ts';

/** What a process does in place of speaking as it should, the code its life ends with, and a word of the message. */
const WAYS = [
  ['says nothing', 'silence', 'process_handshake_failed', 'within 700 ms'],
  ['says something else', 'garbage', 'process_handshake_failed', 'frame'],
  ['says too much', 'flood', 'process_handshake_failed', '4096 bytes'],
  ['has another token', 'token', 'process_handshake_failed', 'token'],
  ['has a part of the token', 'short_token', 'process_handshake_failed', 'token'],
  ['speaks another version', 'version', 'process_handshake_failed', 'version'],
  ['says who it is once more', 'replay', 'process_protocol_violation', 'type 1'],
  ['speaks garbage once it is known', 'later_garbage', 'process_protocol_violation', 'frame'],
  ['announces more than a frame holds', 'long_frame', 'process_protocol_violation', 'at most 4 bytes'],
  ['names a lane that there is not', 'unknown_lane', 'process_protocol_violation', 'lane'],
  ['claims to have taken what it was not sent', 'false_position', 'process_protocol_violation', 'position'],
  ['tells the guardian to stop', 'stop_guardian', 'process_protocol_violation', 'caretaker'],
  ['ends before it says anything', 'exit', 'process_handshake_failed', 'exit code 3'],
] as const;

describe('a process that is not what it should be', () => {
  let system: SmallSystem;
  beforeAll(async () => {
    system = await SmallSystem.create();
    await system.start({ name: 'neighbour' });
  });
  afterAll(() => system.close());

  it.concurrent.each(WAYS)('is ended with a code when it %s', async (_, way, code, word) => {
    const deadline = way === 'silence' ? { handshakeMs: 700 } : {};
    const started = system.start({ name: way, process: { entry: FALSE_CHILD, env: { WAY: way }, ...deadline } });
    await expect(started).rejects.toMatchObject({ code });
    await expect(started).rejects.toThrow(word);
  });

  it('cannot be started from a folder that there is not', async () => {
    await expect(system.start({ name: 'nowhere', process: { cwd: '/nowhere/at/all' } })).rejects.toMatchObject({ code: 'process_spawn_failed' });
  });

  it('is not started where its spec is wrong, though nobody has looked at that before', async () => {
    const started = system.start({ name: 'wrong', process: { heartbeatMs: 0 } });
    await expect(started).rejects.toMatchObject({ code: 'process_invalid' });
    await expect(started).rejects.toThrow('heartbeatMs');
  });

  it('keeps nobody else from working', async () => {
    const neighbour = await system.outcast('neighbour');
    await until(async () => (await neighbour.ask('pid', {}, { deadlineMs: 5_000 })).incarnation === 1, 'the neighbour answers');
    await system.start({ name: 'late', source: OUTCAST });
  });
});
