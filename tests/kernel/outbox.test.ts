import { expect, test } from 'vitest';
import { Outbox } from '../../kernel/outbox.ts';

/** A lane back that has room or not, and what went through it. */
function laneBack() {
  const lane = { hasRoom: true, sent: [] as string[] };
  const attempt = (text: string) => () => {
    if (lane.hasRoom) lane.sent.push(text);
    return lane.hasRoom;
  };
  return { lane, attempt };
}

test('an answer goes at once while there is room', () => {
  const { lane, attempt } = laneBack();
  const outbox = new Outbox();
  outbox.send(2, 'data', attempt('a'));
  expect(lane.sent).toEqual(['a']);
  expect(outbox.isEmpty).toBe(true);
});

test('answers that found no room go later, in order, before those that came after them', () => {
  const { lane, attempt } = laneBack();
  const outbox = new Outbox();
  lane.hasRoom = false;
  outbox.send(2, 'data', attempt('a'));
  outbox.send(2, 'data', attempt('b'));
  outbox.flush();
  expect(lane.sent).toEqual([]);
  lane.hasRoom = true;
  outbox.send(2, 'data', attempt('c'));
  expect(lane.sent).toEqual([]);
  outbox.flush();
  expect(lane.sent).toEqual(['a', 'b', 'c']);
  expect(outbox.isEmpty).toBe(true);
});

test('an attempt may send another answer in its place', () => {
  const { lane, attempt } = laneBack();
  const outbox = new Outbox();
  lane.hasRoom = false;
  outbox.send(2, 'data', () => {
    if (!lane.hasRoom) return false;
    outbox.send(2, 'data', attempt('instead'));
    return true;
  });
  lane.hasRoom = true;
  outbox.flush();
  expect(lane.sent).toEqual(['instead']);
  expect(outbox.isEmpty).toBe(true);
});

test('answers to one, or on one lane, do not wait for those to another', () => {
  const { lane, attempt } = laneBack();
  const other = laneBack();
  const outbox = new Outbox();
  lane.hasRoom = false;
  outbox.send(2, 'data', attempt('a'));
  outbox.send(3, 'data', other.attempt('to another'));
  outbox.send(2, 'control', other.attempt('on another lane'));
  expect(other.lane.sent).toEqual(['to another', 'on another lane']);
  other.lane.hasRoom = false;
  outbox.send(3, 'data', other.attempt('later'));
  other.lane.hasRoom = true;
  outbox.flush();
  expect(other.lane.sent.at(-1)).toBe('later');
  expect(outbox.isEmpty).toBe(false);
  lane.hasRoom = true;
  outbox.flush();
  expect(lane.sent).toEqual(['a']);
  expect(outbox.isEmpty).toBe(true);
});
