/**
 * What was attempted on one lane and what the sender was told of it: one byte for each number. Compared with
 * the ledger this gives Jepsen's counts; see `jepsen/checker.clj`, `set`, whose words these are.
 */

/** What the sender knows of an attempt. */
export const OUTCOMES = ['pending', 'acknowledged', 'accepted', 'indeterminate', 'refused'] as const;
export type Outcome = (typeof OUTCOMES)[number];

export interface LaneTally {
  /** Messages that the drill tried to send. */
  readonly attempts: number;
  /** Answered. */
  readonly acknowledged: number;
  /** Distinct messages that the ledger knows as handled. */
  readonly handled: number;
  /** Acknowledged, and the ledger does not know them. */
  readonly lost: number;
  /** Not acknowledged, and handled all the same: nobody had said that they were not. */
  readonly recovered: number;
  /** Handled though never attempted, or though their sender was told that they were not. */
  readonly unexpected: number;
  /** Handled more than once. */
  readonly duplicated: number;
  /** Not taken for lack of room, and their sender was told, who keeps them. */
  readonly refused: number;
  /** Given up for lack of room: what a mailbox dropped, and telemetry that found its lane full. */
  readonly shed: number;
  /** Taken, and ended without a handler for any other reason; also what was in hand when its actor ended. */
  readonly deadLettered: number;
}

export const EMPTY_TALLY: LaneTally = {
  attempts: 0,
  acknowledged: 0,
  handled: 0,
  lost: 0,
  recovered: 0,
  unexpected: 0,
  duplicated: 0,
  refused: 0,
  shed: 0,
  deadLettered: 0,
};

export class DrillAttempts {
  readonly #outcomes: Uint8Array;
  readonly #codes = new Map<string, number>();
  #next = 0;

  /** @param max attempts at the most */
  constructor(max: number) {
    this.#outcomes = new Uint8Array(max);
  }

  /** @returns the number of a new attempt, or undefined when there are no more */
  begin(): number | undefined {
    return this.#next < this.#outcomes.length ? this.#next++ : undefined;
  }

  end(number: number, outcome: Outcome, code?: string): void {
    this.#outcomes[number] = OUTCOMES.indexOf(outcome);
    if (code !== undefined) this.#codes.set(code, (this.#codes.get(code) ?? 0) + 1);
  }

  get count(): number {
    return this.#next;
  }

  of(outcome: Outcome): number {
    const wanted = OUTCOMES.indexOf(outcome);
    return this.#outcomes.subarray(0, this.#next).reduce((sum, found) => (found === wanted ? sum + 1 : sum), 0);
  }

  /** How often each error code came back. */
  get codes(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#codes);
  }

  /**
   * @param handled how often the ledger knows each number as handled
   * @param dropped messages that were taken and then dropped by the policy of their mailbox
   * @param mayBeLost whether nobody keeps what is refused, as on the telemetry lane
   */
  tally(handled: Uint8Array, dropped: number, mayBeLost: boolean): LaneTally {
    const sum = { ...EMPTY_TALLY, attempts: this.#next };
    for (let number = 0; number < Math.max(this.#next, handled.length); number++) {
      const times = handled[number] ?? 0;
      const outcome = number < this.#next ? OUTCOMES[this.#outcomes[number]!]! : undefined;
      if (times > 0) sum.handled++;
      if (times > 1) sum.duplicated++;
      if (outcome === 'acknowledged') {
        sum.acknowledged++;
        if (times === 0) sum.lost++;
      } else if (outcome === 'refused') {
        sum.refused++;
        if (times > 0) sum.unexpected++;
      } else if (times > 0) {
        if (outcome === undefined) sum.unexpected++;
        else if (outcome === 'indeterminate' || outcome === 'pending') sum.recovered++;
      }
    }
    sum.deadLettered = Math.max(0, this.missing(sum) - dropped);
    sum.shed = dropped + (mayBeLost ? sum.refused : 0);
    if (mayBeLost) sum.refused = 0;
    return sum;
  }

  /** Messages that were taken and are not known as handled. One that was refused and yet handled was not taken for all that. */
  missing({ handled, unexpected }: Pick<LaneTally, 'handled' | 'unexpected'>): number {
    return this.#next - this.of('refused') - (handled - unexpected);
  }
}

export function sumOf(tallies: readonly LaneTally[]): LaneTally {
  const sum: Record<keyof LaneTally, number> = { ...EMPTY_TALLY };
  for (const tally of tallies) for (const key of Object.keys(sum) as (keyof LaneTally)[]) sum[key] += tally[key];
  return sum;
}
