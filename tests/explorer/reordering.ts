/**
 * What weakly ordered processors may do with a plain access that races on purpose.
 *
 * Programs without data races see interleavings only. But a reader of a broadcast ring copies what may
 * be overwritten at that moment, and decides afterwards whether to believe it; such words are named as
 * benign, and around them order has to be made by hand. JavaScript permits, and ARM does:
 *
 *   a late read    A plain read is made only after atomic loads that follow it in its thread.
 *   a late store   An atomic store is seen only after plain writes that follow it in its thread.
 *
 * A read-modify-write stops both. A late read is told afterwards: when a cell is written that a thread
 * has read since its last atomic operation other than a load, its history is changed to one in which it
 * read the new content, and did the same after it for as long as it would. A late store waits in the
 * world until its thread does anything but touch benign words plainly.
 */
import * as op from './operation.ts';
import type { Step } from './program.ts';
import type { World } from './world.ts';

/** Whether a thread with a late store may do this before the store is seen. */
export function mayOvertakeStore(world: World, step: Step): boolean {
  return op.isPlain(step.kind) ? world.isBenign(step.cell) : step.kind === op.NOTE;
}

/** Whether it changes anything when this store is seen late. */
export function mayBeLate(world: World, step: Step): boolean {
  if ((step.kind & ~op.WIDE) !== op.STORE) return false;
  const next = step.program.follow(step, 0, 0, world.memory);
  return next.kind === op.WRITE && world.isBenign(next.cell);
}

/** Where the thread would be that is at `reader`, had its read of the cell that `write` writes been late; undefined if it cannot have been. */
export function withLateRead(world: World, write: Step, reader: Step): Step | undefined {
  if (write.kind !== op.WRITE || !world.isBenign(write.cell)) return undefined;
  const since: Step[] = [];
  let step = reader;
  while (!(step.kind === op.READ && step !== reader && step.cell === write.cell && (step.mask & write.mask) !== 0)) {
    if (step.parent === undefined || (step !== reader && !isPassed(step))) return undefined;
    since.push(step);
    step = step.parent;
  }
  const content = (world.memory.cells[write.cell]! & ~write.mask) | write.a;
  const answer = content & step.mask;
  if (since.at(-1)!.low === answer) return undefined;
  let other = step.program.follow(step, answer, 0, world.memory);
  for (let place = since.length - 1; place > 0; place--) {
    const next = since[place - 1]!;
    // Where it does something else now, it has not done that yet; and what it did instead changed nothing.
    if (!other.isSame(since[place]!) && !(other.kind === op.NOTE && since[place]!.kind === op.NOTE)) break;
    other = other.program.follow(other, next.low, next.high, world.memory);
  }
  return other;
}

/** What a late read may be made after: loads, plain reads and notes. */
function isPassed(step: Step): boolean {
  return step.kind === op.READ || (step.kind & ~op.WIDE) === op.LOAD || step.kind === op.NOTE;
}
