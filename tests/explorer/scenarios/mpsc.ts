/**
 * Scenarios of the MPSC ring: two producers, one consumer.
 *
 * Whoever takes the place of a dead producer cannot know whether the record in its hands was published:
 * it goes on behind it. So what must arrive from each life of a producer are the records whose sending it
 * noted, in order, and at most the one after them.
 */
import assert from 'node:assert/strict';
import type { Note } from '../note-list.ts';
import type { Layout, Rings } from '../ring-source.ts';
import type { Process, Scenario, Thread } from '../scenario.ts';
import { readRecord, sharedWords, writeRecord } from './records.ts';

type Consumer = InstanceType<Rings['MpscConsumer']>;
type Producer = InstanceType<Rings['MpscProducer']>;

interface MpscPlan {
  readonly name: string;
  /** Bytes of payload of each record, for each producer. */
  readonly payloads: readonly (readonly number[])[];
  readonly limit?: number;
  readonly initialPosition?: number;
  readonly wait?: 'parking';
  /** Whether threads attach at any time (default: one after the other, before anything else). */
  readonly attaches?: 'at once';
  readonly mortal?: readonly ('producers' | 'consumer')[];
  readonly deaths?: number;
  readonly preemptionsMax?: number;
  readonly isLong?: boolean;
}

/** Positions at which the ring has 24 bytes left before its end, and a 32-bit copy of a position wraps. */
const BEFORE_WRAP = 2 ** 32 - 24;
/** Where the tail cell, which holds positions times 32, carries into its upper half. */
const BEFORE_CARRY = 2 ** 27 - 32;

const THREES = [[8, 8, 8], [8, 8, 8]] as const;
const DYING = { mortal: ['producers'], payloads: [[8], [8]] } as const;

export const MPSC_SCENARIOS: readonly Scenario[] = [
  mpsc({ name: 'mpsc, 2 producers of 1 record attach at any time', payloads: [[8], [8]], attaches: 'at once' }),
  mpsc({ name: 'mpsc, 2 producers over the wrap with padding', payloads: [[8, 24], [24]], initialPosition: BEFORE_WRAP, limit: 2, preemptionsMax: 3 }),
  mpsc({ name: 'mpsc, consumer parks', payloads: [[8], [8]], wait: 'parking', preemptionsMax: 3 }),
  mpsc({ name: 'mpsc, producers die', ...DYING, preemptionsMax: 1 }),
  mpsc({ name: 'mpsc, producers die over the wrap', ...DYING, payloads: [[24], [24]], initialPosition: BEFORE_WRAP, preemptionsMax: 1 }),
  mpsc({ name: 'mpsc, producers die, consumer parks', ...DYING, wait: 'parking', preemptionsMax: 1 }),
  mpsc({ name: 'mpsc, consumer dies', payloads: [[8], [24]], initialPosition: BEFORE_WRAP, limit: 2, mortal: ['consumer'] }),
  mpsc({ name: 'mpsc, 2 producers of 2 records', payloads: [[8, 8], [8, 8]], limit: 2, isLong: true }),
  mpsc({ name: 'mpsc, 2 producers of 2 records, room for 2', payloads: [[24, 24], [24, 24]], limit: 2, isLong: true }),
  mpsc({ name: 'mpsc, 2 producers of 3 records, 3 preemptions', payloads: THREES, limit: 2, preemptionsMax: 3, isLong: true }),
  mpsc({ name: 'mpsc, producers of 3 records die, 1 preemption', ...DYING, payloads: THREES, limit: 2, preemptionsMax: 1, isLong: true }),
  mpsc({ name: 'mpsc, producers of 2 records die, 2 preemptions', ...DYING, payloads: [[8, 8], [8, 8]], limit: 2, preemptionsMax: 2, isLong: true }),
  mpsc({ name: 'mpsc, consumer of 2 times 3 records dies, 3 preemptions', payloads: THREES, limit: 2, mortal: ['consumer'], preemptionsMax: 3, isLong: true }),
  mpsc({ name: 'mpsc, consumer parks, all schedules', payloads: [[8], [8]], wait: 'parking', isLong: true }),
  mpsc({ name: 'mpsc, producers die, 3 preemptions', ...DYING, preemptionsMax: 3, isLong: true }),
  mpsc({ name: 'mpsc, producers of 2 records die over the wrap, 2 preemptions', ...DYING, payloads: [[8, 24], [24]], initialPosition: BEFORE_WRAP, preemptionsMax: 2, isLong: true }),
  mpsc({ name: 'mpsc, producers die over the carry, 2 preemptions', ...DYING, payloads: [[8, 8], [8]], initialPosition: BEFORE_CARRY, preemptionsMax: 2, isLong: true }),
  mpsc({ name: 'mpsc, producers die, consumer parks, 2 preemptions', ...DYING, wait: 'parking', preemptionsMax: 2, isLong: true }),
  mpsc({ name: 'mpsc, any may die twice, 1 preemption', payloads: [[24], [24]], limit: 2, mortal: ['producers', 'consumer'], deaths: 2, preemptionsMax: 1, isLong: true }),
];

