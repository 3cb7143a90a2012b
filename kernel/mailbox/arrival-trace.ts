/**
 * What came to a mailbox, when, and what it decided, so that an overload that happened once can be looked
 * at as often as one likes: the same trace gives the same decisions, byte for byte.
 *
 * A decision depends on the order of the calls, their times, and on which keys are equal; not on what the
 * messages say. So a trace is numbers only: keys are numbered in the order in which they first came. It
 * may be written as JSON and given to others without showing anything of the messages.
 */
import { BACK_PRESSURED } from 'atomics-ring-buffer';
import { SpillwayError } from '../errors.ts';
import { MAILBOX_MODES, Mailbox, SHED_REASONS, type MailboxObserver, type MailboxSpec } from './mailbox.ts';

const CALLS = ['offer', 'force', 'take', 'takeAll'] as const;
type Call = (typeof CALLS)[number];

/** Three columns of equal length, with one row for each call. */
export interface ArrivalTrace {
  /** Which call: 0 offer, 1 force, 2 take, 3 takeAll. */
  readonly calls: readonly number[];
  /** The time handed in, in milliseconds; that of the call before for takeAll. */
  readonly timesMs: readonly number[];
  /** Number of the arrival's key from 0, or -1 if it has none. */
  readonly keys: readonly number[];
}

const NO_KEY = -1;
const CALLS_MAX = 100_000;

/** How each call ended; the numbers of what happened within it come before its end. */
const ENDS = ['accepted', 'refused', 'taken', 'nothing to take', 'took all'] as const;
const FIRST_REASON = 16;
const FIRST_MODE_CHANGE = 32;

/** A decision in words: how a call ended, `shed expired`, or `sync -> drop`. */
export function decisionName(decision: number): string {
  const end = ENDS[decision];
  if (end !== undefined) return end;
  const reason = SHED_REASONS[decision - FIRST_REASON];
  if (reason !== undefined) return `shed ${reason}`;
  const change = decision - FIRST_MODE_CHANGE;
  const from = MAILBOX_MODES[Math.floor(change / MAILBOX_MODES.length)];
  const to = MAILBOX_MODES[change % MAILBOX_MODES.length];
  if (from === undefined || to === undefined) throw new TypeError(`${decision} is the number of no decision.`);
  return `${from} -> ${to}`;
}

/** Holds the trace of one mailbox and its decisions, from its first call on until there are as many as it takes. */
export class ArrivalRecorder {
  readonly #callsMax: number;
  readonly #calls: number[] = [];
  readonly #timesMs: number[] = [];
  readonly #keys: number[] = [];
  readonly #decisions: number[] = [];
  readonly #keyNumbers = new Map<string | number, number>();
  #lastKey = NO_KEY;
  #lastMs = 0;

  /** True from the first call on that was not recorded any more. What is recorded is then the beginning. */
  isCut = false;

  constructor(callsMax: number = CALLS_MAX) {
    this.#callsMax = callsMax;
  }

