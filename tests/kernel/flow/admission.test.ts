import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ADMISSION_REASONS, Admission, type AdmissionDecision, type AdmissionSpec, type Lease, type QuotaKey } from '../../../kernel/flow/admission.ts';
import { heapGrowthBytes } from './heap-growth.ts';
import { QuotaModel } from './quota-model.ts';
import { expectRefusal } from './spec-cases.ts';

/** One token for each millisecond, ten at once. */
const TENANT = { ratePerSecond: 1_000, burst: 10, maxConcurrent: 3, maxKeys: 4 };
const SPEC: AdmissionSpec = { tenant: TENANT, maxConcurrent: 100 };

function accepted(decision: AdmissionDecision): Lease {
  expect(decision.decision).toBe('accept');
  return (decision as { readonly lease: Lease }).lease;
}

/** Begins and ends at once, so that only the bucket says no. */
function passes(admission: Admission, key: QuotaKey, cost: number, nowMs: number): boolean {
  const decision = admission.decide(key, cost, nowMs);
  if (decision.decision === 'accept') decision.lease.release();
  return decision.decision === 'accept';
}

describe('the bucket of a key', () => {
  it('gives the burst at once, defers what comes then, and keeps the time it has named', () => {
    const admission = new Admission(SPEC);
    expect(passes(admission, { tenant: 'a' }, 10, 0)).toBe(true);
    expect(admission.decide({ tenant: 'a' }, 4, 0)).toEqual({ decision: 'defer', retryAfterMs: 5 });
    expect(admission.decide({ tenant: 'a' }, 4, 3).decision).toBe('defer');
    expect(passes(admission, { tenant: 'a' }, 4, 5)).toBe(true);
  });
  it('is nobody else\'s', () => {
    const admission = new Admission(SPEC);
    expect(passes(admission, { tenant: 'a' }, 10, 0)).toBe(true);
    expect(passes(admission, { tenant: 'a' }, 1, 0)).toBe(false);
    expect(passes(admission, { tenant: 'b' }, 10, 0)).toBe(true);
  });
  it('loses nothing to a call that was deferred or rejected', () => {
    const admission = new Admission({ ...SPEC, maxConcurrent: 1 });
    const lease = accepted(admission.decide({ tenant: 'a' }, 1, 0));
    for (let call = 0; call < 5; call++) expect(admission.decide({ tenant: 'b' }, 10, 0)).toEqual({ decision: 'reject', reason: 'total' });
    lease.release();
    expect(passes(admission, { tenant: 'b' }, 10, 0)).toBe(true);
  });
  it('does not fill faster because the clock is set back', () => {
    const admission = new Admission(SPEC);
    passes(admission, { tenant: 'a' }, 10, 1_000);
    expect(passes(admission, { tenant: 'a' }, 5, 0)).toBe(false);
    expect(passes(admission, { tenant: 'a' }, 5, 1_004)).toBe(false);
    expect(passes(admission, { tenant: 'a' }, 5, 1_005)).toBe(true);
  });
  it('lets work that costs nothing pass when empty', () => {
    const admission = new Admission(SPEC);
    passes(admission, { tenant: 'a' }, 10, 0);
    expect(passes(admission, { tenant: 'a' }, 0, 0)).toBe(true);
  });
  it('accepts at the time it named, whatever rates and times round to', () => {
    const spec = fc.record({
      ratePerSecond: fc.double({ min: 0.001, max: 1e9, noNaN: true }),
      fillSeconds: fc.double({ min: 0.001, max: 2_000_000, noNaN: true }),
      startMs: fc.double({ min: 0, max: 1e10, noNaN: true }),
      parts: fc.array(fc.double({ min: 0.01, max: 1, noNaN: true }), { minLength: 3, maxLength: 12 }),
    });
    let deferred = 0;
    fc.assert(
      fc.property(spec, ({ ratePerSecond, fillSeconds, startMs, parts }) => {
        const burst = Math.min(1e9, Math.max(0.001, ratePerSecond * fillSeconds));
        const admission = new Admission({ tenant: { ...TENANT, ratePerSecond, burst }, maxConcurrent: 1, maxDeferMs: 86_400_000 });
        let nowMs = startMs;
        for (const part of parts) {
          const first = admission.decide({ tenant: 'a' }, burst * part, nowMs);
          if (first.decision === 'accept') first.lease.release();
          if (first.decision !== 'defer') continue;
          deferred++;
          nowMs += first.retryAfterMs;
          expect(passes(admission, { tenant: 'a' }, burst * part, nowMs)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
    expect(deferred).toBeGreaterThan(100);
  });
});

describe('a rejection says why', () => {
  const full = (spec: AdmissionSpec, tenants: readonly string[]): Admission => {
    const admission = new Admission(spec);
    for (const tenant of tenants) accepted(admission.decide({ tenant }, 1, 0));
    return admission;
  };
  it.each<[string, Admission, QuotaKey, number]>([
    ['bad_key', full(SPEC, []), { tenant: '' }, 1],
    ['bad_key', full(SPEC, []), { tenant: 'a'.repeat(257) }, 1],
    ['bad_key', full(SPEC, []), { tenant: 'a', session: '' }, 1],
    ['bad_key', full(SPEC, []), { tenant: 5 as unknown as string }, 1],
    ['too_costly', full(SPEC, []), { tenant: 'a' }, 10.5],
    ['too_costly', full(SPEC, []), { tenant: 'a' }, Infinity],
    ['too_costly', full({ ...SPEC, session: { ...TENANT, burst: 2 } }, []), { tenant: 'a', session: 's' }, 3],
    ['key_concurrency', full(SPEC, ['a', 'a', 'a']), { tenant: 'a' }, 1],
    ['total', full({ ...SPEC, maxConcurrent: 2 }, ['a', 'b']), { tenant: 'c' }, 1],
    ['rate', full({ ...SPEC, maxDeferMs: 0 }, ['a']), { tenant: 'a' }, 10],
    ['too_many_keys', full(SPEC, ['a', 'b', 'c', 'd']), { tenant: 'e' }, 1],
  ])('%s', (reason, admission, key, cost) => {
    const before = structuredClone(admission.counts);
    expect(admission.decide(key, cost, 0)).toEqual({ decision: 'reject', reason });
    expect(admission.counts).toEqual({ ...before, rejected: { ...before.rejected, [reason]: 1 } });
  });
  it('with names like those of Object.prototype as with any other', () => {
    const admission = new Admission(SPEC);
    for (const tenant of ['__proto__', 'constructor', 'toString']) {
      expect(passes(admission, { tenant }, 10, 0)).toBe(true);
      expect(passes(admission, { tenant }, 1, 0)).toBe(false);
    }
  });
});

describe('a lease', () => {
  it('makes room once; a second release is only counted', () => {
    const admission = new Admission({ ...SPEC, maxConcurrent: 2 });
    const first = accepted(admission.decide({ tenant: 'a' }, 1, 0));
    accepted(admission.decide({ tenant: 'b' }, 1, 0));
    expect(first.release()).toBe(true);
    expect(first.release()).toBe(false);
    expect(first.release()).toBe(false);
    expect(admission.inProgress).toBe(1);
    expect(admission.counts).toMatchObject({ accepted: 2, released: 1, doubleReleased: 2 });
    accepted(admission.decide({ tenant: 'c' }, 1, 0));
    expect(admission.decide({ tenant: 'd' }, 1, 0)).toEqual({ decision: 'reject', reason: 'total' });
  });
});

describe('the quota of a session', () => {
  const spec: AdmissionSpec = {
    tenant: { ratePerSecond: 1_000, burst: 20, maxConcurrent: 4, maxKeys: 10 },
    session: { ratePerSecond: 500, burst: 8, maxConcurrent: 2, maxKeys: 3 },
    maxConcurrent: 100,
  };
  it('holds beside that of the tenant, which new names of sessions do not refill', () => {
    const admission = new Admission(spec);
    expect(passes(admission, { tenant: 'a', session: 's1' }, 8, 0)).toBe(true);
    expect(admission.decide({ tenant: 'a', session: 's1' }, 1, 0)).toEqual({ decision: 'defer', retryAfterMs: 3 });
    expect(passes(admission, { tenant: 'a', session: 's2' }, 8, 0)).toBe(true);
    expect(admission.decide({ tenant: 'a', session: 's3' }, 8, 0)).toEqual({ decision: 'defer', retryAfterMs: 5 });
    expect(passes(admission, { tenant: 'b', session: 's1' }, 8, 0)).toBe(true);
  });
  it('bounds its work, and the tenant that of all its sessions', () => {
    const admission = new Admission(spec);
    const begin = (session: string): AdmissionDecision => admission.decide({ tenant: 'a', session }, 1, 0);
    accepted(begin('s1'));
    accepted(begin('s1'));
    expect(begin('s1')).toEqual({ decision: 'reject', reason: 'key_concurrency' });
    accepted(begin('s2'));
    accepted(begin('s2'));
    expect(begin('s3')).toEqual({ decision: 'reject', reason: 'key_concurrency' });
  });
  it('keeps the sessions of a tenant from crowding out those of another', () => {
    const admission = new Admission(spec);
    for (const session of ['s1', 's2', 's3']) expect(passes(admission, { tenant: 'a', session }, 1, 0)).toBe(true);
    expect(admission.decide({ tenant: 'a', session: 's4' }, 1, 0)).toEqual({ decision: 'reject', reason: 'too_many_keys' });
    expect(passes(admission, { tenant: 'b', session: 's4' }, 1, 0)).toBe(true);
  });
  it('is no matter for a key without a session', () => {
    const admission = new Admission(spec);
    expect(passes(admission, { tenant: 'a' }, 20, 0)).toBe(true);
  });
});

describe('keys', () => {
  it('are forgotten only when they equal new ones, so that a flood of keys resets nobody', () => {
    const admission = new Admission(SPEC);
    passes(admission, { tenant: 'victim' }, 10, 0);
    for (let flood = 0; flood < 1_000; flood++) admission.decide({ tenant: `flood ${flood}` }, 1, 0);
    expect(admission.tenants).toBe(TENANT.maxKeys);
    expect(admission.decide({ tenant: 'victim' }, 10, 0)).toEqual({ decision: 'defer', retryAfterMs: 11 });
    // The buckets of the flood are full after 1 ms, that of the victim after 10.
    for (let flood = 0; flood < 1_000; flood++) admission.decide({ tenant: `late ${flood}` }, 1, 9);
    expect(admission.decide({ tenant: 'victim' }, 10, 9)).toEqual({ decision: 'defer', retryAfterMs: 2 });
    expect(passes(admission, { tenant: 'another' }, 1, 10)).toBe(true);
  });
  it('are not forgotten while work of theirs is in progress', () => {
    const admission = new Admission({ ...SPEC, tenant: { ...TENANT, maxConcurrent: 1 } });
    const lease = accepted(admission.decide({ tenant: 'a' }, 1, 0));
    for (let nowMs = 1; nowMs < 1_000; nowMs += 10) passes(admission, { tenant: `flood ${nowMs}` }, 1, nowMs);
    expect(admission.decide({ tenant: 'a' }, 1, 1_000)).toEqual({ decision: 'reject', reason: 'key_concurrency' });
    lease.release();
    expect(passes(admission, { tenant: 'a' }, 1, 1_000)).toBe(true);
  });
  it('are not forgotten by a review that was due from earlier work', () => {
    const admission = new Admission({ ...SPEC, tenant: { ...TENANT, maxConcurrent: 1 } });
    passes(admission, { tenant: 'a' }, 5, 0);
    accepted(admission.decide({ tenant: 'a' }, 0, 1));
    expect(admission.decide({ tenant: 'a' }, 0, 100)).toEqual({ decision: 'reject', reason: 'key_concurrency' });
  });
  it('of tenants are remembered as long as those of their sessions', () => {
    const admission = new Admission({ ...SPEC, session: { ...TENANT, ratePerSecond: 100 } });
    expect(passes(admission, { tenant: 'a', session: 's' }, 10, 0)).toBe(true);
    expect(admission.decide({ tenant: 'a', session: 's' }, 10, 50)).toEqual({ decision: 'defer', retryAfterMs: 51 });
    expect(admission.tenants).toBe(1);
    expect(passes(admission, { tenant: 'b' }, 1, 100)).toBe(true);
    expect(admission.tenants).toBe(1);
  });
  it('that come and go by the ten thousand leave only those whose buckets still fill', () => {
    const admission = new Admission({ ...SPEC, tenant: { ...TENANT, maxKeys: 1_000 }, session: TENANT });
    let passed = 0;
    for (let index = 0; index < 50_000; index++) if (passes(admission, { tenant: `t ${index}`, session: 's' }, 1, index / 100)) passed++;
    expect(passed).toBe(50_000);
    expect(admission.tenants).toBeLessThanOrEqual(101);
    passes(admission, { tenant: 'last' }, 1, 1_000);
    expect(admission.tenants).toBe(1);
  });
});

it('work that comes and goes leaves nothing behind, also while the bucket of its key never fills', () => {
  const admission = new Admission({ ...SPEC, tenant: { ...TENANT, ratePerSecond: 1, burst: 1e6 } });
  const work = (): void => {
    for (let index = 0; index < 100_000; index++) passes(admission, { tenant: 'a' }, 1, 0);
  };
  work();
  // Less than 10 bytes for each piece.
  expect(heapGrowthBytes(work)).toBeLessThan(1_000_000);
  expect(admission.counts.accepted).toBe(200_000);
});

type Step =
  | { readonly call: 'decide'; readonly tenant: number; readonly session: number | undefined; readonly cost: number; readonly afterMs: number }
  | { readonly call: 'release'; readonly pick: number };

const steps = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        call: fc.constant('decide' as const),
        tenant: fc.integer({ min: 0, max: 4 }),
        session: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
        cost: fc.integer({ min: 0, max: 17 }),
        afterMs: fc.constantFrom(0, 0, 1, 2, 10, 100),
      }),
    },
    { weight: 2, arbitrary: fc.record({ call: fc.constant('release' as const), pick: fc.nat() }) },
  ),
  // Of `size: 'small'`, the default, arrays are too short for keys to be forgotten and come again.
  { maxLength: 120, size: 'max' },
) as fc.Arbitrary<Step[]>;

