/**
 * Finds data races: two accesses of one cell, at least one a write and at least one plain, that nothing
 * orders. Without any, JavaScript's memory model promises that no processor shows a program more than
 * the interleavings that the explorer walks; with one, all bets are off.
 *
 * A plain access can be put off until its thread's next atomic operation that others can see, without
 * anybody noticing, unless another thread touches the same cell meanwhile, and that is the race. So in
 * each state the next step of each thread is held against the open accesses of the others.
 */
import * as op from './operation.ts';
import type { OpenAccess, Step } from './program.ts';
import type { World } from './world.ts';

/** The race that two threads are about to have in this state, in words; undefined if there is none. */
export function findRace(world: World): string | undefined {
  const { at, processCount } = world;
  for (let process = 1; process < processCount; process++) {
    const step = at[process]!;
    for (let other = 0; other < process; other++) {
      const another = at[other]!;
      const meeting = (step.touchedBits & (another.openBits | another.touchedBits)) | (step.openBits & another.touchedBits);
      if (meeting === 0) continue;
      const race = raceOf(world, step, another) ?? raceOf(world, another, step);
      if (race !== undefined) return race;
    }
  }
  return undefined;
}

/** The race of the next step of one thread with what is open, or next, of another. */
function raceOf(world: World, step: Step, other: Step): string | undefined {
  // Who sleeps has made an atomic operation of it, so nothing of what he did is open.
  if (!op.touches(step.kind) || world.isParked(step) || world.isParked(other)) return undefined;
  const { name } = other.program.process;
  const open = racing(step, other.open, world);
  if (open !== undefined) return tell(world, step, open.cell, `the ${name}'s plain ${open.isWrite ? 'write' : 'read'} of it`);
  if (!areUnequal(step, other)) return undefined;
  return tell(world, step, step.cell, `the ${name}'s ${op.operationName(other.kind)} of another width`);
}

function racing(step: Step, open: OpenAccess | undefined, world: World): OpenAccess | undefined {
  const last = op.isWide(step.kind) ? step.cell + 1 : step.cell;
  const isWrite = op.writes(step.kind);
  for (let access = open; access !== undefined; access = access.before) {
    if (access.cell < step.cell || access.cell > last || (access.mask & step.mask) === 0) continue;
    if ((isWrite || access.isWrite) && !world.isBenign(access.cell)) return access;
  }
  return undefined;
}

/** Two atomic accesses are not atomic to each other when they are of different widths. */
function areUnequal(one: Step, other: Step): boolean {
  if (op.isWide(one.kind) === op.isWide(other.kind) || op.isPlain(one.kind) || op.isPlain(other.kind)) return false;
  if (!op.isAccess(one.kind) || !op.isAccess(other.kind)) return false;
  const [wide, narrow] = op.isWide(one.kind) ? [one, other] : [other, one];
  const distance = narrow.cell - wide.cell;
  return (distance === 0 || distance === 1) && (op.writes(one.kind) || op.writes(other.kind));
}

function tell(world: World, step: Step, cell: number, access: string): string {
  return `${world.names.nameOf(cell)}: the ${step.program.process.name} is about to ${op.operationName(step.kind)} it, and nothing orders that and ${access}.`;
}
