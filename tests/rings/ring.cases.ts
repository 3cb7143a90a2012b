/**
 * The conformance suite of the ring contract (rings/ring.ts): what every kind of ring must do, told
 * through the contract alone. Run it over a kind of ring from a test file of that kind.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ABORT, BACK_PRESSURED, BREAK, CLOSED, COMMIT, CONTINUE, TOO_LONG, recordBytes } from 'atomics-ring-buffer';
import type { PollAction, RingConsumer, RingProducer } from 'atomics-ring-buffer';

export interface RingEnds<Consumer extends RingConsumer = RingConsumer> {
  readonly producer: RingProducer;
  readonly consumer: Consumer;
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
  consumer: RingConsumer,
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
function fill(producer: RingProducer, from = 0): number {
  let taken = 0;
  while (producer.offer(from + taken, payloadOf(from + taken, 1)) === 0) taken++;
  return taken;
}

export const kindsOf = (records: readonly Received[]): number[] => records.map(([kind]) => kind);

export interface RingTraits {
  /** Whether the ring overwrites its oldest records instead of refusing new ones. Default false. */
  readonly lossy?: boolean;
}

/** @param makeRing makes an empty ring of at least 64 bytes with one end of each sort attached */
export function describeRing(name: string, makeRing: () => RingEnds, { lossy = false }: RingTraits = {}): void {
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
          // Readers of a lossy ring see a copy, which lies elsewhere.
          if (offset % 8 !== 0 || claimed % 8 !== 0 || (!lossy && offset !== claimed)) misaligned.push(number);
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
        // A ring with other producers frees an aborted claim only when the consumer looks past it.
        expect(consumer.hasRecord).toBe(false);
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

  describe(`${name}: batches`, () => {
    const lay = (producer: RingProducer, kind: number, length: number): void => {
      producer.memory.u8.set(payloadOf(kind, length), producer.append(kind, length));
    };

    it('publishes the records of a batch together and in their order, over many wraps', () => {
      const { producer, consumer } = makeRing();
      for (let round = 0; round < 60; round++) {
        const lengths = [round % 5, 0].filter((length, index) => index === 0 || producer.maxPayloadBytes > 16 + length);
        const bytes = lengths.reduce((sum, length) => sum + recordBytes(length), 0);
        expect(producer.tryClaimBatch(bytes)).toBe(bytes);
        for (const [index, length] of lengths.entries()) {
          lay(producer, index, length);
          expect(consumer.hasRecord).toBe(false);
        }
        producer.commit();
        expect(receive(consumer)).toEqual(lengths.map((length, index) => receivedOf(index, payloadOf(index, length))));
        producer.offer(9, payloadOf(9, round % 4));
        expect(kindsOf(receive(consumer))).toEqual([9]);
      }
    });

    it('gives back what a batch does not use, and all of one that is aborted or stays empty', () => {
      const { producer, consumer } = makeRing();
      const whole = producer.maxPayloadBytes + 8;
      for (let round = 0; round < 60; round++) {
        producer.tryClaimBatch(whole);
        lay(producer, round, 0);
        if (round % 3 === 0) producer.abort();
        else producer.commit();
        expect(kindsOf(receive(consumer))).toEqual(round % 3 === 0 ? [] : [round]);
        producer.tryClaimBatch(whole);
        producer.commit();
        expect(consumer.hasRecord).toBe(false);
        expect(receive(consumer)).toEqual([]);
      }
    });

    it('refuses what is longer than the batch with TOO_LONG, and the batch keeps what it has', () => {
      const { producer, consumer } = makeRing();
      expect(producer.tryClaimBatch(producer.maxPayloadBytes + 16)).toBe(TOO_LONG);
      producer.tryClaimBatch(16);
      expect(producer.append(1, 9)).toBe(TOO_LONG);
      expect(producer.append(1, producer.maxPayloadBytes + 1)).toBe(TOO_LONG);
      lay(producer, 1, 8);
      expect(producer.append(2, 0)).toBe(TOO_LONG);
      producer.commit();
      expect(receive(consumer)).toEqual([receivedOf(1, payloadOf(1, 8))]);
    });

    it('refuses a size that is no sum of record sizes, an append without a batch, and a second claim', () => {
      const { producer, consumer } = makeRing();
      for (const bytes of [0, -8, 4, 8.5, NaN]) {
        expect(() => producer.tryClaimBatch(bytes), String(bytes)).toThrow(withCode('bad_length'));
      }
      expect(() => producer.append(1, 0)).toThrow(withCode('no_claim'));
      producer.tryClaim(1, 0);
      expect(() => producer.append(1, 0)).toThrow(withCode('no_claim'));
      expect(() => producer.tryClaimBatch(8)).toThrow(withCode('claim_pending'));
      producer.commit();
      producer.tryClaimBatch(16);
      expect(() => producer.append(-1, 0)).toThrow(withCode('bad_kind'));
      expect(() => producer.append(1, -1)).toThrow(withCode('bad_length'));
      expect(() => producer.tryClaim(1, 0)).toThrow(withCode('claim_pending'));
      lay(producer, 2, 1);
      producer.commit();
      expect(() => producer.append(1, 0)).toThrow(withCode('no_claim'));
      expect(kindsOf(receive(consumer))).toEqual([1, 2]);
    });
  });

  describe(`${name}: sides`, () => {
    it('does not let an end go that has a claim or a record in hand', () => {
      const { producer, consumer } = makeRing();
      producer.tryClaim(1, 0);
      expect(() => producer.detach()).toThrow(withCode('claim_pending'));
      producer.commit();
      consumer.poll(() => {
        expect(() => consumer.detach()).toThrow(withCode('poll_pending'));
      }, 1);
      producer.detach();
      consumer.detach();
    });

    it('numbers the lives of a side from 1 on', () => {
      const { producer, consumer } = makeRing();
      expect([producer.incarnation, consumer.incarnation]).toEqual([1, 1]);
    });
  });

  describe(`${name}: full, empty and closed`, () => {
    it.skipIf(lossy)('refuses with BACK_PRESSURED when full, keeps what it holds, and takes more once some is consumed', () => {
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

    it.skipIf(lossy)('shows room to the producer at once after COMMIT, and only after the poll otherwise', () => {
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
    it.skipIf(lossy)('behaves as a queue under any sequence of offers, aborted claims and polls', () => {
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
            let offset = producer.tryClaim(number, length);
            if (offset < 0 && queue.length === 0) {
              // What was aborted takes room until the consumer looks past it.
              expect(consumer.hasRecord).toBe(false);
              offset = producer.tryClaim(number, length);
            }
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
function expectQueuePoll(consumer: RingConsumer, queue: Received[], limit: number, action: PollAction): void {
  const seen = queue.slice(0, Math.min(limit, queue.length));
  let count = 0;
  expect(receive(consumer, limit, () => (++count === seen.length ? action : CONTINUE))).toEqual(seen);
  queue.splice(0, action === ABORT ? Math.max(0, seen.length - 1) : seen.length);
}
