/**
 * What one kind of actor says of its mailbox: how much it holds, what happens when it holds that much,
 * and at which levels senders are told to slow down. It is completed and checked once for a kind of
 * actor and then shared by all its actors, so none of them pays for it.
 */
import { SpillwayError } from '../errors.ts';

/** What becomes of a message when there is no room; the table is in mailbox.ts. */
export const MAILBOX_POLICIES = ['refuse', 'wait', 'drop_newest', 'drop_oldest', 'conflate', 'expire'] as const;
export type MailboxPolicy = (typeof MAILBOX_POLICIES)[number];

/** As in OTP's logger_olp, in the order in which they get worse. The index is the number in shared memory. */
export const MAILBOX_MODES = ['async', 'sync', 'drop', 'flush'] as const;
export type MailboxMode = (typeof MAILBOX_MODES)[number];

/** More than a queue of messages needs; a larger number is a mistake in a unit. */
const CAPACITY_MAX = 2 ** 24;
const CAPACITY_DEFAULT = 1_000;

/**
 * Levels, in messages. A mode begins when the level reaches its mark, and ends when the level is down at
 * its low mark. `flush` has none: it leaves an empty mailbox behind. `sync <= drop <= flush`, each low
 * mark is below its mark, and `drop <= capacity`.
 */
export interface MailboxMarks {
  /** Default: half of `drop`. */
  readonly sync: number;
  /** Default: `capacity`. */
  readonly drop: number;
  /**
   * Default: twice the capacity, which only forced messages reach. At `capacity` or below, a mailbox of a
   * policy that drops or conflates starts over when it has filled up. Without effect for `refuse` and `wait`.
   */
  readonly flush: number;
  /** Default: half of `sync`. */
  readonly syncLow: number;
  /** Default: halfway between `sync` and `drop`. */
  readonly dropLow: number;
}

export interface MailboxSpec<M> {
  /** Messages that `offer` lets it hold. Default 1,000. */
  readonly capacity: number;
  /** Default `refuse`. */
  readonly policy: MailboxPolicy;
  readonly marks: MailboxMarks;
  /** Only with `expire`, which needs it: how long a message may wait, in milliseconds. */
  readonly ttlMs?: number;
  /**
   * Only with `conflate`, which needs it: what the message is the latest of. A message whose key is undefined
   * replaces none. It is called once for each arrival and decides by the message alone.
   */
  readonly key?: (message: M) => string | number | undefined;
}

export interface PartialMailboxSpec<M> extends Partial<Omit<MailboxSpec<M>, 'marks'>> {
  readonly marks?: Partial<MailboxMarks>;
}

const SPEC_KEYS = ['capacity', 'policy', 'marks', 'ttlMs', 'key'];
const MARK_KEYS = ['sync', 'drop', 'flush', 'syncLow', 'dropLow'];

/**
 * Fills in the defaults. A completed spec given again comes back with the same values.
 *
 * @throws SpillwayError `mailbox_invalid` with `details` `path`, `expected` and `found`, for unknown keys,
 *   values out of range, marks out of order, and a `ttlMs` or `key` that its policy lacks or has no use for
 */
export function completeMailboxSpec<M>(partial: PartialMailboxSpec<M> = {}): MailboxSpec<M> {
  checkKeys('mailbox', partial, SPEC_KEYS);
  const { capacity = CAPACITY_DEFAULT, policy = 'refuse', marks = {}, ttlMs, key } = partial;
  checkInteger('capacity', capacity, 1, CAPACITY_MAX);
  if (!MAILBOX_POLICIES.includes(policy)) throw invalid('policy', `one of ${MAILBOX_POLICIES.join(', ')}`, policy);
  if (policy === 'expire') {
    if (typeof ttlMs !== 'number' || !(ttlMs > 0 && ttlMs < Infinity)) throw invalid('ttlMs', 'a finite number above 0 with the policy expire', ttlMs);
  } else if (ttlMs !== undefined) {
    throw invalid('ttlMs', `left out with the policy ${policy}, since only expire looks at it`, ttlMs);
  }
  if (policy === 'conflate') {
    if (typeof key !== 'function') throw invalid('key', 'a function with the policy conflate', key);
  } else if (key !== undefined) {
    throw invalid('key', `left out with the policy ${policy}, since only conflate calls it`, key);
  }
  return Object.freeze({
    capacity,
    policy,
    marks: completeMarks(marks, capacity),
    ...(ttlMs !== undefined && { ttlMs }),
    ...(key !== undefined && { key }),
  });
}

function completeMarks(partial: Partial<MailboxMarks>, capacity: number): MailboxMarks {
  checkKeys('marks', partial, MARK_KEYS);
  const { flush = capacity * 2 } = partial;
  // A mailbox that loses everything it holds must be able to hold something first.
  checkInteger('marks.flush', flush, 2, CAPACITY_MAX * 2);
  const { drop = Math.min(capacity, flush) } = partial;
  checkInteger('marks.drop', drop, 1, Math.min(capacity, flush), '(the smaller of capacity and marks.flush)');
  const { sync = Math.max(1, Math.floor(drop / 2)) } = partial;
  checkInteger('marks.sync', sync, 1, drop, '(marks.drop)');
  const { syncLow = Math.floor(sync / 2), dropLow = Math.min(drop - 1, Math.floor((sync + drop) / 2)) } = partial;
  checkInteger('marks.syncLow', syncLow, 0, sync - 1, '(below marks.sync)');
  checkInteger('marks.dropLow', dropLow, 0, drop - 1, '(below marks.drop)');
  return Object.freeze({ sync, drop, flush, syncLow, dropLow });
}

function checkKeys(path: string, value: unknown, known: readonly string[]): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(path, 'an object', value);
  const unknown = Reflect.ownKeys(value).find((name) => !known.includes(String(name)));
  if (unknown !== undefined) throw invalid(path, `an object with no other keys than ${known.join(', ')}`, String(unknown));
}

function checkInteger(path: string, value: unknown, min: number, max: number, reason = ''): void {
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return;
  throw invalid(path, `a whole number from ${min} to ${max} ${reason}`.trimEnd(), value);
}

function invalid(path: string, expected: string, found: unknown): SpillwayError {
  const shown = typeof found === 'string' ? JSON.stringify(found) : typeof found === 'object' && found !== null ? 'an object' : typeof found === 'function' ? 'a function' : String(found);
  return new SpillwayError('mailbox_invalid', `The mailbox's ${path} must be ${expected}, and is ${shown}. Correct it in the actor's mailbox spec.`, {
    details: { path, expected, found: shown },
  });
}
