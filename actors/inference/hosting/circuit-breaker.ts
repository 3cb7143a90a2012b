/**
 * Keeps requests from a provider that fails: after some failures in a row it is left alone for a while, then one
 * request may try it, and its outcome decides (Nygard, Release It!). The clock is handed in.
 *
 *   closed ── failures in a row ──► open ── after `restMs` ──► half open ── success ──► closed
 *                                     ▲                            └────── failure ────► open, resting twice as long
 */
import type { Clock } from '../../../kernel/index.ts';

export interface BreakerSpec {
  /** Failures in a row that open it. Default 3. */
  readonly failures?: number;
  /** First rest. Default 1,000. */
  readonly restMs?: number;
  /** The rest doubles with each failed trial up to this. Default 60,000. */
  readonly restMsMax?: number;
}

export type BreakerState = 'closed' | 'open' | 'half_open';

export class CircuitBreaker {
  readonly #clock: Clock;
  readonly #failuresMax: number;
  readonly #restMs: number;
  readonly #restMsMax: number;
  #failures = 0;
  #currentRestMs: number;
  /** When a trial may be made; undefined while closed. */
  #openUntilMs: number | undefined;
  #isTrying = false;

  constructor(clock: Clock, { failures = 3, restMs = 1_000, restMsMax = 60_000 }: BreakerSpec = {}) {
    this.#clock = clock;
    this.#failuresMax = failures;
    this.#restMs = restMs;
    this.#restMsMax = restMsMax;
    this.#currentRestMs = restMs;
  }

  get state(): BreakerState {
    if (this.#openUntilMs === undefined) return 'closed';
    return this.#isTrying || this.#clock.monotonicMs() >= this.#openUntilMs ? 'half_open' : 'open';
  }

  /** Milliseconds until it may be tried; 0 if it may be now. */
  get restLeftMs(): number {
    return this.#openUntilMs === undefined ? 0 : Math.max(0, this.#openUntilMs - this.#clock.monotonicMs());
  }

  /** Whether a request may go through now. One that may in the state half_open is the trial: its outcome must be told. */
  admits(): boolean {
    if (this.#openUntilMs === undefined) return true;
    if (this.#isTrying || this.#clock.monotonicMs() < this.#openUntilMs) return false;
    this.#isTrying = true;
    return true;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#isTrying = false;
    this.#openUntilMs = undefined;
    this.#currentRestMs = this.#restMs;
  }

  failed(): void {
    this.#failures++;
    if (this.#isTrying) this.#currentRestMs = Math.min(this.#restMsMax, this.#currentRestMs * 2);
    else if (this.#failures < this.#failuresMax || this.#openUntilMs !== undefined) return;
    this.#isTrying = false;
    this.#openUntilMs = this.#clock.monotonicMs() + this.#currentRestMs;
  }

  /** The trial ended without saying anything of the provider, as by a cancel: another one may be made at once. */
  inconclusive(): void {
    this.#isTrying = false;
  }
}
