import { SpscConsumer, SpscProducer, createSpscRing } from 'atomics-ring-buffer';
import { expect, test } from 'vitest';
import { addressOf } from '../../kernel/address.ts';
import { Dispatcher } from '../../kernel/dispatcher.ts';
import { FIRST_MESSAGE_KIND, REPLY_KIND, SETTLED_KIND } from '../../kernel/envelope.ts';
import { LANES, type Lane } from '../../kernel/lanes.ts';
import type { LinkReceiver } from '../../kernel/link.ts';

const MESSAGE = FIRST_MESSAGE_KIND;

/** A peer whose records are their first byte and zeros; `initialPosition` lets a ring begin just below the wrap of its positions. */
function peer(id: number, initialPosition = 0) {
  const buffers = LANES.map((lane) => [lane, createSpscRing({ capacityBytes: 1_024, initialPosition })] as const);
  const producers = new Map(buffers.map(([lane, buffer]) => [lane, new SpscProducer(buffer)]));
  return {
    address: addressOf(id, 1),
    receiver: Object.fromEntries(buffers.map(([lane, buffer]) => [lane, new SpscConsumer(buffer)])) as LinkReceiver,
    send(lane: Lane, byte: number, kind = MESSAGE, length = 1) {
      const payload = new Uint8Array(length);
      payload[0] = byte;
      return producers.get(lane)!.offer(kind, payload);
    },
  };
}

/** A dispatcher that notes what it delivers; messages in `refused` wait for their actor. */
function noting(peers: ReturnType<typeof peer>[], handle: () => void = () => {}) {
  const delivered: string[] = [];
  const actor = {};
  const busy = { actor: undefined as object | undefined };
  const dispatcher = new Dispatcher((lane, kind, memory, offset) => {
    if (lane === 'data' && kind === MESSAGE && busy.actor !== undefined) return busy.actor;
    if (kind === SETTLED_KIND) return undefined;
    delivered.push(`${lane} ${memory.u8[offset]}`);
    return undefined;
  }, handle);
  for (const { address, receiver } of peers) dispatcher.add(address, receiver);
  return { dispatcher, delivered, busy, actor, drain: () => { while (dispatcher.next()); } };
}

test('control comes before data before telemetry', () => {
  const a = peer(2);
  const { delivered, drain } = noting([a]);
  a.send('telemetry', 1);
  a.send('data', 2);
  a.send('control', 3);
  drain();
  expect(delivered).toEqual(['control 3', 'data 2', 'telemetry 1']);
});

test('the lanes are looked at anew before every record', () => {
  const a = peer(2);
  const { dispatcher, delivered, drain } = noting([a]);
  a.send('data', 1);
  a.send('data', 2);
  dispatcher.next();
  a.send('control', 3);
  drain();
  expect(delivered).toEqual(['data 1', 'control 3', 'data 2']);
});

test('peers take turns within a lane', () => {
  const [a, b] = [peer(2), peer(3)];
  const { delivered, drain } = noting([a, b]);
  for (const byte of [1, 2, 3]) a.send('data', byte);
  for (const byte of [11, 12]) b.send('data', byte);
  drain();
  expect(delivered).toEqual(['data 1', 'data 11', 'data 2', 'data 12', 'data 3']);
});

test("a busy actor's data stays in its lane while control goes on", () => {
  const a = peer(2);
  const { dispatcher, delivered, busy, actor, drain } = noting([a]);
  busy.actor = actor;
  a.send('data', 1);
  a.send('control', 2);
  drain();
  expect(delivered).toEqual(['control 2']);
  expect(a.receiver.data.depth).toBe(1);
  expect(dispatcher.hasWork()).toBe(false);
  busy.actor = undefined;
  dispatcher.unblock({});
  expect(dispatcher.hasWork()).toBe(false);
  dispatcher.unblock(actor);
  expect(dispatcher.hasWork()).toBe(true);
  drain();
  expect(delivered).toEqual(['control 2', 'data 1']);
});

test.each([0, 2 ** 32 - 64])('answers behind a request that waits are delivered once, from position %d', (position) => {
  const a = peer(2, position);
  const { dispatcher, delivered, busy, actor, drain } = noting([a]);
  busy.actor = actor;
  a.send('data', 1);
  a.send('data', 2, REPLY_KIND);
  drain();
  a.send('data', 3);
  a.send('data', 4, REPLY_KIND);
  expect(dispatcher.hasWork()).toBe(true);
  drain();
  expect(delivered).toEqual(['data 2', 'data 4']);
  expect(dispatcher.hasWork()).toBe(false);
  busy.actor = undefined;
  dispatcher.unblock(actor);
  drain();
  expect(delivered).toEqual(['data 2', 'data 4', 'data 1', 'data 3']);
  expect(a.receiver.data.isEmpty).toBe(true);
});

test('answers are found behind the padding at the end of the ring', () => {
  const a = peer(2);
  const { delivered, busy, actor, drain } = noting([a]);
  // 62 records of 16 bytes leave 32: the request takes 16 of them, and the answer of 24 begins anew at the front.
  for (let record = 0; record < 62; record++) {
    a.send('data', 0, REPLY_KIND);
    drain();
  }
  delivered.length = 0;
  busy.actor = actor;
  a.send('data', 1);
  a.send('data', 2, REPLY_KIND, 16);
  expect(a.receiver.data.levelBytes).toBe(16 + 16 + 24);
  drain();
  expect(delivered).toEqual(['data 2']);
});

test('a message has left its lane when it is handled', () => {
  const a = peer(2);
  const depths: number[] = [];
  const { drain } = noting([a], () => depths.push(a.receiver.data.depth));
  a.send('data', 1);
  a.send('data', 2);
  drain();
  expect(depths).toEqual([1, 0]);
});

test('what a peer sent before it left for good is still handled, and then its lanes are let go', () => {
  const [a, b] = [peer(2), peer(3)];
  const { dispatcher, delivered, drain } = noting([a, b]);
  a.send('data', 1);
  dispatcher.retire(a.address);
  drain();
  expect(delivered).toEqual(['data 1']);
  a.send('data', 2);
  b.send('data', 3);
  drain();
  expect(delivered).toEqual(['data 1', 'data 3']);
});

test('the answers of a peer that died are delivered ahead of everything', () => {
  const a = peer(2);
  const { dispatcher, delivered, drain } = noting([a]);
  a.send('data', 1);
  a.send('data', 2, REPLY_KIND);
  a.send('control', 3, REPLY_KIND);
  dispatcher.settleAnswers(a.address);
  expect(delivered).toEqual(['control 3', 'data 2']);
  drain();
  expect(delivered).toEqual(['control 3', 'data 2', 'data 1']);
});
