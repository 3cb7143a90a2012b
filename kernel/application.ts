/**
 * The application's own place in the system: thread 0. It starts the guardian's thread, which hosts
 * the supervision tree, and talks to it and to all actors through links like any other thread.
 */
import { availableParallelism } from 'node:os';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { ActorRef } from './actor-ref.ts';
import { ACTOR_SLOT, APPLICATION_THREAD, GUARDIAN_THREAD, addressOf } from './address.ts';
import { Board } from './board.ts';
import { Caretaker, linksOf } from './caretaker.ts';
import { systemClock } from './clock.ts';
import { SpillwayError } from './errors.ts';
import { DEFAULT_LANE_SIZES } from './lanes.ts';
import { createLink, reverseLink, type PeerLink } from './link.ts';
import type { Log, LogLevel } from './log.ts';
import type { Protocol, ProtocolSpec } from './protocol.ts';
import { siblingModule, type ActorSource, type ThreadBoot } from './thread-boot.ts';
import { ThreadBlock, createSystemMemory } from './thread-block.ts';
import { ThreadLoop } from './thread-loop.ts';
import { ThreadRuntime } from './thread-runtime.ts';
import { systemRandom } from './time/random.ts';

export interface ApplicationOptions {
  /** The actor that runs on the guardian's thread: the root of the supervision tree. */
  readonly root: ActorSource;
  /** Threads at the most, the application's and the guardian's included. */
  readonly maxThreads: number;
  readonly logLevel: LogLevel;
}

/** Spinning pays only while a core is free to do it; small machines have none. See PhasedWait. */
const CORES_TO_SPIN = 4;
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
      port: linksOf(channel.port1),
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

  log(actor: string): Log {
    return this.#runtime.log(actor);
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
