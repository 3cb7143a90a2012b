/** Who may attach to a side of an SPSC ring and when, what a successor is told, and signs of life. */
import { describe, expect, it } from 'vitest';
import {
  BroadcastProducer,
  MpscConsumer,
  NOT_CONNECTED,
  SpscConsumer,
  SpscObserver,
  SpscProducer,
  createBroadcastRing,
  createMpscRing,
  createSpscRing,
  resultName,
} from 'atomics-ring-buffer';
import { kindsOf, payloadOf, receive, withCode } from './ring.cases.ts';

describe('a side of an SPSC ring', () => {
  it('takes one end at a time, and says who holds it and what to do', () => {
    const ring = createSpscRing({ capacityBytes: 64 });
    const [producer, consumer] = [new SpscProducer(ring), new SpscConsumer(ring)];
    expect(() => new SpscProducer(ring)).toThrow(/incarnation 1 is attached.*successorOf: 1/);
    expect(() => new SpscProducer(ring)).toThrow(withCode('side_taken'));
    expect(() => new SpscConsumer(ring)).toThrow(withCode('side_taken'));
    producer.detach();
    consumer.detach();
    const again = [new SpscProducer(ring), new SpscConsumer(ring)];
    // The refused attempts have used up numbers: no two lives ever share one.
    expect(again.map((end) => end.incarnation)).toEqual([4, 3]);
  });

  it('goes to one successor of the incarnation that died, and to none of another', () => {
    const ring = createSpscRing({ capacityBytes: 64 });
    const dead = new SpscProducer(ring);
    expect(() => new SpscProducer(ring, { successorOf: dead.incarnation + 1 })).toThrow(withCode('side_taken'));
    const successor = new SpscProducer(ring, { successorOf: dead.incarnation });
    expect(() => new SpscProducer(ring, { successorOf: dead.incarnation })).toThrow(withCode('side_taken'));
    expect(new SpscObserver(ring).producerIncarnation).toBe(successor.incarnation);
  });

  it('is not given up by a dead end that wakes up late', () => {
    const ring = createSpscRing({ capacityBytes: 64 });
    const dead = new SpscConsumer(ring);
    const successor = new SpscConsumer(ring, { successorOf: dead.incarnation });
    dead.detach();
    expect(new SpscObserver(ring).consumerIncarnation).toBe(successor.incarnation);
  });

  it('is refused to an end that was left behind, with what it had claimed, and its successor goes on', () => {
    const ring = createSpscRing({ capacityBytes: 256 });
    const consumer = new SpscConsumer(ring);
    const dead = new SpscProducer(ring);
    dead.offer(1, payloadOf(1, 1));
    // In the middle of a record.
    expect(dead.tryClaim(2, 8)).toBeGreaterThan(0);
    const successor = new SpscProducer(ring, { successorOf: dead.incarnation });
    successor.offer(3, payloadOf(3, 1));
    expect(() => dead.commit()).toThrow(withCode('side_taken'));
    expect(resultName(dead.offer(4, payloadOf(4, 1)))).toBe('CLOSED');
    expect(resultName(dead.tryClaimBatch(16))).toBe('CLOSED');
    successor.offer(5, payloadOf(5, 1));
    expect(kindsOf(receive(consumer))).toEqual([1, 3, 5]);
    expect(new SpscObserver(ring).counters).toMatchObject({ offered: 3, consumed: 3 });
  });

  it('is not read by a consumer that was left behind, which releases nothing either', () => {
    const ring = createSpscRing({ capacityBytes: 256 });
    const producer = new SpscProducer(ring);
    const dead = new SpscConsumer(ring);
    producer.offer(1, payloadOf(1, 1));
    const end = dead.peek(() => {}, 1);
    const successor = new SpscConsumer(ring, { successorOf: dead.incarnation });
    for (const use of [() => dead.poll(() => {}, 1), () => dead.peek(() => {}, 1), () => dead.release(end)]) expect(use).toThrow(withCode('side_taken'));
    expect(kindsOf(receive(successor))).toEqual([1]);
  });

  it('refuses a successor of nobody', () => {
    const ring = createSpscRing({ capacityBytes: 64 });
    expect(() => new SpscConsumer(ring, { successorOf: 1 })).toThrow(/nobody is attached.*without successorOf/);
  });
});

describe('offers without a consumer', () => {
  it('wait in the ring by default, and are refused with NOT_CONNECTED if the ring was made so', () => {
    for (const needsConsumer of [false, true]) {
      const ring = createSpscRing({ capacityBytes: 64, needsConsumer });
      const producer = new SpscProducer(ring);
      const expected = needsConsumer ? 'NOT_CONNECTED' : 'OK';
      expect(resultName(producer.offer(1, payloadOf(1, 1)))).toBe(expected);
      const consumer = new SpscConsumer(ring);
      expect(producer.offer(2, payloadOf(2, 1))).toBe(0);
      expect(kindsOf(receive(consumer))).toEqual(needsConsumer ? [2] : [1, 2]);
      consumer.detach();
      expect(producer.tryClaimBatch(16) === NOT_CONNECTED).toBe(needsConsumer);
    }
  });
});

