/**
 * What the actors of a drill understand. The `subject` is what is made to fail; the `ledger` keeps what the
 * subject has done, on another thread, so that a life that ended has still left its mark.
 */
import { defineProtocol } from '../../kernel/index.ts';

const number = { properties: { number: { type: 'uint32' } } } as const;

/** Who has handled a message, and when, on the clock that all threads and processes of the machine share. */
const handled = {
  properties: {
    incarnation: { type: 'uint32' },
    /** When this life's start was called. */
    startedMs: { type: 'float64' },
    handledMs: { type: 'float64' },
    pid: { type: 'uint32' },
  },
} as const;

/** Ways to fail that an actor can be told of. Signals need nobody's help. */
export const FAILURES = ['throw', 'reject', 'hang', 'exit', 'memory'] as const;
export type Failure = (typeof FAILURES)[number];

export const subjectProtocol = defineProtocol('drill-subject', {
  urgent: { lane: 'control', request: number, reply: handled },
  work: { request: number, reply: handled },
  /** The same without an acknowledgement. */
  post: { request: number },
  line: { lane: 'telemetry', request: number },
  fail: { lane: 'control', request: { properties: { how: { enum: ['throw', 'reject', 'hang', 'exit', 'memory'] } } } },
  /** From now on each data message takes so long. */
  slow: { lane: 'control', request: { properties: { serviceMs: { type: 'float64' } } }, reply: { properties: {} } },
  /** Sets the wall clock of its thread by so much. */
  shiftClock: { lane: 'control', request: { properties: { byMs: { type: 'float64' } } }, reply: { properties: {} } },
  /** Answered once the ledger has everything that was handled before. */
  settle: { request: { properties: {} }, reply: { properties: {} } },
});

export type SubjectSpec = typeof subjectProtocol.spec;

const tally = { elements: { type: 'uint8' }, metadata: { typedArray: true } } as const;

export const ledgerProtocol = defineProtocol('drill-ledger', {
  /** `lane` is its place in LANES. */
  handled: { request: { properties: { lane: { type: 'uint8' }, number: { type: 'uint32' } } } },
  fault: { request: { properties: { atMs: { type: 'float64' } } } },
  /** Answered behind everything that the asker has told before. */
  settle: { request: { properties: {} }, reply: { properties: {} } },
  /** How often each number of the lane was handled, and when the first fault began; 0 for none. */
  read: { request: { properties: { lane: { type: 'uint8' } } }, reply: { properties: { counts: tally, faultMs: { type: 'float64' } } } },
});

export type LedgerSpec = typeof ledgerProtocol.spec;
