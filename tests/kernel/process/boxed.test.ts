/** An actor's process in a sandbox of the operating system; what that keeps from it is tested in tests/escapes. */
import { chownSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { probeSandbox, sandboxedPid } from '../../../kernel/sandbox/index.ts';
import { SmallSystem, isThere } from './small-system.ts';

const DEADLINE = { deadlineMs: 20_000 };

/** Processes that this one has started, whichever of its threads it was. */
function childrenOfAllThreads(): number[] {
  return readdirSync('/proc/self/task').flatMap((thread) => readFileSync(`/proc/self/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number));
}

describe.runIf(probeSandbox().works.includes('seccomp'))('an actor in a sandbox', () => {
  let folder: string;
  let system: SmallSystem;
  beforeAll(async () => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'spillway-boxed-')));
    system = await SmallSystem.create();
  });
  afterAll(async () => {
    await system.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('works as without, and nothing of it is left when it was killed', async () => {
    await system.start({ name: 'boxed', process: { sandbox: {} } });
    const boxed = await system.outcast('boxed');
    for (let number = 0; number < 100; number++) boxed.tell('note', { number });
    expect((await boxed.ask('notes', {}, DEADLINE)).numbers).toHaveLength(100);
    const launcher = childrenOfAllThreads().find((pid) => sandboxedPid(pid) !== undefined)!;
    const inside = sandboxedPid(launcher)!;
    expect([launcher, inside].map(isThere)).toEqual([true, true]);
    expect(await system.kill('boxed')).toBe(true);
    expect([launcher, inside].map(isThere)).toEqual([false, false]);
  });

  // Of all files, those of a user who does not exist inside are the ones that only root may grant and a sandbox cannot open.
  it.runIf(process.getuid?.() === 0)('that cannot be built is not started, and says which step has failed', async () => {
    const hidden = join(folder, 'hidden');
    const granted = join(hidden, 'granted');
    mkdirSync(granted, { recursive: true, mode: 0o700 });
    chownSync(hidden, 54_321, 54_321);
    const started = system.start({ name: 'unbuilt', process: { sandbox: { read: [granted] } } });
    await expect(started).rejects.toMatchObject({ code: 'sandbox_failed' });
    await expect(started).rejects.toThrow(`open ${granted}: Permission denied`);
  });
});
