/**
 * The application's own place in the system: thread 0. It starts the guardian's thread, which hosts
 * the supervision tree, and talks to it and to all actors through links like any other thread.
 */
import { availableParallelism } from 'node:os';
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import type { ActorRef } from './actor-ref.ts';
import { ACTOR_SLOT, APPLICATION_THREAD, GUARDIAN_THREAD, KERNEL_SLOT, addressOf, type Address } from './address.ts';
import type { AdminClient } from './admin/admin-client.ts';
import { Board } from './board.ts';
import type { Terminated } from './bonds.ts';
import { Caretaker, linksOf } from './caretaker.ts';
import { systemClock } from './clock.ts';
import type { DeadLetter } from './dead-letters.ts';
import { SpillwayError } from './errors.ts';
import type { CancelScope, ScopeOptions } from './flow/cancel-scope.ts';
import type { Group } from './groups.ts';
import { inspectSystem, type InspectOptions } from './inspect.ts';
import { DEFAULT_LANE_SIZES } from './lanes.ts';
import { createLink, reverseLink, type PeerLink } from './link.ts';
import type { Log, LogThreshold } from './log.ts';
import { standStill } from './native-exit.ts';
import type { Protocol, ProtocolSpec } from './protocol.ts';
import type { Inspection, SystemPhase } from './telemetry/inspection.ts';
import type { ActorSource } from './actor-source.ts';
import { siblingModule, type ThreadBoot } from './thread-boot.ts';
import { ThreadBlock, createSystemMemory } from './thread-block.ts';
import { ThreadLoop } from './thread-loop.ts';
import { sendItem } from './thread-port.ts';
import { ThreadRuntime } from './thread-runtime.ts';
import { systemRandom } from './time/random.ts';
import type { Timer } from './time/timer-wheel.ts';
import { Topology } from './topology.ts';

export interface ApplicationOptions {
  /** The actor that runs on the guardian's thread: the root of the supervision tree. */
  readonly root: ActorSource;
  /** Threads at the most, the application's and the guardian's included. */
  readonly maxThreads: number;
  readonly logLevel: LogThreshold;
  /** How long one handler may hold its thread before that is told. Default 5,000. */
  readonly hungAfterMs?: number;
}

/** Spinning pays only while a core is free to do it; whether one is, PhasedWait finds out. */
const CORES_TO_SPIN = 2;
const MAX_SPINS = 2_000;
/** How long the guardian may take to come up. */
const START_MS = 30_000;

const SELF = addressOf(APPLICATION_THREAD, ACTOR_SLOT);
const ROOT = addressOf(GUARDIAN_THREAD, ACTOR_SLOT);

export class Application {
  readonly #runtime: ThreadRuntime;
  readonly #caretaker: Caretaker;
  readonly #system: SharedArrayBuffer;
  readonly #guardian: Worker;
  readonly #guardianEnded: Promise<void>;
  readonly #loop: Promise<void>;
  readonly #port: MessagePort;
  readonly #topology: Topology;
  #lastAdmin = 0;
  /** What the application says of itself; see Inspection. */
  phase: SystemPhase = 'starting';

