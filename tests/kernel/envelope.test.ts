import { SharedMemory } from 'atomics-ring-buffer';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addressOf, formatAddress, nextActorSlot, slotOf, threadOf } from '../../kernel/address.ts';
import { ENVELOPE_BYTES, readEnvelope, writeEnvelope } from '../../kernel/envelope.ts';

const uint32 = fc.nat(2 ** 32 - 1);

test('an envelope is read as it was written, wherever it lies', () => {
  const memory = new SharedMemory(new SharedArrayBuffer(1_024));
  const envelopes = fc.record({
    to: uint32,
    from: uint32,
    correlation: uint32,
    incarnation: fc.nat(2 ** 31 - 1),
    deadlineMs: fc.double({ noNaN: true, min: 0 }),
  });
  fc.assert(
    fc.property(envelopes, fc.nat((1_024 - ENVELOPE_BYTES) / 8), (envelope, word) => {
      writeEnvelope(memory, word * 8, envelope);
      expect(readEnvelope(memory, word * 8)).toEqual(envelope);
    }),
  );
});

test('an address keeps its thread and its slot apart', () => {
  fc.assert(
    fc.property(fc.nat(65_535), fc.nat(65_535), (thread, slot) => {
      const address = addressOf(thread, slot);
      expect([threadOf(address), slotOf(address)]).toEqual([thread, slot]);
      expect(formatAddress(address)).toBe(`${thread}/${slot}`);
    }),
  );
});

test('the next actor in a place gets another slot, never that of the kernel', () => {
  expect(nextActorSlot(1)).toBe(2);
  expect(nextActorSlot(65_535)).toBe(1);
});