describe('redelivery', () => {
  it('counts for each record the dead consumers that had it in hand, and only those', () => {
    const ring = createSpscRing({ capacityBytes: 256, initialPosition: 2 ** 32 - 40 });
    const producer = new SpscProducer(ring);
    for (const kind of [0, 1, 2, 3]) producer.offer(kind, payloadOf(kind, 9));
    let dead = 0;
    // Each life looks at some records and ends there, without a release.
    const look = (records: number): [number, number][] => {
      const consumer = new SpscConsumer(ring, { successorOf: dead });
      dead = consumer.incarnation;
      const seen: [number, number][] = [];
      consumer.peek((kind, _offset, _length, redeliveries) => void seen.push([kind, redeliveries]), records);
      return seen;
    };
    expect(look(3)).toEqual([[0, 0], [1, 0], [2, 0]]);
    expect(look(1)).toEqual([[0, 1]]);
    expect(look(4)).toEqual([[0, 2], [1, 1], [2, 1], [3, 0]]);
    for (let life = 0; life < 6; life++) look(1);
    const counts = look(4).map(([, redeliveries]) => redeliveries);
    expect(counts, 'no count goes beyond 7').toEqual([7, 2, 2, 1]);
    const last = new SpscConsumer(ring, { successorOf: dead });
    expect(kindsOf(receive(last))).toEqual([0, 1, 2, 3]);
  });

  it('does not count what a consumer gave back in its life', () => {
    const ring = createSpscRing({ capacityBytes: 256 });
    new SpscProducer(ring).offer(1, payloadOf(1, 1));
    const first = new SpscConsumer(ring);
    expect(first.poll(() => 3, 1)).toBe(0);
    const counts: number[] = [];
    new SpscConsumer(ring, { successorOf: first.incarnation }).poll((_kind, _offset, _length, count) => void counts.push(count), 1);
    expect(counts).toEqual([0]);
  });
});

describe('seen from outside', () => {
  it('each side shows when it last gave a sign of life', () => {
    const ring = createSpscRing({ capacityBytes: 64 });
    const [producer, consumer, observer] = [new SpscProducer(ring), new SpscConsumer(ring), new SpscObserver(ring)];
    expect([observer.producerBeatMs, observer.consumerBeatMs]).toEqual([0, 0]);
    producer.beat(2 ** 32 - 1);
    consumer.beat(17);
    expect([observer.producerBeatMs, observer.consumerBeatMs]).toEqual([2 ** 32 - 1, 17]);
  });

  it('bytes are counted beyond the wrap of the positions, padding and headers included', () => {
    const ring = createSpscRing({ capacityBytes: 64, initialPosition: 2 ** 31 - 32 });
    const [producer, consumer] = [new SpscProducer(ring), new SpscConsumer(ring)];
    let bytes = 0;
    for (let count = 0; count < 20; count++) {
      producer.offer(1, payloadOf(1, 8));
      bytes += 16;
      expect([producer.counters.bytes, receive(consumer).length]).toEqual([bytes, 1]);
    }
  });

  it('free room and level are two sides of one thing', () => {
    const ring = createSpscRing({ capacityBytes: 64 });
    const producer = new SpscProducer(ring);
    producer.offer(1, payloadOf(1, 9));
    expect([producer.levelBytes, producer.freeBytes]).toEqual([24, 40]);
  });
});

describe('an end of one kind', () => {
  it('does not attach to a ring of another, nor to a header that is not finished', () => {
    const rings = { spsc: createSpscRing({ capacityBytes: 64 }), mpsc: createMpscRing({ capacityBytes: 64 }), broadcast: createBroadcastRing({ capacityBytes: 64 }) };
    expect(() => new SpscConsumer(rings.mpsc)).toThrow(/of kind spsc.*kind mpsc/);
    expect(() => new MpscConsumer(rings.broadcast)).toThrow(withCode('bad_header'));
    expect(() => new BroadcastProducer(rings.spsc)).toThrow(withCode('bad_header'));
    const unfinished = new SharedArrayBuffer(rings.mpsc.byteLength);
    new Int32Array(unfinished).set(new Int32Array(rings.mpsc).subarray(1), 1);
    expect(() => new MpscConsumer(unfinished)).toThrow(/found magic 0x0/);
    expect(() => new MpscConsumer(rings.mpsc.slice(0, 768))).toThrow(withCode('bad_buffer'));
  });
});