/** Rates whose token is a whole number of milliseconds, so that the model counts without rounding. */
const quota = fc.record({
  ratePerSecond: fc.constantFrom(100, 500, 1_000),
  burst: fc.integer({ min: 1, max: 16 }),
  maxConcurrent: fc.integer({ min: 1, max: 4 }),
  maxKeys: fc.integer({ min: 1, max: 5 }),
});
const specs = fc.record(
  { tenant: quota, session: quota, maxConcurrent: fc.integer({ min: 1, max: 8 }), maxDeferMs: fc.constantFrom(0, 5, 1_000) },
  { requiredKeys: ['tenant', 'maxConcurrent'] },
);

describe('any sequence of calls', () => {
  it('is decided as by a model that never forgets a key, and a second time the same', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(specs, steps, (spec, calls) => {
        const admission = new Admission(spec);
        const again = new Admission(spec);
        const model = new QuotaModel(spec);
        const leases: { readonly real: Lease; readonly again: Lease; readonly model: () => void }[] = [];
        let nowMs = 0;
        for (const step of calls) {
          if (step.call === 'release') {
            if (leases.length === 0) continue;
            const [lease] = leases.splice(step.pick % leases.length, 1);
            expect([lease!.real.release(), lease!.again.release()]).toEqual([true, true]);
            lease!.model();
            continue;
          }
          nowMs += step.afterMs;
          const key: QuotaKey = { tenant: `t${step.tenant}`, ...(step.session === undefined ? {} : { session: `s${step.session}` }) };
          const real = admission.decide(key, step.cost, nowMs);
          const repeated = again.decide(key, step.cost, nowMs);
          const expected = model.decide(key, step.cost, nowMs);
          const text = real.decision === 'accept' ? 'accept' : real.decision === 'defer' ? `defer ${real.retryAfterMs}` : real.reason;
          expect(text).toBe(expected);
          expect(JSON.stringify(repeated)).toBe(JSON.stringify(real));
          seen.add(real.decision === 'reject' ? real.reason : real.decision);
          if (real.decision === 'accept' && repeated.decision === 'accept') {
            leases.push({ real: real.lease, again: repeated.lease, model: model.take(key, step.cost, nowMs) });
          }
          expect(admission.tenants).toBeLessThanOrEqual(spec.tenant.maxKeys);
          expect(admission.inProgress).toBe(leases.length);
        }
      }),
      { numRuns: 300 },
    );
    expect([...seen].toSorted()).toEqual(['accept', 'defer', ...ADMISSION_REASONS.filter((reason) => reason !== 'bad_key')].toSorted());
  });
});

