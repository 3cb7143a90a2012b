/** The conformance suite of rings whose records stay until they are released: looking ahead, at-least-once. */
import { describe, expect, it } from 'vitest';
import { ABORT, BREAK } from 'atomics-ring-buffer';
import type { PollAction, ReleasingConsumer } from 'atomics-ring-buffer';
import { kindsOf, payloadOf, receive, receivedOf, withCode, type RingEnds } from './ring.cases.ts';

/** @param makeRing as for describeRing, of a kind whose records stay until they are released */
export function describeRelease(name: string, makeRing: () => RingEnds<ReleasingConsumer>): void {
  const peeked = (consumer: ReleasingConsumer, limit: number, from?: number, answer?: PollAction): [number[], number] => {
    const kinds: number[] = [];
    const look = (kind: number): PollAction | void => {
      kinds.push(kind);
      return answer;
    };
    return [kinds, consumer.peek(look, limit, from)];
  };

  describe(`${name}: looking ahead`, () => {
    it('shows records without consuming them, as often as it is asked', () => {
      const { producer, consumer } = makeRing();
      for (const kind of [0, 1, 2]) producer.offer(kind, payloadOf(kind, 1));
      expect(peeked(consumer, 10)[0]).toEqual([0, 1, 2]);
      expect(peeked(consumer, 2)[0]).toEqual([0, 1]);
      expect(kindsOf(receive(consumer))).toEqual([0, 1, 2]);
    });

    it('goes on where the last look ended, BREAK after the record and ABORT before it', () => {
      const { producer, consumer } = makeRing();
      for (const kind of [0, 1, 2]) producer.offer(kind, payloadOf(kind, 1));
      const [first, next] = peeked(consumer, 10, undefined, BREAK);
      expect(first).toEqual([0]);
      const [again, same] = peeked(consumer, 10, next, ABORT);
      expect(again).toEqual([1]);
      expect(peeked(consumer, 10, same)[0]).toEqual([1, 2]);
    });

    it('consumes up to the position of a look, over many wraps, and the rest stays', () => {
      const { producer, consumer } = makeRing();
      for (let round = 0; round < 60; round++) {
        expect(producer.offer(1, payloadOf(1, round % 7))).toBe(0);
        const [, position] = peeked(consumer, 10);
        expect(producer.offer(2, payloadOf(2, 0))).toBe(0);
        expect(consumer.release(position)).toBe(1);
        expect(kindsOf(receive(consumer))).toEqual([2]);
        expect(consumer.release(peeked(consumer, 1)[1])).toBe(0);
      }
    });

    it('refuses positions that no look returned, and keeps everything', () => {
      const { producer, consumer } = makeRing();
      for (const kind of [0, 1]) producer.offer(kind, payloadOf(kind, 16));
      const [, end] = peeked(consumer, 10);
      const start = end - 48;
      for (const position of [start + 8, start + 16, end + 8, end + 0.5, NaN]) {
        expect(() => consumer.release(position), String(position - start)).toThrow(withCode('bad_position'));
      }
      for (const position of [start - 8, end + 8, end + 4, NaN]) {
        expect(() => consumer.peek(() => {}, 1, position), String(position - start)).toThrow(withCode('bad_position'));
      }
      expect(kindsOf(receive(consumer))).toEqual([0, 1]);
    });

    it('gives a record another kind where it waits', () => {
      const { producer, consumer } = makeRing();
      for (const kind of [0, 1]) producer.offer(kind, payloadOf(kind, 3));
      consumer.peek((kind, offset) => {
        if (kind === 1) consumer.relabel(offset, 7);
      }, 10);
      expect(receive(consumer)).toEqual([receivedOf(0, payloadOf(0, 3)), receivedOf(7, payloadOf(1, 3))]);
    });

    it('refuses to poll, look or release from within a handler', () => {
      const { producer, consumer } = makeRing();
      for (const kind of [0, 1]) producer.offer(kind, payloadOf(kind, 1));
      const refuseAll = (): PollAction => {
        expect(() => consumer.poll(() => {}, 1)).toThrow(withCode('poll_pending'));
        expect(() => consumer.peek(() => {}, 1)).toThrow(withCode('poll_pending'));
        expect(() => consumer.release(0)).toThrow(withCode('poll_pending'));
        return BREAK;
      };
      consumer.peek(refuseAll, 1);
      expect(consumer.poll(refuseAll, 10)).toBe(1);
      expect(kindsOf(receive(consumer))).toEqual([1]);
    });

    it('is over after a handler that throws, and can be done again', () => {
      const { producer, consumer } = makeRing();
      producer.offer(1, payloadOf(1, 1));
      const failing = (): never => {
        throw new Error('the handler failed');
      };
      expect(() => consumer.peek(failing, 1)).toThrow('the handler failed');
      expect(kindsOf(receive(consumer))).toEqual([1]);
    });
  });
}
