/** Who has a sequence, who waits, and who is sent away. */
import { describe, expect, it } from 'vitest';
import { SequenceSlots } from '../../../actors/inference/generation/sequence-slots.ts';
import type { SpillwayError } from '../../../kernel/index.ts';

function refusal(slots: SequenceSlots): SpillwayError {
  try {
    slots.enter();
  } catch (error) {
    return error as SpillwayError;
  }
  throw new Error('there was room');
}

describe('sequence slots', () => {
  it('are given in the order of arrival, each when one gets free', async () => {
    const slots = new SequenceSlots(1, 2, () => 0);
    const first = slots.enter();
    const order: string[] = [];
    const second = slots.enter();
    const third = slots.enter();
    void second.granted.then(() => order.push('second'));
    void third.granted.then(() => order.push('third'));
    expect(await first.granted).toBe(true);
    first.leave();
    expect(await second.granted).toBe(true);
    expect(order).toEqual(['second']);
    second.leave();
    expect(await third.granted).toBe(true);
  });

  it('refuse whom the waiting room has no place for, with the time after which there may be one', async () => {
    let nowMs = 0;
    const slots = new SequenceSlots(2, 0, () => nowMs);
    const former = slots.enter();
    nowMs = 300;
    former.leave();
    slots.enter();
    slots.enter();
    const { code, details } = refusal(slots);
    expect(code).toBe('generation_overloaded');
    expect(details).toMatchObject({ retryAfterMs: 150, waiting: 0 });
  });

  it('are not given to one who has left, and leaving twice frees one only', async () => {
    const slots = new SequenceSlots(1, 2, () => 0);
    const first = slots.enter();
    const second = slots.enter();
    const third = slots.enter();
    second.leave();
    second.leave();
    expect(await second.granted).toBe(false);
    first.leave();
    first.leave();
    expect(await third.granted).toBe(true);
    slots.enter();
    slots.enter();
    expect(refusal(slots).code).toBe('generation_overloaded');
    expect(slots.waiting).toBe(2);
  });
});
