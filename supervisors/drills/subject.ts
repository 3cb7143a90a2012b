/**
 * The actor that a drill makes fail. It acknowledges a numbered message once the ledger has been told of it,
 * so an acknowledgement is a promise that outlives it; and it fails in each way that it is told to.
 *
 * It runs unchanged wherever it is placed, so it keeps nothing in memory that only threads share.
 */
import { LANES, defineActor, type Address, type Lane } from '../../kernel/index.ts';
import { ledgerProtocol, subjectProtocol, type Failure, type SubjectSpec } from './messages.ts';

export interface SubjectArgs {
  /** Address of the ledger. */
  readonly ledger: Address;
}

/** How long the ledger may take to have room. */
const LEDGER_MS = 30_000;
/** Bytes of one of the pieces that eat up memory: small enough to come close to any limit. */
const PIECE_BYTES = 1 << 16;

export const subject = defineActor<SubjectSpec, SubjectArgs>({
  protocol: subjectProtocol,
  start(context, { ledger: address }) {
    const { clock, incarnation } = context;
    const startedMs = clock.monotonicMs();
    const ledger = context.ref(address, ledgerProtocol);
    let serviceMs = 0;

    /** Told at once where there is room, and before anything else happens; otherwise as soon as there is. */
    const note = (lane: Lane, number: number): Promise<void> | undefined => {
      const handled = { lane: LANES.indexOf(lane), number };
      return ledger.tell('handled', handled) === 0 ? undefined : ledger.send('handled', handled, { deadlineMs: LEDGER_MS });
    };
    const acknowledgement = () => ({ incarnation, startedMs, handledMs: clock.monotonicMs(), pid: process.pid });
    const acknowledge = (lane: Lane, number: number) => note(lane, number)?.then(acknowledgement) ?? acknowledgement();
    const served = (): Promise<void> => new Promise((resolve) => context.after(serviceMs, resolve));

    return {
      handlers: {
        urgent: ({ number }) => acknowledge('control', number),
        work: ({ number }) => (serviceMs === 0 ? acknowledge('data', number) : served().then(() => acknowledge('data', number))),
        post: ({ number }) => (serviceMs === 0 ? note('data', number) : served().then(() => note('data', number))),
        line: ({ number }) => note('telemetry', number),
        fail({ how }) {
          ledger.tell('fault', { atMs: clock.monotonicMs() });
          return failBy(how);
        },
        slow(told) {
          serviceMs = told.serviceMs;
          return {};
        },
        shiftClock({ byMs }) {
          shiftWallClock(byMs);
          return {};
        },
        settle: () => ledger.ask('settle', {}, { deadlineMs: LEDGER_MS }),
      },
    };
  },
});

function failBy(how: Failure): void | Promise<void> {
  switch (how) {
    case 'throw':
      throw new Error('a drill: told to throw');
    case 'reject':
      return Promise.reject(new Error('a drill: told to reject'));
    case 'hang':
      for (;;);
    case 'exit':
      return process.exit(3);
    case 'memory':
      return eatMemory();
  }
}

function eatMemory(): never {
  const pieces: number[][] = [];
  for (;;) pieces.push(Array.from({ length: PIECE_BYTES / 8 }, (_, index) => index + 0.5));
}

/**
 * What setting the machine's clock does to a thread: everything that asks for the date gets another one.
 * @returns sets it right again
 */
export function shiftWallClock(byMs: number): () => void {
  const { now } = Date;
  Date.now = () => now.call(Date) + byMs;
  return () => void (Date.now = now);
}
