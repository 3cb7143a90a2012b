/**
 * The guardian's hands: it makes worker threads, links them, hears of their ends and says so to those
 * who talked to them. It decides nothing; whether a thread is started again is the supervisors' affair.
 *
 * It lives on a thread of its own so that all this goes on while the application's thread is blocked.
 */
import { SpscObserver } from 'atomics-ring-buffer';
import { MessageChannel, Worker, type MessagePort, type ResourceLimits } from 'node:worker_threads';
import {
  ACTOR_SLOT,
  APPLICATION_THREAD,
  GUARDIAN_THREAD,
  KERNEL_SLOT,
  addressOf,
  nextActorSlot,
  threadOf,
  type Address,
} from './address.ts';
import type { Handlers, MessageContext } from './handlers.ts';
import { SpillwayError } from './errors.ts';
import { kernelProtocol, type KernelSpec } from './kernel-protocol.ts';
import { DEFAULT_LANE_SIZES, type LaneSizes } from './lanes.ts';
import { createLink, reverseLink, type LinkBuffers, type PeerLink } from './link.ts';
import { LogWriter, type Log } from './log.ts';
import { siblingModule, type ActorSource, type ThreadBoot } from './thread-boot.ts';
import { ThreadBlock, threadCapacity } from './thread-block.ts';
import type { ThreadRuntime } from './thread-runtime.ts';

/** The part of its deadline that a stopping thread is told of; the rest is for its way out. */
const STOP_PART = 0.8;
const STOP_RETRY_MS = 5;

export interface ThreadSpec {
  /** Unique in the system; what `resolve` finds. */
  readonly name: string;
  readonly source: ActorSource;
  /** Capacity of the lanes into the thread, from each peer; what is not given is the default. */
  readonly mailbox?: Partial<LaneSizes>;
  /** Whether it makes native calls: such a thread is never terminated, only asked to end. */
  readonly native?: boolean;
  readonly resourceLimits?: HeapLimits;
}

/** Node's bounds of a worker's heap that make sense for an actor; a thread that exceeds them ends like one that crashed. */
export type HeapLimits = Pick<ResourceLimits, 'maxYoungGenerationSizeMb' | 'maxOldGenerationSizeMb'>;

/** How a thread ended. */
export interface ThreadExit {
  readonly reason: 'stopped' | 'crashed';
  readonly whileStarting: boolean;
  readonly code: string;
  readonly message: string;
  readonly stack: string;
}

/** One thread of the system, through all its lives. */
export interface HostedThread {
  readonly id: number;
  /** Of its actor; never that of an actor that was there before. */
  readonly address: Address;
  readonly spec: ThreadSpec;
  readonly incarnation: number;
  readonly alive: boolean;
}

interface Hosted extends HostedThread {
  incarnation: number;
  alive: boolean;
  worker: Worker | undefined;
  port: MessagePort | undefined;
  /** Its links to others, as it sees them. */
  readonly links: Map<number, PeerLink>;
  /** What it said of its own end. */
  lastWords: ThreadExit | undefined;
  onStarted: (() => void) | undefined;
  onExit: ((exit: ThreadExit) => void) | undefined;
}

export class ThreadHost {
  readonly #runtime: ThreadRuntime;
  readonly #boot: ThreadBoot;
  readonly #writer: LogWriter;
  readonly #threads = new Map<number, Hosted>();
  /** Slots of the actors that were last in each place. */
  readonly #lastSlots = new Map<number, number>();
  /** The application's end of the port by which it is given links. */
  readonly #applicationPort: MessagePort;
  readonly #applicationLinks = new Map<number, PeerLink>();

  constructor(runtime: ThreadRuntime, boot: ThreadBoot) {
    this.#runtime = runtime;
    this.#boot = boot;
    this.#applicationPort = boot.port;
    this.#writer = new LogWriter(boot.logLevel);
  }

