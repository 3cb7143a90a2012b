/** Random mailboxes and what is done to them, as fast-check makes them; small, so that they fill up at once. */
import fc from 'fast-check';
import type { MailboxPolicy, PartialMailboxSpec } from '../../../kernel/mailbox/mailbox.ts';

export interface Arrival {
  readonly id: number;
  readonly key: string | undefined;
}

export interface Step {
  readonly call: 'offer' | 'force' | 'take' | 'takeAll';
  readonly afterMs: number;
  readonly key: string | undefined;
}

export const anySteps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    call: fc.oneof(
      { weight: 60, arbitrary: fc.constant('offer' as const) },
      { weight: 10, arbitrary: fc.constant('force' as const) },
      { weight: 35, arbitrary: fc.constant('take' as const) },
      { weight: 1, arbitrary: fc.constant('takeAll' as const) },
    ),
    afterMs: fc.constantFrom(0, 0, 0.25, 1, 7),
    key: fc.option(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'), { nil: undefined, freq: 5 }),
  }),
  { size: 'max', maxLength: 150 },
);

/** Marks anywhere they may be: coinciding, below the capacity, and with a flush that is in reach or is not. */
export function anyMailboxSpec(policy: MailboxPolicy): fc.Arbitrary<PartialMailboxSpec<Arrival>> {
  // Not fc.double, most of whose values lie so near zero that every mark would be the least one.
  const part = fc.integer({ min: 0, max: 20 }).map((twentieths) => twentieths / 20);
  const within = (min: number, max: number, share: number): number => min + Math.round((max - min) * share);
  return fc.tuple(fc.integer({ min: 1, max: 40 }), part, part, part, part, part).map(([capacity, first, second, third, fourth, fifth]) => {
    const drop = within(1, capacity, first);
    const sync = within(1, drop, second);
    const flush = within(Math.max(2, drop), capacity * 2, third);
    const marks = { sync, drop, flush, syncLow: within(0, sync - 1, fourth), dropLow: within(0, drop - 1, fifth) };
    return {
      capacity,
      policy,
      marks,
      ...(policy === 'expire' && { ttlMs: 10 }),
      ...(policy === 'conflate' && { key: ({ key }: Arrival) => key }),
    };
  });
}
