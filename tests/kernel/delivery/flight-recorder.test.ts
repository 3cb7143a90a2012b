/** What a dead thread still tells of its last messages. */
import { expect, test } from 'vitest';
import { FlightRecorder, LAST_MESSAGES } from '../../../kernel/flight-recorder.ts';
import { describedMessages, lastMessages } from '../../../kernel/remains.ts';
import { ThreadBlock, createSystemMemory } from '../../../kernel/thread-block.ts';

const recorder = (): FlightRecorder => new FlightRecorder(new SharedArrayBuffer(FlightRecorder.bytes), 0);

test('the last messages are shown with kind, size, sender, lane and time, the latest first', () => {
  const flight = recorder();
  flight.note(17, 40, 4_194_305, 8_388_609, 'data', 1_000);
  flight.note(18, 64, 4_294_967_295, 8_388_609, 'control', (2 ** 32 + 1_001) | 0);
  expect(flight.read()).toEqual([
    { kind: 18, bytes: 64, from: 4_294_967_295, to: 8_388_609, lane: 'control', takenMs: 1_001, isInHand: false },
    { kind: 17, bytes: 40, from: 4_194_305, to: 8_388_609, lane: 'data', takenMs: 1_000, isInHand: false },
  ]);
});

test('only the last are shown, and all of them', () => {
  const flight = recorder();
  for (let kind = 16; kind < 16 + 500; kind++) {
    flight.note(kind, 1, 1, 2, 'telemetry', kind);
    const shown = flight.read().map((message) => message.kind);
    expect(shown).toEqual(Array.from({ length: Math.min(LAST_MESSAGES, kind - 15) }, (_, back) => kind - back));
  }
});

test('what is in hand is shown so until it is let go, and no later message in its place is', () => {
  const flight = recorder();
  flight.note(17, 1, 5, 2, 'data', 0);
  flight.note(17, 2, 6, 2, 'data', 0);
  const entry = flight.hold(17, 5, 'data');
  expect(flight.read().map(({ from, isInHand }) => [from, isInHand])).toEqual([[6, false], [5, true]]);
  for (let message = 0; message < 100; message++) flight.note(17, 1, 7, 2, 'data', 0);
  const later = flight.hold(17, 7, 'data');
  flight.letGo(entry);
  expect(flight.read().filter(({ isInHand }) => isInHand)).toHaveLength(1);
  flight.letGo(later);
  expect(flight.read().filter(({ isInHand }) => isInHand)).toEqual([]);
  expect(() => flight.letGo(flight.hold(99, 5, 'data'))).not.toThrow();
});

test('the handler that runs has the last message for its actor in hand; the numbers get names from whoever knows them', () => {
  const block = new ThreadBlock(createSystemMemory(2), 1);
  block.flight.note(17, 1, 5, 4_194_305, 'data', 10);
  block.flight.note(18, 1, 5, 4_194_309, 'data', 12);
  block.handling = 1;
  expect(lastMessages(block, 15).map(({ kind, ageMs, inHand }) => [kind, ageMs, inHand])).toEqual([[18, 3, false], [17, 5, true]]);
  const named = describedMessages(lastMessages(block, 15), (to, kind) => (kind === 17 ? { protocol: 'jobs', message: `job of ${to}` } : undefined));
  expect(named.map(({ protocol, message }) => [protocol, message])).toEqual([[undefined, undefined], ['jobs', 'job of 4194305']]);
  block.reset();
  expect(lastMessages(block, 20)).toEqual([]);
});
