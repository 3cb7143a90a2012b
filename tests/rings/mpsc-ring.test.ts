/**
 * The MPSC ring: the conformance suite, several producers at once, and what the death of an end leaves.
 * Every step at which a thread may die is gone through by the explorer (tests/explorer).
 */
import { describe, expect, it } from 'vitest';
import {
  ABORT,
  BACK_PRESSURED,
  BREAK,
  COMMIT,
  Doorbell,
  MpscConsumer,
  MpscObserver,
  MpscProducer,
  NOT_CONNECTED,
  createMpscRing,
} from 'atomics-ring-buffer';
import type { MpscRingOptions } from 'atomics-ring-buffer';
import { describeRelease } from './release.cases.ts';
import { describeRing, payloadOf, receive, receivedOf, withCode } from './ring.cases.ts';

interface Mpsc {
  readonly buffer: SharedArrayBuffer;
  readonly producer: MpscProducer;
  readonly consumer: MpscConsumer;
}

function makeMpsc(options: MpscRingOptions = { capacityBytes: 128 }): Mpsc {
  const buffer = createMpscRing(options);
  return { buffer, producer: new MpscProducer(buffer), consumer: new MpscConsumer(buffer) };
}

for (const capacityBytes of [64, 128, 1024]) {
  for (const initialPosition of [0, 2 ** 31 - 24, 2 ** 32 - 24]) {
    const name = `MPSC ring of ${capacityBytes} bytes from position ${initialPosition}`;
    describeRing(name, () => makeMpsc({ capacityBytes, initialPosition }));
    describeRelease(name, () => makeMpsc({ capacityBytes, initialPosition }));
  }
}

describe('several producers', () => {
  it('are read in the order of their claims, each behind what was claimed before and is not finished', () => {
    const { buffer, producer: first, consumer } = makeMpsc();
    const second = new MpscProducer(buffer);
    first.tryClaim(1, 0);
    second.offer(2, payloadOf(2, 3));
    expect(consumer.hasRecord).toBe(false);
    expect(receive(consumer)).toEqual([]);
    first.commit();
    expect(receive(consumer).map(([kind]) => kind)).toEqual([1, 2]);
  });

  it('take turns over many wraps, and each is counted', () => {
    const { buffer, producer, consumer } = makeMpsc();
    const producers = [producer, new MpscProducer(buffer), new MpscProducer(buffer)];
    for (let round = 0; round < 200; round++) {
      const order = producers.map((_, index) => (round * 7 + index * 2) % 3);
      for (const index of order) expect(producers[index]!.offer(index, payloadOf(round, round % 9))).toBe(0);
      expect(receive(consumer)).toEqual(order.map((index) => receivedOf(index, payloadOf(round, round % 9))));
    }
    expect(consumer.counters).toMatchObject({ offered: 600, consumed: 600, abandoned: 0 });
    expect([consumer.depth, consumer.levelBytes]).toEqual([0, 0]);
  });

  it('find the room that an aborted claim behind others took, once the consumer has passed it', () => {
    const { buffer, producer, consumer } = makeMpsc({ capacityBytes: 64 });
    const second = new MpscProducer(buffer);
    producer.tryClaim(1, 8);
    second.tryClaim(2, 8);
    producer.abort();
    second.abort();
    expect(second.offer(3, payloadOf(3, 24))).toBe(0);
    expect(second.offer(4, payloadOf(4, 8))).toBe(BACK_PRESSURED);
    expect(receive(consumer)).toEqual([receivedOf(3, payloadOf(3, 24))]);
    expect(second.offer(4, payloadOf(4, 8))).toBe(0);
  });

  it('are not held up by a ring full of padding: looking for a record frees it', () => {
    const { producer, consumer } = makeMpsc({ capacityBytes: 64 });
    for (let count = 0; count < 4; count++) {
      producer.tryClaim(1, 8);
      producer.abort();
    }
    expect(producer.offer(1, payloadOf(1, 8))).toBe(BACK_PRESSURED);
    expect(consumer.hasRecord).toBe(false);
    expect(producer.offer(1, payloadOf(1, 8))).toBe(0);
  });

  it('are as many as the ring was made for; a detached one makes room', () => {
    const buffer = createMpscRing({ capacityBytes: 64, maxProducers: 2 });
    const [first] = [new MpscProducer(buffer), new MpscProducer(buffer)];
    expect(() => new MpscProducer(buffer)).toThrow(withCode('no_slot'));
    first.detach();
    expect(new MpscProducer(buffer).incarnation).toBe(4);
    expect(new MpscObserver(buffer).producerIncarnations).toEqual([4, 2]);
  });

  it('are refused with NOT_CONNECTED while nobody consumes, if the ring was made so', () => {
    const buffer = createMpscRing({ capacityBytes: 64, needsConsumer: true });
    const producer = new MpscProducer(buffer);
    expect(producer.offer(1, payloadOf(1, 0))).toBe(NOT_CONNECTED);
    const consumer = new MpscConsumer(buffer);
    expect(producer.offer(1, payloadOf(1, 0))).toBe(0);
    consumer.detach();
    expect(producer.tryClaimBatch(16)).toBe(NOT_CONNECTED);
  });

  it('count pressure from all of them, each change once', () => {
    const { buffer, producer, consumer } = makeMpsc({ capacityBytes: 128, highMarkBytes: 64, lowMarkBytes: 32 });
    const second = new MpscProducer(buffer);
    const changes: number[] = [];
    const send = (end: MpscProducer): void => {
      end.offer(1, payloadOf(1, 8));
      changes.push(consumer.pressureChanges);
    };
    for (const end of [producer, second, producer, second, producer]) send(end);
    expect([changes, consumer.pressured]).toEqual([[0, 0, 0, 1, 1], true]);
    receive(consumer, 4);
    expect(consumer.pressured).toBe(false);
    send(second);
    expect([changes.at(-1), consumer.counters.peakBytes]).toEqual([2, 80]);
  });

  it('show signs of life of their own', () => {
    const { buffer, producer, consumer } = makeMpsc();
    const second = new MpscProducer(buffer);
    producer.beat(1_000);
    second.beat(2 ** 31 + 5);
    consumer.beat(7);
    const observer = new MpscObserver(buffer);
    expect([observer.producerBeatMs(1), observer.producerBeatMs(2), observer.producerBeatMs(3)]).toEqual([1_000, 2 ** 31 + 5, 0]);
    expect(observer.consumerBeatMs).toBe(7);
  });
});

