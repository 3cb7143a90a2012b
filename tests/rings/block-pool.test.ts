import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BACK_PRESSURED, BlockOwner, BlockPool, NOT_OWNED, TOO_LONG, createBlockPool } from 'atomics-ring-buffer';
import type { BlockClass } from 'atomics-ring-buffer';
import { withCode } from './ring.cases.ts';

const CLASSES: readonly BlockClass[] = [
  { blockBytes: 64, count: 3 },
  { blockBytes: 256, count: 2 },
];

/** Places of the header's words, as block-pool-layout.ts draws them. */
const WORD = { magic: 0, version: 1, classCount: 2, ownerCount: 3, firstClass: 32, touched: 64, owners: 96 };

function makeOwner(classes: readonly BlockClass[] = CLASSES, owner = 1): BlockOwner {
  return new BlockOwner(createBlockPool({ classes, owners: 4 }), owner);
}

describe('a block pool', () => {
  it('gives out each block once, in memory of its own, and refuses when all are in use', () => {
    const owner = makeOwner();
    const handles = [1, 64, 64].map((bytes) => owner.acquire(bytes));
    expect(owner.acquire(64)).toBe(BACK_PRESSURED);
    const large = [65, 256].map((bytes) => owner.acquire(bytes));
    expect(owner.acquire(100)).toBe(BACK_PRESSURED);
    const ranges = [...handles, ...large].map((handle) => [owner.offsetOf(handle), owner.blockBytesOf(handle)] as const);
    const sorted = ranges.toSorted(([one], [other]) => one - other);
    for (const [index, [offset, bytes]] of sorted.entries()) {
      expect(offset % 64).toBe(0);
      expect(offset + bytes).toBeLessThanOrEqual(sorted[index + 1]?.[0] ?? owner.memory.buffer.byteLength);
    }
    expect(sorted.map(([, bytes]) => bytes)).toEqual([64, 64, 64, 256, 256]);
    expect(owner.counters).toMatchObject({ acquired: 5, refused: 2, inUse: 5 });
  });

  it('gives a small payload no large block, though small ones have run out', () => {
    const owner = makeOwner();
    for (let count = 0; count < 3; count++) owner.acquire(64);
    expect(owner.acquire(64)).toBe(BACK_PRESSURED);
    expect(owner.acquire(65)).toBeGreaterThanOrEqual(0);
  });

  it('refuses what no block will ever hold, and what is no count of bytes', () => {
    const owner = makeOwner();
    expect([owner.acquire(257), owner.acquire(Infinity)]).toEqual([TOO_LONG, TOO_LONG]);
    for (const bytes of [-1, NaN]) expect(() => owner.acquire(bytes)).toThrow(withCode('bad_length'));
    expect(owner.acquire(0)).toBeGreaterThanOrEqual(0);
    expect(owner.counters).toMatchObject({ acquired: 1, refused: 2 });
  });

  it('passes a block on without a copy, and only its holder at each step may use it', () => {
    const buffer = createBlockPool({ classes: CLASSES });
    const [sender, receiver, stranger] = [1, 2, 3].map((number) => new BlockOwner(buffer, number)) as [BlockOwner, BlockOwner, BlockOwner];
    const handle = sender.acquire(200);
    const offset = sender.offsetOf(handle);
    new Float32Array(sender.memory.buffer, offset, 50).fill(1.5);
    expect([receiver.takeOver(handle), receiver.offsetOf(handle), receiver.release(handle), receiver.handOver(handle)]).toEqual(Array(4).fill(NOT_OWNED));
    expect(sender.handOver(handle)).toBe(0);
    expect([sender.offsetOf(handle), sender.release(handle), sender.handOver(handle)]).toEqual(Array(3).fill(NOT_OWNED));
    expect(receiver.offsetOf(handle), 'may be read in place before it is taken').toBe(offset);
    const taken = receiver.takeOver(handle);
    expect(receiver.offsetOf(taken)).toBe(offset);
    expect([...new Float32Array(receiver.memory.buffer, offset, 2)]).toEqual([1.5, 1.5]);
    for (const owner of [sender, receiver, stranger]) {
      expect([owner.takeOver(handle), owner.takeBack(handle), owner.release(handle)]).toEqual(Array(3).fill(NOT_OWNED));
    }
    expect(receiver.release(taken)).toBe(0);
    expect(receiver.counters).toMatchObject({ acquired: 1, released: 1, notOwned: 16, inUse: 0 });
  });

  it('refuses a record that is delivered again, also when its block has been handed on meanwhile', () => {
    const buffer = createBlockPool({ classes: CLASSES });
    const [sender, receiver, next] = [1, 2, 3].map((number) => new BlockOwner(buffer, number)) as [BlockOwner, BlockOwner, BlockOwner];
    const delivered = sender.acquire(1);
    sender.handOver(delivered);
    const taken = receiver.takeOver(delivered);
    receiver.handOver(taken);
    new BlockPool(buffer).reclaim(2);
    const successor = new BlockOwner(buffer, 4);
    expect([successor.offsetOf(delivered), successor.takeOver(delivered)]).toEqual([NOT_OWNED, NOT_OWNED]);
    expect(next.takeOver(taken)).toBeGreaterThanOrEqual(0);
  });

  it('lets a sender take back a block whose record it will not publish', () => {
    const owner = makeOwner();
    const handle = owner.acquire(1);
    owner.handOver(handle);
    expect(owner.counters.handed).toBe(1);
    expect(owner.takeBack(handle)).toBe(0);
    expect([owner.takeBack(handle), owner.release(handle)]).toEqual([NOT_OWNED, 0]);
  });

  it('refuses a block that is released twice, also after somebody else has it', () => {
    const buffer = createBlockPool({ classes: [{ blockBytes: 64, count: 1 }] });
    const [first, second] = [new BlockOwner(buffer, 1), new BlockOwner(buffer, 2)];
    const stale = first.acquire(1);
    expect([first.release(stale), first.release(stale)]).toEqual([0, NOT_OWNED]);
    const current = second.acquire(1);
    expect(current).not.toBe(stale);
    second.handOver(current);
    for (const owner of [first, second]) {
      expect([owner.release(stale), owner.takeOver(stale), owner.handOver(stale), owner.takeBack(stale), owner.offsetOf(stale)]).toEqual(Array(5).fill(NOT_OWNED));
    }
    expect(first.takeOver(current)).toBeGreaterThanOrEqual(0);
  });

  it('touches no more blocks than were in use at once, and shows the most that were', () => {
    const owner = makeOwner([{ blockBytes: 64, count: 100 }]);
    const places = new Set<number>();
    for (let round = 0; round < 500; round++) {
      const handles = [owner.acquire(1), owner.acquire(1), owner.acquire(1)];
      for (const handle of handles) places.add(owner.offsetOf(handle));
      for (const handle of round % 2 === 0 ? handles : handles.toReversed()) owner.release(handle);
    }
    expect(places.size).toBe(3);
    expect(owner.counters.classes).toEqual([{ blockBytes: 64, count: 100, inUse: 0, highWater: 3 }]);
  });

  it('finds the last free block wherever it is', () => {
    const owner = makeOwner([{ blockBytes: 64, count: 40 }]);
    let handles = Array.from({ length: 40 }, () => owner.acquire(1));
    for (let place = 0; place < 40; place++) {
      owner.release(handles[place]!);
      const again = owner.acquire(1);
      expect(again).toBeGreaterThanOrEqual(0);
      handles = handles.with(place, again);
    }
    expect(owner.acquire(1)).toBe(BACK_PRESSURED);
  });

  it('goes on when the generation of a block begins anew', () => {
    const buffer = createBlockPool({ classes: [{ blockBytes: 64, count: 1 }], owners: 1 });
    const words = new Int32Array(buffer);
    const owner = new BlockOwner(buffer, 1);
    const word = WORD.owners + 32;
    expect(words[word]! >>> 9).toBe(1);
    words[word] = -1 << 9;
    const last = owner.acquire(1);
    expect(last).toBe(2 ** 23 - 1);
    owner.release(last);
    const first = owner.acquire(1);
    expect([first, owner.release(last), owner.release(first)]).toEqual([0, NOT_OWNED, 0]);
  });
});