/** What a record says in its kind: which producer sent it, in which of its lives. */
function kindOf(producer: number, life: number): number {
  return producer * 16 + life;
}

function mpsc(plan: MpscPlan): Scenario {
  const { payloads, mortal = [] } = plan;
  const deaths = mortal.length === 0 ? 0 : (plan.deaths ?? 1);
  return {
    name: plan.name,
    deaths,
    preemptionsMax: plan.preemptionsMax ?? Infinity,
    isLong: plan.isLong === true,
    prepare({ rings, layout }) {
      const maxProducers = payloads.length + deaths;
      const buffer = rings.createMpscRing({ capacityBytes: 64, maxProducers, initialPosition: plan.initialPosition ?? 0 });
      const name = (index: number): string => `producer ${index + 1}`;
      const finished = sharedWords(rings, payloads.map((_, index) => name(index)));
      const producers = payloads.map(
        (sizes, index): Process => ({
          name: name(index),
          mortal: mortal.includes('producers'),
          run(thread) {
            // Nobody knows the number of a producer that died while it attached, but then it has claimed nothing.
            const dead = thread.before.flat().filter(({ what }) => what === 'attached').map(({ values }) => values[0]!);
            const observer = new rings.MpscObserver(buffer);
            for (const incarnation of dead) observer.declareDead(incarnation);
            const end = new rings.MpscProducer(buffer);
            thread.note('attached', end.incarnation);
            if (plan.attaches !== 'at once') thread.start();
            const sent = lastOf(thread.before.flat(), 'sending') ?? 0;
            sendAll(thread, end, sizes, sent + 1, index);
            // Whoever is last closes the ring; where two are, both do.
            finished.store(name(index), 1);
            if (payloads.every((_, other) => finished.load(name(other)) === 1)) end.close();
            end.detach();
          },
        }),
      );
      const consumer: Process = {
        name: 'consumer',
        mortal: mortal.includes('consumer'),
        run(thread) {
          const dead = thread.life === 0 ? 0 : new rings.MpscObserver(buffer).consumerIncarnation;
          const end = new rings.MpscConsumer(buffer, { successorOf: dead });
          if (plan.attaches !== 'at once') thread.start();
          receiveAll(rings, thread, end, plan);
        },
      };
      return {
        processes: [...producers, consumer],
        benignRaces: { PRESSURE: 'a look that is a moment old is put right with the next record' },
        nameOf: (byte) => slotName(layout, maxProducers, byte),
        check({ lives }) {
          const received = lives('consumer').flat().filter(({ what }) => what === 'got');
          for (const index of payloads.keys()) checkSent(index, lives(name(index)), received);
          const { counters, depth, levelBytes } = new rings.MpscObserver(buffer);
          const delivered = new Set(received.map(({ values }) => `${values[0]} ${values[1]}`)).size;
          assert.deepEqual([counters.offered, counters.consumed, depth, levelBytes], [delivered, delivered, 0, 0]);
          assert.ok(counters.abandoned <= deaths, 'abandoned');
        },
      };
    },
  };
}

