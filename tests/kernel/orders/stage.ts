/**
 * What a scenario plays on: a test system whose order a seed decides, actors that stand on threads by seed, and
 * a list of what was violated. The scenario's own choices come from the seed too.
 */
import { seededRandom, threadOf, type Addressed, type ActorContext, type ActorDefinition, type ActorRef, type ProtocolSpec, type Random } from '../../../kernel/index.ts';
import { createTestSystem, type TestSpawnOptions, type TestSystem, type TestSystemOptions } from '../../../kernel/testkit/index.ts';

export interface Scenario {
  readonly name: string;
  /** What it holds the kernel to, for people. */
  readonly promise: string;
  options?(random: Random): Omit<TestSystemOptions, 'seed'>;
  play(stage: Stage): Promise<void>;
}

export interface OrderResult {
  readonly scenario: string;
  readonly seed: number;
  readonly hash: string;
  readonly steps: number;
  readonly violations: readonly string[];
  readonly trace: readonly string[];
}

/** Long enough for every deadline and retry of a scenario. */
const QUIET_MS = 120_000;

export class Stage {
  readonly system: TestSystem;
  readonly random: Random;
  readonly violations: string[] = [];
  #threads: Addressed[] = [];

  constructor(system: TestSystem) {
    this.system = system;
    this.random = system.random;
  }

  violate(text: string): void {
    if (this.violations.length < 20) this.violations.push(text);
  }

  require(holds: boolean, text: string): void {
    if (!holds) this.violate(text);
  }

  /** On a thread of its own, or on one of those that are there. */
  async spawn<Spec extends ProtocolSpec, Args>(name: string, definition: ActorDefinition<Spec, Args>, args: Args, options: Omit<TestSpawnOptions, 'thread'> = {}, maxThreads = 3): Promise<ActorRef<Spec>> {
    const isAlone = this.#threads.length === 0 || (this.#threads.length < maxThreads && this.chance(0.6));
    if (isAlone) return this.spawnThread(name, definition, args, options);
    return this.system.spawn(name, definition, args, { ...options, thread: this.#threads[this.random.int(this.#threads.length)]! });
  }

  async spawnThread<Spec extends ProtocolSpec, Args>(name: string, definition: ActorDefinition<Spec, Args>, args: Args, options: Omit<TestSpawnOptions, 'thread'> = {}): Promise<ActorRef<Spec>> {
    const ref = await this.system.spawn(name, definition, args, options);
    this.#threads.push(ref);
    return ref;
  }

  chance(likelihood: number): boolean {
    return this.random.next() < likelihood;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.random.int(list.length)]!;
  }

  lives(actor: Addressed): boolean {
    return this.system.inspect().threads.some(({ id }) => id === threadOf(actor.address));
  }

  /** Ends the actor's thread, if it lives. */
  kill(actor: Addressed): boolean {
    if (!this.lives(actor)) return false;
    this.system.kill(actor);
    return true;
  }

  stall(actor: Addressed): void {
    if (this.lives(actor)) this.system.stall(actor, 1 + this.random.int(80));
  }

  /** So many steps at the most; if nothing is left to do, some time. */
  async wander(stepsMax = 12): Promise<void> {
    for (let left = this.random.int(stepsMax + 1); left > 0; left--) {
      if (!(await this.system.step())) await this.system.advance(this.random.int(4));
    }
  }

  /** Until nothing is left to do and all deadlines have passed. */
  quiet(): Promise<void> {
    return this.system.advance(QUIET_MS);
  }
}

/** Waits in manual time; 0 gives the thread away for some steps. */
export function pause(context: ActorContext, ms: number): Promise<void> {
  return new Promise((resolve) => context.after(ms, resolve));
}

/** A handler's way of taking its time: none, some microtasks, or some milliseconds. */
export async function dawdle(context: ActorContext): Promise<void> {
  const way = context.random.int(4);
  if (way === 1) await Promise.resolve();
  else if (way > 1) await pause(context, context.random.int(5));
}

/** Plays a scenario in the order of a seed. */
export async function playOrder(scenario: Scenario, seed: number, keepTrace = false): Promise<OrderResult> {
  const options = scenario.options?.(seededRandom(seed).fork(scenario.name)) ?? {};
  const system = await createTestSystem({ ...options, seed, keepTrace });
  const stage = new Stage(system);
  try {
    await scenario.play(stage);
    await stage.quiet();
    judgeBooks(stage);
  } catch (error) {
    stage.violate(`it failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }
  system.close();
  return { scenario: scenario.name, seed, hash: system.hash, steps: system.steps, violations: stage.violations, trace: system.trace };
}

/** What holds of every system that has come to rest. */
function judgeBooks({ system, violations }: Stage): void {
  violations.push(...system.imbalances());
  for (const { name, asks, hasWork, isHeldUp } of system.inspect().threads) {
    if (asks > 0) violations.push(`${name} has ${asks} asks that have not ended.`);
    if (isHeldUp) violations.push(`${name} has something to send at quiet.`);
    if (hasWork) violations.push(`${name} has work at quiet.`);
  }
}
