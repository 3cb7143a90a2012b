/**
 * How late a control message is: from its sending to its handling, less what was left of the handler that
 * ran when it was sent, for nothing interrupts a handler. Handlers that begin while it waits are not taken
 * off, so whoever lets data go first pays for it here.
 */
import { quantile } from '../statistics.ts';
import { nowUs } from './gauges.ts';

/** Handlers that are remembered. A control message that is older than all of them has waited for every one. */
const HANDLERS = 64;

export interface Urgency {
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
  readonly handled: number;
}

export class Lateness {
  readonly #begins = new Float64Array(HANDLERS);
  readonly #ends = new Float64Array(HANDLERS);
  readonly #lateUs: number[] = [];
  #handlers = 0;

  /** A data handler has run. */
  ran(beginUs: number, endUs: number): void {
    const place = this.#handlers++ % HANDLERS;
    this.#begins[place] = beginUs;
    this.#ends[place] = endUs;
  }

  /** A control message is being handled. */
  handled(sentAtUs: number): void {
    let from = sentAtUs;
    for (let place = 0; place < HANDLERS; place++) {
      if (this.#begins[place]! <= sentAtUs && this.#ends[place]! > sentAtUs) from = this.#ends[place]!;
    }
    this.#lateUs.push(nowUs() - from);
  }

  summary(): Urgency {
    const late = this.#lateUs;
    return { p50Us: quantile(late, 0.5), p99Us: quantile(late, 0.99), maxUs: quantile(late, 1), handled: late.length };
  }
}