describe('a producer that is declared dead', () => {
  it('leaves padding where its claim was, and what others published behind it comes through', () => {
    const { buffer, producer: dead, consumer } = makeMpsc();
    const other = new MpscProducer(buffer);
    dead.offer(1, payloadOf(1, 4));
    const offset = dead.tryClaim(9, 24);
    dead.memory.u8.fill(0xee, offset, offset + 11);
    other.offer(2, payloadOf(2, 4));
    expect(receive(consumer).map(([kind]) => kind)).toEqual([1]);
    expect(new MpscObserver(buffer).declareDead(dead.incarnation)).toBe(true);
    expect(consumer.hasRecord).toBe(true);
    expect(receive(consumer)).toEqual([receivedOf(2, payloadOf(2, 4))]);
    expect(consumer.counters).toMatchObject({ offered: 2, consumed: 2, abandoned: 1 });
  });

  it('leaves padding also of a claim that wraps, and of a batch that was half laid', () => {
    for (const initialPosition of [0, 32, 2 ** 32 - 8]) {
      const { buffer, producer: dead, consumer } = makeMpsc({ capacityBytes: 64, initialPosition });
      const other = new MpscProducer(buffer);
      other.offer(1, payloadOf(1, 8));
      expect(receive(consumer).map(([kind]) => kind)).toEqual([1]);
      expect(dead.tryClaimBatch(32)).toBe(32);
      dead.append(8, 0);
      dead.append(9, 8);
      new MpscObserver(buffer).declareDead(dead.incarnation);
      for (let count = 0; count < 20; count++) {
        // Until the consumer has passed the padding there may be no room.
        const taken = other.offer(count, payloadOf(count, 8)) === 0;
        expect(receive(consumer).map(([kind]) => kind)).toEqual(taken ? [count] : []);
        expect(taken || count === 0).toBe(true);
      }
    }
  });

  it('wakes the consumer, at the bell that its thread sleeps at', () => {
    const { buffer, producer, consumer } = makeMpsc();
    const doorbell = new Doorbell(new Int32Array(new SharedArrayBuffer(4)), 0);
    doorbell.arm();
    consumer.doorbell.arm();
    producer.declareDead(producer.incarnation, doorbell);
    expect([doorbell.ring(), consumer.doorbell.ring()], 'which bells have not rung yet').toEqual([false, true]);
    const successor = new MpscProducer(buffer, { successorOf: producer.incarnation });
    expect(consumer.doorbell.ring()).toBe(false);
    expect(successor.incarnation).toBe(2);
  });

  it('gives its slot to others once the consumer has looked', () => {
    const buffer = createMpscRing({ capacityBytes: 64, maxProducers: 1 });
    const dead = new MpscProducer(buffer);
    dead.tryClaim(1, 0);
    expect(() => new MpscProducer(buffer, { successorOf: dead.incarnation })).toThrow(withCode('no_slot'));
    expect(new MpscConsumer(buffer).hasRecord).toBe(false);
    expect(new MpscProducer(buffer).offer(1, payloadOf(1, 0))).toBe(0);
  });

  it('was attached: others are not declared dead by mistake', () => {
    const { buffer, producer } = makeMpsc();
    const observer = new MpscObserver(buffer);
    expect([observer.declareDead(0), observer.declareDead(5), observer.declareDead(-1)]).toEqual([false, false, false]);
    producer.detach();
    expect(observer.declareDead(producer.incarnation)).toBe(false);
  });
});

