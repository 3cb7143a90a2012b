/** What is wrong with a state at which some schedule has arrived, whoever walks there. */
import * as op from './operation.ts';
import type { Step } from './program.ts';
import { findRace } from './race.ts';
import type { World } from './world.ts';

export interface Violation {
  readonly rule: 'data race' | 'stuck' | 'endless' | 'threw' | 'wrong outcome';
  readonly message: string;
  /** What led there, to be replayed. */
  readonly choices: readonly number[];
}

/** Longer schedules are taken to go on forever. */
export const DEPTH_MAX = 20_000;

export class ViolationFound extends Error {
  readonly rule: Violation['rule'];

  constructor(rule: Violation['rule'], message: string) {
    super(message);
    this.rule = rule;
  }
}

export class Judge {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  judge(): void {
    const { at, processCount } = this.#world;
    for (let process = 0; process < processCount; process++) {
      const step = at[process]!;
      if (step.kind >= op.THREW) this.#failed(step);
    }
    const race = findRace(this.#world);
    if (race !== undefined) throw new ViolationFound('data race', race);
  }

  /** For a state from which no thread goes on. */
  judgeEnd(): void {
    const world = this.#world;
    if (!world.isOver) throw new ViolationFound('stuck', this.#whoWaits());
    try {
      world.check();
    } catch (error) {
      throw new ViolationFound('wrong outcome', error instanceof Error ? error.message : String(error));
    }
  }

  #failed(step: Step): never {
    const { name } = step.program.process;
    if (step.kind === op.ENDLESS) throw new ViolationFound('endless', `The ${name} goes on and on without waiting.`);
    const error = step.detail;
    throw new ViolationFound('threw', `The ${name} threw ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }

  #whoWaits(): string {
    const { at, parked, prepared } = this.#world;
    return prepared.processes
      .map(({ name }, process) => {
        const state = at[process]!.kind === op.END ? 'has ended' : parked[process] === 0 ? 'waits for a change' : 'sleeps and nobody wakes it';
        return `the ${name} ${state}`;
      })
      .join('; ');
  }
}