  get trace(): ArrivalTrace {
    return { calls: [...this.#calls], timesMs: [...this.#timesMs], keys: [...this.#keys] };
  }

  /** See `decisionName`. */
  get decisions(): Uint8Array {
    return Uint8Array.from(this.#decisions);
  }

  /** The spec, with a key that is written down whenever the mailbox asks for it. */
  listeningSpec<M>(spec: MailboxSpec<M>): MailboxSpec<M> {
    const { key } = spec;
    if (key === undefined) return spec;
    return {
      ...spec,
      key: (message) => {
        const value = key(message);
        this.#lastKey = value === undefined ? NO_KEY : this.#numberOf(value);
        return value;
      },
    };
  }

  /** The observer, with what it is told written down first. */
  listeningObserver<M>(observer: MailboxObserver<M>): MailboxObserver<M> {
    return {
      shed: (message, reason) => {
        this.#decide(FIRST_REASON + SHED_REASONS.indexOf(reason));
        observer.shed(message, reason);
      },
      modeChanged: (from, to, level) => {
        this.#decide(FIRST_MODE_CHANGE + MAILBOX_MODES.indexOf(from) * MAILBOX_MODES.length + MAILBOX_MODES.indexOf(to));
        observer.modeChanged?.(from, to, level);
      },
    };
  }

  /** Makes the call and writes it down. @param ended how it ended, by what it returned */
  record<Result>(call: Call, nowMs: number | undefined, run: () => Result, ended: (result: Result) => (typeof ENDS)[number]): Result {
    if (this.#calls.length >= this.#callsMax) this.isCut = true;
    this.#lastKey = NO_KEY;
    const result = run();
    if (this.isCut) return result;
    this.#lastMs = nowMs ?? this.#lastMs;
    this.#calls.push(CALLS.indexOf(call));
    this.#timesMs.push(this.#lastMs);
    this.#keys.push(this.#lastKey);
    this.#decide(ENDS.indexOf(ended(result)));
    return result;
  }

  #decide(decision: number): void {
    if (!this.isCut) this.#decisions.push(decision);
  }

  #numberOf(key: string | number): number {
    let number = this.#keyNumbers.get(key);
    if (number === undefined && !this.isCut) {
      number = this.#keyNumbers.size;
      this.#keyNumbers.set(key, number);
    }
    return number ?? NO_KEY;
  }
}

/** A mailbox whose calls are written down by a recorder of its own. */
export class RecordedMailbox<M> extends Mailbox<M> {
  readonly #recorder: ArrivalRecorder;

  constructor(spec: MailboxSpec<M>, observer: MailboxObserver<M>, recorder: ArrivalRecorder) {
    super(recorder.listeningSpec(spec), recorder.listeningObserver(observer));
    this.#recorder = recorder;
  }

  override offer(message: M, nowMs: number): number {
    const end = (result: number) => (result === BACK_PRESSURED ? 'refused' : 'accepted');
    return this.#recorder.record('offer', nowMs, () => super.offer(message, nowMs), end);
  }

  override force(message: M, nowMs: number): void {
    this.#recorder.record('force', nowMs, () => super.force(message, nowMs), () => 'accepted');
  }

  override take(nowMs: number): M | undefined {
    const end = (message: M | undefined) => (message === undefined ? 'nothing to take' : 'taken');
    return this.#recorder.record('take', nowMs, () => super.take(nowMs), end);
  }

  override takeAll(): M[] {
    return this.#recorder.record('takeAll', undefined, () => super.takeAll(), () => 'took all');
  }
}

const SILENT: MailboxObserver<number> = { shed: () => {} };

/**
 * What a mailbox of this spec decides about the trace; `spec.key` is not called.
 *
 * @returns one byte for each decision, in order; see `decisionName`
 * @throws SpillwayError `trace_invalid` if the trace is not one that a recorder made
 */
export function replay<M>(trace: ArrivalTrace, spec: MailboxSpec<M>): Uint8Array {
  checkTrace(trace);
  const { calls, timesMs, keys } = trace;
  const recorder = new ArrivalRecorder(calls.length);
  // Each arrival is its row, which is where its key stands.
  const keyOf = (row: number): number | undefined => (keys[row] === NO_KEY ? undefined : keys[row]);
  const mailbox = new RecordedMailbox<number>({ ...spec, key: keyOf }, SILENT, recorder);
  for (const [row, call] of calls.entries()) {
    const nowMs = timesMs[row]!;
    switch (CALLS[call]!) {
      case 'offer':
        mailbox.offer(row, nowMs);
        break;
      case 'force':
        mailbox.force(row, nowMs);
        break;
      case 'take':
        mailbox.take(nowMs);
        break;
      case 'takeAll':
        mailbox.takeAll();
    }
  }
  return recorder.decisions;
}

function checkTrace({ calls, timesMs, keys }: ArrivalTrace): void {
  const columns: readonly [name: string, values: unknown, accepts: (value: number) => boolean, expected: string][] = [
    ['calls', calls, (value) => CALLS[value] !== undefined, 'numbers of calls from 0 to 3'],
    ['timesMs', timesMs, (value) => Number.isFinite(value), 'finite numbers'],
    ['keys', keys, (value) => Number.isInteger(value) && value >= NO_KEY, 'whole numbers from -1'],
  ];
  for (const [name, values, accepts, expected] of columns) {
    if (Array.isArray(values) && values.length === calls.length && values.every(accepts)) continue;
    throw new SpillwayError('trace_invalid', `The column ${name} of an arrival trace must be ${expected}, one for each call. Hand in a trace as a recorder gave it.`, { details: { column: name } });
  }
}
