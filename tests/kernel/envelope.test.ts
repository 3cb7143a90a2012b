import { SharedMemory } from 'atomics-ring-buffer';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BOARD_PLACES, FIRST_SPAWNED_PLACE, GENERATIONS, MAX_THREADS, addressOf, formatAddress, isSpawned, nextActorSlot, placeOf, slotOf, spawnedSlot, threadOf } from '../../kernel/address.ts';
import { ENVELOPE_BYTES, envelopeBytes, readEnvelope, writeEnvelope, writtenEnvelopeBytes } from '../../kernel/envelope.ts';

const uint32 = fc.nat(2 ** 32 - 1);

test('an envelope is read as it was written, wherever it lies', () => {
  const memory = new SharedMemory(new SharedArrayBuffer(1_024));
  const envelopes = fc.record({
    to: uint32,
    from: uint32,
    correlation: uint32,
    incarnation: fc.nat(2 ** 31 - 1),
    dueMs: fc.option(fc.double({ noNaN: true, min: 1 }), { nil: undefined }),
    scopeId: uint32,
    sentAtMs: fc.option(fc.double({ noNaN: true, min: 1 }), { nil: undefined }),
    trace: fc.option(fc.constant({ traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 1 }), { nil: undefined }),
  });
  fc.assert(
    fc.property(envelopes, fc.nat((1_024 - ENVELOPE_BYTES - 40) / 8), (envelope, word) => {
      writeEnvelope(memory, word * 8, envelope);
      expect(readEnvelope(memory, word * 8)).toEqual(envelope);
      expect(writtenEnvelopeBytes(memory, word * 8)).toBe(envelopeBytes(envelope));
    }),
  );
});

test('an address keeps its thread and its slot apart', () => {
  fc.assert(
    fc.property(fc.nat(MAX_THREADS - 1), fc.nat(2 ** 21 - 1), (thread, slot) => {
      const address = addressOf(thread, slot);
      expect([threadOf(address), slotOf(address)]).toEqual([thread, slot]);
      expect(isSpawned(slot)).toBe(false);
      expect(formatAddress(address)).toBe(`${thread}/${slot}`);
    }),
  );
});

test('a spawned actor has a place on its board, and another address in each generation of it', () => {
  fc.assert(
    fc.property(fc.nat(MAX_THREADS - 1), fc.integer({ min: FIRST_SPAWNED_PLACE, max: BOARD_PLACES - 1 }), fc.nat(GENERATIONS - 2), (thread, place, generation) => {
      const slot = spawnedSlot(place, generation);
      const address = addressOf(thread, slot);
      expect([threadOf(address), slotOf(address), placeOf(slot), isSpawned(slot)]).toEqual([thread, slot, place, true]);
      expect(formatAddress(address)).toBe(`${thread}/${place}.${generation}`);
      expect(spawnedSlot(place, generation + 1)).not.toBe(slot);
      expect(spawnedSlot(place, generation + GENERATIONS)).toBe(slot);
    }),
  );
});

test('the next actor in a place gets another slot, never that of the kernel or of a spawned actor', () => {
  expect(nextActorSlot(1)).toBe(2);
  expect(nextActorSlot(2 ** 21 - 1)).toBe(1);
});
