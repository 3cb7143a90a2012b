/**
 * One worker with what it has in hand, and how fast it is.
 *
 * It has one unit in hand and one in its lane, so that it never waits for the next. Urgent units pass both, and have
 * a bound of their own: as many, and no more than `URGENT_SHARE` times the tokens of the unit that they pass. Then
 * that unit goes first, so that however many urgent texts come, one token in nine of the worker's is not theirs.
 */
import type { EmbedWorker } from './embed-request.ts';
import type { Unit } from './unit.ts';

export const UNITS_IN_HAND = 2;
/** Tokens of a class for each token of the class below, as long as that has something waiting. */
export const URGENT_SHARE = 8;

/** What remains of the older units' weight after each new one. */
const DECAY = 0.8;
/** A pause after the first refusal; each one that follows doubles it. */
const PAUSE_MS = 20;
const PAUSE_MS_MAX = 1_000;

export class Desk {
  readonly worker: EmbedWorker;
  readonly ordinary: Unit[] = [];
  readonly urgent: Unit[] = [];
  ordinaryTokens = 0;
  urgentTokens = 0;
  /** Sent past the unit that it has in hand. */
  urgentTokensPassed = 0;
  /** It refused; until then others are tried. */
  pausedUntilMs = -Infinity;
  /** It failed and has not answered since: it may be loading its model. */
  isRecovering = false;
  /** It has stopped for good. */
  isGone = false;
  #refusals = 0;
  #isWarm = false;
  #busySinceMs = 0;
  #tokens = 0;
  #busyMs = 0;

  constructor(worker: EmbedWorker) {
    this.worker = worker;
  }

  /** Tokens in a millisecond while it has work; undefined until it is known. */
  get tokensPerMs(): number | undefined {
    return this.#busyMs > 0 && this.#tokens > 0 ? this.#tokens / this.#busyMs : undefined;
  }

  takesOrdinary(nowMs: number): boolean {
    return !this.isGone && this.pausedUntilMs <= nowMs && this.ordinary.length < (this.isRecovering ? 1 : UNITS_IN_HAND);
  }

  takesUrgent(nowMs: number): boolean {
    if (this.isGone || this.pausedUntilMs > nowMs || this.urgent.length >= UNITS_IN_HAND) return false;
    const passed = this.ordinary[0];
    return passed === undefined || this.urgentTokensPassed < URGENT_SHARE * passed.tokens;
  }

  sent(unit: Unit): void {
    if (this.ordinary.length === 0 && this.urgent.length === 0) this.#busySinceMs = unit.sentAtMs;
    if (unit.urgent) {
      this.urgent.push(unit);
      this.urgentTokens += unit.tokens;
      if (this.ordinary.length > 0) this.urgentTokensPassed += unit.tokens;
    } else {
      this.ordinary.push(unit);
      this.ordinaryTokens += unit.tokens;
    }
  }

  /** The unit has come back, with an answer or without. */
  returned(unit: Unit): void {
    const units = unit.urgent ? this.urgent : this.ordinary;
    const index = units.indexOf(unit);
    units.splice(index, 1);
    if (unit.urgent) this.urgentTokens -= unit.tokens;
    else {
      this.ordinaryTokens -= unit.tokens;
      this.urgentTokensPassed = 0;
    }
  }

  /** It answered. @param tokens that it reported */
  answered(tokens: number, nowMs: number): void {
    // The first unit of each life waits for the model.
    if (this.#isWarm && tokens > 0) {
      this.#tokens = this.#tokens * DECAY + tokens;
      this.#busyMs = this.#busyMs * DECAY + (nowMs - this.#busySinceMs);
    }
    this.#busySinceMs = nowMs;
    this.#isWarm = true;
    this.isRecovering = false;
    this.#refusals = 0;
  }

  failed(nowMs: number): void {
    this.isRecovering = true;
    this.#isWarm = false;
    this.#busySinceMs = nowMs;
  }

  /** @returns milliseconds until it may be tried again */
  refused(nowMs: number): number {
    const pauseMs = Math.min(PAUSE_MS_MAX, PAUSE_MS * 2 ** this.#refusals);
    this.#refusals = Math.min(this.#refusals + 1, 16);
    this.pausedUntilMs = nowMs + pauseMs;
    return pauseMs;
  }
}
