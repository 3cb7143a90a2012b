/**
 * How both ends of a flow wait, in C++ (spsc.cpp) as here.
 *
 * A sender that finds no room looks again after a pause. A receiver that found few records lets some gather:
 * close behind the sender it would take the cache line of each record and of the position from under it, and
 * a store that publishes (in JavaScript a full barrier) waits for that line. It costs a record some two
 * microseconds more on its way, and is worth several times the throughput of records that come one by one.
 *
 * After SPINS pauses in vain either end sleeps, since on a machine with other work it may hold the core of the
 * other end.
 */
const SPINS = 2_000;
const NAP_MS = 0.05;
/** Records are few when they are fewer than this and shorter than this all together. */
const FEW_RECORDS = 32;
const FEW_BYTES = 2_048;
/** A pause takes longer here than in C++, where there are more of them. */
const GATHER_PAUSES = 128;
/** Nobody rings it: a wait on it is a short sleep. */
const sleeper = new Int32Array(new SharedArrayBuffer(4));

export class Patience {
  readonly #few: number;
  #spins = 0;

  constructor(recordBytes: number) {
    this.#few = Math.min(FEW_RECORDS, Math.ceil(FEW_BYTES / recordBytes));
  }

  /** A sender found no room. */
  lost(): void {
    this.#pause(1);
  }

  /** A sender found room. */
  won(): void {
    this.#spins = 0;
  }

  /** A receiver found so many records. */
  found(records: number): void {
    if (records > 0) this.#spins = 0;
    if (records < this.#few) this.#pause(GATHER_PAUSES);
  }

  #pause(pauses: number): void {
    for (let pause = 0; pause < pauses; pause++) Atomics.pause();
    this.#spins += pauses;
    if (this.#spins < SPINS) return;
    this.#spins = 0;
    Atomics.wait(sleeper, 0, 0, NAP_MS);
  }
}
