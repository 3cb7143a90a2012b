import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { until } from '../condition.ts';
import { SmallSystem, isThere } from './small-system.ts';

const PARENT = fileURLToPath(new URL('./parent-child.ts', import.meta.url));

/** Runs the program until it has told the number of its actor's process. */
async function parentOf(...args: string[]): Promise<{ readonly kill: () => void; readonly ended: Promise<unknown>; readonly pid: number }> {
  const parent = spawn(process.execPath, ['--conditions=spillway-src', PARENT, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => parent.once('exit', resolve));
  const pid = await new Promise<number>((resolve) => parent.stdout.once('data', (text: Buffer) => resolve(Number(text.toString()))));
  return { kill: () => parent.kill('SIGKILL'), ended, pid };
}

/** A dead process whose parent is dead too is waited for by whoever has adopted it, at some time. */
const isAlive = (pid: number): boolean => isThere(pid);

describe('an actor\'s process is not there any more', () => {
  it('after the life was terminated, even if it was stopped by a signal', async () => {
    const system = await SmallSystem.create();
    try {
      await system.start({ name: 'outcast' });
      const { pid } = await (await system.outcast('outcast')).ask('pid', {}, { deadlineMs: 20_000 });
      process.kill(pid, 'SIGSTOP');
      expect(await system.kill('outcast')).toBe(true);
      expect(isThere(pid)).toBe(false);
    } finally {
      await system.close();
    }
  });

  it('after its system was closed', async () => {
    const system = await SmallSystem.create();
    await system.start({ name: 'outcast' });
    const { pid } = await (await system.outcast('outcast')).ask('pid', {}, { deadlineMs: 20_000 });
    await system.close();
    expect(isThere(pid)).toBe(false);
  });

  it('after its parent was killed', async () => {
    const { kill, ended, pid } = await parentOf();
    kill();
    await ended;
    await until(() => !isAlive(pid), 'its process has ended');
  });

  it('after its parent has called process.exit', async () => {
    const { ended, pid } = await parentOf('exit');
    await ended;
    await until(() => !isAlive(pid), 'its process has ended');
  });

  // Only the system can end a process that never looks at its socket again.
  it.runIf(existsSync('/usr/bin/setpriv'))('after its parent was killed while its handler computes for ever', async () => {
    const { kill, ended, pid } = await parentOf('spin');
    kill();
    await ended;
    await until(() => !isAlive(pid), 'its process has ended');
  });
});
