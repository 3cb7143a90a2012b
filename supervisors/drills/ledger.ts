/** Keeps which numbered messages the subject of a drill has handled, and how often, on a thread of its own. */
import { LANES, defineActor } from '../../kernel/index.ts';
import { ledgerProtocol, type LedgerSpec } from './messages.ts';

/** Numbers of one lane in one run at the most: each is a byte, and all of them one answer. */
export const NUMBERS_MAX = 100_000;

export const ledger = defineActor<LedgerSpec, undefined>({
  protocol: ledgerProtocol,
  waiting: 'park',
  start() {
    const counts = LANES.map(() => new Uint8Array(NUMBERS_MAX));
    const used = LANES.map(() => 0);
    let faultMs = 0;
    return {
      handlers: {
        handled({ lane, number }) {
          const ofLane = counts[lane];
          // A number out of range is nobody's; the tally then finds one that is missing.
          if (ofLane === undefined || number >= NUMBERS_MAX) return;
          ofLane[number] = Math.min(0xff, ofLane[number]! + 1);
          used[lane] = Math.max(used[lane]!, number + 1);
        },
        fault({ atMs }) {
          faultMs ||= atMs;
        },
        settle: () => ({}),
        read: ({ lane }) => ({ counts: counts[lane]?.slice(0, used[lane]) ?? new Uint8Array(), faultMs }),
      },
    };
  },
});
