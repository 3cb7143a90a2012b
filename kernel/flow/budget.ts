/**
 * Budgets of time, messages, bytes and tokens for one piece of work, and what to do as they run out.
 *
 * A budget only counts and advises: what has been spent is charged afterwards, also past the limit, and the
 * decision says how to go on. It never becomes milder, so work that began to save does not swing back, and
 * two readers of the same budget agree in the end. Time is handed in; it is looked at with every charge,
 * `charge({}, nowMs)` included.
 *
 * A child budget is a part of what its parent has left. Whatever is charged to it is charged to the parent
 * as well, and it never decides more mildly than the parent. It reserves nothing: several children may
 * together have been promised more than there is, and it is the parent that then ends them.
 */
import { SpillwayError } from '../errors.ts';
import { specFault, type NumberField, type SpecFields } from './spec-fault.ts';

/** From mild to strict: go on, do less, take the cheap way, stop. */
export const BUDGET_DECISIONS = ['continue', 'degrade', 'fallback', 'terminate'] as const;
export type BudgetDecision = (typeof BUDGET_DECISIONS)[number];

export const BUDGET_RESOURCES = ['timeMs', 'messages', 'bytes', 'tokens'] as const;
export type BudgetResource = (typeof BUDGET_RESOURCES)[number];

/** A resource that is not named has no limit. */
export type BudgetLimits = { readonly [resource in BudgetResource]?: number };

export interface BudgetSpec extends BudgetLimits {
  /** Fraction of any limit from which the decision is `degrade`. Default: 0.8. */
  readonly degradeAt?: number;
  /** Fraction of any limit from which the decision is `fallback`. Default: 0.95. At the limit itself it is `terminate`. */
  readonly fallbackAt?: number;
}

/** What was spent since the last charge. Time is not charged; it passes. */
export interface BudgetUsage {
  readonly messages?: number;
  readonly bytes?: number;
  readonly tokens?: number;
}

const DEFAULT_DEGRADE_AT = 0.8;
const DEFAULT_FALLBACK_AT = 0.95;
/** Children of children, counted from the root: a charge walks up all of them. */
const DEPTH_MAX = 32;

const LIMIT: NumberField = { min: 1, max: Number.MAX_SAFE_INTEGER, optional: true };
const FRACTION: NumberField = { min: 0.001, max: 1, optional: true };
const LIMIT_FIELDS: SpecFields = { timeMs: LIMIT, messages: LIMIT, bytes: LIMIT, tokens: LIMIT };
const SPEC_FIELDS: SpecFields = { ...LIMIT_FIELDS, degradeAt: FRACTION, fallbackAt: FRACTION };

export class Budget {
  readonly #limits: Readonly<Record<BudgetResource, number>>;
  readonly #used: Record<BudgetResource, number> = { timeMs: 0, messages: 0, bytes: 0, tokens: 0 };
  readonly #degradeAt: number;
  readonly #fallbackAt: number;
  readonly #startMs: number;
  readonly #parent: Budget | undefined;
  readonly #depth: number;
  /** Index into BUDGET_DECISIONS of what its own limits say; only grows. */
  #rank = 0;
  #decidedBy: BudgetResource | undefined;

  /**
   * @param nowMs on a monotonic clock, as in all later calls
   * @param parent is for `child`, whose limits may be smaller than any that one would write down
   * @throws SpillwayError `budget_invalid` naming the field, what was expected and what came
   */
  constructor(spec: BudgetSpec, nowMs: number, parent?: Budget) {
    if (parent === undefined) refuse(specFault('The budget spec', spec, SPEC_FIELDS) ?? budgetFault(spec));
    requireTime(nowMs);
    const { timeMs = Infinity, messages = Infinity, bytes = Infinity, tokens = Infinity } = spec;
    this.#limits = { timeMs, messages, bytes, tokens };
    this.#degradeAt = spec.degradeAt ?? DEFAULT_DEGRADE_AT;
    this.#fallbackAt = spec.fallbackAt ?? DEFAULT_FALLBACK_AT;
    this.#startMs = nowMs;
    this.#parent = parent;
    this.#depth = parent === undefined ? 1 : parent.#depth + 1;
    this.#settle();
  }

