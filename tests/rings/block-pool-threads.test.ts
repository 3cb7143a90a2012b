/**
 * Two real threads that pass blocks to each other, and are killed while they do: half of them where
 * they stick, right before or after a compare-exchange, the others anywhere.
 *
 * SPILLWAY_TEST_SEED repeats lengths, bytes and sticking places, SPILLWAY_TEST_POOL_KILLS makes more
 * or fewer kills.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { BlockPool, SharedCounters, SharedWords, SpscObserver, createBlockPool, createSpscRing } from 'atomics-ring-buffer';
import { BOARD_BYTES, MAX_BLOCK_BYTES, ORDERS, TALLY, type TraderData } from './block-pool-worker.ts';
import { mixed } from './thread-records.ts';

const SEED = Number(process.env['SPILLWAY_TEST_SEED'] ?? Date.now() % 1_000_000);
const KILLS = Number(process.env['SPILLWAY_TEST_POOL_KILLS'] ?? 30);
const DEADLINE_MS = 40_000;
const OWNERS = 8;

const compileCache = mkdtempSync(join(tmpdir(), 'spillway-block-threads-'));
afterAll(() => rmSync(compileCache, { recursive: true, force: true }));

const running = new Set<Worker>();
afterEach(async () => {
  await Promise.all([...running].map((worker) => worker.terminate()));
});

interface Trader {
  readonly worker: Worker;
  readonly owner: number;
  readonly ended: Promise<unknown>;
}

class Exchange {
  readonly pool = createBlockPool({
    classes: [
      { blockBytes: 256, count: 12 },
      { blockBytes: MAX_BLOCK_BYTES, count: 20 },
    ],
    owners: OWNERS,
  });
  readonly blocks = new BlockPool(this.pool);
  readonly rings = [0, 1].map(() => createSpscRing({ capacityBytes: 512, initialPosition: 2 ** 32 - 1024 }));
  readonly observers = this.rings.map((ring) => new SpscObserver(ring));
  readonly board = new SharedArrayBuffer(BOARD_BYTES);
  readonly findings = new SharedCounters(this.board, 0, TALLY);
  readonly orders = new SharedWords(this.board, SharedCounters.bytes(TALLY), ORDERS);
  readonly taken = new Set<number>();
  /** What a thread ended by, if one did. */
  failure: unknown;

  /** Starts the thread that sends through ring `side` and receives from the other, under a number that is free. */
  start(side: 0 | 1, stickAt = 0): Trader {
    const owner = Array.from({ length: OWNERS }, (_, index) => index + 1).find((number) => !this.taken.has(number) && this.blocks.isVacant(number))!;
    this.taken.add(owner);
    const workerData: TraderData = {
      pool: this.pool,
      owner,
      outbound: this.rings[side]!,
      inbound: this.rings[1 - side]!,
      producerBefore: this.observers[side]!.producerIncarnation,
      consumerBefore: this.observers[1 - side]!.consumerIncarnation,
      board: this.board,
      seed: SEED,
      stickAt,
    };
    const worker = new Worker(new URL('./block-pool-worker.ts', import.meta.url), {
      workerData,
      env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
    });
    running.add(worker);
    worker.once('exit', () => running.delete(worker));
    const ended = once(worker, 'exit');
    ended.catch((error: unknown) => (this.failure = error));
    return { worker, owner, ended };
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    const deadline = performance.now() + DEADLINE_MS;
    while (!holds()) {
      if (this.failure !== undefined) throw this.failure;
      if (performance.now() > deadline) throw new Error(`${what} not within ${DEADLINE_MS} ms. ${this.state()}`);
      await delay(1);
    }
  }

  /** Takes back what a dead trader held, at once, and what it never published, once the rest has been taken. */
  async bury({ owner }: Trader, side: 0 | 1, replace: () => Trader): Promise<Trader> {
    const published = this.observers[side]!.producerPosition;
    this.blocks.reclaim(owner);
    const successor = replace();
    await this.until('All that the dead one published is polled', () => ((this.observers[side]!.consumerPosition - published) | 0) >= 0);
    this.blocks.reclaimUnpublished(owner);
    this.taken.delete(owner);
    return successor;
  }

  state(): string {
    return `seed ${SEED}; found ${JSON.stringify(this.findings.snapshot())}; pool ${JSON.stringify(this.blocks.counters)}`;
  }

  /** Lets the threads empty the rings and end, then takes back what they still have, which is nothing. */
  async end(traders: readonly Trader[]): Promise<void> {
    this.orders.store('stopSending', 1);
    await this.until('All blocks are back', () => this.blocks.counters.inUse === 0 && this.observers.every((ring) => ring.isEmpty));
    this.orders.store('stop', 1);
    await Promise.all(traders.map(({ ended }) => ended));
    for (const { owner } of traders) expect(this.blocks.reclaim(owner), this.state()).toBe(0);
    const { acquired, released, reclaimed, inUse, handed } = this.blocks.counters;
    expect([inUse, handed], this.state()).toEqual([0, 0]);
    expect(acquired, this.state()).toBe(released + reclaimed);
    expect(this.findings.snapshot(), this.state()).toMatchObject({ torn: 0, refused: 0 });
  }
}

describe('two threads that pass blocks to each other', () => {
  it('lose none, and never write to the same one', async () => {
    const exchange = new Exchange();
    const traders = [exchange.start(0), exchange.start(1)];
    await exchange.until('20,000 blocks are received', () => exchange.findings.read('received') >= 20_000);
    await exchange.end(traders);
    const { acquired, released } = exchange.blocks.counters;
    expect([released, exchange.findings.read('redelivered')], exchange.state()).toEqual([acquired, 0]);
  });

  it(`lose none when ${KILLS} of them are killed, right beside a compare-exchange or anywhere`, async () => {
    const exchange = new Exchange();
    const traders: [Trader, Trader] = [exchange.start(0), exchange.start(1)];
    for (let kill = 0; kill < KILLS; kill++) {
      const side = (mixed(SEED, kill) % 2) as 0 | 1;
      const sticks = kill % 2 === 0;
      const [received, stuck] = [exchange.findings.read('received'), exchange.findings.read('stuck')];
      if (sticks) {
        // The one in place goes first, so that one that sticks can take its place.
        const former = traders[side];
        await former.worker.terminate();
        traders[side] = await exchange.bury(former, side, () => exchange.start(side, 1 + (mixed(SEED + 1, kill) % 60)));
        await exchange.until('The thread sticks', () => exchange.findings.read('stuck') > stuck);
      } else {
        await exchange.until('A block is received', () => exchange.findings.read('received') > received);
        if (kill % 3 === 0) await delay(mixed(SEED, kill) % 4);
      }
      const victim = traders[side];
      await victim.worker.terminate();
      traders[side] = await exchange.bury(victim, side, () => exchange.start(side));
    }
    await exchange.end(traders);
    const { reclaimed } = exchange.blocks.counters;
    expect(exchange.findings.read('stuck')).toBe(Math.ceil(KILLS / 2));
    expect(reclaimed, exchange.state()).toBeGreaterThan(0);
  });
});
