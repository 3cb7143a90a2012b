/**
 * Decides what may begin, by quota key, before anything is spent on it.
 *
 * A tenant, and below it each session, has a token bucket and a bound on work in progress; all of them
 * together have one more. The quota of the tenant holds over all its sessions, because a name of a session
 * costs nothing: a quota by session alone would be as large as a tenant can invent names.
 *
 * Decisions follow from the calls and the times handed in, and from nothing else, so a recorded sequence
 * of calls gives the same decisions again.
 *
 * Fairness. Buckets are not shared, so no tenant can use up the rate of another. The total bound is taken
 * in the order of arrival, and nobody waits in a queue for it: one tenant holds at most its own
 * `maxConcurrent` of it, so n busy tenants cannot shut out the next while the total is above n times that.
 * A deferred call reserves nothing: when it comes again, another call of the same key may have been faster.
 */
import { SpillwayError } from '../errors.ts';
import { QuotaTable, type QuotaSpec } from './quota-table.ts';
import { specFault, type NumberField, type SpecFields } from './spec-fault.ts';

export interface QuotaKey {
  readonly tenant: string;
  /** Without it, only the quota of the tenant applies. */
  readonly session?: string;
}

export interface AdmissionSpec {
  readonly tenant: QuotaSpec;
  /**
   * For each session; `maxKeys` is then the number of sessions of one tenant. What is remembered in all is
   * bounded by the product, and sooner by the tenants' rates: a session is forgotten once its bucket is full.
   */
  readonly session?: QuotaSpec;
  /** Most pieces of work in progress at once, of all keys. */
  readonly maxConcurrent: number;
  /** Longest `retryAfterMs`; what would have to wait longer is rejected. Default: 1,000. */
  readonly maxDeferMs?: number;
}

/**
 * Why something was rejected:
 * - `bad_key`: a name is empty or longer than 256 characters.
 * - `too_costly`: it costs more than the burst, so it can never be accepted.
 * - `key_concurrency`: the key has as much in progress as it may.
 * - `total`: all keys together have.
 * - `rate`: the tokens would not be there within `maxDeferMs`.
 * - `too_many_keys`: the key is new, and as many are remembered as may be.
 */
export const ADMISSION_REASONS = ['bad_key', 'too_costly', 'key_concurrency', 'total', 'rate', 'too_many_keys'] as const;
export type AdmissionReason = (typeof ADMISSION_REASONS)[number];

export type AdmissionDecision =
  | { readonly decision: 'accept'; readonly lease: Lease }
  /** A whole number, at most one more than the bucket needs if nobody else takes of it. */
  | { readonly decision: 'defer'; readonly retryAfterMs: number }
  | { readonly decision: 'reject'; readonly reason: AdmissionReason };

/** Work in progress. Whoever was accepted releases it when the work is over, however it ended. */
export interface Lease {
  /** @returns false if it had been released before; nothing then happens but that it is counted */
  release(): boolean;
}

/** At all times `accepted = released + inProgress`. */
export interface AdmissionCounts {
  accepted: number;
  released: number;
  /** Calls of `release` on a lease that had been released. */
  doubleReleased: number;
  deferred: number;
  readonly rejected: Record<AdmissionReason, number>;
}

const DEFAULT_MAX_DEFER_MS = 1_000;
const NAME_CHARACTERS_MAX = 256;
/** Longer than the longest month. Times of this size still have room for a thousandth of a millisecond. */
const FILL_SECONDS_MAX = 31 * 86_400;
/** Above the rounding errors of the sums in QuotaTable, so that a call that comes when it was told to is not deferred again. */
const ROUNDING_MS = 0.001;

const COUNT: NumberField = { min: 1, max: 1_000_000, integer: true };
const QUOTA_FIELDS: SpecFields = {
  ratePerSecond: { min: 0.001, max: 1e9 },
  burst: { min: 0.001, max: 1e9 },
  maxConcurrent: COUNT,
  maxKeys: COUNT,
};
const SPEC_FIELDS: SpecFields = {
  tenant: { fields: QUOTA_FIELDS },
  session: { fields: QUOTA_FIELDS, optional: true },
  maxConcurrent: COUNT,
  maxDeferMs: { min: 0, max: 86_400_000, optional: true },
};

