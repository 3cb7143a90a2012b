/** What happens to a tree, as plain data, so that a sequence of it can be written down, cut and run again. */
import type { Random } from '../../../kernel/index.ts';
import type { Outcome, Reason } from './leaf.ts';
import type { Call } from './ledger.ts';
import { nameOf, oneIn, pathOf, type Shape } from './shape.ts';

/** How the next starts of some children go. */
export type Starts = Readonly<Record<string, readonly Outcome[]>>;

/** One thing that happens at one moment. */
export type Step =
  | { readonly kind: 'exit'; readonly target: string; readonly reason: Reason }
  | { readonly kind: 'call'; readonly call: Call; readonly target: string }
  /** Terminates a child twice at once and restarts it as soon as the first call has returned. */
  | { readonly kind: 'bounce'; readonly target: string };

export type Fault = { readonly waitMs: number; readonly starts: Starts } & (
  | Exclude<Step, { kind: 'bounce' }>
  | { readonly kind: 'burst'; readonly steps: readonly { readonly atMs: number; readonly step: Step }[]; readonly holds: Readonly<Record<string, number>> }
);

/** One fault of so many is a burst, in which several things happen while the others are still going on. */
const BURST_ONE_IN = 4;
const MOST_STEPS = 5;
const BURST_MS = 60;

export class FaultSource {
  readonly #random: Random;
  readonly #shape: Shape;
  /** The supervisor that the last one was about: what fails often fails at the same place. */
  #path = '';

  constructor(random: Random, shape: Shape) {
    this.#random = random;
    this.#shape = shape;
  }

  next(): Fault {
    const random = this.#random;
    if (!oneIn(random, 2)) this.#path = pathOf(this.#any(this.#shape.leaves));
    const waitMs = oneIn(random, 2) ? 0 : random.int(oneIn(random, 3) ? 10_000 : 100);
    if (oneIn(random, BURST_ONE_IN)) return this.#burst(waitMs);
    const step = this.#step();
    if (step.kind === 'bounce') return { waitMs, starts: {}, kind: 'exit', target: step.target, reason: 'crashed' };
    return { waitMs, starts: this.#starts(step.target, false), ...step };
  }

  #burst(waitMs: number): Fault {
    const random = this.#random;
    const count = 2 + random.int(MOST_STEPS - 1);
    const steps = Array.from({ length: count }, () => ({ atMs: oneIn(random, 2) ? 0 : random.int(BURST_MS), step: this.#step() }));
    const target = steps[0]!.step.target;
    const holds: Record<string, number> = {};
    if (oneIn(random, 3)) holds[this.#near()] = 1 + random.int(3);
    return { waitMs, starts: this.#starts(target, true), kind: 'burst', steps, holds };
  }

  #step(): Step {
    const random = this.#random;
    const target = this.#near();
    const choice = random.int(20);
    if (choice < 13) return { kind: 'exit', target, reason: oneIn(random, 4) ? (oneIn(random, 2) ? 'stopped' : 'shutdown') : 'crashed' };
    const call = (['terminate', 'restart', 'start', 'restart', 'delete', 'remove'] as const)[choice - 13];
    if (call === undefined) return { kind: 'bounce', target };
    return { kind: 'call', call, target: oneIn(random, 6) ? this.#any(this.#shape.supervisors) : target };
  }

  /** How the starts go of the child that the fault is about, and of one of its siblings. */
  #starts(target: string, mayExit: boolean): Starts {
    const random = this.#random;
    const starts: Record<string, Outcome[]> = {};
    for (const name of [target, this.#near()]) {
      if (!oneIn(random, 3)) continue;
      starts[name] = Array.from({ length: 1 + random.int(3) }, () => this.#outcome(mayExit));
    }
    return starts;
  }

  #outcome(mayExit: boolean): Outcome {
    const random = this.#random;
    const how = (['fail', 'fail', 'fail', 'slow', 'ignore', 'hang', 'exit'] as const)[random.int(mayExit ? 7 : 6)]!;
    return { how, afterMs: oneIn(random, 2) ? 0 : random.int(9) };
  }

  #near(): string {
    const { leaves } = this.#shape;
    for (let count = 0; count < 4; count++) {
      const name = nameOf(this.#path, oneIn(this.#random, 2) ? `w${this.#random.int(6)}` : `d${this.#random.int(6)}`);
      if (this.#shape.specs.has(name)) return name;
    }
    return this.#any(leaves);
  }

  #any(names: readonly string[]): string {
    return names[this.#random.int(names.length)] ?? this.#shape.leaves[0]!;
  }
}
