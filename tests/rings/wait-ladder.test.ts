/** The wait ladder on one thread: its budget, its timeouts and its hold on the event loop. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { Doorbell, WaitLadder } from 'atomics-ring-buffer';

function makeBell(): Doorbell {
  return new Doorbell(new Int32Array(new SharedArrayBuffer(4)), 0);
}

/** How often a wait of no time looks for work when it finds it at look number `found`, or never. */
function looks(ladder: WaitLadder, found = Infinity): number {
  let count = 0;
  ladder.wait(() => ++count >= found, 0);
  return count;
}

describe('spinning', () => {
  it('looks once and does not spin with a budget of 0', () => {
    const pause = vi.spyOn(Atomics, 'pause');
    const ladder = new WaitLadder(makeBell(), { maxSpins: 0 });
    expect([looks(ladder), looks(ladder), looks(ladder, 1), looks(ladder)]).toEqual([1, 1, 1, 1]);
    expect(pause).not.toHaveBeenCalled();
    pause.mockRestore();
  });

  it('halves its budget by every spin in vain, down to one look', () => {
    const ladder = new WaitLadder(makeBell());
    // The budget, and one look more when the time is up.
    expect(Array.from({ length: 8 }, () => looks(ladder))).toEqual([65, 33, 17, 9, 5, 3, 2, 2]);
  });

  it('doubles its budget by every spin that finds work, up to its bound', () => {
    const ladder = new WaitLadder(makeBell(), { maxSpins: 300 });
    const budgets = Array.from({ length: 4 }, () => {
      looks(ladder, 1);
      const budget = looks(ladder) - 1;
      looks(ladder, 1);
      return budget;
    });
    expect(budgets).toEqual([128, 256, 300, 300]);
  });

  it('grows again from one look', () => {
    const ladder = new WaitLadder(makeBell());
    for (let count = 0; count < 10; count++) looks(ladder);
    looks(ladder, 1);
    looks(ladder, 1);
    expect(looks(ladder) - 1).toBe(4);
  });

  it('begins at its bound when that is below the usual budget', () => {
    expect(looks(new WaitLadder(makeBell(), { maxSpins: 5 }))).toBe(6);
  });
});

describe('waiting', () => {
  it('answers at once and does not sleep when there is work', async () => {
    const wait = vi.spyOn(Atomics, 'wait');
    const ladder = new WaitLadder(makeBell(), { maxSpins: 0 });
    expect(ladder.wait(() => true, 60_000)).toBe(true);
    expect(await ladder.waitAsync(() => true, 60_000)).toBe(true);
    expect(wait).not.toHaveBeenCalled();
    wait.mockRestore();
  });

  it('gives up when its time is over, and leaves the bell disarmed', async () => {
    const doorbell = makeBell();
    const ladder = new WaitLadder(doorbell);
    expect(ladder.wait(() => false, 2)).toBe(false);
    expect(doorbell.ring()).toBe(false);
    expect(await ladder.waitAsync(() => false, 2)).toBe(false);
    expect(doorbell.ring()).toBe(false);
    ladder.dispose();
  });

  it('returns without work when the bell rings for something else', async () => {
    const doorbell = makeBell();
    const ladder = new WaitLadder(doorbell);
    const waiting = ladder.waitAsync(() => false, 60_000);
    expect(doorbell.ring()).toBe(true);
    expect(await waiting).toBe(false);
    ladder.dispose();
  });

  it('lets timers and promises of its thread go on while it waits asynchronously', async () => {
    const doorbell = makeBell();
    const ladder = new WaitLadder(doorbell);
    let turns = 0;
    const ticking = setInterval(() => {
      if (++turns === 3) doorbell.ring();
    }, 1);
    expect(await ladder.waitAsync(() => turns >= 3, 60_000)).toBe(true);
    clearInterval(ticking);
    ladder.dispose();
  });

  it('waits again after it was disposed', async () => {
    const doorbell = makeBell();
    const ladder = new WaitLadder(doorbell);
    ladder.dispose();
    let work = false;
    const waiting = ladder.waitAsync(() => work, 60_000);
    work = true;
    expect(doorbell.ring()).toBe(true);
    expect(await waiting).toBe(true);
    ladder.dispose();
  });
});

describe('the event loop of a process', () => {
  async function outputOf(mode: string): Promise<string> {
    const path = fileURLToPath(new URL('./wait-child.ts', import.meta.url));
    const child = spawn(process.execPath, ['--conditions=spillway-src', path, mode], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await once(child, 'close');
    return output;
  }

  it('is held by waitAsync, which alone of all handles of the process is left', async () => {
    const [bare, held] = await Promise.all([outputOf('bare'), outputOf('held')]);
    // The control: with the same wait and no ladder, the process ends under the waiting code.
    expect(bare).toBe('waits\n');
    expect(held).toBe('waits\nwas woken: false\n');
  });

  it('is let go when the wait is over, and by dispose under a pending wait', async () => {
    // Both children would run for a minute more if the loop were still held.
    const [disposed, over] = await Promise.all([outputOf('disposed'), outputOf('over')]);
    expect(disposed).toBe('waits\n');
    expect(over).toBe('waits\nwas woken: true\n');
  });
});