describe('a spec', () => {
  it.each<[string, unknown, string]>([
    ['that is none', undefined, 'must be an object, and is missing'],
    ['without a quota', { maxConcurrent: 1 }, 'spec.tenant must be an object, and is missing'],
    ['with a misspelt key', { ...SPEC, maxConcurent: 1 }, 'unknown key "maxConcurent"; known are tenant, session'],
    ['with a misspelt key in a quota', { ...SPEC, tenant: { ...TENANT, rate: 1 } }, 'spec.tenant has the unknown key "rate"'],
    ['with __proto__ from JSON', JSON.parse('{"__proto__": {"tenant": 1}}'), 'unknown key "__proto__"'],
    ['with an inherited quota', Object.create(SPEC), 'spec.tenant must be an object, and is missing'],
    ['with a rate of 0', { ...SPEC, tenant: { ...TENANT, ratePerSecond: 0 } }, 'tenant.ratePerSecond must be a number from 0.001'],
    ['with NaN', { ...SPEC, tenant: { ...TENANT, burst: NaN } }, 'tenant.burst must be a number from 0.001 to 1000000000, and is NaN'],
    ['without a bound of keys', { ...SPEC, tenant: { ...TENANT, maxKeys: Infinity } }, 'maxKeys must be an integer from 1 to 1000000, and is Infinity'],
    ['with half a piece of work', { ...SPEC, maxConcurrent: 1.5 }, 'maxConcurrent must be an integer'],
    ['with a text', { ...SPEC, maxDeferMs: '5' }, 'maxDeferMs must be a number from 0 to 86400000, and is "5"'],
    ['whose bucket takes years to fill', { ...SPEC, session: { ...TENANT, ratePerSecond: 0.001, burst: 1e6 } }, 'spec.session must let a bucket fill within'],
  ])('%s is refused in words that say where', (_, spec, words) => {
    expectRefusal(() => new Admission(spec as AdmissionSpec), 'admission_invalid', words);
  });
  it('is not changed from outside later', () => {
    const spec = { tenant: { ...TENANT }, maxConcurrent: 1 };
    const admission = new Admission(spec);
    spec.maxConcurrent = 100;
    accepted(admission.decide({ tenant: 'a' }, 1, 0));
    expect(admission.decide({ tenant: 'b' }, 1, 0)).toEqual({ decision: 'reject', reason: 'total' });
  });
  it.each([[-1, 0], [NaN, 0], [1, NaN], [1, Infinity]])('takes no cost of %s at %s for a call', (cost, nowMs) => {
    expect(() => new Admission(SPEC).decide({ tenant: 'a' }, cost, nowMs)).toThrow(TypeError);
  });
});
