/**
 * A schedule as text that can be given back: `0*12 1 !0 1*3` is twelve steps of the first thread, one of
 * the second, the death of the first, and three more steps of the second. `~0` is a store that others see
 * later, `^0` the moment when they do, and `0>1` a write that an earlier read of the second thread sees.
 * And what happens in one, told operation by operation.
 */
import type { Note } from './note-list.ts';
import * as op from './operation.ts';
import type { Step } from './program.ts';
import { DEATH, LATE_READ, LATE_STORE, STORE_SEEN, type World, kindOf, lateRead, processOf, readerOf } from './world.ts';

/** What stands before the index of a process that does something else than its next step. */
const MARKS: Readonly<Record<string, number>> = { '!': DEATH, '~': LATE_STORE, '^': STORE_SEEN, '>': LATE_READ };

export function formatSchedule(choices: readonly number[]): string {
  const parts: string[] = [];
  for (let place = 0; place < choices.length; ) {
    const choice = choices[place]!;
    let count = 1;
    while (choices[place + count] === choice) count++;
    const mark = Object.keys(MARKS).find((each) => MARKS[each] === kindOf(choice)) ?? '';
    const reader = mark === '>' ? `>${readerOf(choice)}` : '';
    parts.push(`${mark === '>' ? '' : mark}${processOf(choice)}${reader}${count === 1 ? '' : `*${count}`}`);
    place += count;
  }
  return parts.join(' ');
}

/** @throws RangeError */
export function parseSchedule(text: string): number[] {
  return text.split(/\s+/).filter(Boolean).flatMap((part) => {
    const [, mark = '', process, reader, count = '1'] = /^([!~^]?)(\d+)(?:>(\d+))?(?:\*(\d+))?$/.exec(part) ?? [];
    if (process === undefined) throw new RangeError(`Expected parts such as '0', '1*12', '!0', '~0', '^0' or '0>1' in a schedule; got '${part}'.`);
    const choice = reader === undefined ? Number(process) + (MARKS[mark] ?? 0) : lateRead(Number(process), Number(reader));
    return Array.from({ length: Number(count) }, () => choice);
  });
}

/**
 * Follows a schedule and tells each of its operations.
 * @param afterEach is told of each state on the way; what it throws comes after the telling so far
 * @throws RangeError when the schedule is none of this world's
 */
export function narrate(world: World, choices: readonly number[], afterEach: () => void = () => {}): string[] {
  const lines: string[] = [];
  const width = Math.max(...world.prepared.processes.map(({ name }) => name.length));
  for (const choice of choices) {
    const process = processOf(choice);
    const step = world.at[process];
    if (step === undefined || !isPossible(world, choice)) {
      throw new RangeError(`This schedule belongs to another scenario or to other sources: step ${lines.length + 1} cannot be taken.`);
    }
    const isShown = world.pending[process];
    const answer = answerOf(world, step, () => world.choose(choice));
    const said = isShown !== undefined && world.pending[process] === undefined ? `(others see now: ${tell(world, isShown, '')})` : sayChoice(world, choice, step, answer);
    if (step.kind !== op.CHECKPOINT && step.kind !== op.START) lines.push(`${step.program.process.name.padEnd(width)}  ${said}`);
    afterEach();
  }
  return lines;
}

function isPossible(world: World, choice: number): boolean {
  const process = processOf(choice);
  if (kindOf(choice) === DEATH) return world.canDie(process);
  return choice < DEATH ? world.canStep(process) : world.otherChoices(process).includes(choice);
}

function sayChoice(world: World, choice: number, step: Step, answer: string): string {
  if (kindOf(choice) === DEATH) return 'dies, and a successor begins';
  const said = tell(world, step, answer);
  if (kindOf(choice) === LATE_STORE) return `${said} (others see it later)`;
  return kindOf(choice) === LATE_READ ? `${said} (an earlier read of the ${world.prepared.processes[readerOf(choice)]!.name} was late and has seen it)` : said;
}

function answerOf(world: World, step: Step, act: () => void): string {
  const { parked } = world;
  const process = step.program.processIndex;
  act();
  if (step.kind === op.WAIT) return parked[process] === 0 ? 'goes on' : 'sleeps';
  if (step.kind === op.NOTIFY) return 'done';
  const { low, high } = world.memory;
  return op.isWide(step.kind) ? String((BigInt(high) << 32n) | BigInt(low >>> 0)) : String(low);
}

function tell({ names }: World, step: Step, answer: string): string {
  const name = op.operationName(step.kind);
  const pair = (low: number, high: number): string => String((BigInt(high) << 32n) | BigInt(low >>> 0));
  const first = op.isWide(step.kind) ? pair(step.a, step.b) : String(step.a);
  const second = op.isWide(step.kind) ? pair(step.c, step.d) : String(step.b);
  switch (step.kind & ~(op.isWide(step.kind) ? op.WIDE : 0)) {
    case op.NOTE: {
      const { what, values } = step.detail as Note;
      return `notes: ${what} ${values.join(' ')}`;
    }
    case op.IDLE:
      return 'looks again, as something has changed';
    case op.READ:
    case op.LOAD:
      return `${name} ${names.nameOf(step.cell)}: ${answer}${step.mask === -1 ? '' : ` of ${bytes(step.mask)}`}`;
    case op.WRITE:
      return `${name} ${names.nameOf(step.cell)} = ${first}${step.mask === -1 ? '' : ` into ${bytes(step.mask)}`}`;
    case op.STORE:
      return `${name} ${names.nameOf(step.cell)} = ${first}`;
    case op.COMPARE_EXCHANGE:
      return `${name} ${names.nameOf(step.cell)} from ${first} to ${second}: found ${answer}`;
    case op.WAIT:
      return `${name} at ${names.nameOf(step.cell)} while it is ${first}: ${answer}`;
    case op.NOTIFY:
      return `${name} at ${names.nameOf(step.cell)}`;
    default:
      return `${name} ${names.nameOf(step.cell)} with ${first}: found ${answer}`;
  }
}

function bytes(mask: number): string {
  return `bits 0x${(mask >>> 0).toString(16)}`;
}
