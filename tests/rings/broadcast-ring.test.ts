/**
 * The broadcast ring: what it shares with the other kinds, and loss, lateness and death, which are its own.
 * A reader that is overtaken in the middle of a copy is gone through by the explorer (tests/explorer).
 */
import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { ABORT, BREAK, BroadcastObserver, BroadcastProducer, BroadcastReader, TOO_LONG, createBroadcastRing } from 'atomics-ring-buffer';
import type { BroadcastRingOptions, ReaderOptions } from 'atomics-ring-buffer';
import { describeRing, payloadOf, receive, receivedOf, withCode } from './ring.cases.ts';

interface Broadcast {
  readonly buffer: SharedArrayBuffer;
  readonly producer: BroadcastProducer;
  readonly consumer: BroadcastReader;
}

function makeBroadcast(options: BroadcastRingOptions = { capacityBytes: 256 }, reader: ReaderOptions = {}): Broadcast {
  const buffer = createBroadcastRing(options);
  return { buffer, producer: new BroadcastProducer(buffer), consumer: new BroadcastReader(buffer, reader) };
}

function publish(producer: BroadcastProducer, from: number, to: number): void {
  for (let number = from; number < to; number++) expect(producer.offer(number, payloadOf(number, number % 17))).toBe(0);
}

function copyOf(buffer: SharedArrayBuffer): SharedArrayBuffer {
  const copy = new SharedArrayBuffer(buffer.byteLength);
  new Uint8Array(copy).set(new Uint8Array(buffer));
  return copy;
}

for (const capacityBytes of [256, 4096]) {
  describeRing(`broadcast ring of ${capacityBytes} bytes`, () => makeBroadcast({ capacityBytes }), { lossy: true });
}

describe('making a broadcast ring', () => {
  it('remembers as many records as it was made for, and refuses numbers that make no index', () => {
    for (const maxRecords of [0, 1, 4, 12, 2 ** 25, 8.5, NaN]) {
      expect(() => createBroadcastRing({ capacityBytes: 1024, maxRecords }), String(maxRecords)).toThrow(withCode('bad_slots'));
    }
    const { producer } = makeBroadcast({ capacityBytes: 1024, maxRecords: 8 });
    publish(producer, 0, 20);
    expect([producer.depth, producer.oldest, producer.published]).toEqual([8, 12, 20]);
  });

  it('takes records of an eighth of its capacity, so that a reader has the time to copy one', () => {
    const { producer } = makeBroadcast({ capacityBytes: 1024 });
    expect(producer.maxPayloadBytes).toBe(120);
    expect(producer.offer(1, new Uint8Array(121))).toBe(TOO_LONG);
  });
});

describe('readers', () => {
  it('each get every record, whenever they come to read it', () => {
    const { buffer, producer, consumer } = makeBroadcast();
    const second = new BroadcastReader(buffer);
    publish(producer, 0, 4);
    const expected = [0, 1, 2, 3].map((kind) => receivedOf(kind, payloadOf(kind, kind)));
    expect(receive(consumer)).toEqual(expected);
    expect(receive(second)).toEqual(expected);
    expect([consumer.lost, second.lost]).toEqual([0, 0]);
  });

  it('that come late begin with the next record, or with the oldest that is left', () => {
    const { buffer, producer } = makeBroadcast();
    publish(producer, 0, 40);
    const newest = new BroadcastReader(buffer);
    const oldest = new BroadcastReader(buffer, { from: 'oldest' });
    const kinds = receive(oldest).map(([kind]) => kind);
    expect(kinds.length).toBeGreaterThan(3);
    expect(kinds).toEqual(Array.from(kinds, (_, index) => 40 - kinds.length + index));
    expect(newest.hasRecord).toBe(false);
    publish(producer, 40, 41);
    expect(receive(newest).map(([kind]) => kind)).toEqual([40]);
    expect([newest.lost, oldest.lost]).toEqual([0, 0]);
  });

  it('that are overtaken count what they lost and go on with half of what is left', () => {
    const { producer, consumer } = makeBroadcast();
    publish(producer, 0, 100);
    const left = producer.depth;
    const kinds = receive(consumer).map(([kind]) => kind);
    expect(kinds).toEqual(Array.from({ length: Math.ceil(left / 2) }, (_, index) => 100 - Math.ceil(left / 2) + index));
    expect([consumer.lost, consumer.lost + kinds.length]).toEqual([100 - kinds.length, 100]);
    expect(producer.counters).toMatchObject({ offered: 100, overwritten: 100 - left, lost: 100 - kinds.length });
  });

  it('see an aborted record again, and stop at BREAK', () => {
    const { producer, consumer } = makeBroadcast();
    publish(producer, 0, 3);
    expect(consumer.poll((kind) => (kind === 1 ? ABORT : undefined), 10)).toBe(1);
    expect(consumer.poll(() => BREAK, 10)).toBe(1);
    expect([consumer.position, receive(consumer).map(([kind]) => kind)]).toEqual([2, [2]]);
  });

  it('throw a copy away that was overwritten while it was made', () => {
    const { producer, consumer } = makeBroadcast();
    publish(producer, 0, 1);
    const add = Atomics.add;
    // Between the copy and its check, the writer overtakes the reader.
    const spy = vi.spyOn(Atomics, 'add').mockImplementation(((cells: BigInt64Array, index: number, value: bigint) => {
      spy.mockRestore();
      publish(producer, 1, 60);
      return add(cells, index, value);
    }) as unknown as typeof Atomics.add);
    const kinds = receive(consumer).map(([kind]) => kind);
    expect(kinds).not.toContain(0);
    expect(kinds.at(-1)).toBe(59);
    expect(consumer.lost + kinds.length).toBe(60);
  });

  it('are woken all together by one bell, and none of them misses it because another woke up before', () => {
    const { buffer, producer, consumer } = makeBroadcast();
    const bells = [consumer.doorbell, new BroadcastReader(buffer).doorbell];
    for (const bell of bells) bell.arm();
    bells[0]!.disarm();
    expect(bells[1]!.ring(), 'the other still sleeps').toBe(true);
    for (const bell of bells) bell.arm();
    producer.offer(1, payloadOf(1, 0));
    expect(bells[1]!.ring(), 'the bell has rung already').toBe(false);
  });
});

