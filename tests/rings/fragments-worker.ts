/**
 * A thread of fragments-threads.test.ts: it sends messages of its own sequence through a ring that is
 * far shorter than most of them, until it is killed or told to stop.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { BACK_PRESSURED, Fragmenter, SharedCounters, SharedMemory, SharedWords, SpscProducer } from 'atomics-ring-buffer';
import { lengthOf, writeRecord } from './thread-records.ts';

export const SENT = ['sent', 'refused', 'refusedInMiddle'] as const;
export const ORDERS = ['stop'] as const;
export const BOARD_BYTES = SharedCounters.bytes(SENT) + SharedWords.bytes(ORDERS);
export const MAX_MESSAGE_BYTES = 4000;
/** Beyond the kinds of messages, which are the numbers of lives. */
export const FRAGMENT_KIND = 1_000_000;

export interface SenderData {
  readonly ring: SharedArrayBuffer;
  /** The incarnation of the dead sender whose place this one takes, 0 for none. */
  readonly producerBefore: number;
  readonly board: SharedArrayBuffer;
  readonly seed: number;
  /** Kind of this thread's messages, by which its life is told from others. */
  readonly life: number;
}

const RETRY_MS = 1;

function send({ ring, producerBefore, board, seed, life }: SenderData): void {
  const sent = new SharedCounters(board, 0, SENT);
  const orders = new SharedWords(board, SharedCounters.bytes(SENT), ORDERS);
  const fragmenter = new Fragmenter(new SpscProducer(ring, { successorOf: producerBefore }), { fragmentKind: FRAGMENT_KIND });
  const scratch = new SharedMemory(new SharedArrayBuffer(MAX_MESSAGE_BYTES));
  const idle = new Int32Array(new SharedArrayBuffer(4));
  for (let sequence = 0; orders.load('stop') === 0; sequence++) {
    const length = lengthOf(seed, sequence, MAX_MESSAGE_BYTES);
    writeRecord(scratch, 0, length, seed, sequence);
    while (fragmenter.offer(life, scratch.u8.subarray(0, length)) === BACK_PRESSURED) {
      if (fragmenter.pendingBytes > 0) sent.add('refusedInMiddle');
      sent.add('refused');
      Atomics.wait(idle, 0, 0, RETRY_MS);
    }
    sent.add('sent');
  }
}

if (parentPort !== null) send(workerData as SenderData);
