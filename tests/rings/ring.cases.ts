/**
 * The conformance suite of the ring contract (rings/ring.ts): what every kind of ring must do, told
 * through the contract alone. Run it over a kind of ring from a test file of that kind.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ABORT, BACK_PRESSURED, BREAK, CLOSED, COMMIT, CONTINUE, TOO_LONG } from 'atomics-ring-buffer';
import type { PollAction, RecordHandler, SharedMemory } from 'atomics-ring-buffer';

export interface ProducingEnd {
  readonly memory: SharedMemory;
  readonly maxPayloadBytes: number;
  readonly closed: boolean;
  tryClaim(kind: number, payloadBytes: number): number;
  commit(): void;
  abort(): void;
  offer(kind: number, payload: Uint8Array): number;
  close(): void;
}

export interface ConsumingEnd {
  readonly memory: SharedMemory;
  readonly hasRecord: boolean;
  readonly closed: boolean;
  poll(handler: RecordHandler, limit: number): number;
}

export interface RingEnds {
  readonly producer: ProducingEnd;
  readonly consumer: ConsumingEnd;
}

/** One record as a test sees it: a copy, because the ring's own bytes are valid in the handler only. */
export type Received = readonly [kind: number, payload: readonly number[]];

export function withCode(code: string): unknown {
  return expect.objectContaining({ name: 'RingError', code });
}

/** Bytes that tell one record from every other one of a test, whatever its length. */
export function payloadOf(number: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (number * 31 + index * 7 + 1) & 0xff);
}

export function receivedOf(kind: number, payload: Uint8Array): Received {
  return [kind, [...payload]];
}

/** Polls once; `answer` may give an action for the record or throw. */
export function receive(
  consumer: ConsumingEnd,
  limit = Infinity,
  answer: (record: Received) => PollAction | void = () => {},
): Received[] {
  const records: Received[] = [];
  consumer.poll((kind, offset, length) => {
    const record: Received = [kind, [...consumer.memory.u8.subarray(offset, offset + length)]];
    records.push(record);
    return answer(record);
  }, limit);
  return records;
}

/** Offers one-byte records numbered from `from` until the ring refuses, and returns how many it took. */
function fill(producer: ProducingEnd, from = 0): number {
  let taken = 0;
  while (producer.offer(from + taken, payloadOf(from + taken, 1)) === 0) taken++;
  return taken;
}

const kindsOf = (records: readonly Received[]): number[] => records.map(([kind]) => kind);

/**
 * @param makeRing makes an empty ring of at least 64 bytes that refuses what does not fit, with one
 *   end of each sort attached
 */