describe('any mix of records, batches and readers', () => {
  it('delivers whole records in their order, and what is delivered and lost adds up to what was published', () => {
    const arbitraryStep = fc.record({
      act: fc.constantFrom('offer', 'offer', 'batch', 'abort', 'poll', 'poll second'),
      share: fc.double({ min: 0, max: 0.999, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(arbitraryStep, { minLength: 1, maxLength: 150 }), fc.constantFrom(64, 128, 512), (steps, capacityBytes) => {
        const { buffer, producer, consumer } = makeBroadcast({ capacityBytes, maxRecords: 8 });
        const readers = [consumer, new BroadcastReader(buffer)];
        const expected = [0, 0];
        const lengthOf = (number: number, share: number): number => (number * 13 + Math.floor(share * 50)) % (producer.maxPayloadBytes + 1);
        const lengths: number[] = [];
        const poll = (index: number, limit: number): void => {
          const reader = readers[index]!;
          for (const [kind, payload] of receive(reader, limit)) {
            expect(kind).toBeGreaterThanOrEqual(expected[index]!);
            expect(payload).toEqual([...payloadOf(kind, lengths[kind]!)]);
            expected[index] = kind + 1;
          }
        };
        for (const { act, share } of steps) {
          const number = producer.published;
          const length = lengthOf(number, share);
          if (act === 'offer') {
            lengths[number] = length;
            expect(producer.offer(number, payloadOf(number, length))).toBe(0);
          } else if (act === 'batch') {
            producer.tryClaimBatch(producer.maxPayloadBytes + 8);
            for (let next = number; ; next++) {
              const offset = producer.append(next, 0);
              if (offset < 0) break;
              lengths[next] = 0;
            }
            producer.commit();
          } else if (act === 'abort') {
            const offset = producer.tryClaim(1, length);
            producer.memory.u8.fill(0xee, offset, offset + length);
            producer.abort();
          } else {
            poll(act === 'poll' ? 0 : 1, Math.floor(share * 6));
          }
        }
        for (const index of [0, 1]) poll(index, Infinity);
        expect(readers.map((reader) => reader.position)).toEqual([producer.published, producer.published]);
      }),
      { numRuns: 150 },
    );
  });
});

describe('a writer that dies', () => {
  it('in the middle of a record has published nothing of it; its successor goes on, and what is left can be read', () => {
    const { buffer, producer } = makeBroadcast({ capacityBytes: 256 });
    publish(producer, 0, 12);
    const offset = producer.tryClaim(99, 8);
    producer.memory.u8.fill(0xee, offset, offset + 5);
    const left = copyOf(buffer);
    expect(() => new BroadcastProducer(left)).toThrow(withCode('side_taken'));
    const successor = new BroadcastProducer(left, { successorOf: producer.incarnation });
    const reader = new BroadcastReader(left, { from: 'oldest' });
    const before = receive(reader);
    expect(before.at(-1)).toEqual(receivedOf(11, payloadOf(11, 11)));
    for (const record of before) expect(record).toEqual(receivedOf(record[0], payloadOf(record[0], record[0])));
    expect(successor.offer(12, payloadOf(12, 8))).toBe(0);
    expect(receive(reader)).toEqual([receivedOf(12, payloadOf(12, 8))]);
    expect(reader.lost).toBe(0);
  });

  it('leaves numbers that go on where it stopped', () => {
    const { buffer, producer, consumer } = makeBroadcast();
    publish(producer, 0, 5);
    producer.detach();
    const successor = new BroadcastProducer(buffer);
    expect([successor.incarnation, successor.published]).toEqual([2, 5]);
    publish(successor, 5, 7);
    expect(receive(consumer).map(([kind]) => kind)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(new BroadcastObserver(buffer).counters.offered).toBe(7);
  });
});
