/**
 * Which steps of a thread no other thread can see, so that they need no interleaving.
 *
 * Exploring such a step at once, together with the death of that thread alone, loses no outcome:
 * whatever the others do first, they could do after it (a persistent set, after Godefroid). There are
 * two sorts. A plain access: were there another access that it could meet, that would be a data race,
 * which is searched for and reported (see race.ts). And an atomic one of a cell that no other process,
 * in any life, writes, or touches where this one writes. Who touches what is not known beforehand; it
 * is learned from the steps that programs are found to have. If a step was taken for a thread's own and
 * turns out not to be, the exploration begins anew with what was learned.
 */
import * as op from './operation.ts';
import type { Step } from './program.ts';

export class Ownership {
  /** Bits of the processes that read and write each cell. */
  #readers = new Int32Array(0);
  #writers = new Int32Array(0);
  /** Bits of the processes whose reads and writes were taken for their own. */
  #ownReads = new Int32Array(0);
  #ownWrites = new Int32Array(0);
  /** Whether something was taken for a thread's own that is not. */
  isRefuted = false;
  /** What was taken for a thread's own is forgotten, what is known of the cells is not. */
  beginAnew(): void {
    this.#ownReads.fill(0);
    this.#ownWrites.fill(0);
    this.isRefuted = false;
  }

  learn(step: Step): void {
    if (!op.touches(step.kind)) return;
    const bit = 1 << step.program.processIndex;
    this.#learn(step.cell, step.kind, bit);
    if (op.isWide(step.kind)) this.#learn(step.cell + 1, step.kind, bit);
  }

  /**
   * Whether nobody else can see this step, as far as is known.
   * @param isBenign whether plain accesses of its cell are permitted to meet others, and so are seen
   */
  isOwn(step: Step, isBenign: boolean): boolean {
    if (step.kind === op.NOTE || step.kind === op.CHECKPOINT || step.kind === op.START) return true;
    if (!op.isAccess(step.kind)) return false;
    if (op.isPlain(step.kind) && !isBenign) return true;
    const bit = 1 << step.program.processIndex;
    return this.#isOwn(step.cell, step.kind, bit) && (!op.isWide(step.kind) || this.#isOwn(step.cell + 1, step.kind, bit));
  }

  #isOwn(cell: number, kind: number, bit: number): boolean {
    if (((this.#writers[cell]! | (op.writes(kind) ? this.#readers[cell]! : 0)) & ~bit) !== 0) return false;
    if (op.writes(kind)) this.#ownWrites[cell]! |= bit;
    else this.#ownReads[cell]! |= bit;
    return true;
  }

  #learn(cell: number, kind: number, bit: number): void {
    if (cell >= this.#readers.length) this.#grow(cell + 1);
    if (op.reads(kind)) this.#readers[cell]! |= bit;
    if (op.writes(kind)) this.#writers[cell]! |= bit;
    const refuted = this.#ownWrites[cell]! | (op.writes(kind) ? this.#ownReads[cell]! : 0);
    if ((refuted & ~bit) !== 0) this.isRefuted = true;
  }

  #grow(cells: number): void {
    const grown = (old: Int32Array): Int32Array<ArrayBuffer> => {
      const larger = new Int32Array(Math.max(cells, old.length * 2, 1024));
      larger.set(old);
      return larger;
    };
    this.#readers = grown(this.#readers);
    this.#writers = grown(this.#writers);
    this.#ownReads = grown(this.#ownReads);
    this.#ownWrites = grown(this.#ownWrites);
  }
}
