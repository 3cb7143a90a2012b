/**
 * Rings between real threads, some of which are killed.
 *
 * A wake-up that is lost leaves a thread asleep for good; the deadline turns that into a failure that
 * names the seed and what the threads had found by then. SPILLWAY_TEST_SEED repeats lengths, bytes and
 * pauses (the moments of the kills only roughly), SPILLWAY_TEST_RING_KILLS makes more or fewer kills.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { SharedCounters, SharedWords, SpscObserver, createSpscRing } from 'atomics-ring-buffer';
import { BOARD_BYTES, FINDINGS, ORDERS, POLL_LIMIT, type RingThreadData } from './ring-findings.ts';
import { mixed } from './thread-records.ts';

const SEED = Number(process.env['SPILLWAY_TEST_SEED'] ?? Date.now() % 1_000_000);
const PRODUCER_KILLS = Number(process.env['SPILLWAY_TEST_RING_KILLS'] ?? 64);
const CONSUMER_KILLS = Math.ceil(PRODUCER_KILLS / 2);
const DEADLINE_MS = 40_000;
const ENDLESS = 2 ** 31 - 1;

// Threads are started by the hundred: without the cache each would strip the types anew.
const compileCache = mkdtempSync(join(tmpdir(), 'spillway-ring-threads-'));
afterAll(() => rmSync(compileCache, { recursive: true, force: true }));

const running = new Set<Worker>();
afterEach(async () => {
  await Promise.all([...running].map((worker) => worker.terminate()));
});

interface Stage {
  readonly ring: SharedArrayBuffer;
  readonly back: SharedArrayBuffer;
  readonly board: SharedArrayBuffer;
  readonly observer: SpscObserver;
  readonly findings: SharedCounters<(typeof FINDINGS)[number]>;
  readonly orders: SharedWords<(typeof ORDERS)[number]>;
}

function makeStage(capacityBytes: number): Stage {
  const [ring, back] = [createSpscRing({ capacityBytes, initialPosition: 2 ** 32 - 4096 }), createSpscRing({ capacityBytes: 64 })];
  const board = new SharedArrayBuffer(BOARD_BYTES);
  return {
    ring,
    back,
    board,
    observer: new SpscObserver(ring),
    findings: new SharedCounters(board, 0, FINDINGS),
    orders: new SharedWords(board, SharedCounters.bytes(FINDINGS), ORDERS),
  };
}

interface Started {
  readonly worker: Worker;
  readonly ready: Promise<unknown>;
  /** Rejects when the thread ends by an error. */
  readonly ended: Promise<unknown>;
}

function start(stage: Stage, role: RingThreadData['role'], count: number, stickAfter?: number): Started {
  const workerData: RingThreadData = { role, ring: stage.ring, back: stage.back, board: stage.board, seed: SEED, count, stickAfter };
  const worker = new Worker(new URL('./ring-thread.ts', import.meta.url), {
    workerData,
    env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
  });
  running.add(worker);
  worker.once('exit', () => running.delete(worker));
  // `once` rejects on 'error', which comes before 'exit'.
  const [ready, ended] = [once(worker, 'message'), once(worker, 'exit')];
  ready.catch(() => {});
  return { worker, ready, ended };
}

function stateOf(stage: Stage): string {
  const { findings, observer } = stage;
  return `seed ${SEED}; found ${JSON.stringify(findings.snapshot())}; ring ${JSON.stringify(observer.counters)}, depth ${observer.depth}`;
}

async function beforeDeadline(stage: Stage, what: string, work: Promise<unknown>): Promise<void> {
  const watchdog = new AbortController();
  const expired = delay(DEADLINE_MS, undefined, { signal: watchdog.signal }).then(() => {
    throw new Error(`${what} not within ${DEADLINE_MS} ms: a wake-up or a record was lost. ${stateOf(stage)}`);
  });
  try {
    await Promise.race([work, expired]);
  } finally {
    watchdog.abort();
    expired.catch(() => {});
  }
}

function expectUnbroken(stage: Stage): void {
  const { findings, observer } = stage;
  expect(findings.snapshot(), stateOf(stage)).toMatchObject({ torn: 0, misordered: 0 });
  expect([observer.counters.consumed, observer.depth, observer.levelBytes], stateOf(stage)).toEqual([observer.counters.offered, 0, 0]);
}

