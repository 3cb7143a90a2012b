import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fragmenter, Reassembler, SpscProducer, TOO_LONG, createSpscRing } from 'atomics-ring-buffer';
import type { ReassemblerCounters } from 'atomics-ring-buffer';
import { FRAGMENT_KIND, NOTHING_DROPPED, fragment, makeEnds, writeWords } from './fragment-ends.ts';
import { payloadOf, withCode } from './ring.cases.ts';

describe('limits of reassembly', () => {
  it('refuse messages that are too long on either side', () => {
    const ends = makeEnds(1024, { maxMessageBytes: 100 });
    const fragmenter = new Fragmenter(ends.producer, { fragmentKind: FRAGMENT_KIND, maxMessageBytes: 800 });
    expect(fragmenter.offer(1, payloadOf(1, 801))).toBe(TOO_LONG);
    expect(fragmenter.offer(1, payloadOf(1, 800))).toBe(0);
    expect(fragmenter.counters).toEqual({ sent: 1, fragments: 2, abandoned: 0, tooLong: 1 });
    ends.poll();
    expect(ends.messages).toEqual([]);
    expect(ends.reassembler.counters).toEqual({ ...NOTHING_DROPPED, assembled: 0, tooLong: 1, ignored: 1 });
    expect(ends.reassembler.heldBytes).toBe(0);
  });

  it('hold for the number of messages: the one that waited longest for a fragment goes', () => {
    const { producer, reassembler, poll, messages } = makeEnds(1024, { maxMessages: 2 });
    for (const sender of [1, 2]) writeWords(producer, fragment(sender, 0, 24, 0, 8), 8);
    writeWords(producer, fragment(1, 0, 24, 8, 8), 8);
    writeWords(producer, fragment(3, 0, 24, 0, 8), 8);
    poll();
    expect(reassembler.inProgress).toBe(2);
    for (const sender of [1, 2, 3]) writeWords(producer, fragment(sender, 0, 24, 16, 8), 8);
    poll();
    expect(messages).toHaveLength(1);
    expect(reassembler.counters).toEqual({ ...NOTHING_DROPPED, assembled: 1, evicted: 1, ignored: 1, outOfOrder: 1 });
  });

  it('hold for the bytes of all messages together, those kept for the next ones included', () => {
    const { producer, reassembler, poll } = makeEnds(16_384, { maxMessageBytes: 4096, maxBytes: 8192 });
    const begin = (sender: number, total: number): void => {
      writeWords(producer, fragment(sender, 0, total, 0, 8), 8);
      poll();
      expect(reassembler.heldBytes).toBeLessThanOrEqual(8192);
    };
    for (const sender of [1, 2, 3]) begin(sender, 1500);
    expect([reassembler.inProgress, reassembler.heldBytes]).toEqual([3, 6144]);
    begin(4, 4000);
    expect([reassembler.inProgress, reassembler.counters.evicted]).toEqual([3, 1]);
    begin(5, 4000);
    expect([reassembler.inProgress, reassembler.counters.evicted]).toEqual([2, 3]);
    for (const sender of [4, 5]) reassembler.forget(sender);
    for (const sender of [1, 2, 3, 4, 5, 6, 7]) begin(sender, 1000);
    expect([reassembler.inProgress, reassembler.counters.evicted]).toEqual([7, 3]);
  });

  it('are refused when no message fits, and so are fragments that do not fit the ring', () => {
    const { producer, consumer } = makeEnds(256);
    const handler = (): void => {};
    for (const limits of [{ maxMessageBytes: 0 }, { maxMessageBytes: 2 ** 31 }, { maxMessageBytes: 1.5 }, { maxMessages: 0 }, { maxMessageBytes: 5000, maxBytes: 8191 }, { maxBytes: NaN }]) {
      expect(() => new Reassembler(consumer.memory, handler, { fragmentKind: FRAGMENT_KIND, ...limits }), JSON.stringify(limits)).toThrow(withCode('bad_fragments'));
    }
    for (const sizes of [{ fragmentBytes: 39 }, { fragmentBytes: 121 }, { fragmentBytes: 48.5 }, { maxMessageBytes: 0 }, { sender: 0.5 }]) {
      expect(() => new Fragmenter(producer, { fragmentKind: FRAGMENT_KIND, ...sizes }), JSON.stringify(sizes)).toThrow(withCode('bad_fragments'));
    }
    const tiny = new SpscProducer(createSpscRing({ capacityBytes: 64 }));
    expect(() => new Fragmenter(tiny, { fragmentKind: FRAGMENT_KIND })).toThrow(withCode('bad_fragments'));
    for (const fragmentKind of [-1, 2 ** 31, 0.5]) {
      expect(() => new Fragmenter(producer, { fragmentKind })).toThrow(withCode('bad_kind'));
      expect(() => new Reassembler(consumer.memory, handler, { fragmentKind })).toThrow(withCode('bad_kind'));
    }
    const fragmenter = new Fragmenter(producer, { fragmentKind: FRAGMENT_KIND });
    for (const kind of [FRAGMENT_KIND, -1]) {
      for (const length of [1, 500]) expect(() => fragmenter.offer(kind, payloadOf(1, length))).toThrow(withCode('bad_kind'));
    }
  });
});

