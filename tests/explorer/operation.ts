/**
 * The operations on shared memory that the explorer knows, each on one 32-bit cell or on a pair of cells.
 *
 * All that a thread does to shared memory comes down to these: a byte is a plain access with a mask, a
 * plain 64-bit access is two plain accesses (it may tear), a bulk copy is one access for each cell. So
 * an access is either atomic here as it is in JavaScript, or it can be interrupted in its middle.
 */

/** Plain accesses. `mask` says which bits of the cell; a write brings them in `a`. */
export const READ = 0;
export const WRITE = 1;
/** Atomic accesses of one cell. */
export const LOAD = 2;
export const STORE = 3;
export const ADD = 4;
export const AND = 5;
export const OR = 6;
export const XOR = 7;
export const EXCHANGE = 8;
/** `a` is expected, `b` replaces it. */
export const COMPARE_EXCHANGE = 9;
/** Added to an atomic access of a pair: operands are (a, b) and (c, d), low half first. */
export const WIDE = 16;
/** `Atomics.wait` for a cell that holds `a`, and `Atomics.notify` of at most `a` threads. */
export const WAIT = 32;
export const NOTIFY = 33;
/** Of the scenario: waits until something that the thread has read since the last time is changed. */
export const IDLE = 34;
/** Of the scenario: puts down what the thread has seen or done, for the check at the end. */
export const NOTE = 35;
/** Of the scenario: says all that the thread knows, so that histories can be joined. */
export const CHECKPOINT = 36;
/** Of the scenario: what comes before it, in the first life, comes before any other thread's choice. */
export const START = 37;
/** The thread's program has returned, thrown, or done so much that it will never end. */
export const END = 38;
export const THREW = 39;
export const ENDLESS = 40;

/** What `Atomics.wait` answers. On shared memory it never times out: a wait without end shows a lost wake-up. */
export const WAIT_ANSWERS = ['ok', 'not-equal', 'timed-out'] as const;
export const WOKEN = 0;
export const NOT_EQUAL = 1;
export const TIMED_OUT = 2;

const NAMES = ['read', 'write', 'load', 'store', 'add', 'and', 'or', 'xor', 'exchange', 'compareExchange'];
const OTHER_NAMES: Readonly<Record<number, string>> = {
  [WAIT]: 'wait',
  [NOTIFY]: 'notify',
  [IDLE]: 'idle',
  [NOTE]: 'note',
  [CHECKPOINT]: 'checkpoint',
  [START]: 'start',
  [END]: 'end',
  [THREW]: 'threw',
  [ENDLESS]: 'endless',
};

export function operationName(kind: number): string {
  return OTHER_NAMES[kind] ?? NAMES[kind & ~WIDE]!;
}

/** Whether it reads or writes a cell; everything else is between the thread and the scheduler. */
export function isAccess(kind: number): boolean {
  return kind < WAIT;
}

/** Whether it looks at a cell or changes it. */
export function touches(kind: number): boolean {
  return kind <= WAIT;
}

export function isPlain(kind: number): boolean {
  return kind <= WRITE;
}

/** Whether it orders what its thread did before it against what other threads do after they see it. */
export function orders(kind: number): boolean {
  return kind >= LOAD && kind <= NOTIFY;
}

export function isWide(kind: number): boolean {
  return kind < WAIT && (kind & WIDE) !== 0;
}

export function reads(kind: number): boolean {
  return kind === READ || kind === WAIT || (isAccess(kind) && (kind & ~WIDE) !== STORE && kind !== WRITE);
}

export function writes(kind: number): boolean {
  const narrow = kind & ~WIDE;
  return isAccess(kind) && narrow !== READ && narrow !== LOAD;
}

