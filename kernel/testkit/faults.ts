/**
 * Faults as data: what goes wrong in a test system, and when. The same list with the same seed goes wrong in the
 * same way, so a list that was drawn by seed can be printed and run again.
 *
 * | fault       | to what                             | what the kernel sees                                        |
 * |-------------|-------------------------------------|-------------------------------------------------------------|
 * | `drop`      | a record on its way                 | it never comes; shared memory loses none, so what must hold |
 * |             |                                     | then is only that nothing hangs                             |
 * | `duplicate` | a record on its way                 | it comes twice                                              |
 * | `delay`     | a record, and those behind it       | they come `forMs` later                                     |
 * | `fill`      | the lane of a link                  | senders find it full until the receiver has read on         |
 * | `stall`     | the thread `to`                     | it takes no step for `forMs`, as one whose handler blocks   |
 * | `kill`      | the thread `to`                     | it ends in the middle of whatever it does                   |
 */
import { SETTLED_KIND } from '../envelope.ts';
import type { Lane } from '../lanes.ts';
import type { SpscProducer } from 'atomics-ring-buffer';
import type { Random } from '../time/random.ts';
import type { RecordDecision, RecordView } from './record-pump.ts';

export const FAULTS = ['drop', 'delay', 'duplicate', 'fill', 'stall', 'kill'] as const;
export type FaultKind = (typeof FAULTS)[number];

export interface Fault {
  /**
   * When: from this step of the system on; or with the record for which it returns true. Without a predicate a
   * fault of records meets the first one that goes the given way.
   */
  readonly at: number | ((record: RecordView) => boolean);
  readonly fault: FaultKind;
  /** Name of the sending thread: an actor that was spawned without `thread`, `application` or `guardian`. Default: any. */
  readonly from?: string;
  /** Name of the receiving thread; of `stall` and `kill` the one that it happens to. Default: any, of those two none. */
  readonly to?: string;
  /** Default: any; of `fill`: data. */
  readonly lane?: Lane;
  /** Of `delay` and `stall`: how long, by the manual clock. Default 10. */
  readonly forMs?: number;
  /** How often, for faults of records. Default 1. */
  readonly times?: number;
}

const DEFAULT_MS = 10;

/** What faults need of their system. */
export interface FaultHost {
  nowMs(): number;
  /** @returns the sending end of a link, if there is one */
  sender(from: string, to: string, lane: Lane): SpscProducer | undefined;
  senders(to: string | undefined): readonly string[];
  stall(thread: string, forMs: number): void;
  kill(thread: string): void;
}

/** Faults in the order in which they were given; each of records is used up after its `times`. */
export class Faults {
  readonly #host: FaultHost;
  readonly #ofRecords: { readonly fault: Fault; left: number }[];
  #ofThreads: Fault[];

  constructor(host: FaultHost, faults: readonly Fault[]) {
    this.#host = host;
    this.#ofRecords = faults.filter(isOfRecords).map((fault) => ({ fault, left: fault.times ?? 1 }));
    this.#ofThreads = faults.filter((fault) => !isOfRecords(fault));
  }

  /** Before a step: what is due happens. @returns a line for each that did */
  due(step: number): string[] {
    if (this.#ofThreads.length === 0) return [];
    const due = this.#ofThreads.filter(({ at }) => typeof at === 'number' && at <= step);
    if (due.length > 0) this.#ofThreads = this.#ofThreads.filter((fault) => !due.includes(fault));
    return due.map((fault) => this.#happen(fault));
  }

  /** What becomes of a record. @param hold holds its lane until that time */
  decide(record: RecordView, step: number, hold: (untilMs: number) => void): RecordDecision {
    for (const fault of this.#ofThreads) {
      if (typeof fault.at !== 'function' || !fault.at(record)) continue;
      this.#ofThreads = this.#ofThreads.filter((each) => each !== fault);
      this.#happen(fault);
    }
    for (const entry of this.#ofRecords) {
      const { fault } = entry;
      if (entry.left === 0 || !goesTheWay(fault, record)) continue;
      if (typeof fault.at === 'number' ? step < fault.at : !fault.at(record)) continue;
      entry.left--;
      if (fault.fault !== 'delay') return fault.fault as RecordDecision;
      hold(this.#host.nowMs() + (fault.forMs ?? DEFAULT_MS));
      return 'hold';
    }
    return 'pass';
  }

  #happen(fault: Fault): string {
    const { to, from, lane = 'data' } = fault;
    if (fault.fault === 'fill') {
      for (const sender of from === undefined ? this.#host.senders(to) : [from]) fill(to === undefined ? undefined : this.#host.sender(sender, to, lane));
    } else if (to !== undefined) {
      if (fault.fault === 'kill') this.#host.kill(to);
      else this.#host.stall(to, fault.forMs ?? DEFAULT_MS);
    }
    return `fault ${formatFault(fault)}`;
  }
}

function isOfRecords({ fault }: Fault): boolean {
  return fault === 'drop' || fault === 'delay' || fault === 'duplicate';
}

function goesTheWay({ from, to, lane }: Fault, record: RecordView): boolean {
  return (from === undefined || from === record.from) && (to === undefined || to === record.to) && (lane === undefined || lane === record.lane);
}

/** With records that their receiver passes over, first large ones, then the smallest. */
function fill(lane: SpscProducer | undefined): void {
  if (lane === undefined) return;
  for (let bytes = lane.maxPayloadBytes; bytes >= 0; bytes = bytes === 0 ? -1 : Math.floor(bytes / 2)) {
    while (lane.tryClaim(SETTLED_KIND, bytes) >= 0) lane.commit();
  }
}

export function formatFault({ at, fault, from, to, lane, forMs, times }: Fault): string {
  const when = typeof at === 'number' ? at : at.toString();
  return JSON.stringify({ at: when, fault, from, to, lane, forMs, times });
}

export interface RandomFaultOptions {
  readonly count: number;
  /** Steps among which they happen. */
  readonly steps: number;
  readonly threads: readonly string[];
  readonly kinds: readonly FaultKind[];
}

/** Draws faults; the same numbers give the same faults. */
export function randomFaults(random: Random, { count, steps, threads, kinds }: RandomFaultOptions): Fault[] {
  return Array.from({ length: count }, () => ({
    at: random.int(steps),
    fault: kinds[random.int(kinds.length)]!,
    to: threads[random.int(threads.length)]!,
    forMs: 1 + random.int(40),
  }));
}