  /** The guardian's part of the kernel protocol. */
  readonly handlers: Pick<Handlers<KernelSpec>, 'resolve' | 'started' | 'crashed' | 'log'> = {
    resolve: ({ name }, message) => ({ address: this.#resolve(name, message.from) }),
    started: (notice, message) => this.#onStarted(message, notice.incarnation),
    crashed: (notice, message) => this.#onCrashed(message, notice),
    log: (record) => this.#writer.write(record),
  };

  log(actor: string): Log {
    return this.#runtime.log(actor, (record) => this.#writer.write(record));
  }

  /** Takes a place in the system for a thread; `start` gives it life. @throws SpillwayError `too_many_threads` */
  add(spec: ThreadSpec): HostedThread {
    const id = this.#freeId();
    const lastSlot = this.#lastSlots.get(id);
    const slot = lastSlot === undefined ? ACTOR_SLOT : nextActorSlot(lastSlot);
    this.#lastSlots.set(id, slot);
    this.#block(id).reset();
    const hosted: Hosted = {
      id,
      address: addressOf(id, slot),
      spec,
      incarnation: 0,
      alive: false,
      worker: undefined,
      port: undefined,
      links: new Map(),
      lastWords: undefined,
      onStarted: undefined,
      onExit: undefined,
    };
    this.#threads.set(id, hosted);
    this.#connect(GUARDIAN_THREAD, id);
    return hosted;
  }

  /**
   * Starts the thread's next life. Resolves once its actor has started.
   * @param onExit called once when that life ends, after it has started
   * @throws SpillwayError `actor_start_failed`
   */
  start(thread: HostedThread, onExit: (exit: ThreadExit) => void): Promise<void> {
    const hosted = thread as Hosted;
    const channel = new MessageChannel();
    hosted.incarnation++;
    hosted.lastWords = undefined;
    hosted.port = channel.port1;
    // The port is only ever read with receiveMessageOnPort and must not keep a thread alive.
    channel.port1.unref();
    const block = this.#block(hosted.id);
    block.incarnation = hosted.incarnation;
    if (hosted.incarnation > 1) block.countRestart();
    const boot: ThreadBoot = {
      self: hosted.address,
      incarnation: hosted.incarnation,
      name: hosted.spec.name,
      system: this.#boot.system,
      links: [...hosted.links.values()],
      port: channel.port2,
      source: hosted.spec.source,
      native: hosted.spec.native ?? false,
      maxSpins: this.#boot.maxSpins,
      logLevel: this.#boot.logLevel,
    };
    const worker = newWorker(boot, hosted.spec.resourceLimits);
    hosted.alive = true;
    hosted.worker = worker;
    return new Promise((resolve, reject) => {
      hosted.onStarted = () => {
        hosted.onStarted = undefined;
        hosted.onExit = onExit;
        resolve();
      };
      hosted.onExit = (exit) => {
        hosted.onStarted = undefined;
        const reason = exit.message === '' ? 'its thread ended' : exit.message;
        const code = exit.code === '' ? 'actor_start_failed' : exit.code;
        reject(new SpillwayError(code, `Actor ${hosted.spec.name} did not start: ${reason}`, { details: { stack: exit.stack } }));
      };
      worker.on('error', (error) => {
        hosted.lastWords ??= { reason: 'crashed', whileStarting: hosted.onStarted !== undefined, code: '', ...describe(error) };
      });
      worker.on('exit', (exitCode) => this.#onWorkerExit(hosted, exitCode));
    });
  }

  /**
   * Asks the thread to end and waits for it. A thread without native calls is terminated at the
   * deadline; one with native calls is left, because terminating it would abort the process.
   * @returns whether it has ended
   */
  async stop(thread: HostedThread, deadlineMs: number): Promise<boolean> {
    const hosted = thread as Hosted;
    const { worker } = hosted;
    if (!hosted.alive || worker === undefined) return true;
    const ended = new Promise<boolean>((resolve) => worker.once('exit', () => resolve(true)));
    const passed = new Promise<boolean>((resolve) => {
      const timer = this.#runtime.after(deadlineMs, () => resolve(false));
      worker.once('exit', () => timer.cancel());
    });
    this.#sendStop(hosted, deadlineMs * STOP_PART);
    if (await Promise.race([ended, passed])) return true;
    if (hosted.spec.native === true) return false;
    await worker.terminate();
    return true;
  }

  /** Gives up the thread's place: it will not be started again, and those who talk to it are told. */
  remove(thread: HostedThread): void {
    const hosted = thread as Hosted;
    this.#sayDown(hosted, true);
    this.#threads.delete(hosted.id);
    for (const peer of hosted.links.keys()) this.#linksOf(peer)?.delete(hosted.id);
    const block = this.#block(hosted.id);
    block.state = 'vacant';
  }

  /** Sent again while the control lane has no room: without it, a thread that may not be terminated never ends. */
  #sendStop(hosted: Hosted, deadlineMs: number): void {
    const { incarnation } = hosted;
    if (this.#tell(hosted.id, 'stop', { deadlineMs }) >= 0) return;
    this.#runtime.after(STOP_RETRY_MS, () => {
      if (hosted.alive && hosted.incarnation === incarnation) this.#sendStop(hosted, deadlineMs);
    });
  }

  #freeId(): number {
    const capacity = threadCapacity(this.#boot.system);
    for (let id = GUARDIAN_THREAD + 1; id < capacity; id++) if (!this.#threads.has(id)) return id;
    throw new SpillwayError('too_many_threads', `All ${capacity} thread slots are taken; raise maxThreads.`);
  }

  #block(thread: number): ThreadBlock {
    return new ThreadBlock(this.#boot.system, thread);
  }

  #resolve(name: string, from: Address): Address {
    const requester = threadOf(from);
    // It may have been removed since it asked; a link to it would stand in the way of the next actor there.
    if (requester !== APPLICATION_THREAD && this.#hostedAt(from) === undefined) {
      throw new SpillwayError('actor_unknown', 'Who asked has been removed.', { details: { name } });
    }
    const hosted = [...this.#threads.values()].find((thread) => thread.spec.name === name);
    if (hosted === undefined) {
      throw new SpillwayError('actor_unknown', `There is no actor named '${name}'.`, { details: { name } });
    }
    this.#connect(requester, hosted.id);
    return hosted.address;
  }

  #linksOf(thread: number): Map<number, PeerLink> | undefined {
    if (thread === APPLICATION_THREAD) return this.#applicationLinks;
    return this.#threads.get(thread)?.links;
  }

  /** Links two threads in both directions, or one to itself, unless they are linked. */
  #connect(from: number, to: number): void {
    if (this.#linksOf(to)?.has(from) === true) return;
    if (from === to) {
      // An actor may tell itself something: one set of lanes, of which its thread has both ends.
      const lanes = this.#lanesInto(to);
      this.#giveLink(to, { peer: this.#addressAt(to), outbound: lanes, inbound: lanes });
      return;
    }
    const link: PeerLink = { peer: this.#addressAt(to), outbound: this.#lanesInto(to), inbound: this.#lanesInto(from) };
    this.#giveLink(from, link);
    this.#giveLink(to, reverseLink(link, this.#addressAt(from)));
  }

  #addressAt(thread: number): Address {
    return this.#threads.get(thread)?.address ?? addressOf(thread, ACTOR_SLOT);
  }

  /** The thread whose actor has this address, unless that actor has been removed. */
  #hostedAt(address: Address): Hosted | undefined {
    const hosted = this.#threads.get(threadOf(address));
    return hosted?.address === address ? hosted : undefined;
  }

