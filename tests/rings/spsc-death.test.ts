/**
 * What a thread's death leaves behind, step by step.
 *
 * The memory is copied before each store and each atomic operation of a step, which is exactly what a
 * thread that died there would have left; successors attach to the copies. `threads.test.ts` kills real threads.
 */
import { describe, expect, it, vi } from 'vitest';
import { Doorbell, SpscConsumer, SpscObserver, SpscProducer, createSpscRing } from 'atomics-ring-buffer';
import { payloadOf, receive, receivedOf } from './ring.cases.ts';

/** Attaches in the place of whoever is attached. */
function attachProducer(buffer: SharedArrayBuffer, options: { doorbell?: Doorbell } = {}): SpscProducer {
  return new SpscProducer(buffer, { ...options, successorOf: new SpscObserver(buffer).producerIncarnation });
}

function attachConsumer(buffer: SharedArrayBuffer): SpscConsumer {
  return new SpscConsumer(buffer, { successorOf: new SpscObserver(buffer).consumerIncarnation });
}

const OPERATIONS = ['load', 'store', 'add', 'compareExchange', 'notify'] as const;

function copyOf(buffer: SharedArrayBuffer): SharedArrayBuffer {
  const copy = new SharedArrayBuffer(buffer.byteLength);
  new Uint8Array(copy).set(new Uint8Array(buffer));
  return copy;
}

/** The memory before each access of `run` that is atomic or a plain store of `end`'s, and after the last. */
function deathsDuring(buffer: SharedArrayBuffer, end: SpscProducer | SpscConsumer, run: () => void): SharedArrayBuffer[] {
  const copies: SharedArrayBuffer[] = [];
  const words = new Int32Array(buffer);
  const watched = new Proxy(words, {
    get: (target, key) => Reflect.get(target, key) as unknown,
    set(target, key, value: number) {
      copies.push(copyOf(buffer));
      return Reflect.set(target, key, value);
    },
  });
  Reflect.set(end, 'words', watched);
  const spies = OPERATIONS.map((name) => {
    const operation = Atomics[name] as (...parameters: unknown[]) => unknown;
    return vi.spyOn(Atomics, name).mockImplementation(((...parameters: unknown[]) => {
      copies.push(copyOf(buffer));
      return operation(...parameters.map((parameter) => (parameter === watched ? words : parameter)));
    }) as never);
  });
  try {
    run();
  } finally {
    for (const spy of spies) spy.mockRestore();
    Reflect.set(end, 'words', words);
  }
  copies.push(copyOf(buffer));
  return copies;
}

const first = receivedOf(1, payloadOf(1, 16));
const second = receivedOf(2, payloadOf(2, 24));
const third = receivedOf(3, payloadOf(3, 8));

/** A ring of 64 bytes that holds `first` at place 32, so that `second` needs padding at the wrap. */
function ringBeforeWrap(): SharedArrayBuffer {
  const buffer = createSpscRing({ capacityBytes: 64, initialPosition: 2 ** 32 - 32 });
  attachProducer(buffer).offer(1, payloadOf(1, 16));
  return buffer;
}

