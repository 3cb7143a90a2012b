/**
 * The worker of the litmus page: one producer or one consumer, in a thread that may block.
 *
 * A browser sends no event when a worker has ended, and `terminate` returns before it has. A Web Lock
 * says it: the thread holds one, and the browser gives it to the next who asked once the thread is gone.
 */
import {
  ADMIN_ACTION,
  BACK_PRESSURED,
  BroadcastProducer,
  BroadcastReader,
  Doorbell,
  MpscConsumer,
  MpscProducer,
  ParkingWait,
  SpscConsumer,
  SpscProducer,
  YieldingWait,
  resultName,
} from 'atomics-ring-buffer';
import type { AttachOptions, RingConsumer, RingProducer } from 'atomics-ring-buffer';
import { DOORBELL_WORD } from '../../rings/layout.ts';
import { lengthOf, mixed, writeRecord } from '../rings/thread-records.ts';
import { browser } from './browser-globals.ts';
import { RecordCheck } from './record-check.ts';
import { FOREVER_MS, MAX_PAYLOAD_BYTES, SEED, type RingKind, type RingNews, type RingOrder, type RingWork } from './ring-work.ts';

type Attach<End> = (ring: SharedArrayBuffer, options: AttachOptions) => End;

const ATTACH: Readonly<Record<RingKind, { readonly produce: Attach<RingProducer>; readonly consume: Attach<RingConsumer> }>> = {
  spsc: { produce: (ring, options) => new SpscProducer(ring, options), consume: (ring, options) => new SpscConsumer(ring, options) },
  mpsc: { produce: (ring, options) => new MpscProducer(ring, options), consume: (ring, options) => new MpscConsumer(ring, options) },
  broadcast: { produce: (ring, options) => new BroadcastProducer(ring, options), consume: (ring) => new BroadcastReader(ring, { from: 'oldest' }) },
};

/** The ring's own bell, counting how often it woke somebody. */
class CountingDoorbell extends Doorbell {
  wakeUps = 0;

  override ring(): boolean {
    const woke = super.ring();
    if (woke) this.wakeUps++;
    return woke;
  }
}

function tell(news: RingNews): void {
  browser.postMessage(news);
}

/** Stays inside of whatever is being done until the thread is terminated, and takes no core from the others. */
function stick(records: number): void {
  tell({ event: 'stuck', records });
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

/** Claims room, napping in between while there is none. */
function claimer(producer: RingProducer, stream: number): (length: number) => number {
  const pace = new YieldingWait();
  return (length) => {
    let offset = producer.tryClaim(stream, length);
    const isAnswered = (): boolean => {
      if (offset === BACK_PRESSURED || offset === ADMIN_ACTION) offset = producer.tryClaim(stream, length);
      return offset !== BACK_PRESSURED && offset !== ADMIN_ACTION;
    };
    pace.wait(isAnswered, FOREVER_MS);
    if (offset < 0) throw new Error(`A claim of ${length} bytes was refused with ${resultName(offset)}.`);
    return offset;
  };
}

function produce(work: RingWork): void {
  const { kind, ring, successorOf, stream = 0, from = 0, to = 0, stickAfter } = work;
  const doorbell = new CountingDoorbell(new Int32Array(ring), DOORBELL_WORD);
  const producer = ATTACH[kind].produce(ring, { doorbell, ...(successorOf === undefined ? {} : { successorOf }) });
  tell({ event: 'ready', incarnation: producer.incarnation });
  const [claim, seed] = [claimer(producer, stream), SEED + stream];
  for (let sequence = from; sequence < to; sequence++) {
    const length = lengthOf(seed, sequence, MAX_PAYLOAD_BYTES);
    const offset = claim(length);
    if (sequence - from === stickAfter) {
      // Half a record, and of another sequence: nobody may ever see it.
      writeRecord(producer.memory, offset, length >> 1, seed, ~sequence);
      stick(stickAfter);
    }
    writeRecord(producer.memory, offset, length, seed, sequence);
    producer.commit();
    // Now and then long enough for the consumer to fall asleep, or to be about to.
    if (mixed(seed + 1, sequence) % 32 === 0) for (let spins = mixed(seed + 2, sequence) % 400; spins > 0; spins--) Atomics.pause();
  }
  const { wakeUps } = doorbell;
  tell({ event: 'done', findings: { records: to - from, torn: 0, misordered: 0, redelivered: 0, lost: 0, wakeUps } });
}

function consume(work: RingWork): void {
  const { kind, ring, successorOf, from = 0, stickAfter } = work;
  const consumer = ATTACH[kind].consume(ring, successorOf === undefined ? {} : { successorOf });
  let inHand = 0;
  const onRecord = (): void => {
    if (inHand++ === stickAfter) stick(stickAfter);
  };
  const check = new RecordCheck(consumer, { from, lossy: kind === 'broadcast', onRecord });
  const waiting = new ParkingWait(consumer.doorbell);
  const hasWork = (): boolean => consumer.hasRecord || consumer.closed;
  tell({ event: 'ready', incarnation: consumer.incarnation });
  // CLOSED is looked at first: what was published before the close is visible then.
  while (!(consumer.closed && !consumer.hasRecord)) if (check.poll() === 0) waiting.wait(hasWork, FOREVER_MS);
  tell({ event: 'done', findings: check.findings() });
}

/** Resolves once this thread has the lock, which it keeps until its end. */
function holdForLife(lockName: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const holder = (): Promise<never> => {
      resolve();
      return new Promise(() => {});
    };
    browser.navigator.locks.request(lockName, holder).catch(reject);
  });
}

async function carryOut({ work, lockName }: RingOrder): Promise<void> {
  try {
    await holdForLife(lockName);
    if (work.role === 'produce') produce(work);
    else consume(work);
  } catch (error) {
    tell({ event: 'failed', reason: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}

browser.addEventListener('message', ({ data }) => void carryOut(data as RingOrder), { once: true });
