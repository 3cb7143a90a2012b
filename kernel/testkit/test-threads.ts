/**
 * The threads of a test system: application and guardian from the beginning, actors' threads as they are
 * spawned. The guardian is the real one, with its directory and its links; what it makes and buries are test
 * threads instead of workers. Who is started again, this decides in the supervisors' place.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { ActorDefinition } from '../actor.ts';
import { ACTOR_SLOT, APPLICATION_THREAD, GUARDIAN_THREAD, addressOf, slotOf, threadOf, type Address } from '../address.ts';
import { Caretaker, linksOf } from '../caretaker.ts';
import type { DeliverySpec } from '../delivery.ts';
import { SpillwayError } from '../errors.ts';
import type { LaneSizes } from '../lanes.ts';
import { createLink, reverseLink, type PeerLink } from '../link.ts';
import type { LogThreshold, LogRecord } from '../log.ts';
import { defineProtocol } from '../protocol.ts';
import type { ThreadBoot } from '../thread-boot.ts';
import { createSystemMemory } from '../thread-block.ts';
import { ThreadHost } from '../thread-host.ts';
import type { HostedThread, ThreadExit } from '../thread-spec.ts';
import type { ManualClock } from '../time/manual-clock.ts';
import type { Random } from '../time/random.ts';
import { Relay } from './relay.ts';
import { TestRuntime, TestThread } from './test-thread.ts';

export interface TestThreadsOptions {
  readonly clock: ManualClock;
  readonly random: Random;
  readonly maxThreads: number;
  readonly logLevel: LogThreshold;
  /** Until a thread that has ended is started again. */
  readonly restartMs: number;
}

export interface ThreadPlan {
  readonly definition: ActorDefinition;
  readonly args: unknown;
  /** Of the lanes into the thread. */
  readonly mailbox?: Partial<LaneSizes>;
  readonly delivery?: DeliverySpec;
  /** `permanent`: it is started again whenever it ends, unless it was stopped. */
  readonly restart: 'permanent' | 'temporary';
}

/** An end of a thread, as the guardian was told of it. */
export interface ThreadEnd extends ThreadExit {
  readonly name: string;
}

/** So often a thread is started again; one that cannot live does not keep a test going forever. */
const MAX_RESTARTS = 100;
/** Log lines and ends that are kept. */
const MAX_KEPT = 10_000;

/** A thousandth of the memory of a real system, so that thousands of test systems can be made one after the other. */
const LANE_SIZES: LaneSizes = { controlBytes: 16_384, dataBytes: 32_768, telemetryBytes: 8_192 };
/** Beside those that live on a thread at once, places rest before they are given again. */
const BOARD_PLACES = 12_288;
const BYTES_PER_PLACE = 128;

const APPLICATION = addressOf(APPLICATION_THREAD, ACTOR_SLOT);
const ROOT = addressOf(GUARDIAN_THREAD, ACTOR_SLOT);

const root: ActorDefinition = { protocol: defineProtocol('root', {}), start: () => ({ handlers: {} }) };

export class TestThreads {
  readonly relay = new Relay({
    threadName: (thread) => this.nameOf(thread),
    messageName: (address, kind) => this.at(threadOf(address))?.runtime.table.at(slotOf(address))?.protocol.messageOfKind(kind)?.name,
  });
  readonly application: TestThread;
  readonly guardian: TestThread;
  readonly logs: LogRecord[] = [];
  readonly ends: ThreadEnd[] = [];
  readonly #options: TestThreadsOptions;
  readonly #system: SharedArrayBuffer;
  readonly #plans = new Map<string, ThreadPlan>();
  readonly #hosted = new Map<string, HostedThread>();
  readonly #restarts = new Map<string, number>();
  readonly #ports: MessagePort[] = [];
  #threads: TestThread[] = [];
  #host!: ThreadHost;

