/**
 * A whole system in one thread, for tests: application, guardian and any number of actors' threads run the
 * kernel's own code over its own rings, but nothing of it runs by itself. A test takes it step by step; which of
 * the possible steps is next, a seed decides; and time passes only when the test lets it.
 *
 * A step is one of: a thread handles one message; a thread runs its timers that are due and tries again what
 * found no room; a record arrives; a thread begins; the guardian hears of a thread's end. After each all
 * microtasks are run, so that a seed leads to the same run everywhere. Actors must wait for nothing but the
 * kernel's promises and timers and such as are settled already; what takes real time is out of the test's hands.
 *
 * Unlike between real threads, arguments and definitions are handed over as they are.
 */
import type { ActorRef, Addressed } from '../actor-ref.ts';
import type { FailureDecision } from '../actor-table.ts';
import type { ActorDefinition } from '../actor.ts';
import { formatAddress, isSpawned, slotOf, threadOf } from '../address.ts';
import type { DeliverySpec } from '../delivery.ts';
import { SpillwayError } from '../errors.ts';
import type { Lane, LaneSizes } from '../lanes.ts';
import type { LogThreshold, LogRecord } from '../log.ts';
import type { Protocol, ProtocolSpec, RequestOf } from '../protocol.ts';
import { ManualClock } from '../time/manual-clock.ts';
import { seededRandom, type Random } from '../time/random.ts';
import { ActorProbe, probeDefinition, type ProbeOptions } from './actor-probe.ts';
import { Faults, type Fault } from './faults.ts';
import { OrderTrace } from './order-trace.ts';
import { Stepper } from './stepper.ts';
import { imbalancesOf, inspectionOf, type TestInspection } from './test-inspection.ts';
import { TestThreads, type ThreadEnd } from './test-threads.ts';
import type { TestThread } from './test-thread.ts';

export interface TestSystemOptions {
  /** Decides all orders and all random numbers. Default 1. */
  readonly seed?: number;
  /** Application and guardian included. Default 16. */
  readonly maxThreads?: number;
  readonly faults?: readonly Fault[];
  /** What is kept in `logs`. Default `error`. */
  readonly logLevel?: LogThreshold;
  /** How likely, before a step, time goes on to the next timer although somebody could step; below 1. Default 0. */
  readonly lateness?: number;
  /** Until a thread that has ended is started again. Default 1. */
  readonly restartMs?: number;
  /** Keeps the latest 10,000 lines of what was done, in `trace`. */
  readonly keepTrace?: boolean;
}

export interface TestSpawnOptions {
  /** Spawns it on the thread of this actor, as its child. Default: on a thread of its own. */
  readonly thread?: Addressed;
  /** Of a thread of its own: the lanes into it. */
  readonly mailbox?: Partial<LaneSizes>;
  /** Of a thread of its own: how its data messages are delivered over its lives. */
  readonly delivery?: DeliverySpec;
  /** Of a thread of its own: `permanent` (default) is started again whenever it ends, unless it was stopped. */
  readonly restart?: 'permanent' | 'temporary';
  /** Of a child: what becomes of it when it fails. Default: it stops. */
  readonly onFailure?: (error: unknown, failures: number) => FailureDecision;
}

/** How much time may pass while something is waited for. */
const PATIENCE_MS = 60_000;

export async function createTestSystem(options: TestSystemOptions = {}): Promise<TestSystem> {
  const system = new TestSystem(options);
  await system.settle();
  return system;
}

export class TestSystem {
  readonly seed: number;
  readonly clock = new ManualClock();
  /** For the test's own choices, so that they go with the seed. */
  readonly random: Random;
  readonly #threads: TestThreads;
  readonly #stepper: Stepper;
  readonly #trace: OrderTrace;

  /** Use `createTestSystem`. */
  constructor({ seed = 1, maxThreads = 16, faults = [], logLevel = 'error', lateness = 0, restartMs = 1, keepTrace = false }: TestSystemOptions) {
    this.seed = seed;
    const random = seededRandom(seed);
    this.random = random.fork('test');
    const { clock } = this;
    const threads = new TestThreads({ clock, random: random.fork('threads'), maxThreads, logLevel, restartMs });
    this.#threads = threads;
    this.#trace = new OrderTrace(keepTrace);
    const host = {
      nowMs: () => clock.monotonicMs(),
      sender: (from: string, to: string, lane: Lane) => {
        const receiver = threads.named(to);
        return receiver && threads.named(from)?.runtime.transmitter.lanesTo(receiver.runtime.self)?.[lane];
      },
      senders: () => threads.all.map(({ name }) => name),
      stall: (name: string, forMs: number) => {
        const thread = threads.named(name);
        if (thread !== undefined) thread.stalledUntilMs = clock.monotonicMs() + forMs;
      },
      kill: (name: string) => void threads.named(name)?.terminate(),
    };
    this.#stepper = new Stepper({ clock, random: random.fork('steps'), threads, faults: new Faults(host, faults), trace: this.#trace, lateness });
  }

  // ---- actors