describe('owners of blocks', () => {
  it('attach one at a time under each number, and again once the former one is reclaimed', () => {
    const buffer = createBlockPool({ classes: CLASSES, owners: 2 });
    const pool = new BlockPool(buffer);
    expect(pool.isVacant(1)).toBe(true);
    const dead = new BlockOwner(buffer, 1);
    const handle = dead.acquire(1);
    expect(pool.isVacant(1)).toBe(false);
    expect(() => new BlockOwner(buffer, 1)).toThrow(withCode('owner_taken'));
    expect([pool.reclaim(1), pool.reclaim(1), pool.isVacant(1)]).toEqual([1, 0, true]);
    expect(new BlockOwner(buffer, 1).release(handle)).toBe(NOT_OWNED);
  });

  it('are reclaimed without what they handed over, which the receiver may still take', () => {
    const buffer = createBlockPool({ classes: CLASSES, owners: 2 });
    const pool = new BlockPool(buffer);
    const [sender, receiver] = [new BlockOwner(buffer, 1), new BlockOwner(buffer, 2)];
    const [published, unpublished, kept] = [sender.acquire(1), sender.acquire(1), sender.acquire(1)];
    sender.handOver(published);
    sender.handOver(unpublished);
    expect(() => pool.reclaimUnpublished(1)).toThrow(withCode('owner_taken'));
    expect(pool.reclaim(1)).toBe(1);
    expect(receiver.offsetOf(kept)).toBe(NOT_OWNED);
    expect(receiver.takeOver(published)).toBeGreaterThanOrEqual(0);
    expect(() => new BlockOwner(buffer, 1), 'a block of its predecessor is on its way').toThrow(withCode('owner_taken'));
    expect([pool.reclaimUnpublished(1), pool.reclaimUnpublished(1)]).toEqual([1, 0]);
    expect(receiver.takeOver(unpublished)).toBe(NOT_OWNED);
    expect(new BlockOwner(buffer, 1).counters).toMatchObject({ acquired: 3, released: 0, reclaimed: 2, inUse: 1, handed: 0 });
  });

  it('may attach again without further ado when all that was handed over has been taken', () => {
    const buffer = createBlockPool({ classes: CLASSES, owners: 2 });
    const pool = new BlockPool(buffer);
    const [sender, receiver] = [new BlockOwner(buffer, 1), new BlockOwner(buffer, 2)];
    const handle = sender.acquire(1);
    sender.handOver(handle);
    pool.reclaim(1);
    expect(pool.isVacant(1)).toBe(false);
    receiver.takeOver(handle);
    expect(pool.isVacant(1)).toBe(true);
    expect(new BlockOwner(buffer, 1).acquire(1)).toBeGreaterThanOrEqual(0);
  });

  it('have numbers from 1 to the number of owners', () => {
    const buffer = createBlockPool({ classes: CLASSES, owners: 2 });
    const pool = new BlockPool(buffer);
    for (const owner of [0, -1, 3, 1.5, NaN, 256]) {
      for (const use of [() => new BlockOwner(buffer, owner), () => pool.reclaim(owner), () => pool.reclaimUnpublished(owner), () => pool.isVacant(owner)]) {
        expect(use, String(owner)).toThrow(withCode('bad_owner'));
      }
    }
  });
});

