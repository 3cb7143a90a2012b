import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ABORT, BACK_PRESSURED, BREAK, CLOSED, Fragmenter, MpscConsumer, MpscProducer, Reassembler, SpscProducer, createMpscRing } from 'atomics-ring-buffer';
import { FRAGMENT_KIND, HEADER_BYTES, NOTHING_DROPPED, fragment, makeEnds, sendAll, writeWords } from './fragment-ends.ts';
import { payloadOf, receivedOf, withCode, type Received } from './ring.cases.ts';

/** Lets a producer publish so many records and then never do anything again. */
function diesAfter(producer: SpscProducer, records: number): void {
  const tryClaim = producer.tryClaim.bind(producer);
  let claims = 0;
  producer.tryClaim = (kind, payloadBytes) => {
    if (claims++ === records) throw new Error('The thread has died.');
    return tryClaim(kind, payloadBytes);
  };
}

describe('messages in fragments', () => {
  it('arrive whole, of every length, through a ring far shorter than they are', () => {
    const ends = makeEnds(128);
    const expected: Received[] = [];
    for (let length = 0; length < 400; length += 7) {
      const bytes = payloadOf(length, length);
      sendAll(ends, length, bytes);
      expected.push(receivedOf(length, bytes));
    }
    ends.poll();
    expect(ends.messages).toEqual(expected);
    expect(ends.fragmenter.counters.sent).toBe(expected.length);
    expect(ends.reassembler.counters).toEqual({ ...NOTHING_DROPPED, assembled: expected.filter(([, bytes]) => bytes.length > ends.producer.maxPayloadBytes).length });
    expect(ends.reassembler.inProgress).toBe(0);
  });

  it('arrive whole from wherever they lie in the memory of the sender', () => {
    const ends = makeEnds(256);
    const expected = Array.from({ length: 9 }, (_, shift) => receivedOf(shift, payloadOf(shift, 301)));
    for (const [shift, bytes] of expected) {
      const placed = new Uint8Array(400);
      placed.set(bytes, shift);
      sendAll(ends, shift, placed.subarray(shift, shift + 301));
    }
    ends.poll();
    expect(ends.messages).toEqual(expected);
  });

  it('are one ordinary record while they are short, handed on where it lies', () => {
    const { fragmenter, consumer, producer } = makeEnds();
    const places: unknown[] = [];
    const reassembler = new Reassembler(consumer.memory, (kind, memory, offset, length) => void places.push([kind, memory, offset, length]), { fragmentKind: FRAGMENT_KIND });
    expect(fragmenter.offer(7, payloadOf(7, producer.maxPayloadBytes))).toBe(0);
    consumer.poll((kind, offset, length, redeliveries) => {
      expect(reassembler.onRecord(kind, offset, length, redeliveries)).toBe(undefined);
      expect(places).toEqual([[7, consumer.memory, offset, producer.maxPayloadBytes]]);
    }, 1);
    expect([fragmenter.counters, reassembler.heldBytes]).toEqual([{ sent: 1, fragments: 0, abandoned: 0, tooLong: 0 }, 0]);
  });

  it('are cut where the sender chooses', () => {
    const ends = makeEnds(1024, { fragmentBytes: 48 });
    for (const length of [48, 49]) ends.fragmenter.offer(1, payloadOf(length, length));
    const lengths: number[] = [];
    ends.consumer.peek((_kind, _offset, length) => void lengths.push(length), Infinity);
    expect(lengths).toEqual([48, 48, 48, 48, HEADER_BYTES + 1]);
    ends.poll();
    expect(ends.messages).toEqual([48, 49].map((length) => receivedOf(1, payloadOf(length, length))));
  });

  it('stay half sent when the ring is full, and go on with the next offer of the same message', () => {
    const { fragmenter, producer, messages, poll } = makeEnds(128);
    const bytes = payloadOf(3, 200);
    expect(fragmenter.offer(3, bytes)).toBe(BACK_PRESSURED);
    const pending = fragmenter.pendingBytes;
    expect(pending).toBeGreaterThan(0);
    expect(pending).toBeLessThan(200);
    expect(fragmenter.offer(3, bytes)).toBe(BACK_PRESSURED);
    expect(fragmenter.pendingBytes).toBe(pending);
    for (const [kind, other] of [[4, bytes], [3, payloadOf(3, 199)], [3, payloadOf(3, 1)]] as const) {
      expect(() => fragmenter.offer(kind, other)).toThrow(withCode('message_pending'));
    }
    // What does not go through the fragmenter may overtake the message.
    poll(1);
    expect(producer.offer(5, payloadOf(5, 5))).toBe(0);
    while (fragmenter.offer(3, bytes) !== 0) poll(1);
    poll();
    expect(messages).toEqual([receivedOf(5, payloadOf(5, 5)), receivedOf(3, bytes)]);
    expect(fragmenter.pendingBytes).toBe(0);
  });

  it('leave nothing behind when not even their beginning found room', () => {
    const { fragmenter, producer, messages, poll } = makeEnds(128);
    while (producer.offer(1, payloadOf(1, 8)) === 0);
    expect([fragmenter.offer(2, payloadOf(2, 100)), fragmenter.pendingBytes]).toEqual([BACK_PRESSURED, 0]);
    poll();
    expect(fragmenter.offer(9, payloadOf(9, 9))).toBe(0);
    poll();
    expect(messages.at(-1)).toEqual(receivedOf(9, payloadOf(9, 9)));
  });

  it('can be abandoned half sent; the receiver drops the half when the next one begins', () => {
    const ends = makeEnds(128);
    expect(ends.fragmenter.offer(1, payloadOf(1, 300))).toBe(BACK_PRESSURED);
    ends.fragmenter.abandon();
    ends.fragmenter.abandon();
    ends.poll();
    expect(ends.reassembler.inProgress).toBe(1);
    sendAll(ends, 2, payloadOf(2, 300));
    ends.poll();
    expect(ends.messages).toEqual([receivedOf(2, payloadOf(2, 300))]);
    expect(ends.fragmenter.counters).toMatchObject({ sent: 1, abandoned: 1 });
    expect(ends.reassembler.counters).toEqual({ ...NOTHING_DROPPED, assembled: 1, abandoned: 1 });
  });

  it('are refused when the ring is closed, and not half sent any more', () => {
    const { fragmenter, producer, poll, messages } = makeEnds(128);
    fragmenter.offer(1, payloadOf(1, 300));
    producer.close();
    expect(fragmenter.offer(1, payloadOf(1, 300))).toBe(CLOSED);
    expect(fragmenter.pendingBytes).toBe(0);
    expect([fragmenter.offer(2, payloadOf(2, 1)), fragmenter.offer(2, payloadOf(2, 300))]).toEqual([CLOSED, CLOSED]);
    poll();
    expect(messages).toEqual([]);
  });

  it('behave as a queue under any lengths and any polls, over rings of any size', () => {
    const step = fc.oneof(
      fc.record({ length: fc.oneof(fc.nat(60), fc.nat(700)) }),
      fc.record({ polled: fc.nat(5) }),
      fc.record({ abandoned: fc.constant(true) }),
    );
    fc.assert(
      fc.property(fc.constantFrom(128, 256, 1024), fc.array(step, { maxLength: 60 }), (capacityBytes, steps) => {
        const ends = makeEnds(capacityBytes);
        const { fragmenter, messages, poll } = ends;
        const sent: Received[] = [];
        let pending: Uint8Array | undefined;
        let number = 0;
        for (const each of steps) {
          if ('polled' in each) poll(each.polled);
          else if ('abandoned' in each) {
            if (fragmenter.pendingBytes > 0) pending = undefined;
            fragmenter.abandon();
          } else {
            if (pending === undefined) number++;
            pending ??= payloadOf(number, each.length);
            const result = fragmenter.offer(number, pending);
            if (result === 0) sent.push(receivedOf(number, pending));
            if (result === 0 || fragmenter.pendingBytes === 0) pending = undefined;
          }
        }
        poll();
        expect(messages).toEqual(sent);
        const { counters } = ends.reassembler;
        expect({ ...counters, abandoned: 0, assembled: 0 }).toEqual({ ...NOTHING_DROPPED, assembled: 0 });
        expect(counters.abandoned + ends.reassembler.inProgress).toBe(fragmenter.counters.abandoned + (fragmenter.pendingBytes > 0 ? 1 : 0));
      }),
      { numRuns: 200 },
    );
  });
});

