/**
 * The SPSC ring: the conformance suite at the smallest capacities and at positions that overflow at
 * once, and what this kind of ring promises beyond the contract.
 */
import { describe, expect, it, vi } from 'vitest';
import {
  BACK_PRESSURED,
  Doorbell,
  RING_ERRORS,
  RingError,
  SpscConsumer,
  SpscObserver,
  SpscProducer,
  createSpscRing,
  maxPayloadBytes,
  recordBytes,
  resultName,
} from 'atomics-ring-buffer';
import type { SpscRingOptions } from 'atomics-ring-buffer';
import { describeRelease } from './release.cases.ts';
import { describeRing, payloadOf, receive, receivedOf, withCode } from './ring.cases.ts';

interface Spsc {
  readonly buffer: SharedArrayBuffer;
  readonly producer: SpscProducer;
  readonly consumer: SpscConsumer;
}

function makeSpsc(options: SpscRingOptions = { capacityBytes: 64 }): Spsc {
  const buffer = createSpscRing(options);
  return { buffer, producer: new SpscProducer(buffer), consumer: new SpscConsumer(buffer) };
}

/** Offers a record that takes up `bytes` of the ring. */
function offerBytes(producer: SpscProducer, bytes: number): number {
  return producer.offer(1, new Uint8Array(bytes - 8));
}

for (const capacityBytes of [64, 128]) {
  // The second and third begin just below the signed and the unsigned overflow of a position.
  for (const initialPosition of [0, 2 ** 31 - 24, 2 ** 32 - 24]) {
    const name = `SPSC ring of ${capacityBytes} bytes from position ${initialPosition}`;
    describeRing(name, () => makeSpsc({ capacityBytes, initialPosition }));
    describeRelease(name, () => makeSpsc({ capacityBytes, initialPosition }));
  }
}
describeRing('SPSC ring of 1 KiB', () => makeSpsc({ capacityBytes: 1024 }));

describe('making and attaching', () => {
  it('makes a buffer of the capacity and a header of 768 bytes, and takes payloads of half the capacity less 8', () => {
    for (const capacityBytes of [64, 128, 4096]) {
      const { buffer, producer, consumer } = makeSpsc({ capacityBytes });
      expect(buffer.byteLength).toBe(768 + capacityBytes);
      expect([producer.capacityBytes, consumer.capacityBytes]).toEqual([capacityBytes, capacityBytes]);
      expect(producer.maxPayloadBytes).toBe(capacityBytes / 2 - 8);
      expect(maxPayloadBytes(capacityBytes)).toBe(producer.maxPayloadBytes);
    }
  });

  it('refuses capacities that are no power of two from 64 to 2^30', () => {
    for (const capacityBytes of [0, -64, 1, 32, 63, 65, 96, 1000, 64.000_000_000_000_01, 2 ** 31, 2 ** 32, NaN, Infinity]) {
      expect(() => createSpscRing({ capacityBytes }), String(capacityBytes)).toThrow(withCode('bad_capacity'));
    }
  });

  it('refuses marks that are not whole bytes in order', () => {
    const marks = [[0, 10], [-1, 10], [11, 10], [10, 65], [0.5, 10], [5, 10.5], [NaN, 10], [10, NaN]] as const;
    for (const [lowMarkBytes, highMarkBytes] of marks) {
      const make = (): unknown => createSpscRing({ capacityBytes: 64, lowMarkBytes, highMarkBytes });
      expect(make, `${lowMarkBytes} and ${highMarkBytes}`).toThrow(withCode('bad_marks'));
    }
  });

  it('accepts a high mark alone that lies below the default of the low mark', () => {
    const { producer } = makeSpsc({ capacityBytes: 64, highMarkBytes: 8 });
    offerBytes(producer, 8);
    expect(producer.pressured).toBe(true);
  });

  it('refuses initial positions that are no multiple of 8 below 2^32', () => {
    for (const initialPosition of [4, -8, 8.5, 2 ** 32, NaN]) {
      const make = (): unknown => createSpscRing({ capacityBytes: 64, initialPosition });
      expect(make, String(initialPosition)).toThrow(withCode('bad_position'));
    }
  });

  it('refuses memory that is not shared, too small, of an odd size, or not of the size its header says', () => {
    const grown = new SharedArrayBuffer(768 + 128);
    new Uint8Array(grown).set(new Uint8Array(createSpscRing({ capacityBytes: 64 })));
    const buffers = [new ArrayBuffer(576), {}, undefined, new SharedArrayBuffer(0), new SharedArrayBuffer(511), new SharedArrayBuffer(577), grown];
    for (const End of [SpscProducer, SpscConsumer, SpscObserver]) {
      for (const buffer of buffers) {
        expect(() => new End(buffer as SharedArrayBuffer)).toThrow(withCode('bad_buffer'));
      }
    }
  });

  it('refuses memory without a finished header of this version', () => {
    const [MAGIC_WORD, VERSION_WORD] = [0, 1];
    for (const word of [MAGIC_WORD, VERSION_WORD]) {
      const buffer = createSpscRing({ capacityBytes: 64 });
      new Int32Array(buffer)[word] = 0;
      for (const End of [SpscProducer, SpscConsumer, SpscObserver]) {
        expect(() => new End(buffer)).toThrow(withCode('bad_header'));
      }
    }
  });

  it('explains every error code in a sentence', () => {
    const error = new RingError('bad_kind', 'a message');
    expect(error).toMatchObject({ name: 'RingError', code: 'bad_kind', message: 'a message' });
    for (const sentence of Object.values(RING_ERRORS)) expect(sentence).toMatch(/^[A-Z].*\.$/);
  });

  it('names results for messages', () => {
    expect([0, 520, -1, -2, -3, -4, -5, -7].map(resultName)).toEqual([
      'OK', 'OK', 'NOT_CONNECTED', 'BACK_PRESSURED', 'ADMIN_ACTION', 'CLOSED', 'TOO_LONG', 'UNKNOWN(-7)',
    ]);
  });
});

