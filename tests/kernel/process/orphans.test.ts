import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { until } from '../condition.ts';
import { SmallSystem, isThere } from './small-system.ts';

const PARENT = fileURLToPath(new URL('./parent-child.ts', import.meta.url));

/** Runs the program until it has told the numbers of its actors' processes. */
async function parentOf(...args: string[]): Promise<{ readonly kill: () => void; readonly ended: Promise<unknown>; readonly pids: readonly number[] }> {
  const parent = spawn(process.execPath, ['--conditions=spillway-src', PARENT, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => parent.once('exit', resolve));
  const pids = await new Promise<number[]>((resolve) => parent.stdout.once('data', (text: Buffer) => resolve(text.toString().trim().split(' ').map(Number))));
  return { kill: () => parent.kill('SIGKILL'), ended, pids };
}

/** A dead process whose parent is dead too is waited for by whoever has adopted it, at some time. */
const areGone = (pids: readonly number[]) => until(() => !pids.some(isThere), 'its processes have ended');

describe('an actor\'s process is not there any more', () => {
  it.concurrent('after the life was terminated, even if it was stopped by a signal, and after its system was closed', async () => {
    const system = await SmallSystem.create();
    await Promise.all([system.start({ name: 'stopped' }), system.start({ name: 'working' })]);
    const pids = await Promise.all(['stopped', 'working'].map(async (name) => (await (await system.outcast(name)).ask('pid', {}, { deadlineMs: 20_000 })).pid));
    process.kill(pids[0]!, 'SIGSTOP');
    expect(await system.kill('stopped')).toBe(true);
    expect(pids.map(isThere)).toEqual([false, true]);
    await system.close();
    expect(pids.map(isThere)).toEqual([false, false]);
  });

  // Only the system can end a process that never looks at its socket again.
  it.concurrent('after its parent was killed, though its handler computes for ever', async () => {
    const { kill, ended, pids } = await parentOf(...(existsSync('/usr/bin/setpriv') ? ['spin'] : []));
    kill();
    await ended;
    await areGone(pids);
  });

  it.concurrent('after its parent has called process.exit', async () => {
    const { ended, pids } = await parentOf('exit');
    await ended;
    await areGone(pids);
  });
});