describe('a consumer that dies', () => {
  it('leaves what it had not released to its successors, counted as redelivered as often as it was in hand', () => {
    const { buffer, producer } = makeMpsc({ capacityBytes: 128, initialPosition: 2 ** 32 - 24 });
    for (const kind of [0, 1, 2]) producer.offer(kind, payloadOf(kind, 1));
    let left = buffer;
    const seen: (readonly [kind: number, redeliveries: number])[][] = [];
    // Each life dies in the handler of its second record: what it leaves is what the memory is at that moment.
    for (let life = 1; life <= 9; life++) {
      const records: (readonly [number, number])[] = [];
      const consumer = new MpscConsumer(left, { successorOf: new MpscObserver(left).consumerIncarnation });
      consumer.poll((kind, _offset, _length, redeliveries) => {
        records.push([kind, redeliveries]);
        if (records.length < 2) return undefined;
        left = copyOf(left);
        return BREAK;
      }, 10);
      seen.push(records);
    }
    expect(seen).toEqual(
      Array.from({ length: 9 }, (_, deaths) => [
        [0, Math.min(deaths, 7)],
        [1, Math.min(deaths, 7)],
      ]),
    );
    const last = new MpscConsumer(left, { successorOf: new MpscObserver(left).consumerIncarnation });
    expect(receive(last)).toEqual([0, 1, 2].map((kind) => receivedOf(kind, payloadOf(kind, 1))));
    expect(last.counters).toMatchObject({ offered: 3, consumed: 3 });
  });

  it('does not have counted as redelivered what it gave back in its life', () => {
    const { buffer, producer, consumer } = makeMpsc();
    for (const kind of [0, 1]) producer.offer(kind, payloadOf(kind, 1));
    consumer.poll((kind) => (kind === 1 ? ABORT : COMMIT), 10);
    consumer.detach();
    const counts: number[] = [];
    new MpscConsumer(buffer).poll((_kind, _offset, _length, redeliveries) => void counts.push(redeliveries), 10);
    expect(counts).toEqual([0]);
  });

  it('must be named by its successor, and only one successor gets the side', () => {
    const { buffer, consumer } = makeMpsc();
    expect(() => new MpscConsumer(buffer)).toThrow(withCode('side_taken'));
    expect(() => new MpscConsumer(buffer, { successorOf: consumer.incarnation + 1 })).toThrow(withCode('side_taken'));
    void new MpscConsumer(buffer, { successorOf: consumer.incarnation });
    expect(() => new MpscConsumer(buffer, { successorOf: consumer.incarnation })).toThrow(withCode('side_taken'));
  });
});

function copyOf(buffer: SharedArrayBuffer): SharedArrayBuffer {
  const copy = new SharedArrayBuffer(buffer.byteLength);
  new Uint8Array(copy).set(new Uint8Array(buffer));
  return copy;
}
