/**
 * The ways in which an actor can end, or be ended, in the middle of a native call, and what becomes of the
 * process that it lives in: the table of docs/explanation/native-actors.md, which the drill compares with what
 * it finds.
 */
import { APPLICATION_EXIT_CODE, type NativeDeed } from './native-process.ts';

export const NATIVE_PLACEMENTS = ['thread', 'process'] as const;
export type NativePlacement = (typeof NATIVE_PLACEMENTS)[number];

export interface NativeOutcome {
  /** What the application's process ends with: the signal that took it down, or the code that it wanted to end with. */
  readonly end: NodeJS.Signals | number;
  /** What whoever brought it about is told. */
  readonly answer?: string;
  /** Of the actor, after which its vectors are those of before. Undefined where the system ends. */
  readonly restarts?: number;
}

export interface NativeCase extends Readonly<Record<NativePlacement, NativeOutcome>> {
  readonly deed: NativeDeed;
  readonly what: string;
  /** Why a thread takes the process down with it, where it does. */
  readonly why?: string;
}

const restarted = (answer: string): NativeOutcome => ({ end: 0, answer, restarts: 1 });
const goesOn = (answer: string): NativeOutcome => ({ end: 0, answer, restarts: 0 });
const both = (outcome: NativeOutcome): Record<NativePlacement, NativeOutcome> => ({ thread: outcome, process: outcome });

/** What an asker is told of a batch whose actor has ended with it. */
const LOST = 'actor_restarted';

/** Without a fault, for the rehearsal. */
export const NO_FAULT: NativeCase = { deed: 'none', what: 'nothing happens', ...both(goesOn('answered')) };

export const NATIVE_CASES: readonly NativeCase[] = [
  { deed: 'throw', what: 'another callback of the actor throws', ...both(restarted('answered')) },
  { deed: 'reject', what: 'a promise of the actor rejects unheard', ...both(restarted('answered')) },
  { deed: 'exit', what: 'the actor calls process.exit', thread: restarted('answered'), process: restarted(LOST) },
  {
    deed: 'memory',
    what: 'the actor exceeds its heap',
    thread: { end: 'SIGABRT' },
    process: restarted(LOST),
    why: 'Node ends a thread that is out of memory without calling any of its code',
  },
  { deed: 'hang', what: 'the actor holds its thread beyond hungAfterMs', thread: goesOn('answered'), process: restarted(LOST) },
  { deed: 'terminate', what: 'terminateChild', ...both(goesOn('ended')) },
  { deed: 'stop-late', what: 'terminateChild, and shutdownMs passes', thread: goesOn('not ended, batch answered'), process: goesOn('ended') },
  { deed: 'kill', what: 'killChild', thread: goesOn('not killed, batch answered'), process: restarted('killed') },
  { deed: 'brutal-kill', what: 'brutalKill in the child spec', thread: { end: 0, answer: 'spec_invalid' }, process: goesOn('ended') },
  { deed: 'close-late', what: 'system.close, and its deadline passes', thread: { end: 0, answer: 'shutdown_deadline' }, process: { end: 0, answer: 'closed' } },
  { deed: 'interrupt', what: 'Ctrl-C, and the application does not listen', ...both({ end: 'SIGINT' }), why: 'that is what the signal does to any process' },
  { deed: 'interrupt-in-order', what: 'Ctrl-C, and the application closes the system', ...both({ end: 0 }) },
  { deed: 'application-exit', what: 'the application calls process.exit', ...both({ end: APPLICATION_EXIT_CODE }) },
  { deed: 'application-throw', what: 'the application throws and nobody catches', ...both({ end: 1 }) },
  { deed: 'guardian-exit', what: 'an inline actor calls process.exit', ...both({ end: 0 }) },
  {
    deed: 'segfault',
    what: 'a SIGSEGV, or SIGABRT of an assertion, in native code',
    thread: { end: 'SIGSEGV' },
    process: restarted(LOST),
    why: 'a fault of native code is one of its process',
  },
  {
    deed: 'truncate',
    what: 'the model file is cut short while it is mapped',
    thread: { end: 'SIGBUS' },
    process: restarted(LOST),
    why: 'a fault of native code is one of its process',
  },
];