describe('hostile and damaged fragments', () => {
  const good = fragment(1, 0, 16, 0, 8);
  it.each<[string, number[], number, keyof ReassemblerCounters]>([
    ['a length that is not the record\'s', good.with(6, 9), 8, 'damaged'],
    ['no bytes', fragment(1, 0, 16, 0, 0), 0, 'damaged'],
    ['flags that contradict the offset', good.with(7, 0), 8, 'damaged'],
    ['flags that do not exist', good.with(7, 5), 8, 'damaged'],
    ['an offset below zero', fragment(1, 0, 16, -8, 8), 8, 'damaged'],
    ['an end beyond the total', fragment(1, 0, 16, 12, 8), 8, 'damaged'],
    ['a total below zero', fragment(1, 0, -16, 0, 8), 8, 'damaged'],
    ['sums beyond 2^31', fragment(1, 0, 2 ** 31 - 1, 2 ** 31 - 4, 8), 8, 'damaged'],
    ['a kind below zero', fragment(1, 0, 16, 0, 8, -1), 8, 'damaged'],
    ['a total beyond the limit', fragment(1, 0, 2 ** 31 - 1, 0, 8), 8, 'tooLong'],
    ['no beginning', fragment(1, 0, 16, 8, 8), 8, 'ignored'],
  ])('are refused: %s', (_, words, lengthBytes, reason) => {
    const { producer, reassembler, messages, poll } = makeEnds(1024);
    writeWords(producer, words, lengthBytes);
    poll();
    expect([messages, reassembler.inProgress, reassembler.heldBytes]).toEqual([[], 0, 0]);
    expect(reassembler.counters).toEqual({ ...NOTHING_DROPPED, assembled: 0, [reason]: 1 });
  });

  it('shorter than a header are refused', () => {
    const { producer, reassembler, poll } = makeEnds(1024);
    for (const length of [0, 1, 31, 32]) producer.offer(FRAGMENT_KIND, payloadOf(1, length));
    poll();
    expect(reassembler.counters).toEqual({ ...NOTHING_DROPPED, assembled: 0, damaged: 4 });
  });

  it('that say to reach beyond the memory are refused', () => {
    const { producer, consumer, reassembler } = makeEnds(1024);
    const offset = producer.tryClaim(FRAGMENT_KIND, 40);
    consumer.memory.i32.set(fragment(1, 0, 4096, 0, 4064), offset >> 2);
    expect(reassembler.onRecord(FRAGMENT_KIND, offset, 4096, 0)).toBe(undefined);
    expect(reassembler.counters.damaged).toBe(1);
  });

  it.each<[string, number[][], keyof ReassemblerCounters]>([
    ['a gap', [fragment(1, 0, 24, 16, 8)], 'outOfOrder'],
    ['the beginning of the rest again', [fragment(1, 0, 24, 4, 8)], 'outOfOrder'],
    ['another total', [fragment(1, 0, 32, 8, 8)], 'outOfOrder'],
    ['another kind', [fragment(1, 0, 24, 8, 8, 2)], 'outOfOrder'],
    ['another message', [fragment(1, 1, 24, 8, 8)], 'ignored'],
    ['another sender', [fragment(2, 0, 24, 8, 8)], 'ignored'],
    ['another incarnation', [fragment(1, 0, 24, 8, 8).with(1, 2)], 'ignored'],
  ])('never complete a message: %s', (_, [stray], reason) => {
    const { producer, reassembler, messages, poll } = makeEnds(1024);
    writeWords(producer, fragment(1, 0, 24, 0, 8), 8);
    writeWords(producer, stray!, 8);
    poll();
    expect(messages).toEqual([]);
    expect(reassembler.counters).toEqual({ ...NOTHING_DROPPED, assembled: 0, [reason]: 1 });
    // What was not touched goes on; what was dropped does not come back.
    for (const offset of [8, 16]) writeWords(producer, fragment(1, 0, 24, offset, 8), 8);
    poll();
    expect(messages).toHaveLength(reason === 'ignored' ? 1 : 0);
  });

  it('of any content stay within the limits, and deliver only what was sent as one message, in order', () => {
    const totals = fc.constantFrom(8, 16, 24, 3000, -8);
    const likely = fc.tuple(fc.nat(2), fc.nat(1), fc.nat(1), fc.constantFrom(1, 2), totals, fc.constantFrom(0, 0, 8, 16, -8)).map(
      ([sender, incarnation, message, kind, total, offset]) => fragment(sender, message, total, offset, 8, kind).with(1, incarnation),
    );
    const anything = fc.array(fc.integer(), { minLength: 8, maxLength: 8 });
    const message = fc.tuple(fc.nat(2), fc.nat(1), fc.constantFrom(16, 24)).map(([sender, number, total]) =>
      [0, 8, 16].filter((offset) => offset < total).map((offset) => fragment(sender, number, total, offset, 8)),
    );
    const pieces = fc.oneof(message, fc.array(fc.oneof({ weight: 4, arbitrary: likely }, anything), { maxLength: 3 }));
    let delivered = 0;
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 50 }), (sent) => {
        const fragments = sent.flat();
        const { producer, reassembler, messages, poll } = makeEnds(4096, { maxMessageBytes: 2048, maxMessages: 2, maxBytes: 4096 });
        for (const [number, words] of fragments.entries()) {
          writeWords(producer, words, 8, number);
          poll();
          expect(reassembler.inProgress).toBeLessThanOrEqual(2);
          expect(reassembler.heldBytes).toBeLessThanOrEqual(4096);
        }
        for (const [kind, bytes] of messages) {
          const numbers = bytes.filter((_, index) => index % 8 === 0);
          expect(bytes).toEqual(numbers.flatMap((number) => Array<number>(8).fill(number)));
          expect(numbers).toEqual(numbers.toSorted((one, other) => one - other));
          const [sender, incarnation, message] = fragments[numbers[0]!]!;
          const expected = numbers.map((_, index) => fragment(sender!, message!, bytes.length, index * 8, 8, kind).with(1, incarnation!));
          expect(numbers.map((number) => fragments[number])).toEqual(expected);
        }
        expect(reassembler.counters.assembled).toBe(messages.length);
        delivered += messages.filter(([, bytes]) => bytes.length > 8).length;
      }),
      { numRuns: 300 },
    );
    expect(delivered).toBeGreaterThan(0);
  });
});