describe('a producer thread and a consumer thread', () => {
  const RECORDS = 200_000;

  for (const [role, manner] of [['consume', 'parks'], ['consumeAsync', 'waits asynchronously']] as const) {
    it(`exchange ${RECORDS} records, none lost, doubled, torn or out of order, while the consumer ${manner}`, async () => {
      const stage = makeStage(16_384);
      const threads = [start(stage, role, RECORDS), start(stage, 'produce', RECORDS)];
      await beforeDeadline(stage, 'Both threads end', Promise.all(threads.map((thread) => thread.ended)));
      expectUnbroken(stage);
      expect(stage.findings.read('delivered')).toBe(RECORDS);
      expect(stage.findings.read('wakeUps'), 'the consumer slept and was woken').toBeGreaterThan(0);
    });
  }

  for (const [role, manner, rounds] of [['pong', 'parks', 10_000], ['pongAsync', 'waits asynchronously', 3_000]] as const) {
    it(`wake each other ${rounds} times, one side parked and the other of a kind that ${manner}`, async () => {
      const stage = makeStage(64);
      const threads = [start(stage, 'ping', rounds), start(stage, role, rounds)];
      await beforeDeadline(stage, 'All rounds are played', Promise.all(threads.map((thread) => thread.ended)));
      expect(stage.findings.read('delivered')).toBe(2 * rounds);
      expect(stage.findings.read('wakeUps')).toBeGreaterThan(0);
    });
  }
});

/**
 * Every other thread is killed where it sticks, in the middle of a claim or a poll. The others are
 * killed at a random moment, once they have got on by at least one record.
 */
async function killOne(stage: Stage, role: RingThreadData['role'], kill: number, progress: () => number): Promise<void> {
  const moment = mixed(SEED, kill);
  const sticks = kill % 2 === 0;
  const [before, stuckBefore] = [progress(), stage.findings.read('stuck')];
  const victim = start(stage, role, ENDLESS, sticks ? moment % 40 : undefined);
  await victim.ready;
  while (sticks ? stage.findings.read('stuck') === stuckBefore : progress() === before) await delay(0);
  if (!sticks && moment % 4 !== 0) await delay((moment >>> 2) % 3);
  await victim.worker.terminate();
}

describe('a thread that is killed', () => {
  it(`as producer, ${PRODUCER_KILLS} times, in the middle of a claim or anywhere, leaves an unbroken sequence to its successors`, async () => {
    const stage = makeStage(1024);
    const consumer = start(stage, 'consume', ENDLESS);
    const { observer } = stage;
    for (let kill = 0; kill < PRODUCER_KILLS; kill++) {
      await beforeDeadline(stage, `Kill ${kill}`, killOne(stage, 'produce', kill, () => observer.counters.offered));
    }
    const last = start(stage, 'produce', observer.counters.offered + 1_000);
    await beforeDeadline(stage, 'The last producer and the consumer end', Promise.all([last.ended, consumer.ended]));
    expectUnbroken(stage);
    expect(stage.findings.read('delivered'), stateOf(stage)).toBe(observer.counters.offered);
  });

  it(`as consumer, ${CONSUMER_KILLS} times, in the middle of a poll or anywhere, loses nothing: what it had not released is delivered again`, async () => {
    const stage = makeStage(1024);
    const producer = start(stage, 'produce', ENDLESS);
    const { findings, observer } = stage;
    for (let kill = 0; kill < CONSUMER_KILLS; kill++) {
      const role = kill % 4 < 2 ? 'consume' : 'consumeAsync';
      await beforeDeadline(stage, `Kill ${kill}`, killOne(stage, role, kill, () => findings.read('delivered')));
    }
    const last = start(stage, 'consume', ENDLESS);
    stage.orders.store('stop', 1);
    await beforeDeadline(stage, 'The producer and the last consumer end', Promise.all([producer.ended, last.ended]));
    expectUnbroken(stage);
    // A death in mid-poll has at least the record in hand delivered again, and at most one poll's worth.
    const again = findings.read('delivered') - observer.counters.consumed;
    expect(again, stateOf(stage)).toBeGreaterThanOrEqual(findings.read('stuck'));
    expect(again, stateOf(stage)).toBeLessThanOrEqual(CONSUMER_KILLS * POLL_LIMIT);
  });
});
