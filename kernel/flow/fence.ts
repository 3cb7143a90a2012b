/**
 * Fences of cancelled scopes: once a cancel is accepted here, nothing that the scope still puts out is
 * accepted any more, however long it was on its way.
 *
 * A fence is known by the one who opened the scope (`origin`, an address) and the scope's number. Every
 * message that belongs to a scope is held against the fences, so `blocks` is made for the answer no: with
 * no fence up it is one comparison, and with some it mostly is one look into a table of counts by hash (a
 * counting Bloom filter with one hash function); only a message whose count is not 0 pays for the exact
 * look. It does not read a clock: `expire` takes fences down by age.
 *
 * The number of fences is bounded. Past it the oldest goes and is counted in `counts.evicted`; should that
 * scope still put something out, it would be accepted, so `evicted` above 0 says that `maxFences` is too
 * small for the rate of cancels times `maxAgeMs`.
 */
import { SpillwayError } from '../errors.ts';
import { specFault, type SpecFields } from './spec-fault.ts';

export interface FenceSpec {
  /** Most fences up at once: 1 to 65,535. */
  readonly maxFences: number;
  /** Age at which a fence may go: longer than any output can be on its way. */
  readonly maxAgeMs: number;
}

/** At all times `raised = lowered + expired + evicted + size`. */
export interface FenceCounts {
  raised: number;
  /** Raised again while up, which only makes it young again. */
  renewed: number;
  lowered: number;
  expired: number;
  evicted: number;
}

/** The bound on the number of fences keeps a 16-bit count from overflowing, whatever the hashes. */
const SPEC_FIELDS: SpecFields = {
  maxFences: { min: 1, max: 65_535, integer: true },
  maxAgeMs: { min: 1, max: 86_400_000 },
};
const DEFAULT_SPEC: FenceSpec = { maxFences: 4_096, maxAgeMs: 60_000 };
const SLOTS_PER_FENCE = 4;

interface Fence {
  readonly slot: number;
  readonly raisedAtMs: number;
}

export class Fences {
  readonly #spec: FenceSpec;
  /** By `origin:scope`, oldest first. */
  readonly #fences = new Map<string, Fence>();
  /** How many fences have each hash. */
  readonly #slots: Uint16Array;
  readonly #shift: number;
  readonly #counts: FenceCounts = { raised: 0, renewed: 0, lowered: 0, expired: 0, evicted: 0 };
  #size = 0;
  #nowMs = -Infinity;

  /** @throws SpillwayError `fence_invalid` naming the field, what was expected and what came */
  constructor(spec: FenceSpec = DEFAULT_SPEC) {
    const fault = specFault('The fence spec', spec, SPEC_FIELDS);
    if (fault !== undefined) throw new SpillwayError('fence_invalid', `${fault} Correct the spec.`);
    this.#spec = { ...spec };
    const bits = Math.ceil(Math.log2(spec.maxFences * SLOTS_PER_FENCE));
    this.#slots = new Uint16Array(1 << bits);
    this.#shift = 32 - bits;
  }

  get size(): number {
    return this.#size;
  }

  get counts(): Readonly<FenceCounts> {
    return this.#counts;
  }

  /**
   * Puts up the fence, or makes it young again.
   * @param origin u32
   * @param scope u32 above 0, which means no scope
   * @param nowMs on a monotonic clock; a time before the last one is taken for the last one
   */
  raise(origin: number, scope: number, nowMs: number): void {
    requireKey(origin, scope);
    const raisedAtMs = this.#advance(nowMs);
    const key = keyOf(origin, scope);
    const slot = this.#slotOf(origin, scope);
    if (this.#remove(key)) this.#counts.renewed++;
    else this.#counts.raised++;
    if (this.#size === this.#spec.maxFences) {
      this.#remove(this.#fences.keys().next().value!);
      this.#counts.evicted++;
    }
    this.#fences.set(key, { slot, raisedAtMs });
    this.#slots[slot]!++;
    this.#size++;
  }

  /** Whether a message of this scope must not be accepted. */
  blocks(origin: number, scope: number): boolean {
    if (this.#size === 0) return false;
    if (this.#slots[this.#slotOf(origin, scope)] === 0) return false;
    return this.#fences.has(keyOf(origin, scope));
  }

  /**
   * Takes the fence down, when it is known that nothing of the scope is on its way any more: its end alone
   * does not say so, since what it sent may still lie in a lane. @returns whether it was up
   */
  lower(origin: number, scope: number): boolean {
    const wasUp = this.#remove(keyOf(origin, scope));
    if (wasUp) this.#counts.lowered++;
    return wasUp;
  }

  /** Takes down the fences that are `maxAgeMs` old or older. @returns how many */
  expire(nowMs: number): number {
    const latestMs = this.#advance(nowMs) - this.#spec.maxAgeMs;
    let expired = 0;
    for (const [key, { raisedAtMs }] of this.#fences) {
      if (raisedAtMs > latestMs) break;
      this.#remove(key);
      expired++;
    }
    this.#counts.expired += expired;
    return expired;
  }

  #remove(key: string): boolean {
    const fence = this.#fences.get(key);
    if (fence === undefined) return false;
    this.#fences.delete(key);
    this.#slots[fence.slot]!--;
    this.#size--;
    return true;
  }

  /** Time does not go back, so the order of raising is the order of age. */
  #advance(nowMs: number): number {
    if (!Number.isFinite(nowMs)) throw new TypeError(`The time must be a finite number of milliseconds; got ${nowMs}.`);
    return (this.#nowMs = Math.max(this.#nowMs, nowMs));
  }

  /** Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4): the upper bits of a product. */
  #slotOf(origin: number, scope: number): number {
    return Math.imul(Math.imul(origin, 0x85eb_ca6b) ^ scope, 0x9e37_79b1) >>> this.#shift;
  }
}

function keyOf(origin: number, scope: number): string {
  return `${origin}:${scope}`;
}

function requireKey(origin: number, scope: number): void {
  if (origin >>> 0 !== origin || scope >>> 0 !== scope || scope === 0) {
    throw new TypeError(`A fence needs an origin and a scope that are unsigned 32-bit numbers, the scope not 0; got ${origin} and ${scope}.`);
  }
}