/** Names for the words of producers' slots, which lie between header and records. */
function slotName(layout: Layout, slots: number, byte: number): string | undefined {
  const slot = Math.floor((byte - layout.HEADER_BYTES) / (layout.LINE_WORDS * 4));
  if (slot < 0) return undefined;
  if (slot >= slots) return `records+${byte - layout.HEADER_BYTES - slots * layout.LINE_WORDS * 4}`;
  const word = (byte - layout.HEADER_BYTES) / 4 - slot * layout.LINE_WORDS;
  const names = Object.entries(layout).filter(([name]) => name.startsWith('SLOT_'));
  const cells = ['SLOT_INTENT', 'SLOT_EVIDENCE'];
  const found = names.find(([name, place]) => (cells.includes(name) ? place === word >> 1 : place === word));
  return `${found?.[0] ?? `SLOT word ${word}`} of slot ${slot}`;
}

function lastOf(notes: readonly Note[], what: string): number | undefined {
  return notes.findLast((note) => note.what === what)?.values[0];
}

function sendAll(thread: Thread, producer: Producer, sizes: readonly number[], first: number, index: number): void {
  for (let number = first; number <= sizes.length; ) {
    thread.checkpoint(producer, number);
    const payloadBytes = sizes[number - 1]!;
    const offset = producer.tryClaim(kindOf(index, thread.life), payloadBytes);
    if (offset < 0) thread.idle();
    else {
      thread.note('sending', number);
      writeRecord(producer.memory, offset, payloadBytes, number++);
      producer.commit();
      thread.note('sent', number - 1);
    }
  }
}

function receiveAll(rings: Rings, thread: Thread, consumer: Consumer, { limit = 1, wait }: MpscPlan): void {
  const strategy = new rings.ParkingWait(consumer.doorbell);
  const hasWork = (): boolean => consumer.hasRecord || consumer.closed;
  for (;;) {
    thread.checkpoint(consumer, strategy);
    const handled = consumer.poll((kind, offset, length, redeliveries) => {
      const number = readRecord(consumer.memory, offset, length);
      assert.ok(redeliveries <= thread.life, `${redeliveries} redeliveries after ${thread.life} deaths`);
      const before = thread.before.flat().filter(({ what, values }) => what === 'got' && values[0] === kind && values[1] === number);
      assert.ok(redeliveries >= before.length, `${redeliveries} redeliveries of a record that was in ${before.length} dead hands`);
      thread.note('got', kind, number);
    }, limit);
    if (handled > 0) continue;
    const { closed } = consumer;
    if (consumer.hasRecord) continue;
    if (closed) return;
    if (wait === undefined) thread.idle();
    else strategy.wait(hasWork, Infinity);
  }
}

/** Each life's records arrived in order, all that it noted as sent, and at most the one it was sending. */
function checkSent(index: number, lives: readonly (readonly Note[])[], received: readonly Note[]): void {
  for (const [life, notes] of lives.entries()) {
    const numbers = received.filter(({ values }) => values[0] === kindOf(index, life)).map(({ values }) => values[1]!);
    // A consumer that dies gets records again, from the last that it released on.
    const distinct = [...new Set(numbers)];
    const sent = notes.filter(({ what }) => what === 'sent').map(({ values }) => values[0]!);
    const sending = notes.filter(({ what }) => what === 'sending').map(({ values }) => values[0]!);
    const expected = distinct.length > sent.length ? sending : sent;
    assert.deepEqual(distinct, expected, `what arrived of life ${life} of producer ${index + 1}`);
    if (life < lives.length - 1) continue;
    assert.equal(sent.length, sending.length, 'the last life ended in the middle of sending');
  }
}