export function describeRing(name: string, makeRing: () => RingEnds): void {
  describe(`${name}: carrying records`, () => {
    it('delivers kinds and bytes in the order of their publication, over many wraps', () => {
      const { producer, consumer } = makeRing();
      for (let number = 0; number < 300; number++) {
        const payload = payloadOf(number, number % (producer.maxPayloadBytes + 1));
        expect(producer.offer(number, payload)).toBe(0);
        expect(receive(consumer)).toEqual([receivedOf(number, payload)]);
      }
    });

    it('takes the longest payload at every place of the ring, and none that is longer', () => {
      const { producer, consumer } = makeRing();
      const longest = producer.maxPayloadBytes;
      for (let number = 0; number < 40; number++) {
        expect(producer.offer(1, payloadOf(number, longest))).toBe(0);
        expect(producer.offer(1, payloadOf(number, longest + 1))).toBe(TOO_LONG);
        expect(receive(consumer)).toEqual([receivedOf(1, payloadOf(number, longest))]);
        expect(producer.offer(2, payloadOf(number, number % 9))).toBe(0);
        expect(receive(consumer)).toEqual([receivedOf(2, payloadOf(number, number % 9))]);
      }
    });

    it('aligns every payload to 8 bytes', () => {
      const { producer, consumer } = makeRing();
      const misaligned: number[] = [];
      for (let number = 0; number < 50; number++) {
        const claimed = producer.tryClaim(1, number % 13);
        producer.commit();
        consumer.poll((_kind, offset) => {
          if (offset % 8 !== 0 || offset !== claimed) misaligned.push(number);
        }, 1);
      }
      expect(misaligned).toEqual([]);
    });

    it('takes every kind from 0 to 2^31 - 1 and refuses the others before anything is written', () => {
      const { producer, consumer } = makeRing();
      for (const kind of [-1, -(2 ** 31), 2 ** 31, 2 ** 32 - 1, 1.5, NaN]) {
        expect(() => producer.tryClaim(kind, 1), String(kind)).toThrow(withCode('bad_kind'));
      }
      for (const kind of [0, 1, 2 ** 31 - 1]) {
        expect(producer.offer(kind, payloadOf(kind, 1))).toBe(0);
        expect(receive(consumer)).toEqual([receivedOf(kind, payloadOf(kind, 1))]);
      }
    });

    it('refuses a length that is no count of bytes, and keeps the records that wait', () => {
      const { producer, consumer } = makeRing();
      producer.offer(7, payloadOf(7, 3));
      for (const length of [-1, -8, -16, 0.5, NaN]) {
        expect(() => producer.tryClaim(1, length), String(length)).toThrow(withCode('bad_length'));
      }
      producer.offer(8, payloadOf(8, 3));
      expect(receive(consumer)).toEqual([receivedOf(7, payloadOf(7, 3)), receivedOf(8, payloadOf(8, 3))]);
    });
  });

  describe(`${name}: claims`, () => {
    it('shows a claimed record only once it is committed', () => {
      const { producer, consumer } = makeRing();
      const offset = producer.tryClaim(3, 5);
      producer.memory.u8.set(payloadOf(3, 5), offset);
      expect(consumer.hasRecord).toBe(false);
      expect(receive(consumer)).toEqual([]);
      producer.commit();
      expect(consumer.hasRecord).toBe(true);
      expect(receive(consumer)).toEqual([receivedOf(3, payloadOf(3, 5))]);
    });

    it('never shows an aborted claim, however often it aborts', () => {
      const { producer, consumer } = makeRing();
      for (let number = 0; number < 60; number++) {
        expect(producer.tryClaim(1, number % (producer.maxPayloadBytes + 1))).toBeGreaterThan(0);
        producer.abort();
        expect(producer.offer(2, payloadOf(number, number % 9))).toBe(0);
        expect(receive(consumer)).toEqual([receivedOf(2, payloadOf(number, number % 9))]);
      }
    });

    it('refuses a second claim, and a commit or an abort without a claim', () => {
      const { producer, consumer } = makeRing();
      expect(() => producer.commit()).toThrow(withCode('no_claim'));
      expect(() => producer.abort()).toThrow(withCode('no_claim'));
      producer.tryClaim(1, 0);
      expect(() => producer.tryClaim(2, 0)).toThrow(withCode('claim_pending'));
      expect(() => producer.offer(2, payloadOf(2, 0))).toThrow(withCode('claim_pending'));
      producer.commit();
      expect(() => producer.commit()).toThrow(withCode('no_claim'));
      expect(kindsOf(receive(consumer))).toEqual([1]);
    });
  });

  describe(`${name}: full, empty and closed`, () => {
    it('refuses with BACK_PRESSURED when full, keeps what it holds, and takes more once some is consumed', () => {
      const { producer, consumer } = makeRing();
      const taken = fill(producer);
      expect(taken).toBeGreaterThan(1);
      expect(producer.tryClaim(99, 1)).toBe(BACK_PRESSURED);
      expect(kindsOf(receive(consumer, 1))).toEqual([0]);
      expect(producer.offer(taken, payloadOf(taken, 1))).toBe(0);
      expect(receive(consumer)).toEqual(
        Array.from({ length: taken }, (_, index) => receivedOf(index + 1, payloadOf(index + 1, 1))),
      );
    });

    it('answers an empty poll with 0 and calls no handler', () => {
      const { consumer } = makeRing();
      expect(consumer.hasRecord).toBe(false);
      expect(consumer.poll(() => expect.unreachable(), 10)).toBe(0);
    });

    it('takes nothing new once closed, and still gives out what it holds', () => {
      const { producer, consumer } = makeRing();
      producer.offer(1, payloadOf(1, 2));
      producer.close();
      producer.close();
      expect([producer.closed, consumer.closed]).toEqual([true, true]);
      expect(producer.offer(2, payloadOf(2, 2))).toBe(CLOSED);
      expect(producer.tryClaim(2, 2)).toBe(CLOSED);
      expect(receive(consumer)).toEqual([receivedOf(1, payloadOf(1, 2))]);
    });

    it('lets a claim that was made before the close be committed', () => {
      const { producer, consumer } = makeRing();
      producer.tryClaim(1, 0);
      producer.close();
      producer.commit();
      expect(kindsOf(receive(consumer))).toEqual([1]);
    });
  });

  describe(`${name}: polling`, () => {
    const actions: readonly { name: string; action: PollAction | undefined; first: number[]; second: number[] }[] = [
      { name: 'nothing', action: undefined, first: [0, 1, 2], second: [] },
      { name: 'CONTINUE', action: CONTINUE, first: [0, 1, 2], second: [] },
      { name: 'COMMIT', action: COMMIT, first: [0, 1, 2], second: [] },
      { name: 'BREAK', action: BREAK, first: [0, 1], second: [2] },
      { name: 'ABORT', action: ABORT, first: [0, 1], second: [1, 2] },
    ];
    for (const { name, action, first, second } of actions) {
      it(`a handler that answers ${name} to the second of three records sees ${first.join(', ')} and then ${second.join(', ') || 'none'}`, () => {
        const { producer, consumer } = makeRing();
        for (const kind of [0, 1, 2]) producer.offer(kind, payloadOf(kind, 0));
        expect(kindsOf(receive(consumer, 10, ([kind]) => (kind === 1 ? action : undefined)))).toEqual(first);
        expect(kindsOf(receive(consumer))).toEqual(second);
      });
    }

    it('returns how many records were consumed, the aborted one not among them', () => {
      const { producer, consumer } = makeRing();
      for (const kind of [0, 1, 2]) producer.offer(kind, payloadOf(kind, 0));
      expect(consumer.poll(() => ABORT, 10)).toBe(0);
      expect(consumer.poll((kind) => (kind === 1 ? ABORT : COMMIT), 10)).toBe(1);
      expect(consumer.poll(() => BREAK, 10)).toBe(1);
      expect(consumer.poll(() => {}, 10)).toBe(1);
    });

    it('hands out no more than the limit', () => {
      const { producer, consumer } = makeRing();
      for (const kind of [0, 1, 2, 3]) producer.offer(kind, payloadOf(kind, 0));
      expect(receive(consumer, 0)).toEqual([]);
      expect(kindsOf(receive(consumer, 1))).toEqual([0]);
      expect(kindsOf(receive(consumer, 2))).toEqual([1, 2]);
      expect(kindsOf(receive(consumer, 2))).toEqual([3]);
    });

    it('shows room to the producer at once after COMMIT, and only after the poll otherwise', () => {
      for (const action of [CONTINUE, COMMIT] as const) {
        const { producer, consumer } = makeRing();
        fill(producer);
        const results: number[] = [];
        let first = true;
        consumer.poll(() => {
          if (!first) {
            results.push(producer.offer(1, payloadOf(1, 1)));
            return BREAK;
          }
          first = false;
          return action;
        }, 2);
        expect(results).toEqual([action === COMMIT ? 0 : BACK_PRESSURED]);
      }
    });

    it('takes the record of a handler that throws as consumed, passes the error on, and stays usable', () => {
      const { producer, consumer } = makeRing();
      for (let round = 0; round < 20; round++) {
        for (const kind of [0, 1, 2]) expect(producer.offer(kind, payloadOf(kind, 1))).toBe(0);
        const failing = (): Received[] =>
          receive(consumer, 10, ([kind]) => {
            if (kind === 1) throw new Error('the handler failed');
          });
        expect(failing).toThrow('the handler failed');
        expect(kindsOf(receive(consumer))).toEqual([2]);
      }
    });

    it('refuses a poll from within a handler of the same ring', () => {
      const { producer, consumer } = makeRing();
      for (const kind of [0, 1, 2]) producer.offer(kind, payloadOf(kind, 1));
      consumer.poll(() => {
        expect(() => consumer.poll(() => {}, 1)).toThrow(withCode('poll_pending'));
        return BREAK;
      }, 10);
      expect(kindsOf(receive(consumer))).toEqual([1, 2]);
    });
  });

  describe(`${name}: against a plain queue`, () => {
    it('behaves as a queue under any sequence of offers, aborted claims and polls', () => {
      fc.assert(
        fc.property(fc.array(arbitraryStep, { minLength: 1, maxLength: 120 }), (steps) => {
          const { producer, consumer } = makeRing();
          const queue: Received[] = [];
          let number = 0;
          for (const step of steps) {
            if ('polled' in step) {
              expectQueuePoll(consumer, queue, step.polled, step.action);
              continue;
            }
            number++;
            const length = Math.floor(step.share * (producer.maxPayloadBytes + 1));
            const payload = payloadOf(number, length);
            const offset = producer.tryClaim(number, length);
            if (offset < 0) {
              expect(offset).toBe(BACK_PRESSURED);
              expect(queue.length).toBeGreaterThan(0);
              continue;
            }
            producer.memory.u8.set(payload, offset);
            if (step.committed) {
              producer.commit();
              queue.push(receivedOf(number, payload));
            } else {
              producer.abort();
            }
          }
          expectQueuePoll(consumer, queue, Infinity, CONTINUE);
          expect(queue).toEqual([]);
          expect(consumer.hasRecord).toBe(false);
        }),
        { numRuns: 60 },
      );
    });
  });
}

type Step =
  | { readonly share: number; readonly committed: boolean }
  | { readonly polled: number; readonly action: PollAction };

const arbitraryStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ share: fc.double({ min: 0, max: 0.999, noNaN: true }), committed: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      polled: fc.integer({ min: 0, max: 5 }),
      action: fc.constantFrom<PollAction>(CONTINUE, COMMIT, BREAK, ABORT),
    }),
  },
);

/** Polls ring and queue alike; the last record within the limit is answered with `action`. */
function expectQueuePoll(consumer: ConsumingEnd, queue: Received[], limit: number, action: PollAction): void {
  const seen = queue.slice(0, Math.min(limit, queue.length));
  let count = 0;
  expect(receive(consumer, limit, () => (++count === seen.length ? action : CONTINUE))).toEqual(seen);
  queue.splice(0, action === ABORT ? Math.max(0, seen.length - 1) : seen.length);
}