describe('handlers of messages in fragments', () => {
  it('that answer ABORT get the message again, with its last fragment', () => {
    const ends = makeEnds(1024);
    ends.fragmenter.offer(1, payloadOf(1, 700));
    ends.fragmenter.offer(2, payloadOf(2, 3));
    ends.answers.push(ABORT, ABORT);
    for (let round = 0; round < 2; round++) {
      ends.poll();
      expect([ends.messages, ends.reassembler.inProgress]).toEqual([[], 1]);
    }
    ends.poll();
    expect(ends.messages).toEqual([receivedOf(1, payloadOf(1, 700)), receivedOf(2, payloadOf(2, 3))]);
    expect(ends.reassembler.counters).toEqual({ ...NOTHING_DROPPED, assembled: 1 });
  });

  it('end the poll with BREAK', () => {
    const ends = makeEnds(1024);
    for (const kind of [1, 2]) ends.fragmenter.offer(kind, payloadOf(kind, 300));
    ends.fragmenter.offer(3, payloadOf(3, 3));
    ends.answers.push(BREAK);
    ends.poll();
    expect(ends.messages.map(([kind]) => kind)).toEqual([1]);
    ends.poll();
    expect(ends.messages.map(([kind]) => kind)).toEqual([1, 2, 3]);
  });

  it('that throw have consumed the message', () => {
    const ends = makeEnds(1024);
    ends.fragmenter.offer(1, payloadOf(1, 600));
    ends.answers.push(new Error('the handler failed'));
    expect(() => ends.poll()).toThrow('the handler failed');
    ends.fragmenter.offer(2, payloadOf(2, 600));
    ends.poll();
    expect(ends.messages.map(([kind]) => kind)).toEqual([1, 2]);
    expect(ends.reassembler.counters).toEqual({ ...NOTHING_DROPPED, assembled: 2 });
    expect(ends.reassembler.inProgress).toBe(0);
  });

  it('may get a message that came in one fragment again', () => {
    const ends = makeEnds(1024);
    writeWords(ends.producer, fragment(5, 0, 8, 0, 8), 8);
    ends.answers.push(ABORT);
    ends.poll();
    ends.poll();
    expect(ends.messages).toHaveLength(1);
    expect(ends.reassembler.counters).toEqual({ ...NOTHING_DROPPED, assembled: 1 });
  });
});

