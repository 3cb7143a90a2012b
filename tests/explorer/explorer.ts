/**
 * Walks every schedule of a scenario, and judges each.
 *
 * Exhaustive: depth first over the choices "this thread does its next step" and "this thread dies
 * here", going back step by step. A state that was explored before is not explored again: a state
 * holds the whole history of each thread, so no two of them are alike by chance, and the graph has no
 * cycles. So the number of schedules through it is known by adding up, although each of its edges is
 * walked once only. Nothing is bounded unless the caller says so.
 *
 * Judged are, in every state: there is no data race (see race.ts), no program throws or goes on forever,
 * and not all threads wait. At every end: the scenario's own check.
 *
 * Reduced are: steps that no other thread can see (see ownership.ts), and deaths before a step that only
 * reads, which leave the same as the death after it.
 */
import * as op from './operation.ts';
import { DEPTH_MAX, Judge, type Violation, ViolationFound } from './judge.ts';
import { Ownership } from './ownership.ts';
import type { RingSource } from './ring-source.ts';
import type { Scenario } from './scenario.ts';
import { StateSet } from './state-set.ts';
import { wander } from './walk.ts';
import { DEATH, World, kindOf, processOf } from './world.ts';

export interface ExploreOptions {
  /** Gives up beyond so many states. Default: none. */
  readonly statesMax?: number;
  /** Switches at most so often away from a thread that could go on. Default: without bound. */
  readonly preemptionsMax?: number;
  /** Whether to leave out what needs no exploring, as said above. Default true. */
  readonly isReduced?: boolean;
}

export interface Exploration {
  readonly scenario: string;
  /** Whether every schedule within the given bounds was walked. */
  readonly isExhausted: boolean;
  /** Different complete schedules. Exact up to 2^53. */
  readonly schedules: number;
  /** States with more than one way on, or none. */
  readonly states: number;
  readonly steps: number;
  readonly deaths: number;
  readonly depthMax: number;
  readonly elapsedMs: number;
  readonly violation: Violation | undefined;
}

/** Schedules walked at random before all of them are. */
const SCHEDULES_AHEAD = 30;

class LimitReached extends Error {}
class OwnershipRefuted extends Error {}

/** @param options what they leave out, the scenario says */
export function explore(scenario: Scenario, source: RingSource, options: ExploreOptions = {}): Exploration {
  return new Explorer(scenario, source, options).run();
}

class Explorer {
  readonly #scenario: Scenario;
  readonly #source: RingSource;
  readonly #ownership = new Ownership();
  #world: World;
  #judge: Judge;
  readonly #states = new StateSet();
  readonly #statesMax: number;
  readonly #preemptionsMax: number;
  readonly #isReduced: boolean;
  readonly #isReordered: boolean;
  readonly #path: number[] = [];
  #steps = 0;
  #deaths = 0;
  #depthMax = 0;

  constructor(scenario: Scenario, source: RingSource, options: ExploreOptions) {
    this.#statesMax = options.statesMax ?? Infinity;
    this.#preemptionsMax = options.preemptionsMax ?? scenario.preemptionsMax ?? Infinity;
    this.#isReduced = options.isReduced ?? true;
    this.#isReordered = scenario.isReordered === true;
    this.#scenario = scenario;
    this.#source = source;
    this.#world = this.#newWorld();
    this.#judge = new Judge(this.#world);
    // A first look around, so that little of what is taken for a thread's own has to be taken back.
    if (this.#isReduced) wander(this.#world, SCHEDULES_AHEAD);
  }

  run(): Exploration {
    const start = performance.now();
    let schedules = 0;
    let isExhausted = false;
    let violation: Violation | undefined;
    try {
      schedules = this.#untilOwnershipHolds();
      isExhausted = true;
    } catch (error) {
      if (error instanceof ViolationFound) violation = { rule: error.rule, message: error.message, choices: [...this.#path] };
      else if (!(error instanceof LimitReached)) throw error;
    }
    return {
      scenario: this.#scenario.name,
      isExhausted,
      schedules,
      states: this.#states.size,
      steps: this.#steps,
      deaths: this.#deaths,
      depthMax: this.#depthMax,
      elapsedMs: performance.now() - start,
      violation,
    };
  }

  #newWorld(): World {
    return new World(this.#scenario, this.#source, {
      onStep: (step) => this.#ownership.learn(step),
      isSeen: (step, isBenign) => !this.#isReduced || !this.#ownership.isOwn(step, isBenign),
      joinsHistories: this.#isReduced,
    });
  }

  #untilOwnershipHolds(): number {
    for (;;) {
      this.#ownership.beginAnew();
      this.#states.clear();
      this.#path.length = 0;
      this.#steps = this.#deaths = this.#depthMax = 0;
      try {
        this.#world = this.#newWorld();
        this.#judge = new Judge(this.#world);
        return this.#visit(-1, 0);
      } catch (error) {
        if (!(error instanceof OwnershipRefuted)) throw error;
      }
    }
  }