export class Admission {
  readonly #spec: AdmissionSpec;
  readonly #maxDeferMs: number;
  readonly #tenants: QuotaTable;
  readonly #counts: AdmissionCounts = {
    accepted: 0,
    released: 0,
    doubleReleased: 0,
    deferred: 0,
    rejected: { bad_key: 0, too_costly: 0, key_concurrency: 0, total: 0, rate: 0, too_many_keys: 0 },
  };
  #nowMs = -Infinity;

  /** @throws SpillwayError `admission_invalid` naming the field, what was expected and what came */
  constructor(spec: AdmissionSpec) {
    const fault = specFault('The admission spec', spec, SPEC_FIELDS) ?? fillFault('tenant', spec.tenant) ?? fillFault('session', spec.session);
    if (fault !== undefined) throw new SpillwayError('admission_invalid', `${fault} Correct the spec.`);
    this.#spec = structuredClone(spec);
    this.#maxDeferMs = spec.maxDeferMs ?? DEFAULT_MAX_DEFER_MS;
    this.#tenants = new QuotaTable(this.#spec.tenant, this.#spec.session);
  }

  /** Pieces of work in progress. */
  get inProgress(): number {
    return this.#counts.accepted - this.#counts.released;
  }

  /** Tenants remembered. */
  get tenants(): number {
    return this.#tenants.size;
  }

  get counts(): Readonly<AdmissionCounts> {
    return this.#counts;
  }

  /**
   * @param cost tokens, at least 0; anything the caller counts in, such as 1 for each request
   * @param nowMs on a monotonic clock; a time before the last one is taken for the last one
   */
  decide(key: QuotaKey, cost: number, nowMs: number): AdmissionDecision {
    if (!(cost >= 0)) throw new TypeError(`A cost is a number of tokens from 0, or a key could be given tokens; got ${cost}.`);
    if (!Number.isFinite(nowMs)) throw new TypeError(`The time must be a finite number of milliseconds; got ${nowMs}.`);
    const { tenant: tenantSpec, session: sessionSpec, maxConcurrent } = this.#spec;
    const now = (this.#nowMs = Math.max(this.#nowMs, nowMs));
    if (!isName(key.tenant) || (key.session !== undefined && !isName(key.session))) return this.#reject('bad_key');
    const sessionName = sessionSpec === undefined ? undefined : key.session;
    if (cost > tenantSpec.burst || (sessionName !== undefined && cost > sessionSpec!.burst)) return this.#reject('too_costly');

    this.#tenants.forgetIdle(now);
    const tenant = this.#tenants.find(key.tenant);
    // A session of a tenant that is not remembered is new as well, and its bucket is full.
    const sessions = sessionName === undefined ? undefined : tenant?.sessions;
    sessions?.forgetIdle(now);
    const session = sessions?.find(sessionName!);

    if (this.#tenants.isBusy(tenant) || sessions?.isBusy(session) === true) return this.#reject('key_concurrency');
    if (this.inProgress >= maxConcurrent) return this.#reject('total');
    const waitMs = Math.max(this.#tenants.waitMs(tenant, cost, now), sessions?.waitMs(session, cost, now) ?? 0);
    if (waitMs > 0) return this.#defer(waitMs);
    const isNewTenant = tenant === undefined && this.#tenants.isFull;
    const isNewSession = sessions !== undefined && session === undefined && sessions.isFull;
    if (isNewTenant || isNewSession) return this.#reject('too_many_keys');
    return this.#accept(key.tenant, sessionName, cost, now);
  }

  #accept(tenantName: string, sessionName: string | undefined, cost: number, nowMs: number): AdmissionDecision {
    const counts = this.#counts;
    const tenants = this.#tenants;
    const tenant = tenants.take(tenantName, cost, nowMs);
    const sessions = tenant.sessions;
    const session = sessionName === undefined ? undefined : sessions?.take(sessionName, cost, nowMs);
    counts.accepted++;
    let isReleased = false;
    const release = (): boolean => {
      if (isReleased) {
        counts.doubleReleased++;
        return false;
      }
      isReleased = true;
      counts.released++;
      if (session !== undefined) sessions!.release(session);
      tenants.release(tenant);
      return true;
    };
    return { decision: 'accept', lease: { release } };
  }

  #defer(waitMs: number): AdmissionDecision {
    const retryAfterMs = Math.ceil(waitMs + ROUNDING_MS);
    if (retryAfterMs > this.#maxDeferMs) return this.#reject('rate');
    this.#counts.deferred++;
    return { decision: 'defer', retryAfterMs };
  }

  #reject(reason: AdmissionReason): AdmissionDecision {
    this.#counts.rejected[reason]++;
    return { decision: 'reject', reason };
  }
}

/** Names come from outside and are kept, so their length is bounded as well as their number. */
function isName(name: unknown): boolean {
  return typeof name === 'string' && name.length > 0 && name.length <= NAME_CHARACTERS_MAX;
}

function fillFault(level: string, spec: QuotaSpec | undefined): string | undefined {
  if (spec === undefined || spec.burst / spec.ratePerSecond <= FILL_SECONDS_MAX) return undefined;
  const fillSeconds = Math.round(spec.burst / spec.ratePerSecond);
  return `The admission spec.${level} must let a bucket fill within ${FILL_SECONDS_MAX} s, and burst / ratePerSecond is ${fillSeconds} s.`;
}
