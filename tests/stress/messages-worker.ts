/** The two threads of messages.ts: one publishes proven records, singly and in batches, the other checks every one. */
import { workerData } from 'node:worker_threads';
import { PhasedWait, SharedCounters, SpscConsumer, SpscProducer, YieldingWait, recordBytes } from 'atomics-ring-buffer';
import { FOUND, type MessagesTask } from './messages.ts';
import { lengthOf, mixed, read, write } from './proven-record.ts';

const task = workerData as MessagesTask;
const BATCH_RECORDS = 32;
const POLL_LIMIT = 1024;
/** Nobody waits longer for the other side: beyond it a wake-up or a record was lost. */
const STUCK_MS = 30_000;

function fail(why: string): never {
  throw new Error(`${task.role}: ${why}`);
}

function produce(): void {
  const producer = new SpscProducer(task.ring);
  const pace = new YieldingWait();
  const claimed = (attempt: () => number): number => {
    let result = attempt();
    if (result >= 0) return result;
    const retry = (): boolean => (result = attempt()) >= 0;
    if (!pace.wait(retry, STUCK_MS)) fail(`no room for ${STUCK_MS} ms, answer ${result}`);
    return result;
  };
  for (let sequence = 0; sequence < task.messages; ) {
    const choice = mixed(sequence ^ 0x5bd1e995);
    if ((choice & 3) === 0) {
      const length = lengthOf(sequence);
      const offset = claimed(() => producer.tryClaim(1, length));
      write(producer.memory, offset, length, sequence++);
      producer.commit();
      continue;
    }
    const end = Math.min(task.messages, sequence + 1 + ((choice >>> 2) % BATCH_RECORDS));
    let bytes = 0;
    for (let next = sequence; next < end; next++) bytes += recordBytes(lengthOf(next));
    claimed(() => producer.tryClaimBatch(bytes));
    for (; sequence < end; sequence++) {
      const length = lengthOf(sequence);
      write(producer.memory, producer.append(1, length), length, sequence);
    }
    producer.commit();
  }
  producer.close();
}

function consume(): void {
  const consumer = new SpscConsumer(task.ring);
  const wait = new PhasedWait(consumer.doorbell);
  const found = new SharedCounters(task.found, 0, FOUND);
  const hasWork = (): boolean => consumer.hasRecord || consumer.closed;
  let expected = 0;
  let [torn, misordered] = [0, 0];
  const check = (_kind: number, offset: number, length: number): void => {
    const sequence = read(consumer.memory, offset, length);
    if (sequence === undefined) torn++;
    else if (sequence !== (expected | 0)) misordered++;
    expected++;
  };
  let published = 0;
  let lastRecordMs = performance.now();
  for (;;) {
    // CLOSED is looked at first: what was published before the close is visible then.
    const closed = consumer.closed;
    const handled = consumer.poll(check, POLL_LIMIT);
    // Now and then, for whoever shows the progress.
    if (expected - published > 1_000_000) {
      found.add('delivered', expected - published);
      published = expected;
    }
    if (handled === 0 && closed) break;
    if (handled > 0) continue;
    // A wait may end early, as the bell also rings when a producer attaches.
    if (wait.wait(hasWork, STUCK_MS)) lastRecordMs = performance.now();
    else if (performance.now() - lastRecordMs >= STUCK_MS) fail(`no record for ${STUCK_MS} ms after ${expected}`);
  }
  found.add('delivered', expected - published);
  found.add('torn', torn);
  found.add('misordered', misordered);
}

if (task.role === 'produce') produce();
else consume();
