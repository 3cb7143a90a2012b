/**
 * Rings between the threads of a page: workers that park, the window that waits in its event loop, and
 * workers that are terminated in the middle of a record. A wake-up that is lost leaves its test waiting
 * until its time is over.
 */
import { describe, expect, it } from 'vitest';
import {
  BroadcastObserver,
  EventLoopWait,
  MpscConsumer,
  MpscObserver,
  SpscConsumer,
  SpscObserver,
  SpscProducer,
  createBroadcastRing,
  createMpscRing,
  createSpscRing,
} from 'atomics-ring-buffer';
import { withCode } from '../rings/ring.cases.ts';
import { PageThreads } from './page-threads.ts';
import { RecordCheck } from './record-check.ts';
import { FOREVER_MS, type Findings } from './ring-work.ts';

const RECORDS = 100_000;
const STREAMS = [0, 1, 2];
const CAPACITY_BYTES = 16_384;
/** Positions overflow their 32 bits early in each test. */
const RING = { capacityBytes: CAPACITY_BYTES, initialPosition: 2 ** 32 - CAPACITY_BYTES };
const WHOLE = { torn: 0, misordered: 0, redelivered: 0, lost: 0 };

/** Receives in the window, waiting in its event loop, until the ring is closed and empty. */
async function receiveAll(consumer: SpscConsumer | MpscConsumer): Promise<Findings> {
  const check = new RecordCheck(consumer);
  const waiting = new EventLoopWait(consumer.doorbell);
  const hasWork = (): boolean => consumer.hasRecord || consumer.closed;
  while (!(consumer.closed && !consumer.hasRecord)) if (check.poll() === 0) await waiting.wait(hasWork, FOREVER_MS);
  return check.findings();
}

describe('the threads of a page', () => {
  it(`exchange ${RECORDS} records through an SPSC ring, the consumer parked in its worker`, async () => {
    await using threads = new PageThreads();
    const ring = createSpscRing(RING);
    const consumer = await threads.start({ role: 'consume', kind: 'spsc', ring });
    const producer = await threads.start({ role: 'produce', kind: 'spsc', ring, to: RECORDS });
    const { wakeUps } = await producer.done;
    new SpscObserver(ring).close();
    expect(await consumer.done).toMatchObject({ ...WHOLE, records: RECORDS });
    expect(wakeUps, 'the consumer slept and was woken').toBeGreaterThan(0);
  });

  it(`exchange 3 × ${RECORDS} records through an MPSC ring, the consumer parked in its worker`, async () => {
    await using threads = new PageThreads();
    const ring = createMpscRing(RING);
    const consumer = await threads.start({ role: 'consume', kind: 'mpsc', ring });
    const producers = await Promise.all(STREAMS.map((stream) => threads.start({ role: 'produce', kind: 'mpsc', ring, stream, to: RECORDS })));
    const sent = await Promise.all(producers.map(({ done }) => done));
    new MpscObserver(ring).close();
    expect(await consumer.done).toMatchObject({ ...WHOLE, records: STREAMS.length * RECORDS });
    expect(sent.reduce((sum, { wakeUps }) => sum + wakeUps, 0), 'the consumer slept and was woken').toBeGreaterThan(0);
  });

  it(`hand ${RECORDS} records to the window, which waits for them in its event loop`, async () => {
    await using threads = new PageThreads();
    const ring = createSpscRing(RING);
    const received = receiveAll(new SpscConsumer(ring));
    const producer = await threads.start({ role: 'produce', kind: 'spsc', ring, to: RECORDS });
    const { wakeUps } = await producer.done;
    new SpscObserver(ring).close();
    expect(await received).toMatchObject({ ...WHOLE, records: RECORDS });
    expect(wakeUps, 'the window waited and was woken').toBeGreaterThan(0);
  });

  it(`hand 3 × ${RECORDS} records to the window, which waits for them in its event loop`, async () => {
    await using threads = new PageThreads();
    const ring = createMpscRing(RING);
    const received = receiveAll(new MpscConsumer(ring));
    const producers = await Promise.all(STREAMS.map((stream) => threads.start({ role: 'produce', kind: 'mpsc', ring, stream, to: RECORDS })));
    const sent = await Promise.all(producers.map(({ done }) => done));
    new MpscObserver(ring).close();
    expect(await received).toMatchObject({ ...WHOLE, records: STREAMS.length * RECORDS });
    expect(sent.reduce((sum, { wakeUps }) => sum + wakeUps, 0), 'the window waited and was woken').toBeGreaterThan(0);
  });

  it(`read ${RECORDS} records of a broadcast ring, each reader all that it does not count as lost`, async () => {
    await using threads = new PageThreads();
    const ring = createBroadcastRing({ capacityBytes: CAPACITY_BYTES });
    const readers = await Promise.all([0, 1].map(() => threads.start({ role: 'consume', kind: 'broadcast', ring })));
    const writer = await threads.start({ role: 'produce', kind: 'broadcast', ring, to: RECORDS });
    await writer.done;
    new BroadcastObserver(ring).close();
    for (const { done } of readers) {
      const { records, lost, torn, misordered } = await done;
      expect([torn, misordered, records + lost]).toEqual([0, 0, RECORDS]);
      expect(records).toBeGreaterThan(0);
    }
  });
});

