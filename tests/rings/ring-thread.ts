/** The threads of threads.test.ts: one file, a role each. What they find goes to shared counters, which outlive them. */
import { parentPort, workerData } from 'node:worker_threads';
import {
  Doorbell,
  EventLoopWait,
  ParkingWait,
  SharedCounters,
  SharedWords,
  SpscConsumer,
  SpscObserver,
  SpscProducer,
  YieldingWait,
} from 'atomics-ring-buffer';
import { FINDINGS, MAX_PAYLOAD_BYTES, ORDERS, POLL_LIMIT, type RingThreadData } from './ring-findings.ts';
import { lengthOf, mixed, readRecord, writeRecord } from './thread-records.ts';

/** Beyond every deadline of the tests: who sleeps this long has missed its wake-up. */
const FOREVER_MS = 600_000;

const data = workerData as RingThreadData;
const { ring, board, seed, count } = data;
const findings = new SharedCounters(board, 0, FINDINGS);
const orders = new SharedWords(board, SharedCounters.bytes(FINDINGS), ORDERS);

/** Stays inside of whatever is being done until the thread is killed. */
function stick(): void {
  findings.add('stuck');
  for (;;) Atomics.pause();
}

/** The ring's own bell, counting how often it woke somebody. */
class CountingDoorbell extends Doorbell {
  override ring(): boolean {
    const woke = super.ring();
    if (woke) findings.add('wakeUps');
    return woke;
  }
}

function attachProducer(buffer: SharedArrayBuffer): SpscProducer {
  const successorOf = new SpscObserver(buffer).producerIncarnation;
  return new SpscProducer(buffer, { successorOf, doorbell: new CountingDoorbell(new Int32Array(buffer), 96) });
}

function attachConsumer(buffer: SharedArrayBuffer): SpscConsumer {
  return new SpscConsumer(buffer, { successorOf: new SpscObserver(buffer).consumerIncarnation });
}

/** Claims room, napping in between while there is none: a ring's producer has no bell. */
function claimer(producer: SpscProducer): (length: number) => number {
  const pace = new YieldingWait();
  return (length) => {
    let offset = producer.tryClaim(1, length);
    const claims = (): boolean => offset >= 0 || (offset = producer.tryClaim(1, length)) >= 0;
    while (offset < 0) pace.wait(claims, FOREVER_MS);
    return offset;
  };
}

/** Publishes from where the ring's history ends, so that a successor continues a dead producer's sequence. */
function produce(): void {
  const producer = attachProducer(ring);
  const claim = claimer(producer);
  let own = 0;
  for (let sequence = producer.counters.offered; sequence < count && orders.load('stop') === 0; sequence++) {
    const length = lengthOf(seed, sequence, MAX_PAYLOAD_BYTES);
    const offset = claim(length);
    if (own++ === data.stickAfter) {
      // Half a record, and of another sequence: nobody may ever see it.
      writeRecord(producer.memory, offset, length >> 1, seed, ~sequence);
      stick();
    }
    writeRecord(producer.memory, offset, length, seed, sequence);
    producer.commit();
    // Now and then long enough for the consumer to fall asleep, or to be about to.
    if (mixed(seed + 1, sequence) % 32 === 0) for (let spins = mixed(seed + 2, sequence) % 400; spins > 0; spins--) Atomics.pause();
  }
  producer.close();
}

/** Checks records from where the ring's history of releases ends. */
function checker(consumer: SpscConsumer): () => number {
  let expected = consumer.counters.consumed;
  let own = 0;
  const check = (_kind: number, offset: number, length: number): void => {
    findings.add('delivered');
    const sequence = readRecord(consumer.memory, offset, length, seed, MAX_PAYLOAD_BYTES);
    if (sequence === undefined) findings.add('torn');
    else if (sequence !== expected) findings.add('misordered');
    expected++;
    if (own++ === data.stickAfter) stick();
  };
  return () => consumer.poll(check, POLL_LIMIT);
}

function consume(): void {
  const consumer = attachConsumer(ring);
  const waiting = new ParkingWait(consumer.doorbell);
  const poll = checker(consumer);
  const hasWork = (): boolean => consumer.hasRecord || consumer.closed;
  // CLOSED is looked at first: what was published before the close is visible then.
  while (!(consumer.closed && !consumer.hasRecord)) if (poll() === 0) waiting.wait(hasWork, FOREVER_MS);
}

async function consumeAsync(): Promise<void> {
  const consumer = attachConsumer(ring);
  const waiting = new EventLoopWait(consumer.doorbell);
  const poll = checker(consumer);
  const hasWork = (): boolean => consumer.hasRecord || consumer.closed;
  while (!(consumer.closed && !consumer.hasRecord)) if (poll() === 0) await waiting.wait(hasWork, FOREVER_MS);
}

/** One record there, one record back: each side sleeps until the other has answered. */
async function exchange(outbound: SharedArrayBuffer, inbound: SharedArrayBuffer, first: boolean, asleep: 'park' | 'async'): Promise<void> {
  const producer = attachProducer(outbound);
  const consumer = attachConsumer(inbound);
  const waiting = asleep === 'park' ? new ParkingWait(consumer.doorbell) : new EventLoopWait(consumer.doorbell);
  const hasWork = (): boolean => consumer.hasRecord;
  for (let round = 0; round < count; round++) {
    if (first) producer.offer(1, new Uint8Array(8));
    while (consumer.poll(() => {}, 1) === 0) {
      const ended = waiting.wait(hasWork, FOREVER_MS);
      if (typeof ended !== 'boolean') await ended;
    }
    findings.add('delivered');
    if (!first) producer.offer(1, new Uint8Array(8));
  }
}

parentPort!.postMessage('ready');
switch (data.role) {
  case 'produce': produce(); break;
  case 'consume': consume(); break;
  case 'consumeAsync': await consumeAsync(); break;
  case 'ping': await exchange(ring, data.back!, true, 'park'); break;
  case 'pong': await exchange(data.back!, ring, false, 'park'); break;
  case 'pongAsync': await exchange(data.back!, ring, false, 'async'); break;
}
