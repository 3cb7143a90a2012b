/** The asynchronous wait: what goes on meanwhile, what it leaves behind, and what holds the event loop. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Doorbell, EventLoopWait } from 'atomics-ring-buffer';

/** Far beyond what any of these tests takes: a wait that runs this long has lost its wake-up. */
const LOST_MS = 10_000;

function makeBell(): Doorbell {
  return new Doorbell(new Int32Array(new SharedArrayBuffer(4)), 0);
}

/** Timers of this process that are pending. */
function timers(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
}

afterEach(() => void vi.restoreAllMocks());

describe('a wait on an event loop', () => {
  it('lets timers and promises of its thread go on', async () => {
    const doorbell = makeBell();
    let turns = 0;
    const ticking = setInterval(() => {
      if (++turns === 3) doorbell.ring();
    }, 1);
    expect(await new EventLoopWait(doorbell).wait(() => turns >= 3, LOST_MS)).toBe(true);
    clearInterval(ticking);
  });

  it('returns without work when the bell rings for something else', async () => {
    const doorbell = makeBell();
    const waiting = new EventLoopWait(doorbell).wait(() => false, LOST_MS);
    expect(doorbell.ring()).toBe(true);
    expect(await waiting).toBe(false);
  });

  it('ends by dispose, and can wait again', async () => {
    const doorbell = makeBell();
    const waiting = new EventLoopWait(doorbell);
    waiting.dispose();
    for (let count = 0; count < 3; count++) {
      const wait = waiting.wait(() => false, LOST_MS);
      waiting.dispose();
      expect(await wait).toBe(false);
      expect(doorbell.ring()).toBe(false);
    }
    let work = false;
    const wait = waiting.wait(() => work, LOST_MS);
    work = true;
    expect(doorbell.ring()).toBe(true);
    expect(await wait).toBe(true);
  });

  it('ends in time also when a producer died after it had turned the bell, and before it woke anybody', async () => {
    const doorbell = makeBell();
    let work = false;
    const waiting = new EventLoopWait(doorbell).wait(() => work, 5);
    vi.spyOn(Atomics, 'notify').mockImplementationOnce(() => 0);
    work = true;
    expect(doorbell.ring()).toBe(true);
    expect(await waiting).toBe(true);
  });

  it('leaves no timer behind, and none to the engine, which would keep it until it is over', async () => {
    const waitAsync = vi.spyOn(Atomics, 'waitAsync');
    const doorbell = makeBell();
    const waiting = new EventLoopWait(doorbell);
    const before = timers();
    for (let count = 0; count < 10; count++) {
      const wait = waiting.wait(() => false, LOST_MS);
      expect(timers()).toBe(before + 1);
      doorbell.ring();
      await wait;
      expect(timers()).toBe(before);
    }
    expect(waitAsync.mock.calls.map((call) => call[3])).toEqual(Array.from({ length: 10 }, () => Infinity));
  });

  it('takes its wait back from the engine when its time is over', async () => {
    const words = new Int32Array(new SharedArrayBuffer(4));
    await new EventLoopWait(new Doorbell(words, 0)).wait(() => false, 1);
    expect(Atomics.notify(words, 0)).toBe(0);
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

  it('is held by a wait, which alone of all handles of the process is left', async () => {
    const [bare, held] = await Promise.all([outputOf('bare'), outputOf('held')]);
    // The control: with the bare wait of the engine, the process ends under the waiting code.
    expect(bare).toBe('waits\n');
    expect(held).toBe('waits\nfound: false\n');
  });

  it('is let go when the wait is over, and by dispose under a pending wait', async () => {
    // Both children would run for a minute more if the loop were still held.
    const [disposed, over] = await Promise.all([outputOf('disposed'), outputOf('over')]);
    expect(disposed).toBe('waits\nfound: false\n');
    expect(over).toBe('waits\nfound: true\n');
  });
});
