/**
 * The quotas of the keys of one level, tenants or the sessions of one tenant: for each key a token bucket
 * and a count of work in progress.
 *
 * A bucket is one number, the time at which it will be full again: what is taken moves it into the future,
 * and it may not lie further ahead than a whole bucket takes to fill. This is the generic cell rate
 * algorithm (ITU-T I.371, annex A) in its virtual-scheduling form. Unlike a count of tokens it needs no
 * refill, and its rounding errors do not add up.
 *
 * A key is forgotten when nothing of it is in progress and its bucket is full. It then equals a key that was
 * never seen, so forgetting changes no decision, and nobody gets a fresh bucket by making others be
 * forgotten. Keys that cannot be forgotten count against `maxKeys`, and past it new keys are turned away.
 */
import { DueHeap, type Due } from './due-heap.ts';

export interface QuotaSpec {
  /** Tokens that come back in a second: 0.001 to 1e9. */
  readonly ratePerSecond: number;
  /** Tokens a full bucket holds, and so the most that one piece of work can cost: up to 1e9, and what comes back in 31 days. */
  readonly burst: number;
  /** Most pieces of work in progress at once. */
  readonly maxConcurrent: number;
  /** Most keys remembered at once. */
  readonly maxKeys: number;
}

/** A key. It is due, in the sense of Due, to be looked at whether it may be forgotten. */
export interface QuotaEntry extends Due {
  readonly name: string;
  /** When the bucket will be full again, if nothing is taken until then. */
  fullAtMs: number;
  inProgress: number;
  /** Whether it is among those to be reviewed, where it stands once at most. */
  isListed: boolean;
  /** The level below, if there is one. */
  readonly sessions: QuotaTable | undefined;
}

export class QuotaTable {
  readonly #spec: QuotaSpec;
  readonly #sessionSpec: QuotaSpec | undefined;
  readonly #msPerToken: number;
  /** How long an empty bucket takes to fill. */
  readonly #fillMs: number;
  readonly #entries = new Map<string, QuotaEntry>();
  readonly #reviews = new DueHeap<QuotaEntry>();

  constructor(spec: QuotaSpec, sessionSpec?: QuotaSpec) {
    this.#spec = spec;
    this.#sessionSpec = sessionSpec;
    this.#msPerToken = 1_000 / spec.ratePerSecond;
    this.#fillMs = spec.burst * this.#msPerToken;
  }

  get size(): number {
    return this.#entries.size;
  }

  get isFull(): boolean {
    return this.#entries.size >= this.#spec.maxKeys;
  }

  find(name: string): QuotaEntry | undefined {
    return this.#entries.get(name);
  }

  /** Whether the key has as much in progress as it may. */
  isBusy(entry: QuotaEntry | undefined): boolean {
    return entry !== undefined && entry.inProgress >= this.#spec.maxConcurrent;
  }

  /** How long until the bucket holds `cost` tokens, which is at most the burst; 0 if it does now. No entry is a full bucket. */
  waitMs(entry: QuotaEntry | undefined, cost: number, nowMs: number): number {
    const fullAtMs = entry === undefined ? nowMs : Math.max(entry.fullAtMs, nowMs);
    return Math.max(0, fullAtMs + cost * this.#msPerToken - (nowMs + this.#fillMs));
  }

  /** Takes the tokens and begins the work; what `isBusy`, `waitMs` and `isFull` say about it was looked at before. */
  take(name: string, cost: number, nowMs: number): QuotaEntry {
    let entry = this.#entries.get(name);
    if (entry === undefined) {
      const sessions = this.#sessionSpec === undefined ? undefined : new QuotaTable(this.#sessionSpec);
      entry = { name, fullAtMs: nowMs, inProgress: 0, dueMs: 0, isListed: false, sessions };
      this.#entries.set(name, entry);
    }
    entry.fullAtMs = Math.max(entry.fullAtMs, nowMs) + cost * this.#msPerToken;
    entry.inProgress++;
    return entry;
  }

  release(entry: QuotaEntry): void {
    entry.inProgress--;
    if (entry.inProgress === 0 && !entry.isListed) this.#list(entry, entry.fullAtMs);
  }

  /**
   * Forgets the keys that equal new ones. A review is paid for by the work that made it necessary, so this
   * costs amortized O(log keys) for each piece of work, however many keys there are.
   */
  forgetIdle(nowMs: number): void {
    for (let entry = this.#reviews.take(nowMs); entry !== undefined; entry = this.#reviews.take(nowMs)) {
      entry.isListed = false;
      // The end of that work will list it again.
      if (entry.inProgress > 0) continue;
      const sessionsIdleAtMs = entry.sessions === undefined ? -Infinity : entry.sessions.#idleAtMs(nowMs);
      const idleAtMs = Math.max(entry.fullAtMs, sessionsIdleAtMs);
      if (idleAtMs > nowMs) this.#list(entry, idleAtMs);
      else this.#entries.delete(entry.name);
    }
  }

  #list(entry: QuotaEntry, dueMs: number): void {
    entry.isListed = true;
    entry.dueMs = dueMs;
    this.#reviews.push(entry);
  }

  /** When the next key may be forgotten, or -Infinity if none is left. Only asked when nothing is in progress. */
  #idleAtMs(nowMs: number): number {
    this.forgetIdle(nowMs);
    return this.#entries.size === 0 ? -Infinity : this.#reviews.nextDueMs;
  }
}
