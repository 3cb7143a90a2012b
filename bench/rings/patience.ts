/**
 * How both ends of a flow wait, in C++ (spsc.cpp) as here: they look again after a pause, and after SPINS
 * looks in vain they sleep, since on a machine with other work they may hold the core of the other end.
 */
const SPINS = 2_000;
const NAP_MS = 0.05;
/** Nobody rings it: a wait on it is a short sleep. */
const sleeper = new Int32Array(new SharedArrayBuffer(4));

export class Patience {
  #spins = 0;

  /** There was no room, or no record. */
  lost(): void {
    if (++this.#spins < SPINS) {
      Atomics.pause();
      return;
    }
    this.#spins = 0;
    Atomics.wait(sleeper, 0, 0, NAP_MS);
  }

  won(): void {
    this.#spins = 0;
  }
}