describe('a producer that dies', () => {
  it('has published its record or not, never a part, whichever step it dies at; its successor continues', () => {
    const buffer = ringBeforeWrap();
    const producer = attachProducer(buffer);
    const deaths = deathsDuring(buffer, producer, () => {
      const offset = producer.tryClaim(2, 24);
      producer.memory.u8.set(payloadOf(2, 24), offset);
      producer.commit();
    });
    const outcomes = new Set<number>();
    for (const left of deaths) {
      const countedBefore = new SpscObserver(left).counters.offered;
      const successor = attachProducer(left);
      const consumer = attachConsumer(left);
      const waiting = successor.depth;
      const found = receive(consumer);
      expect([waiting, successor.counters.offered], 'counted as published').toEqual([found.length, found.length]);
      expect([0, 1], 'behind by one record at most').toContain(found.length - countedBefore);
      outcomes.add(found.length);
      expect(found).toEqual([first, second].slice(0, found.length));
      expect(successor.offer(3, payloadOf(3, 8))).toBe(0);
      expect(receive(consumer)).toEqual([third]);
    }
    expect([...outcomes]).toEqual([1, 2]);
  });

  it('in the middle of a claim leaves bytes that nobody sees and that its successor overwrites', () => {
    const buffer = ringBeforeWrap();
    const dead = attachProducer(buffer);
    const offset = dead.tryClaim(9, 24);
    dead.memory.u8.fill(0xee, offset, offset + 11);
    const successor = attachProducer(buffer);
    expect(successor.counters.offered).toBe(1);
    expect(successor.offer(2, payloadOf(2, 24))).toBe(0);
    expect(receive(attachConsumer(buffer))).toEqual([first, second]);
  });

  it('between publishing and ringing leaves the consumer asleep; its successor wakes it by attaching', () => {
    const buffer = createSpscRing({ capacityBytes: 64 });
    const producer = attachProducer(buffer);
    const { doorbell } = attachConsumer(buffer);
    doorbell.arm();
    const deaths = deathsDuring(buffer, producer, () => producer.offer(1, payloadOf(1, 16)));
    for (const left of deaths) {
      void attachProducer(left);
      expect(attachConsumer(left).doorbell.ring(), 'the bell has rung already').toBe(false);
    }
  });

  it('between turning the bell and waking leaves it silent; its successor wakes all the same', async () => {
    const words = new Int32Array(new SharedArrayBuffer(4));
    const doorbell = new Doorbell(words, 0);
    const buffer = createSpscRing({ capacityBytes: 64 });
    doorbell.arm();
    const woken = doorbell.parkAsync(30_000);
    const silent = vi.spyOn(Atomics, 'notify').mockReturnValue(0);
    attachProducer(buffer, { doorbell }).offer(1, payloadOf(1, 16));
    silent.mockRestore();
    // The word says AWAKE by now, so an ordinary ring does nothing.
    expect(doorbell.ring()).toBe(false);
    void attachProducer(buffer, { doorbell });
    expect(await woken).toBe('ok');
  });
});

describe('a consumer that dies', () => {
  it('has consumed all of a poll or nothing, whichever step it dies at; its successor continues', () => {
    const buffer = ringBeforeWrap();
    attachProducer(buffer).offer(2, payloadOf(2, 0));
    const consumer = attachConsumer(buffer);
    const inHandler: SharedArrayBuffer[] = [];
    const deaths = deathsDuring(buffer, consumer, () => consumer.poll(() => void inHandler.push(copyOf(buffer)), 10));
    const all = [first, receivedOf(2, [] as never)];
    const outcomes = new Set<number>();
    for (const left of [...inHandler, ...deaths]) {
      const countedBefore = new SpscObserver(left).counters.consumed;
      const successor = attachConsumer(left);
      expect([0, 2], 'behind by one poll at most').toContain(successor.counters.consumed - countedBefore);
      const waiting = [successor.depth, successor.counters.consumed];
      const redelivered = receive(successor);
      expect(waiting, 'counted as released').toEqual([redelivered.length, 2 - redelivered.length]);
      outcomes.add(redelivered.length);
      expect(redelivered).toEqual(redelivered.length === 0 ? [] : all);
      expect(attachProducer(left).offer(3, payloadOf(3, 8))).toBe(0);
      expect(receive(attachConsumer(left))).toEqual([third]);
    }
    expect([...outcomes]).toEqual([2, 0]);
  });

  it('after COMMIT has consumed what was committed and nothing after it', () => {
    const buffer = createSpscRing({ capacityBytes: 128 });
    const producer = attachProducer(buffer);
    for (const kind of [0, 1, 2]) producer.offer(kind, payloadOf(kind, 4));
    const lefts: SharedArrayBuffer[] = [];
    attachConsumer(buffer).poll((kind) => {
      lefts.push(copyOf(buffer));
      return kind === 1 ? 1 : 0;
    }, 10);
    const redelivered = lefts.map((left) => receive(attachConsumer(left)).map(([kind]) => kind));
    expect(redelivered).toEqual([[0, 1, 2], [0, 1, 2], [2]]);
  });

  it('while asleep leaves a bell that rings for nobody; its successor looks before it sleeps', () => {
    const buffer = createSpscRing({ capacityBytes: 64 });
    attachConsumer(buffer).doorbell.arm();
    attachProducer(buffer).offer(1, payloadOf(1, 16));
    const successor = attachConsumer(buffer);
    expect(successor.hasRecord).toBe(true);
    expect(receive(successor)).toEqual([first]);
  });
});
