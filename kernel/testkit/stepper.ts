/** Takes a test system step by step: which steps are possible, the one that is taken, and the time when none is left. */
import { SpillwayError } from '../errors.ts';
import type { ManualClock } from '../time/manual-clock.ts';
import type { Random } from '../time/random.ts';
import type { Faults } from './faults.ts';
import type { OrderTrace } from './order-trace.ts';
import { Order } from './order.ts';
import type { RecordPump } from './record-pump.ts';
import type { TestThreads } from './test-threads.ts';

export interface StepperOptions {
  readonly clock: ManualClock;
  readonly random: Random;
  readonly threads: TestThreads;
  readonly faults: Faults;
  readonly trace: OrderTrace;
  /** How likely, before a step, time goes on although somebody could step; 0 to 1, without 1. */
  readonly lateness: number;
}

interface Move {
  /** Who takes it, for the order and for people. */
  readonly key: string;
  /** @returns whether anything has changed */
  take(): boolean;
}

/** Steps of one run; a test in which something never comes to rest ends here. */
const MAX_STEPS = 1_000_000;
/** Time goes on by at least this: the sum of two numbers may be the larger one of them. */
const LEAST_MS = 0.001;

export class Stepper {
  /** Called after every step, for what must hold at every moment. */
  readonly observers: (() => void)[] = [];
  readonly #options: StepperOptions;
  readonly #order: Order;
  /** Grows whenever something changes. */
  #progress = 0;
  #steps = 0;
  #isStepping = false;

  constructor(options: StepperOptions) {
    this.#options = options;
    this.#order = new Order(options.random.fork('order'));
  }

  get steps(): number {
    return this.#steps;
  }

  /** Takes one step. @returns false if nothing can be done before time goes on */
  async step(): Promise<boolean> {
    return this.#alone(() => this.#step());
  }

  /** Steps until nothing can be done before time goes on. */
  async settle(): Promise<void> {
    await this.#alone(() => this.#settle(this.#options.clock.monotonicMs()));
  }

  /** Lets time pass, with all that is due meanwhile. */
  async advance(ms: number): Promise<void> {
    await this.#alone(async () => {
      const { clock } = this.#options;
      const endMs = clock.monotonicMs() + ms;
      do await this.#settle(endMs);
      while (this.#goOn(endMs));
      if (clock.monotonicMs() < endMs) clock.advance(endMs - clock.monotonicMs());
      await this.#settle(endMs);
    });
  }

  /**
   * Steps, and lets time go on where nothing is left to do, until the promise is settled.
   * @throws what it is rejected with; SpillwayError `test_stuck` if it is not settled within this time
   */
  async run<T>(promise: Promise<T>, withinMs: number): Promise<T> {
    let isSettled = false;
    const settled = (): void => void (isSettled = true);
    promise.then(settled, settled);
    await this.#alone(async () => {
      const endMs = this.#options.clock.monotonicMs() + withinMs;
      await drained();
      while (!isSettled) {
        if (!(await this.#step(endMs)) && !isSettled && !this.#goOn(endMs)) {
          throw new SpillwayError('test_stuck', `What is waited for does not come within ${withinMs} ms of manual time, and nothing is left to do. Look at system.inspect().`);
        }
      }
    });
    return promise;
  }

  async #settle(horizonMs: number): Promise<void> {
    for (let steps = 0; await this.#step(horizonMs); steps++) {
      if (steps >= MAX_STEPS) throw new SpillwayError('test_stuck', `The system does not come to rest within ${MAX_STEPS} steps.`);
    }
  }

  async #step(horizonMs = 0): Promise<boolean> {
    const { faults, random, lateness, trace, clock, threads } = this.#options;
    await drained();
    for (const line of faults.due(this.#steps)) trace.add(line);
    if (lateness > 0 && random.next() < lateness) this.#goOn(horizonMs);
    const moves = this.#moves();
    if (moves.length === 0) return false;
    const move = moves[this.#order.choose(moves)]!;
    this.#steps++;
    trace.add(`${clock.monotonicMs()} ${move.key}`);
    if (move.take()) this.#progress++;
    await drained();
    threads.requireRoom();
    for (const observe of this.observers) observe();
    return true;
  }

  /** Time goes on to when somebody can step again. @returns false if that is later than `endMs` */
  #goOn(endMs: number): boolean {
    const { clock, threads } = this.#options;
    const nowMs = clock.monotonicMs();
    let dueMs = Infinity;
    for (const thread of threads.all) dueMs = Math.min(dueMs, thread.nextDueMs(nowMs));
    for (const pump of threads.relay.pumps) if (pump.hasRecord && pump.heldUntilMs > nowMs) dueMs = Math.min(dueMs, pump.heldUntilMs);
    if (dueMs > endMs) return false;
    clock.advance(Math.max(LEAST_MS, dueMs - nowMs));
    return true;
  }

  #moves(): Move[] {
    const { clock, threads } = this.#options;
    const nowMs = clock.monotonicMs();
    const moves: Move[] = [];
    for (const thread of threads.all) {
      const { name } = thread;
      if (thread.hasNews) moves.push({ key: `${name} ends`, take: () => (threads.bury(thread), true) });
      if (thread.canLaunch(nowMs)) moves.push({ key: `${name} begins`, take: () => (thread.plan!(), true) });
      if (thread.canHandle(nowMs)) moves.push({ key: name, take: () => (thread.handle(), true) });
      if (thread.canAdvance(nowMs, this.#progress)) moves.push({ key: `${name} timers`, take: () => thread.advance(nowMs, this.#progress) > 0 });
    }
    for (const pump of threads.relay.pumps) if (pump.canMove(nowMs)) moves.push({ key: pump.key, take: () => this.#move(pump) });
    return moves;
  }

  #move(pump: RecordPump): boolean {
    const { faults, trace } = this.#options;
    return pump.move((record) => {
      const decision = faults.decide(record, this.#steps, (untilMs) => (pump.heldUntilMs = untilMs));
      trace.add(`${decision} ${record.kind} ${record.message ?? ''} to ${record.address} ask ${record.correlation}`);
      return decision;
    });
  }

  async #alone<T>(run: () => Promise<T>): Promise<T> {
    if (this.#isStepping) throw new TypeError('A test system is taken step by step by one caller at a time: await the former call first.');
    this.#isStepping = true;
    try {
      return await run();
    } finally {
      this.#isStepping = false;
    }
  }
}

/** Once all microtasks have run: a turn of the event loop comes after all of them. */
function drained(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
