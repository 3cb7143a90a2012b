/**
 * Scenarios of the SPSC ring: one producer, one consumer, a ring so small that both wait for each other.
 *
 * 64 bytes of records, the smallest ring, hold four records of 8 bytes of payload, or two of 24.
 */
import assert from 'node:assert/strict';
import type { Rings } from '../ring-source.ts';
import type { Process, Scenario, Thread } from '../scenario.ts';
import { checkDelivered, readRecord, writeRecord } from './records.ts';

type Consumer = InstanceType<Rings['SpscConsumer']>;
type Producer = InstanceType<Rings['SpscProducer']>;

interface SpscPlan {
  readonly name: string;
  /** Bytes of payload of each record. */
  readonly payloads: readonly number[];
  /** Records of one poll at most. */
  readonly limit?: number;
  readonly initialPosition?: number;
  /** How the consumer waits. Default: polls until something changes. */
  readonly wait?: 'parking' | 'phased';
  /** How it ends: the producer closes the ring (default), or the consumer knows the count, so that no close wakes it. */
  readonly ends?: 'by count';
  /** How the producer sends: each record by a claim of its own (default), or two at a time. */
  readonly sends?: 'batches';
  /** How the consumer takes records: by `poll` (default), by `peek` and `release`, or answering COMMIT or ABORT at times. */
  readonly takes?: 'peek' | 'commit' | 'abort';
  readonly mortal?: readonly ('producer' | 'consumer')[];
  readonly deaths?: number;
  readonly isLong?: boolean;
}

/** Counts that either side writes plainly, while anyone may read them. */
const COUNTS = 'a count that may lag behind; 32 bits do not tear';
export const BENIGN_RACES = { OFFERED: COUNTS, CONSUMED: COUNTS, TAIL_TURNS: COUNTS, HEAD_TURNS: COUNTS };

const EIGHTS = [8, 8, 8, 8];
const BIG = [24, 24, 24, 24];
/** In a ring that begins 32 bytes before its end, the second record needs padding there. */
const MIXED = [8, 24, 8, 16];
const BEFORE_WRAP = 2 ** 32 - 32;

export const SPSC_SCENARIOS: readonly Scenario[] = [
  spsc({ name: 'spsc, room for 2 of 4 records', payloads: BIG }),
  spsc({ name: 'spsc, room for 4 of 6 records, polled in pairs', payloads: [...EIGHTS, 8, 8], limit: 2 }),
  spsc({ name: 'spsc, over the wrap with padding', payloads: MIXED, initialPosition: BEFORE_WRAP, limit: 2 }),
  spsc({ name: 'spsc, over the turn of bit 31', payloads: [...EIGHTS, 8, 8], initialPosition: 2 ** 31 - 32, limit: 2 }),
  spsc({ name: 'spsc, consumer parks', payloads: BIG, wait: 'parking', ends: 'by count' }),
  spsc({ name: 'spsc, consumer parks until the ring is closed', payloads: EIGHTS, wait: 'parking', limit: 2 }),
  spsc({ name: 'spsc, consumer spins and parks', payloads: [24, 24, 24], wait: 'phased' }),
  spsc({ name: 'spsc, in batches over the wrap', payloads: EIGHTS, sends: 'batches', initialPosition: 2 ** 32 - 16, limit: 3 }),
  spsc({ name: 'spsc, producer dies', payloads: BIG, mortal: ['producer'] }),
  spsc({ name: 'spsc, producer dies over the wrap', payloads: MIXED, initialPosition: BEFORE_WRAP, mortal: ['producer'] }),
  spsc({ name: 'spsc, producer dies in batches', payloads: EIGHTS, sends: 'batches', limit: 2, mortal: ['producer'] }),
  spsc({ name: 'spsc, producer dies, consumer parks', payloads: [24, 24, 24], wait: 'parking', mortal: ['producer'] }),
  spsc({ name: 'spsc, consumer dies', payloads: BIG, limit: 2, mortal: ['consumer'] }),
  spsc({ name: 'spsc, consumer dies over the wrap', payloads: MIXED, initialPosition: BEFORE_WRAP, limit: 2, mortal: ['consumer'] }),
  spsc({ name: 'spsc, consumer dies parking', payloads: [24, 24, 24], wait: 'parking', limit: 2, mortal: ['consumer'] }),
  spsc({ name: 'spsc, both may die, consumer parks', payloads: EIGHTS, wait: 'parking', limit: 2, mortal: ['producer', 'consumer'], isLong: true }),
  spsc({ name: 'spsc, consumer dies peeking', payloads: MIXED, takes: 'peek', limit: 2, mortal: ['consumer'] }),
  spsc({ name: 'spsc, consumer dies committing', payloads: EIGHTS, takes: 'commit', limit: 3, mortal: ['consumer'] }),
  spsc({ name: 'spsc, consumer dies giving back', payloads: EIGHTS, takes: 'abort', limit: 3, mortal: ['consumer'] }),
  spsc({ name: 'spsc, both may die twice', payloads: [24, 24, 24], mortal: ['producer', 'consumer'], deaths: 2 }),
  spsc({ name: 'spsc, both may die twice, consumer parks', payloads: [8, 24], initialPosition: BEFORE_WRAP, wait: 'parking', limit: 2, mortal: ['producer', 'consumer'], deaths: 2, isLong: true }),
];