describe('room and padding', () => {
  it('takes for a record its payload and 8 bytes, rounded up to a multiple of 8', () => {
    const { producer } = makeSpsc({ capacityBytes: 128 });
    for (const [payloadBytes, bytes] of [[0, 8], [1, 16], [8, 16], [9, 24], [56, 64]] as const) {
      expect(recordBytes(payloadBytes)).toBe(bytes);
      const before = producer.levelBytes;
      producer.offer(1, new Uint8Array(payloadBytes));
      expect(producer.levelBytes - before).toBe(bytes);
    }
  });

  it('fills a ring to its last byte', () => {
    const { producer, consumer } = makeSpsc();
    for (let count = 0; count < 8; count++) expect(producer.offer(count, new Uint8Array(0))).toBe(0);
    expect(producer.levelBytes).toBe(64);
    expect(producer.offer(9, new Uint8Array(0))).toBe(BACK_PRESSURED);
    expect(receive(consumer).map(([kind]) => kind)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('pads the end of the ring when a record would straddle it, and counts the padding to the level only', () => {
    const { producer, consumer } = makeSpsc();
    for (let count = 0; count < 3; count++) offerBytes(producer, 16);
    receive(consumer);
    // Place 48 of 64: a record of 32 bytes begins at place 0, behind 16 bytes of padding.
    expect(producer.tryClaim(5, 24)).toBe(768 + 8);
    expect(producer.levelBytes).toBe(0);
    producer.memory.u8.set(payloadOf(5, 24), 768 + 8);
    producer.commit();
    expect([producer.levelBytes, producer.depth]).toEqual([48, 1]);
    expect(receive(consumer, 1)).toEqual([receivedOf(5, payloadOf(5, 24))]);
    expect([producer.levelBytes, producer.depth]).toEqual([0, 0]);
  });

  it('pads where only the 8 bytes of a header are left', () => {
    const { producer, consumer } = makeSpsc();
    for (const bytes of [32, 24]) offerBytes(producer, bytes);
    receive(consumer);
    expect(producer.offer(5, payloadOf(5, 4))).toBe(0);
    expect(producer.levelBytes).toBe(8 + 16);
    expect(receive(consumer)).toEqual([receivedOf(5, payloadOf(5, 4))]);
  });

  it('delivers the record behind the padding again when its handler aborts', () => {
    const { producer, consumer } = makeSpsc();
    for (let count = 0; count < 3; count++) offerBytes(producer, 16);
    receive(consumer);
    producer.offer(5, payloadOf(5, 24));
    expect(consumer.poll(() => 3, 1)).toBe(0);
    expect(consumer.hasRecord).toBe(true);
    expect(receive(consumer)).toEqual([receivedOf(5, payloadOf(5, 24))]);
  });

  it('refuses a record that finds room neither behind the last one nor, with the padding, at the start', () => {
    const { producer, consumer } = makeSpsc();
    for (let count = 0; count < 3; count++) offerBytes(producer, 16);
    receive(consumer, 1);
    // Free are 16 bytes at the end and 16 at the start: a record of 24 bytes fits into neither.
    expect(offerBytes(producer, 24)).toBe(BACK_PRESSURED);
    receive(consumer, 1);
    expect(offerBytes(producer, 24)).toBe(0);
    expect(producer.levelBytes).toBe(16 + 16 + 24);
  });

  it('leaves no trace of an aborted claim that would have padded', () => {
    const { producer, consumer } = makeSpsc();
    for (let count = 0; count < 3; count++) offerBytes(producer, 16);
    receive(consumer);
    const before = producer.producerPosition;
    producer.tryClaim(5, 24);
    producer.abort();
    expect([producer.producerPosition, producer.levelBytes, producer.counters.offered]).toEqual([before, 0, 3]);
    expect(offerBytes(producer, 16)).toBe(0);
    expect(producer.levelBytes).toBe(16);
  });

  it('counts positions modulo 2^32 and levels across the overflow', () => {
    const { producer, consumer } = makeSpsc({ capacityBytes: 64, initialPosition: 2 ** 32 - 16 });
    expect([producer.producerPosition, consumer.consumerPosition]).toEqual([2 ** 32 - 16, 2 ** 32 - 16]);
    offerBytes(producer, 16);
    expect([producer.producerPosition, producer.levelBytes]).toEqual([0, 16]);
    offerBytes(producer, 24);
    expect([producer.producerPosition, producer.levelBytes, producer.depth]).toEqual([24, 40, 2]);
    receive(consumer, 1);
    expect([consumer.consumerPosition, consumer.levelBytes]).toEqual([0, 24]);
    receive(consumer);
    expect([consumer.consumerPosition, consumer.isEmpty]).toEqual([24, true]);
  });
});

describe('marks', () => {
  const marks = { capacityBytes: 128, highMarkBytes: 64, lowMarkBytes: 32 };

  it('turns pressured at the high mark and back only below the low mark', () => {
    const { producer, consumer } = makeSpsc(marks);
    const levels: [number, boolean][] = [];
    const note = (): number => levels.push([producer.levelBytes, producer.pressured]);
    for (let count = 0; count < 4; count++) {
      offerBytes(producer, 16);
      note();
    }
    for (let count = 0; count < 3; count++) {
      receive(consumer, 1);
      note();
    }
    expect(levels).toEqual([[16, false], [32, false], [48, false], [64, true], [48, true], [32, true], [16, false]]);
  });

  it('stays pressured while records are sent between the marks', () => {
    const { producer, consumer } = makeSpsc(marks);
    offerBytes(producer, 64);
    receive(consumer);
    for (let count = 0; count < 4; count++) offerBytes(producer, 16);
    receive(consumer, 2);
    expect([producer.levelBytes, producer.pressured]).toEqual([32, true]);
    offerBytes(producer, 16);
    expect([producer.levelBytes, producer.pressured]).toEqual([48, true]);
  });

  it('does not come back by a record that ends between the marks, once the level was below the low mark', () => {
    const { producer, consumer } = makeSpsc(marks);
    for (let count = 0; count < 4; count++) offerBytes(producer, 16);
    receive(consumer);
    expect(producer.pressured).toBe(false);
    offerBytes(producer, 48);
    expect([producer.levelBytes, producer.pressured]).toEqual([48, false]);
    offerBytes(producer, 16);
    expect([producer.levelBytes, producer.pressured]).toEqual([64, true]);
  });

  it('tells the same to both ends and to a third thread', () => {
    const { buffer, producer, consumer } = makeSpsc(marks);
    const observer = new SpscObserver(buffer);
    offerBytes(producer, 64);
    expect([producer.pressured, consumer.pressured, observer.pressured]).toEqual([true, true, true]);
    receive(consumer);
    expect([producer.pressured, consumer.pressured, observer.pressured]).toEqual([false, false, false]);
  });
});

describe('counters', () => {
  it('counts records offered, consumed and refused, and the highest level, padding included', () => {
    const { buffer, producer, consumer } = makeSpsc();
    for (let count = 0; count < 3; count++) offerBytes(producer, 16);
    receive(consumer, 2);
    offerBytes(producer, 24);
    expect(offerBytes(producer, 32)).toBe(BACK_PRESSURED);
    expect(producer.tryClaim(1, 24)).toBe(BACK_PRESSURED);
    producer.countShed(3);
    const expected = {
      offered: 4,
      consumed: 2,
      refused: 2,
      shed: 3,
      overwritten: 0,
      lost: 0,
      abandoned: 0,
      bytes: 3 * 16 + 16 + 24,
      peakBytes: 16 + 16 + 24,
    };
    for (const end of [producer, consumer, new SpscObserver(buffer)]) {
      expect(end.counters).toEqual(expected);
      expect([end.depth, end.levelBytes, end.isEmpty]).toEqual([2, 56, false]);
    }
    receive(consumer);
    expect(producer.counters).toEqual({ ...expected, consumed: 4 });
    expect([producer.depth, producer.isEmpty]).toEqual([0, true]);
  });

  it('counts a record as consumed when its room is released, and never one that was aborted', () => {
    const { producer, consumer } = makeSpsc();
    for (let count = 0; count < 3; count++) offerBytes(producer, 16);
    consumer.poll((_kind, _offset) => {
      expect(producer.counters.consumed).toBe(0);
      return 2;
    }, 1);
    consumer.poll(() => 3, 1);
    expect([producer.counters.consumed, producer.depth]).toEqual([1, 2]);
  });

  it('does not count what is too long or comes after the close as refused for lack of room', () => {
    const { producer } = makeSpsc();
    producer.offer(1, new Uint8Array(100));
    producer.close();
    producer.offer(1, new Uint8Array(1));
    expect(producer.counters).toMatchObject({ offered: 0, refused: 0 });
  });

  it('keeps the peak of the level, not of the traffic', () => {
    const { producer, consumer } = makeSpsc();
    for (let count = 0; count < 20; count++) {
      offerBytes(producer, 16);
      receive(consumer);
    }
    expect(producer.counters.peakBytes).toBe(16);
  });

  it('never shows a third thread a level below zero or above the capacity, however long it is held up', () => {
    const { buffer, producer, consumer } = makeSpsc();
    const observer = new SpscObserver(buffer);
    const load = Atomics.load;
    let busy = false;
    // Between any two loads of the observer, both ends move on by three records.
    const spy = vi.spyOn(Atomics, 'load').mockImplementation(((words: Int32Array, index: number): number => {
      const value = load(words, index);
      if (busy) return value;
      busy = true;
      for (let count = 0; count < 3; count++) {
        offerBytes(producer, 24);
        receive(consumer);
      }
      offerBytes(producer, 24);
      busy = false;
      return value;
    }) as typeof Atomics.load);
    let level: number;
    try {
      level = observer.levelBytes;
    } finally {
      spy.mockRestore();
    }
    expect(level).toBe(64);
  });
});

describe('closing', () => {
  it('is seen by every end, whoever closes', () => {
    for (const closer of [0, 1, 2]) {
      const { buffer, producer, consumer } = makeSpsc();
      const ends = [producer, consumer, new SpscObserver(buffer)];
      ends[closer]!.close();
      expect(ends.map((end) => end.closed)).toEqual([true, true, true]);
      producer.detach();
      expect(new SpscProducer(buffer).closed).toBe(true);
    }
  });

  it('wakes a consumer that sleeps at the bell of the ring, whoever closes', () => {
    for (const closer of [0, 1]) {
      const { buffer, producer, consumer } = makeSpsc();
      consumer.doorbell.arm();
      [producer, new SpscObserver(buffer)][closer]!.close();
      expect(consumer.doorbell.ring(), 'the bell has rung already').toBe(false);
    }
  });

  it('wakes a consumer that sleeps at a bell of its own', () => {
    const buffer = createSpscRing({ capacityBytes: 64 });
    const doorbell = new Doorbell(new Int32Array(new SharedArrayBuffer(4)), 0);
    const producer = new SpscProducer(buffer, { doorbell });
    doorbell.arm();
    producer.close();
    expect(doorbell.ring()).toBe(false);
  });
});
