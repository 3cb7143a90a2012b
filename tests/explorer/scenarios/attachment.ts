/** Scenarios of who holds a side of an SPSC ring, and of a third thread that looks on. */
import assert from 'node:assert/strict';
import type { Note } from '../note-list.ts';
import type { Rings } from '../ring-source.ts';
import type { Process, Scenario, Thread } from '../scenario.ts';
import { checkDelivered, readRecord, writeRecord } from './records.ts';
import { BENIGN_RACES } from './spsc.ts';

const PAYLOAD = 8;

type Producer = InstanceType<Rings['SpscProducer']>;
type Consumer = InstanceType<Rings['SpscConsumer']>;

/** Sends numbered records, as often as it takes. */
function send(thread: Thread, producer: Producer, first: number, last: number): void {
  for (let number = first; number <= last; ) {
    thread.checkpoint(producer, number);
    const offset = producer.tryClaim(1, PAYLOAD);
    if (offset < 0) thread.idle();
    else {
      writeRecord(producer.memory, offset, PAYLOAD, number++);
      producer.commit();
    }
  }
}

/** Takes records one by one until it has had the one with this number. */
function receiveUntil(thread: Thread, consumer: Consumer, last: number, noted = 'got'): void {
  for (let number = 0; number < last; ) {
    thread.checkpoint(consumer, number);
    const handled = consumer.poll((_kind, offset, length, redeliveries) => {
      number = readRecord(consumer.memory, offset, length);
      thread.note(noted, number, redeliveries);
    }, 1);
    if (handled === 0) thread.idle();
  }
}

const notesNamed = (lives: readonly (readonly Note[])[], what: string): readonly Note[] => lives.flat().filter((note) => note.what === what);

/** Two are told of the same death, and both want the side. */
const SUCCESSORS_RACE: Scenario = {
  name: 'spsc, two successors of one dead producer',
  prepare({ rings }) {
    const buffer = rings.createSpscRing({ capacityBytes: 64 });
    const { incarnation: dead } = new rings.SpscProducer(buffer);
    const successor = (name: string): Process => ({
      name,
      run(thread) {
        let producer: Producer;
        try {
          producer = new rings.SpscProducer(buffer, { successorOf: dead });
        } catch (error) {
          if (!(error instanceof rings.RingError) || error.code !== 'side_taken') throw error;
          thread.note('refused');
          return;
        }
        thread.note('attached', producer.incarnation);
        send(thread, producer, 1, 2);
      },
    });
    const consumer: Process = { name: 'consumer', run: (thread) => receiveUntil(thread, new rings.SpscConsumer(buffer), 2) };
    return {
      processes: [successor('successor 1'), successor('successor 2'), consumer],
      benignRaces: BENIGN_RACES,
      check({ lives }) {
        const both = [...lives('successor 1'), ...lives('successor 2')];
        const attached = notesNamed(both, 'attached').map(({ values }) => values[0]);
        assert.equal(attached.length, 1, 'one successor gets the side');
        assert.equal(notesNamed(both, 'refused').length, 1, 'the other one is refused');
        assert.equal(new rings.SpscObserver(buffer).producerIncarnation, attached[0]);
        checkDelivered([[{ what: 'resumes', values: [0] }, ...lives('consumer')[0]!]], 2);
      },
    };
  },
};

/** One consumer gives its side back in the middle, and another one goes on. */
const CONSUMERS_TAKE_TURNS: Scenario = {
  name: 'spsc, two consumers take turns',
  prepare({ rings }) {
    const buffer = rings.createSpscRing({ capacityBytes: 64 });
    const producer: Process = { name: 'producer', run: (thread) => send(thread, new rings.SpscProducer(buffer), 1, 4) };
    const first: Process = {
      name: 'first consumer',
      run(thread) {
        const consumer = new rings.SpscConsumer(buffer);
        thread.start();
        receiveUntil(thread, consumer, 2);
        consumer.detach();
      },
    };
    const second: Process = {
      name: 'second consumer',
      run(thread) {
        const observer = new rings.SpscObserver(buffer);
        thread.start();
        for (;;) {
          thread.checkpoint(observer);
          if (observer.consumerIncarnation === 0) break;
          thread.idle();
        }
        receiveUntil(thread, new rings.SpscConsumer(buffer), 4);
      },
    };
    return {
      processes: [first, second, producer],
      benignRaces: BENIGN_RACES,
      check({ lives }) {
        const got = ['first consumer', 'second consumer'].map((name) => notesNamed(lives(name), 'got').map(({ values }) => values));
        assert.deepEqual(got, [[[1, 0], [2, 0]], [[3, 0], [4, 0]]], 'records and redeliveries of the two');
        assert.equal(new rings.SpscObserver(buffer).counters.consumed, 4);
      },
    };
  },
};

/** What a third thread reads may be old, but never what was never so. */
function observed(name: string, initialPosition: number): Scenario {
  const count = 3;
  return {
    name,
    prepare({ rings }) {
      const buffer = rings.createSpscRing({ capacityBytes: 64, initialPosition });
      const producer: Process = { name: 'producer', run: (thread) => send(thread, new rings.SpscProducer(buffer), 1, count) };
      const consumer: Process = { name: 'consumer', run: (thread) => receiveUntil(thread, new rings.SpscConsumer(buffer), count) };
      const observer: Process = {
        name: 'observer',
        run(thread) {
          const end = new rings.SpscObserver(buffer);
          thread.start();
          let before = { bytes: 0, offered: 0, consumed: 0 };
          for (let look = 0; look < 2; look++) {
            thread.checkpoint(end, before, look);
            const { counters } = end;
            const { bytes, offered, consumed } = counters;
            assert.ok(bytes >= before.bytes && bytes <= count * 16 && bytes % 16 === 0, `${bytes} bytes after ${before.bytes}`);
            assert.ok(offered >= before.offered && offered <= count, `${offered} offered after ${before.offered}`);
            assert.ok(consumed >= before.consumed && consumed <= count, `${consumed} consumed after ${before.consumed}`);
            before = { bytes, offered, consumed };
            const { levelBytes, depth } = end;
            assert.ok(levelBytes >= 0 && levelBytes <= 64, `a level of ${levelBytes}`);
            assert.ok(depth >= 0 && depth <= count, `a depth of ${depth}`);
          }
        },
      };
      return {
        processes: [observer, producer, consumer],
        benignRaces: BENIGN_RACES,
        check({ lives }) {
          checkDelivered([[{ what: 'resumes', values: [0] }, ...lives('consumer')[0]!]], count);
        },
      };
    },
  };
}

export const ATTACHMENT_SCENARIOS: readonly Scenario[] = [
  SUCCESSORS_RACE,
  CONSUMERS_TAKE_TURNS,
  { ...observed('spsc, a third thread looks on over the wrap', 2 ** 32 - 32), preemptionsMax: 3 },
  { ...observed('spsc, a third thread looks on over the turn of bit 31', 2 ** 31 - 32), preemptionsMax: 3 },
];