describe('what is no pool', () => {
  it.each<[string, readonly BlockClass[]]>([
    ['no class', []],
    ['nine classes', Array.from({ length: 9 }, (_, index) => ({ blockBytes: 64 << index, count: 1 }))],
    ['a size that is no power of two', [{ blockBytes: 96, count: 1 }]],
    ['blocks that are too small', [{ blockBytes: 32, count: 1 }]],
    ['blocks that are too large', [{ blockBytes: 2 ** 31, count: 1 }]],
    ['a class without blocks', [{ blockBytes: 64, count: 0 }]],
    ['part of a block', [{ blockBytes: 64, count: 1.5 }]],
    ['descending sizes', [{ blockBytes: 128, count: 1 }, { blockBytes: 64, count: 1 }]],
    ['one size twice', [{ blockBytes: 64, count: 1 }, { blockBytes: 64, count: 1 }]],
    ['too many blocks', [{ blockBytes: 64, count: 10_000 }, { blockBytes: 128, count: 10_000 }]],
    ['too many bytes', [{ blockBytes: 2 ** 30, count: 2 }]],
  ])('is refused by create: %s', (_, classes) => {
    expect(() => createBlockPool({ classes })).toThrow(withCode('bad_classes'));
  });

  it('is refused by create: no owner, or too many', () => {
    for (const owners of [0, 256, 1.5]) expect(() => createBlockPool({ classes: CLASSES, owners })).toThrow(withCode('bad_owner'));
  });

  it('is refused on arrival: memory that is not shared, too short, or of another size than its header says', () => {
    const buffer = createBlockPool({ classes: CLASSES });
    const longer = new SharedArrayBuffer(buffer.byteLength + 64);
    new Uint8Array(longer).set(new Uint8Array(buffer));
    for (const bad of [new ArrayBuffer(4096) as never, new SharedArrayBuffer(64), longer]) {
      expect(() => new BlockPool(bad)).toThrow(withCode('bad_buffer'));
    }
  });

  it.each<[string, number, number]>([
    ['an unfinished header', WORD.magic, 0],
    ['another version', WORD.version, 2],
    ['no classes', WORD.classCount, 0],
    ['too many classes', WORD.classCount, 1000],
    ['no owners', WORD.ownerCount, -1],
    ['a block size that is none', WORD.firstClass, 100],
    ['a count that is none', WORD.firstClass + 1, -5],
  ])('is refused on arrival: %s', (_, word, value) => {
    const buffer = createBlockPool({ classes: CLASSES });
    new Int32Array(buffer)[word] = value;
    expect(() => new BlockPool(buffer)).toThrow(withCode('bad_header'));
  });
});

