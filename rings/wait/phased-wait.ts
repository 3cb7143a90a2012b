/**
 * Waits in two phases: spins where spinning has paid of late, then sleeps at a doorbell.
 *
 * A spin that finds work saves the waking of a core; a spin in vain costs its own time, and on a machine
 * with more busy threads than cores it takes the core from the very thread that it waits for. Which of
 * the two it will be can be told neither from the number of cores nor from how long a sleep lasted: a
 * short sleep may mean that the answer was near, or that the answerer was given this core. So the strategy
 * tries. A spin always has the whole budget, because part of one finds nothing where an answer first wakes
 * the answerer. After a spin in vain some waits go by without one: 0, then 1, 3, 7 … up to MAX_REST, and
 * each spin that finds work takes one step back. Where more than half of the spins find work, nearly all
 * waits spin; where fewer do, one in MAX_REST + 1 does, so that an idle thread hardly spins and still
 * notices when times change. Half is about where it pays: a budget takes about as long as a wake-up.
 *
 * No wake-up is lost: a spin ends with a look, and what comes after is a wait of ParkingWait with its own
 * looks; the bell need not be armed while the thread is awake and looking.
 */
import type { Doorbell } from '../doorbell.ts';
import { ParkingWait } from './parking-wait.ts';
import { spin } from './spin.ts';
import type { WaitStrategy } from './wait-strategy.ts';

export interface PhasedWaitOptions {
  /**
   * Looks of one spin, each a pause of the processor and a call of `hasWork`. 0 never spins, for machines
   * without a core to spare. Default 2,000, which takes about as long as waking an idle core.
   */
  readonly maxSpins?: number;
}

const DEFAULT_MAX_SPINS = 2_000;
/** One less than a power of two, as all steps are. What rests so long spins next to nothing for each wait. */
const MAX_REST = 255;

export class PhasedWait implements WaitStrategy {
  readonly #parking: ParkingWait;
  readonly #maxSpins: number;
  /** Waits that will go without a spin after the next spin in vain: 0, 1, 3, 7 … */
  #rest = 0;
  /** Waits that still go without one. */
  #resting = 0;

  constructor(doorbell: Doorbell, options: PhasedWaitOptions = {}) {
    this.#parking = new ParkingWait(doorbell);
    this.#maxSpins = options.maxSpins ?? DEFAULT_MAX_SPINS;
  }

  wait(hasWork: () => boolean, timeoutMs: number): boolean {
    // No evidence for or against spinning: there was nothing to wait for, or no time to.
    if (hasWork()) return true;
    if (!(timeoutMs > 0)) return false;
    return this.#spin(hasWork) || this.#parking.wait(hasWork, timeoutMs);
  }

  #spin(hasWork: () => boolean): boolean {
    if (this.#resting > 0) {
      this.#resting--;
      return false;
    }
    const found = spin(hasWork, this.#maxSpins);
    if (found) this.#rest >>= 1;
    else {
      this.#resting = this.#rest;
      this.#rest = Math.min(MAX_REST, this.#rest * 2 + 1);
    }
    return found;
  }
}