  constructor(options: ApplicationOptions) {
    this.#system = createSystemMemory(options.maxThreads);
    const maxSpins = availableParallelism() >= CORES_TO_SPIN ? MAX_SPINS : 0;
    const board = Board.create();
    const guardianBoard = Board.create();
    const toGuardian: PeerLink = {
      peer: ROOT,
      board: guardianBoard,
      outbound: createLink(DEFAULT_LANE_SIZES),
      inbound: createLink(DEFAULT_LANE_SIZES),
    };
    const channel = new MessageChannel();
    channel.port1.unref();
    this.#port = channel.port1;
    const topology = new Topology(this.#system);
    this.#topology = topology;
    topology.add({ id: APPLICATION_THREAD, name: 'application', address: SELF, board });
    topology.add({ id: GUARDIAN_THREAD, name: 'guardian', address: ROOT, board: guardianBoard });
    topology.addLanes(APPLICATION_THREAD, GUARDIAN_THREAD, toGuardian.outbound);
    topology.addLanes(GUARDIAN_THREAD, APPLICATION_THREAD, toGuardian.inbound);
    this.#caretaker = new Caretaker({
      makeRuntime: (hooks) =>
        new ThreadRuntime({
          self: SELF,
          incarnation: 1,
          system: this.#system,
          board,
          clock: systemClock,
          logLevel: options.logLevel,
          ...hooks,
          // No actor runs on this thread, so a defect here is the kernel's own and must not be hidden.
          onDefect: (error) => process.nextTick(() => { throw error; }),
        }),
      name: 'application',
      random: systemRandom,
      port: linksOf(channel.port1, (item) => topology.note(item)),
      native: false,
      setWaiting: () => {},
      exit: () => {},
    });
    this.#runtime = this.#caretaker.runtime;
    this.#runtime.addLink(toGuardian);
    const boot: ThreadBoot = {
      self: ROOT,
      incarnation: 1,
      name: 'guardian',
      system: this.#system,
      board: guardianBoard,
      links: [reverseLink(toGuardian, { peer: SELF, board })],
      port: channel.port2,
      source: options.root,
      native: false,
      maxSpins,
      logLevel: options.logLevel,
      ...(options.hungAfterMs === undefined ? {} : { hungAfterMs: options.hungAfterMs }),
    };
    new ThreadBlock(this.#system, APPLICATION_THREAD).state = 'running';
    this.#guardian = new Worker(new URL(siblingModule('thread-entry', import.meta.url)), {
      workerData: boot,
      transferList: [channel.port2],
      name: 'guardian',
    });
    this.#guardianEnded = new Promise((resolve) => this.#guardian.once('exit', () => resolve()));
    // Without its guardian the system cannot go on: every ask ends, and new ones are refused.
    void this.#guardianEnded.then(() => this.#runtime.end());
    // Before Node ends the threads, whatever the application ends by.
    const onExit = (): void => this.#outlastNativeCalls();
    process.on('exit', onExit);
    void this.#guardianEnded.then(() => process.off('exit', onExit));
    this.#loop = new ThreadLoop(this.#runtime, maxSpins).run();
  }

  /** Resolves once the root actor has started. @throws SpillwayError `actor_start_failed` */
  async started(): Promise<void> {
    const failed = new Promise<never>((_, reject) => {
      this.#guardian.once('error', (error) => reject(startFailed(error)));
      this.#guardian.once('exit', () => reject(startFailed(undefined)));
    });
    // It also fails long after the start, when nobody races with it.
    failed.catch(() => {});
    const endMs = systemClock.monotonicMs() + START_MS;
    while (this.block(GUARDIAN_THREAD).state !== 'running') {
      if (systemClock.monotonicMs() > endMs) {
        await this.#guardian.terminate();
        throw startFailed(new Error(`not up after ${START_MS} ms`));
      }
      await Promise.race([new Promise((resolve) => this.#runtime.after(1, () => resolve(undefined))), failed]);
    }
    if (this.phase === 'starting') this.phase = 'running';
  }

  /** The root actor, reachable without looking it up. */
  root<Spec extends ProtocolSpec>(protocol: Protocol<Spec>): ActorRef<Spec> {
    return this.#runtime.ref('root', ROOT, protocol);
  }

  /** Finds an actor by name. @throws SpillwayError `actor_unknown` */
  async resolve<Spec extends ProtocolSpec>(name: string, protocol: Protocol<Spec>): Promise<ActorRef<Spec>> {
    return this.#runtime.ref(name, await this.#caretaker.resolve(name), protocol);
  }

  /** What a thread shows of itself; reads shared memory and asks nobody. */
  block(thread: number): ThreadBlock {
    return new ThreadBlock(this.#system, thread);
  }

  /** All threads with their lanes and actors, read from shared memory; nobody is asked. */
  inspect(options?: InspectOptions): Inspection {
    // The threads and lanes that came since then lie in the port, also while this thread was busy.
    this.#caretaker.takeLinks();
    return inspectSystem(this.#topology, this.phase, systemClock.monotonicMs(), options);
  }

  /** A handle for an address. The link to its thread is made with the first message. */
  ref<Spec extends ProtocolSpec>(name: string, address: Address, protocol: Protocol<Spec>): ActorRef<Spec> {
    return this.#runtime.ref(name, address, protocol);
  }

  /** Calls `onEnd` once when the actor has ended for good; soon, if there is none. */
  watch(target: Address, onEnd: (end: Terminated) => void): Timer {
    // What a listener throws is the application's affair and keeps no other from being called.
    return this.#runtime.bonds.watch(this.#runtime.cellAt(KERNEL_SLOT)!, target, (end) => queueMicrotask(() => onEnd(end)));
  }

  group<Spec extends ProtocolSpec>(name: string, protocol: Protocol<Spec>): Promise<Group<Spec>> {
    return this.#caretaker.group(name, protocol);
  }

  scope(options?: ScopeOptions): CancelScope {
    return this.#runtime.scopes.open(options);
  }

  /** Calls the listener with each dead letter of the system that is told. @returns takes it off */
  onDeadLetter(listener: (letter: DeadLetter) => void): Promise<() => void> {
    return this.#caretaker.onDeadLetter(listener);
  }

  /**
   * A client for administrative calls to the thread of an actor. Close it when they are done.
   * @param deadlineMs how long a call may take beyond the duration that it asks for
   * @throws SpillwayError `actor_unknown`, `thread_ended`
   */
  async admin(name: string, deadlineMs: number): Promise<AdminClient> {
    const { adminOf } = await import('./admin/admin-client.ts');
    const { port1, port2 } = new MessageChannel();
    const client = adminOf(port1, { deadlineMs });
    const id = ++this.#lastAdmin;
    try {
      sendItem(this.#port, { item: 'admin', id, port: port2 });
      await this.#caretaker.openAdmin(name, id);
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  log(actor: string): Log {
    return this.#runtime.log(actor);
  }

  #outlastNativeCalls(): void {
    const guardian = this.block(GUARDIAN_THREAD);
    if (!guardian.isNative) return;
    // Nobody can act on a signal any more; without listeners it has its usual effect, at once.
    for (const signal of ['SIGINT', 'SIGTERM']) process.removeAllListeners(signal);
    let isTold = false;
    standStill(this.block(APPLICATION_THREAD).doorbell, () => {
      isTold ||= this.#runtime.tellOnce(GUARDIAN_THREAD, 'stop', { deadlineMs: 0 }) >= 0;
      return !guardian.isNative;
    });
  }

  /** Ends the guardian and this thread's loop. The root actor must have stopped its children before. */
  async close(deadlineMs: number): Promise<void> {
    this.#runtime.tell(GUARDIAN_THREAD, 'stop', { deadlineMs });
    const timer = this.#runtime.after(deadlineMs, () => void this.#guardian.terminate());
    await this.#guardianEnded;
    timer.cancel();
    this.#runtime.end();
    await this.#loop;
  }
}

function startFailed(cause: unknown): SpillwayError {
  const reason = cause instanceof Error ? cause.message : 'its thread ended';
  return new SpillwayError('actor_start_failed', `The guardian did not start: ${reason}`, { cause });
}