describe('senders that die or interleave', () => {
  it('leave no torn message when they die at any fragment; the successor is received', () => {
    const [bytes, next] = [payloadOf(1, 500), payloadOf(2, 500)];
    for (let fragments = 0; fragments < 8; fragments++) {
      const ends = makeEnds(4096, { fragmentBytes: 96 });
      diesAfter(ends.producer, fragments);
      expect(() => ends.fragmenter.offer(1, bytes)).toThrow('The thread has died.');
      ends.poll(Math.floor(fragments / 2));
      const heir = new SpscProducer(ends.buffer, { successorOf: ends.producer.incarnation });
      const successor = new Fragmenter(heir, { fragmentKind: FRAGMENT_KIND, fragmentBytes: 96 });
      expect(successor.offer(1, next)).toBe(0);
      ends.poll();
      expect(ends.messages).toEqual([receivedOf(1, next)]);
      expect(ends.reassembler.counters).toEqual({ ...NOTHING_DROPPED, assembled: 1, senderDied: fragments === 0 ? 0 : 1 });
    }
  });

  it('are forgotten when there is no successor', () => {
    const ends = makeEnds(128);
    expect(ends.reassembler.forget(0)).toBe(false);
    ends.fragmenter.offer(1, payloadOf(1, 300));
    ends.poll(1);
    expect([ends.reassembler.inProgress, ends.reassembler.forget(0), ends.reassembler.inProgress]).toEqual([1, true, 0]);
    ends.poll();
    expect(ends.reassembler.counters).toMatchObject({ senderDied: 1, ignored: 1 });
  });

  it('are told apart on a ring of many producers, however their fragments interleave', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(2), fc.nat(400)), { minLength: 3, maxLength: 40 }), (sends) => {
        const buffer = createMpscRing({ capacityBytes: 1024, maxProducers: 3 });
        const consumer = new MpscConsumer(buffer);
        const senders = [0, 1, 2].map((sender) => new Fragmenter(new MpscProducer(buffer), { fragmentKind: FRAGMENT_KIND, sender, fragmentBytes: 64 }));
        const received: Received[][] = [[], [], []];
        const reassembler = new Reassembler(consumer.memory, (kind, memory, offset, length) => {
          received[kind % 3]!.push([kind, [...memory.u8.subarray(offset, offset + length)]]);
        }, { fragmentKind: FRAGMENT_KIND });
        const queues: Received[][] = [[], [], []];
        for (const [index, [sender, length]] of sends.entries()) queues[sender]!.push(receivedOf(index * 3 + sender, payloadOf(index, length)));
        const waiting = queues.map((queue) => [...queue]);
        while (waiting.some((queue) => queue.length > 0)) {
          for (const [sender, queue] of waiting.entries()) {
            const message = queue[0];
            if (message !== undefined && senders[sender]!.offer(message[0], Uint8Array.from(message[1])) === 0) queue.shift();
            consumer.poll(reassembler.onRecord, 1);
          }
        }
        consumer.poll(reassembler.onRecord, Infinity);
        expect(received).toEqual(queues);
        expect(reassembler.counters).toMatchObject(NOTHING_DROPPED);
      }),
      { numRuns: 60 },
    );
  });
});