  /**
   * Explores all that may follow and returns the number of schedules; the world comes back as it was.
   * @param last the process that could be preempted, -1 for none
   */
  #visit(last: number, preemptions: number): number {
    const world = this.#world;
    const mark = world.mark;
    const memoryMark = world.memory.mark;
    const depth = this.#path.length;
    let running = last;
    let choices = this.#choices();
    // Where there is one step to take and nothing else, it is taken.
    while (choices.length === 1 && choices[0]! < DEATH) {
      const process = choices[0]!;
      if (!this.#isOwn(process)) running = process;
      this.#choose(process);
      choices = this.#choices();
    }
    world.hash(this.#preemptionsMax === Infinity ? 0 : (running + 1) * 256 + preemptions);
    const { hashLow, hashHigh } = world;
    let schedules = this.#states.schedules(hashLow, hashHigh);
    if (schedules === 0) {
      if (choices.length === 0) this.#judge.judgeEnd();
      schedules = choices.length === 0 ? 1 : this.#visitAll(choices, running, preemptions);
      this.#states.add(hashLow, hashHigh, schedules);
      if (this.#states.size > this.#statesMax) throw new LimitReached();
    }
    world.undo(mark, memoryMark);
    this.#path.length = depth;
    return schedules;
  }

  #visitAll(choices: readonly number[], last: number, preemptions: number): number {
    const world = this.#world;
    const canLastGoOn = last >= 0 && world.canStep(last);
    let schedules = 0;
    for (const choice of choices) {
      const process = processOf(choice);
      const isDeath = kindOf(choice) === DEATH;
      const isOwn = choice < DEATH && this.#isOwn(process);
      const isPreempted = !isDeath && !isOwn && process !== last && canLastGoOn;
      if (isPreempted && preemptions === this.#preemptionsMax) continue;
      const mark = world.mark;
      const memoryMark = world.memory.mark;
      const depth = this.#path.length;
      this.#choose(choice);
      // What nobody sees is no switch; and after a death some thread has to be chosen anew.
      const next = isOwn || (isDeath && process !== last) ? last : isDeath ? -1 : process;
      schedules += this.#visit(next, preemptions + (isPreempted ? 1 : 0));
      world.undo(mark, memoryMark);
      this.#path.length = depth;
    }
    return schedules;
  }

  #choose(choice: number): void {
    this.#path.push(choice);
    if (this.#path.length > DEPTH_MAX) throw new ViolationFound('endless', `No end after ${DEPTH_MAX} steps.`);
    this.#steps++;
    if (kindOf(choice) === DEATH) this.#deaths++;
    this.#world.choose(choice);
    if (this.#path.length > this.#depthMax) this.#depthMax = this.#path.length;
    if (this.#ownership.isRefuted) throw new OwnershipRefuted();
  }

  /** Judges the state and says in which ways to go on. */
  #choices(): number[] {
    const world = this.#world;
    this.#judge.judge();
    const choices: number[] = [];
    for (let process = 0; process < world.processCount; process++) {
      if (!world.canStep(process)) continue;
      if (this.#isOwn(process)) return this.#mayDieNow(process) ? [process, process + DEATH] : [process];
      choices.push(process);
    }
    if (this.#isReordered) choices.push(...choices.flatMap((process) => world.otherChoices(process)));
    if (world.deaths < world.deathsMax) {
      for (let process = 0; process < world.processCount; process++) if (this.#mayDieNow(process)) choices.push(process + DEATH);
    }
    return choices;
  }

  #isOwn(process: number): boolean {
    const step = this.#world.at[process]!;
    // What overtakes a late store has to be seen to do so.
    if (!this.#isReduced || this.#world.pending[process] !== undefined) return false;
    // What was read before a checkpoint can be late no more, so it is not passed in haste.
    if (this.#isReordered && step.kind === op.CHECKPOINT) return false;
    return this.#ownership.isOwn(step, this.#world.isBenign(step.cell));
  }

  #mayDieNow(process: number): boolean {
    return this.#world.canDie(process) && !(this.#isReduced && this.#mayDieLater(process));
  }

  /** Whether the death after the next step of this thread leaves the same as the death before it. */
  #mayDieLater(process: number): boolean {
    const world = this.#world;
    const step = world.at[process]!;
    if (step.kind !== op.READ && (step.kind & ~op.WIDE) !== op.LOAD && step.kind !== op.CHECKPOINT) return false;
    if (world.pending[process] !== undefined) return false;
    const mark = world.mark;
    const memoryMark = world.memory.mark;
    world.step(process);
    const canDie = world.canDie(process);
    world.undo(mark, memoryMark);
    return canDie;
  }
}