function spsc(plan: SpscPlan): Scenario {
  const { name, payloads, mortal = [] } = plan;
  return {
    name,
    isLong: plan.isLong === true,
    deaths: mortal.length === 0 ? 0 : (plan.deaths ?? 1),
    prepare({ rings }) {
      const buffer = rings.createSpscRing({ capacityBytes: 64, initialPosition: plan.initialPosition ?? 0 });
      const producer: Process = {
        name: 'producer',
        mortal: mortal.includes('producer'),
        run(thread) {
          const dead = thread.life === 0 ? 0 : new rings.SpscObserver(buffer).producerIncarnation;
          const end = new rings.SpscProducer(buffer, { successorOf: dead });
          const first = thread.life === 0 ? 1 : end.counters.offered + 1;
          if (plan.sends === 'batches') sendBatches(rings, thread, end, payloads, first);
          else sendAll(thread, end, payloads, first);
          if (plan.ends !== 'by count') end.close();
        },
      };
      const consumer: Process = {
        name: 'consumer',
        mortal: mortal.includes('consumer'),
        run(thread) {
          const dead = thread.life === 0 ? 0 : new rings.SpscObserver(buffer).consumerIncarnation;
          const end = new rings.SpscConsumer(buffer, { successorOf: dead });
          const resumed = thread.life === 0 ? 0 : end.counters.consumed;
          thread.note('resumes', resumed);
          receiveAll(rings, thread, end, resumed, plan);
        },
      };
      return {
        processes: [producer, consumer],
        benignRaces: BENIGN_RACES,
        check({ lives }) {
          checkDelivered(lives('consumer'), payloads.length);
          const { counters, depth, levelBytes, pressured, pressureChanges } = new rings.SpscObserver(buffer);
          assert.deepEqual([counters.offered, counters.consumed, depth, levelBytes], [payloads.length, payloads.length, 0, 0]);
          assert.ok(!pressured && pressureChanges <= payloads.length * 2, 'marks');
          assert.ok(counters.peakBytes <= 64 && counters.bytes >= payloads.length * 16, 'bytes');
        },
      };
    },
  };
}

function sendAll(thread: Thread, producer: Producer, payloads: readonly number[], first: number): void {
  for (let number = first; number <= payloads.length; ) {
    thread.checkpoint(producer, number);
    const payloadBytes = payloads[number - 1]!;
    const offset = producer.tryClaim(number, payloadBytes);
    if (offset < 0) thread.idle();
    else {
      writeRecord(producer.memory, offset, payloadBytes, number++);
      producer.commit();
    }
  }
}

/** Records in pairs, the odd one alone: a successor goes on wherever its predecessor came to. */
function sendBatches(rings: Rings, thread: Thread, producer: Producer, payloads: readonly number[], first: number): void {
  for (let number = first; number <= payloads.length; ) {
    thread.checkpoint(producer, number);
    const batch = payloads.slice(number - 1, number + 1);
    const claimed = producer.tryClaimBatch(batch.reduce((bytes, payloadBytes) => bytes + rings.recordBytes(payloadBytes), 0));
    if (claimed < 0) thread.idle();
    else {
      for (const payloadBytes of batch) writeRecord(producer.memory, producer.append(number, payloadBytes), payloadBytes, number++);
      producer.commit();
    }
  }
}

function receiveAll(rings: Rings, thread: Thread, consumer: Consumer, resumed: number, plan: SpscPlan): void {
  const { payloads, limit = 1, wait, takes, ends } = plan;
  let count = resumed;
  const strategy =
    wait === 'phased' ? new rings.PhasedWait(consumer.doorbell, { maxSpins: 1 }) : new rings.ParkingWait(consumer.doorbell);
  const hasWork = (): boolean => consumer.hasRecord || (ends !== 'by count' && consumer.closed);
  const note = (_kind: number, offset: number, length: number, redeliveries: number): number => {
    const number = readRecord(consumer.memory, offset, length);
    thread.note('got', number, redeliveries);
    return number;
  };
  for (;;) {
    thread.checkpoint(consumer, strategy, count);
    const taken = take(rings, thread, consumer, note, limit, takes);
    count += taken;
    if (ends === 'by count' && count === payloads.length) return;
    if (taken > 0) continue;
    const closed = ends !== 'by count' && consumer.closed;
    if (consumer.hasRecord) continue;
    if (closed) return;
    if (wait === undefined) thread.idle();
    else strategy.wait(hasWork, Infinity);
  }
}

type Taker = (kind: number, offset: number, length: number, redeliveries: number) => number;

function take(rings: Rings, thread: Thread, consumer: Consumer, note: Taker, limit: number, takes: SpscPlan['takes']): number {
  if (takes === 'peek') {
    const position = consumer.peek((...record) => void note(...record), limit);
    return consumer.release(position);
  }
  let handed = 0;
  return consumer.poll((...record) => {
    if (takes === 'abort' && ++handed === 2) return rings.ABORT;
    return takes === 'commit' && note(...record) % 2 === 1 ? rings.COMMIT : takes === 'commit' ? rings.CONTINUE : void note(...record);
  }, limit);
}
