/**
 * Admission as one would say it: buckets that are counts, and keys that are never forgotten. A
 * key takes up room while something of it, or of its sessions, is in progress or its bucket is not full.
 */
import type { AdmissionSpec, QuotaKey } from '../../../kernel/flow/admission.ts';
import type { QuotaSpec } from '../../../kernel/flow/quota-table.ts';

class Key {
  readonly spec: QuotaSpec;
  /** Thousandths of tokens, of which a rate by second gives whole ones in a millisecond. */
  level: number;
  inProgress = 0;
  lastMs = 0;

  constructor(spec: QuotaSpec) {
    this.spec = spec;
    this.level = this.full;
  }

  refill(nowMs: number): void {
    this.level = Math.min(this.full, this.level + (nowMs - this.lastMs) * this.spec.ratePerSecond);
    this.lastMs = nowMs;
  }

  get full(): number {
    return this.spec.burst * 1_000;
  }

  get isInUse(): boolean {
    return this.inProgress > 0 || this.level < this.full;
  }

  waitMs(cost: number): number {
    return Math.max(0, (cost * 1_000 - this.level) / this.spec.ratePerSecond);
  }
}

export class QuotaModel {
  readonly spec: AdmissionSpec;
  readonly tenants = new Map<string, Key>();
  readonly sessions = new Map<string, Map<string, Key>>();
  inProgress = 0;

  constructor(spec: AdmissionSpec) {
    this.spec = spec;
  }

  decide(key: QuotaKey, cost: number, nowMs: number): string {
    const keys = this.keysOf(key);
    for (const each of [...this.tenants.values(), ...[...this.sessions.values()].flatMap((sessions) => [...sessions.values()])]) each.refill(nowMs);
    if (keys.some(({ spec }) => cost > spec.burst)) return 'too_costly';
    if (keys.some(({ spec, inProgress }) => inProgress >= spec.maxConcurrent)) return 'key_concurrency';
    if (this.inProgress >= this.spec.maxConcurrent) return 'total';
    const waitMs = Math.max(...keys.map((each) => each.waitMs(cost)));
    if (waitMs > 0) {
      // The next whole millisecond: the waits are whole, as the rates are chosen.
      return waitMs + 1 > (this.spec.maxDeferMs ?? 1_000) ? 'rate' : `defer ${waitMs + 1}`;
    }
    const [tenant, session] = keys;
    const tenantsInUse = [...this.tenants].filter(([name, each]) => each.isInUse || this.sessionsInUse(name) > 0).length;
    if (!tenant!.isInUse && this.sessionsInUse(key.tenant) === 0 && tenantsInUse >= tenant!.spec.maxKeys) return 'too_many_keys';
    if (session !== undefined && !session.isInUse && this.sessionsInUse(key.tenant) >= session.spec.maxKeys) return 'too_many_keys';
    return 'accept';
  }

  /** @returns ends the work */
  take(key: QuotaKey, cost: number, nowMs: number): () => void {
    const keys = this.keysOf(key);
    for (const each of keys) {
      each.refill(nowMs);
      each.level -= cost * 1_000;
      each.inProgress++;
    }
    this.inProgress++;
    return () => {
      for (const each of keys) each.inProgress--;
      this.inProgress--;
    };
  }

  sessionsInUse(tenant: string): number {
    return [...(this.sessions.get(tenant)?.values() ?? [])].filter((session) => session.isInUse).length;
  }

  keysOf({ tenant, session }: QuotaKey): Key[] {
    const found = [ofMap(this.tenants, tenant, () => new Key(this.spec.tenant))];
    const sessionSpec = this.spec.session;
    if (session !== undefined && sessionSpec !== undefined) {
      const sessions = ofMap(this.sessions, tenant, () => new Map<string, Key>());
      found.push(ofMap(sessions, session, () => new Key(sessionSpec)));
    }
    return found;
  }
}

function ofMap<Value>(map: Map<string, Value>, name: string, make: () => Value): Value {
  const value = map.get(name) ?? make();
  map.set(name, value);
  return value;
}