  /**
   * Makes an actor, and steps until it has started and the application is linked to it.
   * @returns the application's reference to it
   * @throws SpillwayError `actor_start_failed`, `too_many_threads`, `name_taken`, or what its start throws at once
   */
  async spawn<Spec extends ProtocolSpec, Args>(name: string, definition: ActorDefinition<Spec, Args>, args: Args, options: TestSpawnOptions = {}): Promise<ActorRef<Spec>> {
    const { thread: host, restart = 'permanent', mailbox, delivery, onFailure } = options;
    const anyDefinition = definition as unknown as ActorDefinition;
    let address: number;
    if (host === undefined) {
      const plan = { definition: anyDefinition, args, restart, ...(mailbox === undefined ? {} : { mailbox }), ...(delivery === undefined ? {} : { delivery }) };
      address = await this.run(this.#threads.spawn(name, plan));
    } else {
      const { table } = this.#threadOf(host).runtime;
      const parent = table.at(slotOf(host.address));
      if (parent === undefined) throw new SpillwayError('actor_unknown', `There is no actor at ${formatAddress(host.address)} on whose thread '${name}' could be spawned.`, { details: { name } });
      address = table.spawn(parent, anyDefinition, args, { name, ...(onFailure === undefined ? {} : { onFailure }) }).address;
    }
    await this.run(this.#threads.application.runtime.connected(address));
    return this.#threads.application.runtime.ref(name, address, definition.protocol);
  }

  /** Finds an actor by name, for the application. @throws SpillwayError `actor_unknown` */
  async resolve<Spec extends ProtocolSpec>(name: string, protocol: Protocol<Spec>): Promise<ActorRef<Spec>> {
    const { caretaker } = this.#threads.application;
    return caretaker.runtime.ref(name, await this.run(caretaker.resolve(name)), protocol);
  }

  /** An actor that only takes note of what it is sent; see ActorProbe. */
  async probe<Spec extends ProtocolSpec>(name: string, protocol: Protocol<Spec>, options: ProbeOptions<Spec> & Pick<TestSpawnOptions, 'thread'> = {}): Promise<ActorProbe<Spec>> {
    const { definition, received } = probeDefinition(protocol, options);
    const { thread } = options;
    const ref = await this.spawn(name, definition, undefined, thread === undefined ? {} : { thread });
    return new ActorProbe(ref, received, {
      settle: () => this.settle(),
      run: (promise, withinMs) => this.run(promise, withinMs),
    });
  }

  /** Tells an actor, and steps until nothing is left to do at this time. @throws SpillwayError `message_refused` */
  async inject<Spec extends ProtocolSpec, Name extends keyof Spec & string>(to: ActorRef<Spec>, name: Name, request: RequestOf<Spec, Name>): Promise<void> {
    const result = to.tell(name, request);
    if (result < 0) throw new SpillwayError('message_refused', `${name} to ${to.name} was refused with ${result}.`);
    await this.settle();
  }

  /** Ends an actor as its supervisor or parent does, for good. */
  async stop(actor: Addressed, deadlineMs = 5_000): Promise<void> {
    const thread = this.#threadOf(actor);
    const cell = thread.runtime.table.at(slotOf(actor.address));
    if (!isSpawned(slotOf(actor.address))) await this.run(this.#threads.stop(thread.name, deadlineMs));
    else if (cell !== undefined) await this.run(thread.runtime.table.stop(cell, 'shutdown'));
  }

  /** Ends the thread of an actor in the middle of whatever it does, as `terminate` or a native crash. It is started again if it is permanent. */
  kill(actor: Addressed): void {
    void this.#threadOf(actor).terminate();
  }

  /** Lets a thread take no step for some time, as if a handler blocked it. */
  stall(actor: Addressed, forMs: number): void {
    this.#threadOf(actor).stalledUntilMs = this.clock.monotonicMs() + forMs;
  }

  // ---- steps and time

  /** Takes one step. @returns false if nothing can be done before time goes on */
  step(): Promise<boolean> {
    return this.#stepper.step();
  }

  /** Steps until nothing can be done before time goes on. */
  settle(): Promise<void> {
    return this.#stepper.settle();
  }

  /** Lets time pass, with all that is due meanwhile. */
  advance(ms: number): Promise<void> {
    return this.#stepper.advance(ms);
  }

  /**
   * Steps, and lets time go on where nothing is left to do, until the promise is settled.
   * @throws what it is rejected with; SpillwayError `test_stuck` if it is not settled within this time
   */
  run<T>(promise: Promise<T>, withinMs = PATIENCE_MS): Promise<T> {
    return this.#stepper.run(promise, withinMs);
  }

  /** Calls `observe` after every step, for what must hold at every moment; what it throws ends the run. */
  onStep(observe: () => void): void {
    this.#stepper.observers.push(observe);
  }

  // ---- what is seen

  /** Steps so far. */
  get steps(): number {
    return this.#stepper.steps;
  }

  /** Equal for equal runs: a hash of all steps, their times and the records that were moved. */
  get hash(): string {
    return this.#trace.hash;
  }

  get trace(): readonly string[] {
    return this.#trace.lines;
  }

  get logs(): readonly LogRecord[] {
    return this.#threads.logs;
  }

  /** Ends of threads, as the guardian was told of them. */
  get ends(): readonly ThreadEnd[] {
    return this.#threads.ends;
  }

  /** Bytes in lanes into the actor's thread that have arrived and were not read. Lanes that the thread does not know yet do not count. */
  waitingBytes(actor: Addressed, lane: Lane): number {
    const { runtime } = this.#threadOf(actor);
    const pumps = this.#threads.relay.pumpsTo(runtime.self, lane);
    return pumps.reduce((sum, { route, arrivedBytes }) => (runtime.transmitter.peerAt(threadOf(route.from)) === route.from ? sum + arrivedBytes : sum), 0);
  }

  inspect(): TestInspection {
    return inspectionOf(this.#threads, this.clock, this.steps);
  }

  /** Violations of the law of accounting, on any board; empty between two steps. See board.ts. */
  imbalances(): string[] {
    return imbalancesOf(this.#threads.all);
  }

  /** Ends it. What was asked and not answered stays unanswered. */
  close(): void {
    this.#threads.close();
  }

  #threadOf(actor: Addressed): TestThread {
    const thread = this.#threads.at(threadOf(actor.address));
    if (thread === undefined) throw new SpillwayError('actor_unknown', `The thread of ${formatAddress(actor.address)} has ended.`);
    return thread;
  }
}