  constructor(options: TestThreadsOptions) {
    this.#options = options;
    this.#system = createSystemMemory(options.maxThreads);
    const board = newBoard();
    const guardianBoard = newBoard();
    const toGuardian: PeerLink = { peer: ROOT, board: guardianBoard, outbound: createLink(LANE_SIZES), inbound: createLink(LANE_SIZES) };
    const toApplication = reverseLink(toGuardian, { peer: APPLICATION, board });
    const channel = new MessageChannel();
    this.#ports.push(channel.port1);
    const source = { module: 'testkit', export: 'root' };
    const place = { incarnation: 1, native: false, maxSpins: 0, system: this.#system, logLevel: options.logLevel, source };
    const guardianBoot: ThreadBoot = { ...place, self: ROOT, name: 'guardian', board: guardianBoard, links: [toApplication], port: channel.port2 };
    this.application = this.#make({ ...place, self: APPLICATION, name: 'application', board, links: [toGuardian], port: channel.port1 }, false);
    this.guardian = this.#make(guardianBoot, true);
    this.guardian.launch(root, undefined);
    // No actor runs on this one.
    this.application.launch(undefined, undefined);
  }

  /** Those that live, and those whose end is still to be told. */
  get all(): readonly TestThread[] {
    return this.#threads;
  }

  at(thread: number): TestThread | undefined {
    return this.#threads.find(({ isAlive, runtime }) => isAlive && runtime.thread === thread);
  }

  named(name: string): TestThread | undefined {
    return this.#threads.find((thread) => thread.isAlive && thread.name === name);
  }

  nameOf(thread: number): string {
    if (thread === APPLICATION_THREAD) return 'application';
    if (thread === GUARDIAN_THREAD) return 'guardian';
    for (const [name, { id }] of this.#hosted) if (id === thread) return name;
    return `thread-${thread}`;
  }

  /** Makes a thread for an actor. Resolves with its address once it has started. @throws SpillwayError `actor_start_failed`, `too_many_threads`, `name_taken` */
  async spawn(name: string, plan: ThreadPlan): Promise<Address> {
    if (this.#hosted.has(name)) throw new SpillwayError('name_taken', `A thread was started as '${name}'; choose another name.`, { details: { name } });
    this.#plans.set(name, plan);
    const hosted = this.#host.add({ name, source: { module: 'testkit', export: name }, ...(plan.mailbox === undefined ? {} : { mailbox: plan.mailbox }), ...(plan.delivery === undefined ? {} : { delivery: plan.delivery }) });
    this.#hosted.set(name, hosted);
    try {
      await this.#host.start(hosted, (exit) => this.#onExit(hosted, exit));
    } catch (error) {
      this.#giveUp(hosted);
      throw error;
    }
    return hosted.address;
  }

  /** Ends a thread as its supervisor does, for good. */
  async stop(name: string, deadlineMs: number): Promise<void> {
    const hosted = this.#hosted.get(name);
    if (hosted === undefined) return;
    this.#plans.set(name, { ...this.#plans.get(name)!, restart: 'temporary' });
    await this.#host.stop(hosted, deadlineMs);
    if (this.#hosted.get(name) === hosted) this.#giveUp(hosted);
  }

  /** A thread's end has been told. */
  bury(thread: TestThread): void {
    this.#threads = this.#threads.filter((each) => each !== thread);
    thread.tellExit();
  }

  /** @throws SpillwayError `too_many_actors` where a thread has more actors than the small boards of a test take */
  requireRoom(): void {
    for (const { name, runtime } of this.#threads) {
      if (runtime.block.places <= BOARD_PLACES) continue;
      throw new SpillwayError('too_many_actors', `Thread ${name} of a test system has taken ${BOARD_PLACES} places for actors, and there are no more; spawn fewer, or on several threads.`);
    }
  }

  /** Lets go of what outlives memory. */
  close(): void {
    for (const port of this.#ports) port.close();
  }

  #onExit(hosted: HostedThread, exit: ThreadExit): void {
    const { name } = hosted.spec;
    keep(this.ends, { name, ...exit });
    const restarts = (this.#restarts.get(name) ?? 0) + 1;
    this.#restarts.set(name, restarts);
    if (this.#plans.get(name)?.restart !== 'permanent' || restarts > MAX_RESTARTS) return this.#giveUp(hosted);
    this.guardian.runtime.after(this.#options.restartMs, () => {
      // It may have been stopped meanwhile.
      if (this.#hosted.get(name) !== hosted || hosted.alive) return;
      this.#host
        .start(hosted, (next) => this.#onExit(hosted, next))
        .catch((error: Error) => this.#onExit(hosted, { reason: 'crashed', whileStarting: true, code: '', message: error.message, stack: '' }));
    });
  }

  #giveUp(hosted: HostedThread): void {
    this.#hosted.delete(hosted.spec.name);
    this.#restarts.delete(hosted.spec.name);
    this.#host.remove(hosted);
  }

  #make(boot: ThreadBoot, isGuardian: boolean): TestThread {
    const { clock, random } = this.#options;
    const caretaker = new Caretaker({
      makeRuntime: (hooks) =>
        new TestRuntime(this.relay, { self: boot.self, incarnation: boot.incarnation, system: boot.system, board: boot.board, clock, logLevel: boot.logLevel, delivery: boot.delivery, ...hooks }),
      name: boot.name,
      random: random.fork(`${boot.name}:${boot.incarnation}`),
      port: linksOf(boot.port),
      native: boot.native,
      setWaiting: () => {},
      exit: (code) => thread.exit(code),
      ...(isGuardian ? { makeHost: (runtime: TestRuntime) => (this.#host = this.#makeHost(runtime, boot)) } : {}),
    });
    const thread = new TestThread(boot, caretaker, this.relay);
    this.#threads.push(thread);
    return thread;
  }

  #makeHost(runtime: TestRuntime, boot: ThreadBoot): ThreadHost {
    return new ThreadHost(runtime, boot, {
      newWorker: (worker) => {
        const thread = this.#make(worker, false);
        const { definition, args } = this.#plans.get(worker.name)!;
        thread.plan = () => thread.launch(definition, args);
        return thread;
      },
      newBoard,
      laneSizes: LANE_SIZES,
      writer: { write: (record) => keep(this.logs, record) },
    });
  }
}

function newBoard(): SharedArrayBuffer {
  return new SharedArrayBuffer(BOARD_PLACES * BYTES_PER_PLACE);
}

function keep<T>(list: T[], item: T): void {
  list.push(item);
  if (list.length > MAX_KEPT) list.shift();
}