  #lanesInto(thread: number): LinkBuffers {
    return createLink({ ...DEFAULT_LANE_SIZES, ...this.#threads.get(thread)?.spec.mailbox });
  }

  #giveLink(thread: number, link: PeerLink): void {
    if (thread === GUARDIAN_THREAD) return this.#runtime.addLink(link);
    this.#linksOf(thread)?.set(threadOf(link.peer), link);
    const hosted = this.#threads.get(thread);
    const port = thread === APPLICATION_THREAD ? this.#applicationPort : hosted?.port;
    // A thread that is not alive gets all its links when it starts.
    if (port === undefined || hosted?.alive === false) return;
    port.postMessage(link);
    this.#tell(thread, 'linkReady', {});
  }

  #tell(thread: number, name: keyof KernelSpec, notice: Record<string, unknown>): number {
    return this.#runtime.tell(addressOf(thread, KERNEL_SLOT), kernelProtocol, name, notice);
  }

  #onStarted(message: MessageContext, incarnation: number): void {
    const hosted = this.#hostedAt(message.from);
    if (hosted?.incarnation === incarnation) hosted.onStarted?.();
  }

  #onCrashed(
    message: MessageContext,
    notice: { incarnation: number; whileStarting: boolean; code: string; message: string; stack: string },
  ): void {
    const hosted = this.#hostedAt(message.from);
    if (hosted?.incarnation === notice.incarnation) hosted.lastWords = { reason: 'crashed', ...notice };
  }

  #onWorkerExit(hosted: Hosted, exitCode: number): void {
    // What the thread said of its end was written before it ended and may still lie in the lane.
    this.#runtime.handleWaiting();
    hosted.alive = false;
    hosted.worker = undefined;
    hosted.port?.close();
    hosted.port = undefined;
    const silent: ThreadExit = {
      reason: exitCode === 0 ? 'stopped' : 'crashed',
      whileStarting: hosted.onStarted !== undefined,
      code: '',
      message: exitCode === 0 ? '' : `its thread ended with exit code ${exitCode}`,
      stack: '',
    };
    this.#block(hosted.id).state = exitCode === 0 ? 'stopped' : 'restarting';
    const { onExit } = hosted;
    hosted.onExit = undefined;
    onExit?.(hosted.lastWords ?? silent);
    // Unless the supervisor has given it up just now, which was said to all.
    if (this.#threads.get(hosted.id) === hosted) this.#sayDown(hosted, false);
  }

  /** Tells every peer that the thread has ended, and how far it had read that peer's lanes. */
  #sayDown(hosted: Hosted, final: boolean): void {
    for (const [peer, link] of hosted.links) {
      // It has a link to itself, if it ever looked itself up.
      if (peer === hosted.id) continue;
      const controlConsumed = new SpscObserver(link.inbound.control).consumerPosition;
      const dataConsumed = new SpscObserver(link.inbound.data).consumerPosition;
      if (peer === GUARDIAN_THREAD) {
        this.#runtime.peerDown(hosted.address, final, { control: controlConsumed, data: dataConsumed });
      } else {
        this.#tell(peer, 'peerDown', {
          actor: hosted.address,
          incarnation: hosted.incarnation,
          final,
          controlConsumed,
          dataConsumed,
        });
      }
    }
  }
}

/** @throws SpillwayError `actor_start_failed`, for instance when the actor's arguments cannot be cloned */
function newWorker(boot: ThreadBoot, resourceLimits: HeapLimits = {}): Worker {
  try {
    return new Worker(new URL(siblingModule('thread-entry', import.meta.url)), {
      workerData: boot,
      transferList: [boot.port],
      name: boot.name,
      resourceLimits,
    });
  } catch (error) {
    const reason = describe(error).message;
    throw new SpillwayError('actor_start_failed', `No thread could be made for ${boot.name}: ${reason}`, { cause: error });
  }
}

function describe(error: unknown): { message: string; stack: string } {
  return error instanceof Error
    ? { message: error.message, stack: error.stack ?? '' }
    : { message: String(error), stack: '' };
}
