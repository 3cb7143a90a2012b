/**
 * A real thread that sends messages in fragments and is killed in the middle of them. The messages
 * prove themselves by length and checksum, and each life of the sender numbers them from 0.
 *
 * SPILLWAY_TEST_SEED repeats lengths and bytes, SPILLWAY_TEST_FRAGMENT_KILLS makes more or fewer kills.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterAll, afterEach, expect, it } from 'vitest';
import { Reassembler, SharedCounters, SharedMemory, SharedWords, SpscConsumer, SpscObserver, createSpscRing } from 'atomics-ring-buffer';
import { BOARD_BYTES, FRAGMENT_KIND, MAX_MESSAGE_BYTES, ORDERS, SENT, type SenderData } from './fragments-worker.ts';
import { mixed, readRecord } from './thread-records.ts';

const SEED = Number(process.env['SPILLWAY_TEST_SEED'] ?? Date.now() % 1_000_000);
const KILLS = Number(process.env['SPILLWAY_TEST_FRAGMENT_KILLS'] ?? 20);
const DEADLINE_MS = 40_000;

const compileCache = mkdtempSync(join(tmpdir(), 'spillway-fragment-threads-'));
afterAll(() => rmSync(compileCache, { recursive: true, force: true }));

const running = new Set<Worker>();
afterEach(async () => {
  await Promise.all([...running].map((worker) => worker.terminate()));
});

it(`a sender that is killed ${KILLS} times in the middle of its messages leaves none torn, and none missing but the one in hand`, async () => {
  const ring = createSpscRing({ capacityBytes: 2048, initialPosition: 2 ** 32 - 4096 });
  const board = new SharedArrayBuffer(BOARD_BYTES);
  const [sent, orders] = [new SharedCounters(board, 0, SENT), new SharedWords(board, SharedCounters.bytes(SENT), ORDERS)];
  const [consumer, observer] = [new SpscConsumer(ring), new SpscObserver(ring)];
  const scratch = new SharedMemory(new SharedArrayBuffer(MAX_MESSAGE_BYTES));
  const found = { torn: 0, misordered: 0, received: 0, life: -1, expected: 0 };
  const reassembler = new Reassembler(
    consumer.memory,
    (life, memory, offset, length) => {
      found.received++;
      scratch.u8.set(memory.u8.subarray(offset, offset + length));
      const sequence = readRecord(scratch, 0, length, SEED, MAX_MESSAGE_BYTES);
      if (life > found.life) [found.life, found.expected] = [life, 0];
      if (sequence === undefined) found.torn++;
      else if (sequence !== found.expected++ || life !== found.life) found.misordered++;
    },
    { fragmentKind: FRAGMENT_KIND, maxMessageBytes: MAX_MESSAGE_BYTES },
  );
  const state = (): string => `seed ${SEED}; ${JSON.stringify({ ...found, sent: sent.read('sent'), ...reassembler.counters })}`;
  const start = (life: number): { worker: Worker; ended: Promise<unknown> } => {
    const workerData: SenderData = { ring, producerBefore: observer.producerIncarnation, board, seed: SEED, life };
    const worker = new Worker(new URL('./fragments-worker.ts', import.meta.url), { workerData, env: { ...process.env, NODE_COMPILE_CACHE: compileCache } });
    running.add(worker);
    worker.once('exit', () => running.delete(worker));
    const ended = once(worker, 'exit');
    ended.catch(() => {});
    return { worker, ended };
  };
  let inMiddle = 0;
  for (let life = 0; life < KILLS; life++) {
    const { worker, ended } = start(life);
    let failure: unknown;
    ended.catch((error: unknown) => (failure = error));
    const until = sent.read('sent') + 1 + (mixed(SEED, life) % 20);
    const deadline = performance.now() + DEADLINE_MS;
    while (sent.read('sent') < until) {
      if (failure !== undefined) throw failure;
      if (performance.now() > deadline) throw new Error(`No progress within ${DEADLINE_MS} ms. ${state()}`);
      if (consumer.poll(reassembler.onRecord, 1 + (mixed(SEED + 1, found.received) % 8)) === 0) await delay(1);
    }
    // Every other one dies at any moment, the others when the ring is full and nobody polls it.
    const stuck = life % 2 === 0 ? undefined : await stuckInMiddle(sent, deadline);
    await worker.terminate();
    consumer.poll(reassembler.onRecord, Infinity);
    if (stuck !== undefined) expect(reassembler.inProgress, state()).toBe(stuck ? 1 : 0);
    inMiddle += reassembler.inProgress;
    if (life % 3 === 0) reassembler.forget(0);
  }
  const last = start(KILLS);
  const until = sent.read('sent') + 50;
  while (sent.read('sent') < until) if (consumer.poll(reassembler.onRecord, Infinity) === 0) await delay(1);
  orders.store('stop', 1);
  while (running.size > 0) if (consumer.poll(reassembler.onRecord, Infinity) === 0) await delay(1);
  await last.ended;
  consumer.poll(reassembler.onRecord, Infinity);
  expect(found, state()).toMatchObject({ torn: 0, misordered: 0, life: KILLS });
  // A message may be published to its end by a sender that dies before it says so.
  expect(found.received, state()).toBeGreaterThanOrEqual(sent.read('sent'));
  expect(found.received, state()).toBeLessThanOrEqual(sent.read('sent') + KILLS);
  expect(reassembler.inProgress).toBe(0);
  const { assembled, senderDied, ...rest } = reassembler.counters;
  expect(assembled).toBeGreaterThan(0);
  // The same half may be found at several deaths, when the lives in between sent short messages only.
  expect(senderDied, state()).toBeGreaterThan(0);
  expect(senderDied, state()).toBeLessThanOrEqual(inMiddle);
  expect(rest, state()).toEqual({ tooLong: 0, outOfOrder: 0, abandoned: 0, evicted: 0, damaged: 0, ignored: 0 });
});

/** Waits until the ring is full for its sender. @returns whether a part of its message is in it then */
async function stuckInMiddle(sent: SharedCounters<(typeof SENT)[number]>, deadline: number): Promise<boolean> {
  // The first refusal may be of before, when there was room a moment later.
  await refusedTwice(sent, deadline);
  const inMiddle = sent.read('refusedInMiddle');
  await refusedTwice(sent, deadline);
  return sent.read('refusedInMiddle') > inMiddle;
}

async function refusedTwice(sent: SharedCounters<(typeof SENT)[number]>, deadline: number): Promise<void> {
  const refused = sent.read('refused');
  while (sent.read('refused') < refused + 2) {
    if (performance.now() > deadline) throw new Error(`The sender was not refused within ${DEADLINE_MS} ms.`);
    await delay(1);
  }
}
