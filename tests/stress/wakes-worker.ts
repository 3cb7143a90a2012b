/** One of the two threads of wakes.ts: sleeps until the other's record comes, answers it, sleeps again. */
import { workerData } from 'node:worker_threads';
import { Doorbell, ParkingWait, SharedCounters, SpscConsumer, SpscProducer } from 'atomics-ring-buffer';
import { FOUND, type WakesTask } from './wakes.ts';

const { outbound, inbound, first, cycles, board } = workerData as WakesTask;
/** Who sleeps this long has missed its wake-up. */
const LOST_MS = 30_000;

const found = new SharedCounters(board, 0, FOUND);
let [slept, woken, published] = [0, 0, 0];

/** The ring's own bell, counting how often its sleeper really slept and how often it was rung awake. */
class CountingDoorbell extends Doorbell {
  override park(timeoutMs: number): void {
    slept++;
    super.park(timeoutMs);
  }
  override ring(): boolean {
    const woke = super.ring();
    if (woke) woken++;
    return woke;
  }
}

const DOORBELL_WORD = 96;
const producer = new SpscProducer(outbound, { doorbell: new CountingDoorbell(new Int32Array(outbound), DOORBELL_WORD) });
const consumer = new SpscConsumer(inbound);
const wait = new ParkingWait(new CountingDoorbell(new Int32Array(inbound), DOORBELL_WORD));
const hasRecord = (): boolean => consumer.hasRecord;
const payload = new Uint8Array(8);
const ignore = (): void => {};

if (first) producer.offer(1, payload);
for (let round = 0; round < cycles; round++) {
  const began = performance.now();
  while (consumer.poll(ignore, 1) === 0) {
    if (!wait.wait(hasRecord, LOST_MS) && performance.now() - began >= LOST_MS) {
      found.add('lost');
      throw new Error(`a wake-up was lost in round ${round}`);
    }
  }
  if (!first || round + 1 < cycles) producer.offer(1, payload);
  if (round % 1_000 === 0) {
    found.add('slept', slept - published);
    published = slept;
  }
}
found.add('slept', slept - published);
found.add('woken', woken);