  /** The strictest decision so far, of its own limits and its parents'. Time that passed since the last charge is not in it. */
  get decision(): BudgetDecision {
    return BUDGET_DECISIONS[this.#strictestRank]!;
  }

  /** The resource that brought about `decision`, here or in a parent; undefined while that is `continue`. */
  get decidedBy(): BudgetResource | undefined {
    return this.#parent !== undefined && this.#parent.#strictestRank > this.#rank ? this.#parent.decidedBy : this.#decidedBy;
  }

  /**
   * Counts what was spent, here and in all parents.
   * @throws TypeError on an amount that is negative or not finite, which would give back what was spent; nothing is counted then
   */
  charge(usage: BudgetUsage, nowMs: number): BudgetDecision {
    const { messages = 0, bytes = 0, tokens = 0 } = usage;
    requireAmount('messages', messages);
    requireAmount('bytes', bytes);
    requireAmount('tokens', tokens);
    requireTime(nowMs);
    this.#spend(messages, bytes, tokens, nowMs);
    return this.decision;
  }

  /** What is left of each resource, here and in all parents, at least 0; Infinity if neither limits it. */
  remaining(nowMs: number): Record<BudgetResource, number> {
    requireTime(nowMs);
    const left = this.#parent?.remaining(nowMs) ?? { timeMs: Infinity, messages: Infinity, bytes: Infinity, tokens: Infinity };
    for (const resource of BUDGET_RESOURCES) {
      const used = resource === 'timeMs' ? this.#elapsedMs(nowMs) : this.#used[resource];
      left[resource] = Math.max(0, Math.min(left[resource], this.#limits[resource] - used));
    }
    return left;
  }

  /**
   * A budget with the same fractions for a part of the work, whose time begins now.
   * @param share above 0 to 1: that fraction of all that is left now. Or limits, each cut to what is left.
   * @throws SpillwayError `budget_invalid` also when children nest deeper than 32
   */
  child(share: number | BudgetLimits, nowMs: number): Budget {
    refuse(shareFault(share));
    if (this.#depth === DEPTH_MAX) refuse(`Budgets nest at most ${DEPTH_MAX} deep.`);
    // Brings time into the decision, which the child then begins with.
    this.charge({}, nowMs);
    const limits: Record<BudgetResource, number> = this.remaining(nowMs);
    for (const resource of BUDGET_RESOURCES) {
      limits[resource] = typeof share === 'number' ? limits[resource] * share : Math.min(limits[resource], share[resource] ?? Infinity);
    }
    return new Budget({ ...limits, degradeAt: this.#degradeAt, fallbackAt: this.#fallbackAt }, nowMs, this);
  }

  #spend(messages: number, bytes: number, tokens: number, nowMs: number): void {
    const used = this.#used;
    used.messages += messages;
    used.bytes += bytes;
    used.tokens += tokens;
    used.timeMs = this.#elapsedMs(nowMs);
    this.#settle();
    if (this.#parent !== undefined) this.#parent.#spend(messages, bytes, tokens, nowMs);
  }

  get #strictestRank(): number {
    return this.#parent === undefined ? this.#rank : Math.max(this.#rank, this.#parent.#strictestRank);
  }

  /** A time before the last one is taken for the last one. */
  #elapsedMs(nowMs: number): number {
    return Math.max(this.#used.timeMs, nowMs - this.#startMs);
  }

  #settle(): void {
    for (const resource of BUDGET_RESOURCES) {
      const rank = this.#rankOf(this.#used[resource], this.#limits[resource]);
      if (rank <= this.#rank) continue;
      this.#rank = rank;
      this.#decidedBy = resource;
    }
  }

  /** Compared as products, so that a limit of 0, that of a child of an exhausted budget, ends it at once. */
  #rankOf(used: number, limit: number): number {
    if (used < limit * this.#degradeAt) return 0;
    if (used >= limit) return 3;
    return used >= limit * this.#fallbackAt ? 2 : 1;
  }
}

function budgetFault(spec: BudgetSpec): string | undefined {
  if (BUDGET_RESOURCES.every((resource) => spec[resource] === undefined)) {
    return `The budget spec must limit at least one of ${BUDGET_RESOURCES.join(', ')}, and limits none.`;
  }
  const { degradeAt = DEFAULT_DEGRADE_AT, fallbackAt = DEFAULT_FALLBACK_AT } = spec;
  if (degradeAt <= fallbackAt) return undefined;
  return `The budget spec.degradeAt must not be above fallbackAt (${fallbackAt}), and is ${degradeAt}.`;
}

function shareFault(share: number | BudgetLimits): string | undefined {
  if (typeof share !== 'number') return specFault('The share of a budget', share, LIMIT_FIELDS);
  return share > 0 && share <= 1 ? undefined : `The share of a budget must be a fraction above 0 and up to 1, or limits, and is ${share}.`;
}

function refuse(fault: string | undefined): void {
  if (fault !== undefined) throw new SpillwayError('budget_invalid', `${fault} Correct the budget.`);
}

function requireAmount(resource: string, amount: number): void {
  if (!(amount >= 0 && amount < Infinity)) throw new TypeError(`A charge of ${resource} must be a finite number from 0; got ${amount}.`);
}

function requireTime(nowMs: number): void {
  if (!Number.isFinite(nowMs)) throw new TypeError(`The time must be a finite number of milliseconds; got ${nowMs}.`);
}
