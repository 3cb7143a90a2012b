/** What a browser's window is, for the rings: isolated, without Node, and with a thread that may not block. */
import { describe, expect, it } from 'vitest';
import { BusySpinWait, EventLoopWait, ParkingWait, SpscConsumer, SpscProducer, createSpscRing } from 'atomics-ring-buffer';
import { browser } from './browser-globals.ts';

const LONG_MS = 60_000;

function makeSpsc(): { readonly producer: SpscProducer; readonly consumer: SpscConsumer } {
  const buffer = createSpscRing({ capacityBytes: 64 });
  return { producer: new SpscProducer(buffer), consumer: new SpscConsumer(buffer) };
}

describe('the window', () => {
  it('shares memory, and has nothing of Node', () => {
    expect(browser.crossOriginIsolated).toBe(true);
    expect(createSpscRing({ capacityBytes: 64 })).toBeInstanceOf(SharedArrayBuffer);
    expect(['Buffer', 'process', 'require'].filter((name) => name in globalThis)).toEqual([]);
  });

  it('may not park: the wait throws, and the bell does not believe that anybody sleeps', () => {
    const { consumer } = makeSpsc();
    expect(() => new ParkingWait(consumer.doorbell).wait(() => consumer.hasRecord, LONG_MS)).toThrow(TypeError);
    expect(consumer.doorbell.ring()).toBe(false);
  });

  it('may spin', () => {
    const { producer, consumer } = makeSpsc();
    let looks = 0;
    const hasWork = (): boolean => {
      if (++looks === 1_000) producer.offer(1, new Uint8Array(1));
      return consumer.hasRecord;
    };
    expect(new BusySpinWait().wait(hasWork, LONG_MS)).toBe(true);
    expect(looks).toBe(1_000);
  });
});

describe('a wait in the event loop of the window', () => {
  it('is ended by a record that comes while it waits', async () => {
    const { producer, consumer } = makeSpsc();
    const ended = new EventLoopWait(consumer.doorbell).wait(() => consumer.hasRecord, LONG_MS);
    producer.offer(1, new Uint8Array(1));
    expect(await ended).toBe(true);
    expect(consumer.doorbell.ring()).toBe(false);
  });

  it('does not begin where a record is there already', async () => {
    const { producer, consumer } = makeSpsc();
    producer.offer(1, new Uint8Array(1));
    expect(await new EventLoopWait(consumer.doorbell).wait(() => consumer.hasRecord, LONG_MS)).toBe(true);
  });

  it('ends without work when its time is over', async () => {
    const { consumer } = makeSpsc();
    expect(await new EventLoopWait(consumer.doorbell).wait(() => consumer.hasRecord, 5)).toBe(false);
    expect(consumer.doorbell.ring()).toBe(false);
  });
});
