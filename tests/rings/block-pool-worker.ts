/**
 * A thread of block-pool-threads.test.ts: it sends blocks that it filled through one ring, and takes,
 * checks, and releases or sends on those that come through another. It may be told to stick at one of
 * its compare-exchanges, so that it is killed right there.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { BlockOwner, SharedCounters, SharedWords, SpscConsumer, SpscProducer } from 'atomics-ring-buffer';
import { lengthOf, mixed, readRecord, writeRecord } from './thread-records.ts';

export const TALLY = ['sent', 'received', 'torn', 'refused', 'redelivered', 'stuck'] as const;
export const ORDERS = ['stopSending', 'stop'] as const;
export const BOARD_BYTES = SharedCounters.bytes(TALLY) + SharedWords.bytes(ORDERS);
export const MAX_BLOCK_BYTES = 1024;

export interface TraderData {
  readonly pool: SharedArrayBuffer;
  readonly owner: number;
  readonly outbound: SharedArrayBuffer;
  readonly inbound: SharedArrayBuffer;
  /** The incarnations of the dead thread whose place this one takes, 0 for none. */
  readonly producerBefore: number;
  readonly consumerBefore: number;
  readonly board: SharedArrayBuffer;
  readonly seed: number;
  /** The compare-exchange, counted from the first trade, at which to stick: before it if odd, after it if even. */
  readonly stickAt: number;
}

/** Kinds of records: a block to be sent back, and one to be released. */
const SEND_BACK = 1;
const RELEASE = 2;
const POLL_LIMIT = 8;
const IDLE_MS = 1;

/** Sticks for good, without taking the processor from those who go on. */
function stick(findings: SharedCounters<(typeof TALLY)[number]>): never {
  findings.add('stuck');
  const nobody = new Int32Array(new SharedArrayBuffer(4));
  for (;;) Atomics.wait(nobody, 0, 0);
}

function trade(data: TraderData): void {
  const findings = new SharedCounters(data.board, 0, TALLY);
  const orders = new SharedWords(data.board, SharedCounters.bytes(TALLY), ORDERS);
  const blocks = new BlockOwner(data.pool, data.owner);
  const producer = new SpscProducer(data.outbound, { successorOf: data.producerBefore });
  const consumer = new SpscConsumer(data.inbound, { successorOf: data.consumerBefore });
  const compareExchange = Atomics.compareExchange.bind(Atomics) as (...parameters: unknown[]) => number;
  let exchanges = 0;
  if (data.stickAt > 0) {
    Atomics.compareExchange = ((...parameters: unknown[]) => {
      exchanges++;
      if (exchanges === data.stickAt && exchanges % 2 === 1) stick(findings);
      const found = compareExchange(...parameters);
      if (exchanges === data.stickAt) stick(findings);
      return found;
    }) as never;
  }
  const send = (kind: number, handle: number, length: number): boolean => {
    const offset = producer.tryClaim(kind, 8);
    if (offset < 0) return false;
    producer.memory.i32[offset >> 2] = handle;
    producer.memory.i32[(offset >> 2) + 1] = length;
    if (blocks.handOver(handle) < 0) findings.add('refused');
    producer.commit();
    return true;
  };
  const receive = (kind: number, offset: number, length: number, redeliveries: number): void => {
    const [handle, bytes] = [consumer.memory.i32[offset >> 2]!, consumer.memory.i32[(offset >> 2) + 1]!];
    const taken = blocks.takeOver(handle);
    if (taken < 0) {
      // The dead one before may have had the block already; nobody else may.
      findings.add(redeliveries > 0 ? 'redelivered' : 'refused');
      return;
    }
    findings.add('received');
    const place = blocks.offsetOf(taken);
    if (length !== 8 || readRecord(blocks.memory, place, bytes, data.seed, MAX_BLOCK_BYTES) === undefined) findings.add('torn');
    if (kind === SEND_BACK && send(RELEASE, taken, bytes)) return;
    if (blocks.release(taken) < 0) findings.add('refused');
  };
  const idle = new Int32Array(new SharedArrayBuffer(4));
  for (let sequence = 0; orders.load('stop') === 0; sequence++) {
    const handled = consumer.poll(receive, POLL_LIMIT);
    const length = lengthOf(data.seed, sequence, MAX_BLOCK_BYTES);
    const handle = orders.load('stopSending') === 0 ? blocks.acquire(length) : -1;
    if (handle < 0) {
      if (handled === 0) Atomics.wait(idle, 0, 0, IDLE_MS);
      continue;
    }
    writeRecord(blocks.memory, blocks.offsetOf(handle), length, data.seed, sequence);
    if (send(mixed(data.seed, sequence) % 2 === 0 ? SEND_BACK : RELEASE, handle, length)) {
      findings.add('sent');
      continue;
    }
    blocks.release(handle);
    if (handled === 0) Atomics.wait(idle, 0, 0, IDLE_MS);
  }
}

if (parentPort !== null) trade(workerData as TraderData);
