import { expect, test } from 'vitest';
import { THREAD_STATES, ThreadBlock, createSystemMemory, threadCapacity } from '../../kernel/thread-block.ts';

test('what one view of a block writes, another reads, and no other block changes', () => {
  const memory = createSystemMemory(3);
  const block = new ThreadBlock(memory, 1);
  block.state = 'running';
  block.incarnation = 4;
  block.countRestart();
  block.countTurn();
  block.counters.add('handled', 7);
  block.actorCounters(['texts']).add('texts', 9);
  const seen = new ThreadBlock(memory, 1);
  expect([seen.state, seen.incarnation, seen.restarts, seen.turns]).toEqual(['running', 4, 1, 1]);
  expect(seen.counters.read('handled')).toBe(7);
  expect(seen.actorCounters(['texts']).read('texts')).toBe(9);
  for (const thread of [0, 2]) {
    const other = new ThreadBlock(memory, thread);
    expect([other.state, other.incarnation, other.restarts, other.turns]).toEqual(['vacant', 0, 0, 0]);
    expect(Object.values(other.counters.snapshot()).every((count) => count === 0)).toBe(true);
    expect(other.actorCounters(['texts']).read('texts')).toBe(0);
  }
});

test('every state survives the way through its number', () => {
  const block = new ThreadBlock(createSystemMemory(1), 0);
  for (const state of THREAD_STATES) {
    block.state = state;
    expect(block.state).toBe(state);
  }
});

test('dead letters are the sum over the reasons and nothing else', () => {
  const block = new ThreadBlock(createSystemMemory(1), 0);
  block.counters.add('expired', 2);
  block.counters.add('cancelled', 3);
  block.counters.add('handled', 5);
  block.counters.add('refused', 7);
  expect(block.deadLetters).toBe(5);
});

test('a block that is reset shows nothing of the actor that was there', () => {
  const memory = createSystemMemory(1);
  const block = new ThreadBlock(memory, 0);
  block.state = 'crashed';
  block.incarnation = 3;
  block.countRestart();
  block.counters.add('failed', 2);
  block.actorCounters(['a', 'b']).add('b', 5);
  block.reset();
  expect([block.state, block.incarnation, block.restarts, block.counters.read('failed')]).toEqual(['vacant', 0, 0, 0]);
  expect(block.actorCounters(['a', 'b']).snapshot()).toEqual({ a: 0, b: 0 });
});

test('the memory tells how many threads it is for', () => {
  expect(threadCapacity(createSystemMemory(5))).toBe(5);
});