describe('hostile memory and handles', () => {
  it('refuses every number that is no handle of the pool', () => {
    const owner = makeOwner();
    const handles = new Set([1, 1, 1, 256].map((bytes) => owner.acquire(bytes)));
    const nearHandles = fc.tuple(fc.constantFrom(...handles), fc.nat(31)).map(([handle, bit]) => handle ^ (1 << bit));
    const numbers = fc.oneof(nearHandles, fc.integer(), fc.double(), fc.constantFrom(-1, 0, 1.5, NaN, Infinity, 2 ** 31, 2 ** 32));
    fc.assert(
      fc.property(numbers.filter((number) => !handles.has(number)), (number) => {
        const results = [owner.offsetOf(number), owner.handOver(number), owner.takeBack(number), owner.takeOver(number), owner.release(number)];
        expect(results).toEqual(Array(5).fill(NOT_OWNED));
      }),
      { numRuns: 500 },
    );
    expect(owner.counters).toMatchObject({ inUse: 4, released: 0, notOwned: 2500 });
  });

  it('gives out the blocks of a class and no others when the number of those in play is damaged', () => {
    for (const damaged of [-1, -(2 ** 31), 4, 100, 2 ** 31 - 1]) {
      const owner = makeOwner();
      new Int32Array(owner.memory.buffer)[WORD.touched] = damaged;
      const handles = [1, 2, 3].map((bytes) => owner.acquire(bytes));
      expect(handles.map((handle) => owner.blockBytesOf(handle)), String(damaged)).toEqual([64, 64, 64]);
      expect(owner.acquire(1), String(damaged)).toBe(BACK_PRESSURED);
    }
  });

  it('never leads out of its blocks, whatever is written over the header, the owners and the words', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(400), fc.integer()), { maxLength: 60 }), fc.array(fc.integer(), { maxLength: 10 }), (damages, numbers) => {
        const buffer = createBlockPool({ classes: CLASSES, owners: 4 });
        const [pool, owner] = [new BlockPool(buffer), new BlockOwner(buffer, 1)];
        const words = new Int32Array(buffer);
        const blocksFrom = Math.min(...Array.from({ length: 3 }, () => owner.offsetOf(owner.acquire(1))));
        const handles = [owner.acquire(256)];
        for (const [word, value] of damages) if (word < blocksFrom / 4) words[word] = value;
        for (const bytes of [1, 100, 1, 100, 1]) handles.push(owner.acquire(bytes));
        for (const handle of [...handles, ...numbers]) {
          for (const each of [handle, owner.takeOver(handle)]) {
            const offset = owner.offsetOf(each);
            if (offset === NOT_OWNED) continue;
            expect(offset).toBeGreaterThanOrEqual(blocksFrom);
            expect(offset + owner.blockBytesOf(each)).toBeLessThanOrEqual(buffer.byteLength);
          }
          owner.handOver(handle);
          owner.release(handle);
        }
        for (const number of [1, 2, 3, 4]) {
          pool.reclaim(number);
          pool.reclaimUnpublished(number);
        }
        expect(pool.counters.inUse).toBeLessThanOrEqual(5);
      }),
    );
  });
});
