/** Refuses requests of a key that asks for more than its quota, before anything is spent on them. */
import { Admission, SpillwayError, type AdmissionReason, type AdmissionSpec, type Lease } from '../../../kernel/index.ts';

/** As `Admission` has it. */
const DEFER_MS_DEFAULT = 1_000;
/** What no waiting cures. */
const FINAL: ReadonlySet<AdmissionReason> = new Set(['bad_key', 'too_costly']);

export class Quota {
  readonly #admission: Admission;
  readonly #deferMsMax: number;

  /** @throws SpillwayError `admission_invalid` */
  constructor(spec: AdmissionSpec) {
    this.#admission = new Admission(spec);
    this.#deferMsMax = spec.maxDeferMs ?? DEFER_MS_DEFAULT;
  }

  /**
   * @param cost estimated tokens of the request
   * @returns to be released when the request has ended
   * @throws SpillwayError `embed_quota_exceeded`, with `details.retryAfterMs` unless waiting is of no use
   */
  admit(key: string, cost: number, nowMs: number): Lease {
    // The key of those who name none is empty, which no tenant's name may be.
    const decision = this.#admission.decide({ tenant: `=${key}` }, cost, nowMs);
    if (decision.decision === 'accept') return decision.lease;
    if (decision.decision === 'defer') throw exceeded(key, 'rate', decision.retryAfterMs);
    throw exceeded(key, decision.reason, FINAL.has(decision.reason) ? undefined : this.#deferMsMax);
  }
}

function exceeded(key: string, reason: AdmissionReason, retryAfterMs: number | undefined): SpillwayError {
  const advice = retryAfterMs === undefined ? 'Send less at once, under a key of at most 255 characters.' : `Try again in ${retryAfterMs} ms.`;
  return new SpillwayError('embed_quota_exceeded', `The request of key '${key.slice(0, 64)}' exceeds its quota (${reason}). ${advice}`, {
    details: { reason, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
  });
}
