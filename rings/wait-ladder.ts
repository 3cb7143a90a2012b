/**
 * How a consumer waits for work: a few spins, then sleep, and asynchronously only on a thread that
 * must serve its event loop.
 *
 * Spinning answers within half a microsecond but burns a core, and on a machine with more busy
 * threads than cores it takes the core from the very thread it waits for. So the budget adapts: a
 * spin that found work doubles it, a spin in vain halves it, and a ladder made with `maxSpins: 0`
 * never spins. Sleep goes through a Doorbell; see there why no wake-up is lost.
 */
import type { Doorbell } from './doorbell.ts';

export interface WaitLadderOptions {
  /** Upper bound of the spin budget, in polls. 0 where threads outnumber cores. Default 2,000. */
  readonly maxSpins?: number;
}

/** A handle that keeps an event loop alive; browsers have none and need none. */
interface LoopHandle {
  ref?(): unknown;
  unref?(): unknown;
}

/** setInterval's largest delay; the interval is there for its handle, not to fire. */
const NEVER_MS = 2 ** 31 - 1;
const FIRST_SPINS = 64;
const DEFAULT_MAX_SPINS = 2_000;

export class WaitLadder {
  readonly #doorbell: Doorbell;
  readonly #maxSpins: number;
  #spins: number;
  #holder: LoopHandle | undefined;

  constructor(doorbell: Doorbell, options: WaitLadderOptions = {}) {
    this.#doorbell = doorbell;
    this.#maxSpins = options.maxSpins ?? DEFAULT_MAX_SPINS;
    this.#spins = Math.min(FIRST_SPINS, this.#maxSpins);
  }

  /**
   * Blocks the thread until `hasWork` answers true, the bell rings or `timeoutMs` have passed. A bell
   * may ring for work that is done already, or for another ring: callers wait in a loop.
   * @returns whether there is work
   */
  wait(hasWork: () => boolean, timeoutMs: number): boolean {
    if (this.#spin(hasWork)) return true;
    if (timeoutMs <= 0) return hasWork();
    this.#doorbell.arm();
    // The second look of the lost-wake-up argument in doorbell.ts.
    if (!hasWork()) this.#doorbell.park(timeoutMs);
    this.#doorbell.disarm();
    return hasWork();
  }

  /**
   * As `wait`, but the event loop goes on meanwhile, and is held open: `Atomics.waitAsync` alone would
   * let the process exit under the waiting code.
   */
  async waitAsync(hasWork: () => boolean, timeoutMs: number): Promise<boolean> {
    if (hasWork()) return true;
    this.#doorbell.arm();
    if (!hasWork()) {
      const parked = this.#doorbell.parkAsync(timeoutMs);
      if (parked !== undefined) {
        this.#holdLoop();
        await parked;
        this.#holder?.unref?.();
      }
    }
    this.#doorbell.disarm();
    return hasWork();
  }

  /** Lets go of the event loop, also under a pending `waitAsync`. */
  dispose(): void {
    if (this.#holder !== undefined) clearInterval(this.#holder as ReturnType<typeof setInterval>);
    this.#holder = undefined;
  }

  #holdLoop(): void {
    if (this.#holder === undefined) this.#holder = setInterval(() => {}, NEVER_MS);
    else this.#holder.ref?.();
  }

  #spin(hasWork: () => boolean): boolean {
    for (let spin = 0; spin < this.#spins; spin++) {
      if (hasWork()) {
        this.#spins = Math.min(this.#maxSpins, this.#spins * 2);
        return true;
      }
      Atomics.pause();
    }
    // Never below one as long as spinning is allowed at all, so that the budget can grow again.
    if (this.#maxSpins > 0) this.#spins = Math.max(1, this.#spins >> 1);
    return false;
  }
}
