import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { FIRST_SPAWNED_PLACE, spawnedSlot } from '../../kernel/address.ts';
import { Board } from '../../kernel/board.ts';
import type { Log } from '../../kernel/log.ts';
import { ThreadBlock, createSystemMemory } from '../../kernel/thread-block.ts';
import { ManualClock } from '../../kernel/time/manual-clock.ts';
import { Watchdog } from '../../kernel/watchdog.ts';
import { createSystem } from '../../supervisors/index.ts';

const THREAD = 2;
const HUNG_AFTER_MS = 1_000;
const LOOK_MS = 100;
/** Of the actor `light`, who was spawned on the thread. */
const SLOT = spawnedSlot(FIRST_SPAWNED_PLACE, 0);

/** A thread that does what a test makes its memory show, and a watchdog that looks when the test says so. */
function watched() {
  const clock = new ManualClock();
  const block = new ThreadBlock(createSystemMemory(THREAD + 1), THREAD);
  const board = new Board(Board.create());
  board.open(FIRST_SPAWNED_PLACE, 'light');
  block.state = 'running';
  const lines: unknown[][] = [];
  const warn = (actor: string): Log['warn'] => (message, fields) => void lines.push([actor, message, fields]);
  const silent = (): void => expect.unreachable('only warnings are logged');
  let threads = [{ id: THREAD, name: 'crew', board, block }];
  const watchdog = new Watchdog({
    threads: () => threads,
    clock,
    after: () => undefined,
    log: (actor) => ({ debug: silent, info: silent, error: silent, warn: warn(actor) }),
    hungAfterMs: HUNG_AFTER_MS,
  });
  watchdog.look();
  return {
    block,
    lines,
    heldForMs: (): number | undefined => (block.heldSinceMs === undefined ? undefined : clock.monotonicMs() - block.heldSinceMs),
    remove: () => void (threads = []),
    /** Lets time pass, with looks in it. @param between what the thread does after each */
    pass(ms: number, between: () => void = () => undefined): void {
      for (let passed = 0; passed < ms; passed += LOOK_MS) {
        clock.advance(LOOK_MS);
        watchdog.look();
        between();
      }
    },
    /** The process as a whole stands still. */
    stop(ms: number): void {
      clock.advance(ms);
      watchdog.look();
    },
  };
}

describe('a watchdog', () => {
  test('names the actor whose handler holds its thread, once, and says when it has ended', () => {
    const { block, lines, heldForMs, pass } = watched();
    block.handling = SLOT;
    pass(HUNG_AFTER_MS + LOOK_MS);
    expect(lines).toEqual([]);
    pass(LOOK_MS);
    const where = { thread: 'crew', address: '2/2.0' };
    expect(lines).toEqual([['light', 'a handler holds its thread', { ...where, forMs: HUNG_AFTER_MS + LOOK_MS }]]);
    expect(block.hangs).toBe(1);
    pass(2_000);
    expect(heldForMs()).toBe(HUNG_AFTER_MS + LOOK_MS + 2_000);
    block.handling = 0;
    block.countTurn();
    pass(LOOK_MS);
    expect(lines.slice(1)).toEqual([['light', 'the thread is no longer held', { thread: 'crew', forMs: HUNG_AFTER_MS + 2_000 + 2 * LOOK_MS }]]);
    expect(heldForMs()).toBeUndefined();
    expect(block.hangs).toBe(1);
  });

  test('shows for how long a handler runs before that is too long', () => {
    const { block, lines, heldForMs, pass } = watched();
    block.handling = SLOT;
    pass(3 * LOOK_MS);
    expect(heldForMs()).toBe(2 * LOOK_MS);
    expect(lines).toEqual([]);
  });

  test('takes no handler that is entered anew for one that does not return, even within one turn', () => {
    const { block, lines, heldForMs, pass } = watched();
    pass(10 * HUNG_AFTER_MS, () => {
      block.handling = 0;
      block.handling = SLOT;
      expect(heldForMs()).toBeUndefined();
    });
    expect([lines, block.hangs]).toEqual([[], 0]);
  });

  test('takes no thread that turns for one that is held', () => {
    const { block, lines, pass } = watched();
    pass(10 * HUNG_AFTER_MS, () => block.countTurn());
    expect([lines, block.hangs]).toEqual([[], 0]);
  });

  test('leaves an idle thread its sleep, and tells of one that stands still outside of any handler', () => {
    const { block, lines, pass } = watched();
    pass(2_000);
    expect(lines).toEqual([]);
    pass(2 * LOOK_MS);
    expect(lines).toEqual([['crew', 'the thread stands still outside of any handler', { thread: 'crew', forMs: 2_100 }]]);
    expect(block.hangs).toBe(1);
  });

  test.each(['starting', 'stopping'] as const)('lets a thread that is %s load and release what it needs', (state) => {
    const { block, lines, pass } = watched();
    block.state = state;
    pass(10 * HUNG_AFTER_MS);
    expect(lines).toEqual([]);
  });

  test.each([
    ['crashes', (block: ThreadBlock) => void (block.state = 'restarting')],
    ['is started again', (block: ThreadBlock) => void block.incarnation++],
  ])('says so when a thread that was held %s, and takes its next life for a new one', (_, end) => {
    const { block, lines, heldForMs, pass } = watched();
    block.handling = SLOT;
    pass(HUNG_AFTER_MS + 2 * LOOK_MS);
    end(block);
    pass(LOOK_MS);
    expect(lines.at(-1)).toEqual(['light', 'the thread that was held has ended', { thread: 'crew', forMs: HUNG_AFTER_MS + 2 * LOOK_MS }]);
    expect(heldForMs()).toBeUndefined();
    pass(HUNG_AFTER_MS);
    expect(block.hangs).toBe(1);
  });

  test('forgets a thread that has been removed', () => {
    const { block, lines, remove, pass } = watched();
    block.handling = SLOT;
    pass(HUNG_AFTER_MS + 2 * LOOK_MS);
    remove();
    pass(HUNG_AFTER_MS);
    expect(lines).toHaveLength(1);
  });

  test('blames no thread for a process that stood still', () => {
    const { block, lines, pass, stop } = watched();
    block.handling = SLOT;
    pass(LOOK_MS);
    stop(60_000);
    pass(HUNG_AFTER_MS);
    expect(lines).toEqual([]);
    pass(LOOK_MS);
    expect(lines).toHaveLength(1);
  });
});

test('an endless loop in a light actor is logged by name, makes the system not ready, and is over when it ends', async () => {
  const child = fileURLToPath(new URL('./watchdog-child.ts', import.meta.url));
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [...process.execArgv, child]);
  expect(JSON.parse(stdout)).toMatchObject({
    held: { code: 'thread_hung', thread: { name: 'crew' }, actor: 'child-0' },
    still: { code: 'thread_hung', thread: { name: 'crew' }, actor: 'crew' },
  });
  const lines = stderr.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines.map(({ level, actor, msg, thread }) => [level, actor, msg, thread])).toEqual([
    [40, 'child-0', 'a handler holds its thread', 'crew'],
    [40, 'child-0', 'the thread is no longer held', 'crew'],
    [40, 'crew', 'the thread stands still outside of any handler', 'crew'],
  ]);
  expect(lines[0]).toMatchObject({ address: expect.stringMatching(/^\d+\/\d+\.0$/) as string });
});

test.each([0, 99, Number.NaN, Infinity])('a limit of %s ms is refused', async (hungAfterMs) => {
  await expect(createSystem({ hungAfterMs })).rejects.toMatchObject({ code: 'spec_invalid', message: expect.stringContaining('hungAfterMs') as string });
});