// Side by side, because a browser may take seconds to end a thread that is blocked.
describe.concurrent('a worker that is terminated', () => {
  it('in the middle of a claim of an SPSC ring leaves its side to the successor that names it', async () => {
    await using threads = new PageThreads();
    const ring = createSpscRing(RING);
    const consumer = await threads.start({ role: 'consume', kind: 'spsc', ring });
    const dead = await threads.start({ role: 'produce', kind: 'spsc', ring, to: 1_000, stickAfter: 700 });
    const from = await dead.stuck;
    await dead.kill();
    expect(new SpscObserver(ring).counters.offered).toBe(from);
    expect(() => new SpscProducer(ring)).toThrow(withCode('side_taken'));
    const successor = await threads.start({ role: 'produce', kind: 'spsc', ring, successorOf: dead.incarnation, from, to: 2_000 });
    expect(successor.incarnation).toBeGreaterThan(dead.incarnation);
    await successor.done;
    new SpscObserver(ring).close();
    expect(await consumer.done).toMatchObject({ ...WHOLE, records: 2_000 });
  });

  it('in the middle of a claim of an MPSC ring holds up what comes behind it until it is declared dead', async () => {
    await using threads = new PageThreads();
    const ring = createMpscRing(RING);
    const observer = new MpscObserver(ring);
    const consumer = await threads.start({ role: 'consume', kind: 'mpsc', ring });
    const dead = await threads.start({ role: 'produce', kind: 'mpsc', ring, stream: 0, to: 1_000, stickAfter: 700 });
    const from = await dead.stuck;
    const other = await threads.start({ role: 'produce', kind: 'mpsc', ring, stream: 2, to: RECORDS });
    await dead.kill();
    expect(observer.counters.consumed).toBeLessThanOrEqual(from);
    expect(observer.declareDead(dead.incarnation)).toBe(true);
    const successor = await threads.start({ role: 'produce', kind: 'mpsc', ring, stream: 0, from, to: 2_000 });
    await Promise.all([other.done, successor.done]);
    observer.close();
    expect(await consumer.done).toMatchObject({ ...WHOLE, records: 2_000 + RECORDS });
    expect(observer.counters).toMatchObject({ abandoned: 1, offered: 2_000 + RECORDS });
  });

  it.each(['spsc', 'mpsc'] as const)('with a record of an %s ring in hand leaves it to its successor, counted as redelivered', async (kind) => {
    await using threads = new PageThreads();
    const ring = kind === 'spsc' ? createSpscRing(RING) : createMpscRing(RING);
    const observer = kind === 'spsc' ? new SpscObserver(ring) : new MpscObserver(ring);
    const dead = await threads.start({ role: 'consume', kind, ring, stickAfter: 700 });
    const producer = await threads.start({ role: 'produce', kind, ring, to: 2_000 });
    expect(await dead.stuck).toBe(700);
    await dead.kill();
    const from = observer.counters.consumed;
    expect(from).toBeLessThanOrEqual(700);
    const successor = await threads.start({ role: 'consume', kind, ring, successorOf: dead.incarnation, from });
    await producer.done;
    observer.close();
    // What the dead one had in its hands and not released comes again, and is counted so.
    expect(await successor.done).toMatchObject({ ...WHOLE, records: 2_000 - from, redelivered: 701 - from });
  });
});
