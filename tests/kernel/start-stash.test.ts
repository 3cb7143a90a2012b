import { SharedMemory } from 'atomics-ring-buffer';
import { expect, test } from 'vitest';
import { StartStash } from '../../kernel/start-stash.ts';

test('a record is copied, so that its place in the ring may be used again', () => {
  const ring = new SharedMemory(new SharedArrayBuffer(64));
  ring.f64[2] = 1.5;
  ring.i32[6] = 42;
  const stash = new StartStash();
  expect(stash.keep(17, ring, 16, 12)).toBe(true);
  ring.u8.fill(0);
  const [record] = stash.records;
  expect(record?.kind).toBe(17);
  expect(record?.memory.f64[0]).toBe(1.5);
  expect(record?.memory.i32[2]).toBe(42);
  expect(record?.memory.u8.length).toBe(12);
});

test('it takes 64 records and no more', () => {
  const ring = new SharedMemory(new SharedArrayBuffer(64));
  const stash = new StartStash();
  const kept = Array.from({ length: 65 }, () => stash.keep(17, ring, 0, 8));
  expect(kept.filter(Boolean)).toHaveLength(64);
  expect(kept.at(-1)).toBe(false);
});
