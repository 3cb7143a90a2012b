/**
 * The guardian's hands: it makes worker threads, links them, hears of their ends and says so to those
 * who talked to them. It decides nothing; whether a thread is started again is the supervisors' affair.
 *
 * It lives on a thread of its own so that all this goes on while the application's thread is blocked.
 */
import { SpscObserver } from 'atomics-ring-buffer';
import { MessageChannel } from 'node:worker_threads';
import { ACTOR_PLACE, ACTOR_SLOT, FIRST_SPAWNED_PLACE, GUARDIAN_THREAD, KERNEL_SLOT, addressOf, isSpawned, nextActorSlot, slotOf, threadOf, type Address } from './address.ts';
import { AdminDesk } from './admin/admin-desk.ts';
import { Board } from './board.ts';
import { completeDelivery } from './delivery.ts';
import type { Handlers, MessageContext } from './handlers.ts';
import { SpillwayError } from './errors.ts';
import type { Hosted, HostTools } from './hosted.ts';
import type { KernelSpec } from './kernel-protocol.ts';
import { hearLastWord } from './last-word.ts';
import { LogWriter, type Log } from './log.ts';
import { standStill } from './native-exit.ts';
import { Registry } from './registry.ts';
import { remainsOf, type ThreadRemains } from './remains.ts';
import type { ThreadBoot } from './thread-boot.ts';
import type { HostedThread, Started, ThreadExit, ThreadSpec } from './thread-spec.ts';
import { ThreadBlock, threadCapacity } from './thread-block.ts';
import { ThreadLinks } from './thread-links.ts';
import type { ThreadRuntime } from './thread-runtime.ts';
import type { Timer } from './time/timer-wheel.ts';
import type { WatchedThread } from './watchdog.ts';
import { describe, newWorker, type ThreadWorker } from './worker.ts';

/** The part of its deadline that a stopping thread is told of; the rest is for its way out. */
const STOP_PART = 0.8;
const STOP_RETRY_MS = 5;

export class ThreadHost {
  readonly #runtime: ThreadRuntime;
  readonly #boot: ThreadBoot;
  readonly #writer: HostTools['writer'];
  readonly #tools: HostTools;
  readonly #threads = new Map<number, Hosted>();
  /** Slots of the actors that were last in each place. */
  readonly #lastSlots = new Map<number, number>();
  readonly #boards = new Map<number, SharedArrayBuffer>();
  readonly #links: ThreadLinks;
  readonly #registry: Registry;
  /** The guardian's part of the kernel protocol. */
  readonly handlers: Partial<Handlers<KernelSpec>>;

  constructor(runtime: ThreadRuntime, boot: ThreadBoot, tools: HostTools = { newWorker, writer: new LogWriter(boot.logLevel) }) {
    this.#runtime = runtime;
    this.#boot = boot;
    this.#writer = tools.writer;
    this.#tools = tools;
    this.#links = new ThreadLinks(runtime, boot, this.#threads, tools.laneSizes);
    const admin = new AdminDesk(runtime, boot, tools.serveAdmin);
    this.#registry = new Registry({ runtime, threads: this.#threads, links: this.#links, admin });
    this.handlers = {
      ...this.#registry.handlers,
      connect: ({ to }, message) => this.connect(threadOf(message.from), to),
      started: (notice, message) => this.#onStarted(message, notice),
      shutsDown: (notice, message) => this.#onShutsDown(message, notice.incarnation),
      crashed: (notice, message) => this.#onCrashed(message, notice),
      log: (record) => this.#writer.write(record),
    };
  }

  log(actor: string): Log {
    return this.#runtime.log(actor, (record) => this.#writer.write(record));
  }

  /** Takes a place in the system for a thread; `start` gives it life. @throws SpillwayError `too_many_threads`, `name_taken` */
  add(spec: ThreadSpec): HostedThread {
    this.#registry.requireFree(spec.name);
    const id = this.#freeId();
    const lastSlot = this.#lastSlots.get(id);
    const slot = lastSlot === undefined ? ACTOR_SLOT : nextActorSlot(lastSlot);
    this.#lastSlots.set(id, slot);
    const block = this.#block(id);
    block.reset();
    const board = this.#boardOf(id);
    const hosted: Hosted = {
      id,
      address: addressOf(id, slot),
      board,
      shown: { id, name: spec.name, board: new Board(board), block, ...(spec.hungAfterMs === undefined ? {} : { hungAfterMs: spec.hungAfterMs }) },
      spec,
      incarnation: 0,
      alive: false,
      worker: undefined,
      stops: new Set(),
      port: undefined,
      links: new Map(),
      lastWords: undefined,
      remains: undefined,
      onStarted: undefined,
      isIgnored: false,
      onExit: undefined,
    };
    this.#threads.set(id, hosted);
    this.#links.add(hosted);
    return hosted;
  }

  /** Of all actors that the thread's place is given to: what a former one had spawned keeps its places, with nobody in them. */
  #boardOf(id: number): SharedArrayBuffer {
    let memory = this.#boards.get(id);
    if (memory === undefined) this.#boards.set(id, (memory = this.#tools.newBoard?.() ?? Board.create()));
    const board = new Board(memory);
    for (let place = FIRST_SPAWNED_PLACE; place < this.#block(id).places; place++) board.vacate(place);
    board.clear(ACTOR_PLACE);
    return memory;
  }

  /**
   * Starts the thread's next life. Resolves once its actor has started, or has left because it had nothing to do.
   * @param onExit called once when that life ends, after it has started
   * @throws SpillwayError `actor_start_failed`
   */
  start(thread: HostedThread, onExit: (exit: ThreadExit) => void): Promise<Started> {
    const hosted = thread as Hosted;
    const channel = new MessageChannel();
    hosted.incarnation++;
    hosted.lastWords = undefined;
    hosted.remains = undefined;
    hosted.isIgnored = false;
    hosted.port = channel.port1;
    const block = this.#block(hosted.id);
    block.incarnation = hosted.incarnation;
    if (hosted.incarnation > 1) block.countRestart();
    const boot: ThreadBoot = {
      self: hosted.address,
      incarnation: hosted.incarnation,
      name: hosted.spec.name,
      system: this.#boot.system,
      board: hosted.board,
      links: [...hosted.links.values()],
      port: channel.port2,
      source: hosted.spec.source,
      native: hosted.spec.native ?? false,
      ...(hosted.spec.delivery === undefined ? {} : { delivery: completeDelivery(hosted.spec.delivery) }),
      maxSpins: this.#boot.maxSpins,
      logLevel: this.#boot.logLevel,
    };
    const worker = this.#tools.newWorker(boot, hosted.spec);
    if (!mayBeTerminated(hosted.spec)) {
      block.isNative = true;
      this.#block(GUARDIAN_THREAD).isNative = true;
    }
    const stops: Hosted['stops'] = new Set();
    hosted.alive = true;
    hosted.worker = worker;
    hosted.stops = stops;
    hearLastWord(channel.port1, (exitCode) => {
      // With nobody ready to go on there is nothing to gain.
      if (this.isReady(hosted)) this.#onEnd(hosted, worker, exitCode);
    });
    return new Promise((resolve, reject) => {
      hosted.onStarted = (started) => {
        hosted.onStarted = undefined;
        hosted.onExit = onExit;
        resolve(started);
      };
      hosted.onExit = (exit) => {
        hosted.onStarted = undefined;
        if (hosted.isIgnored && exit.reason !== 'crashed') return resolve({ isIgnored: true, info: undefined });
        const reason = exit.message === '' ? 'its thread ended' : exit.message;
        const code = exit.code === '' ? 'actor_start_failed' : exit.code;
        reject(new SpillwayError(code, `Actor ${hosted.spec.name} did not start: ${reason}`, { details: { stack: exit.stack } }));
      };
      worker.on('error', (error) => {
        if (hosted.worker !== worker) return;
        hosted.lastWords ??= { reason: 'crashed', whileStarting: hosted.onStarted !== undefined, code: error instanceof SpillwayError ? error.code : '', ...describe(error) };
      });
      worker.on('exit', (exitCode) => {
        this.#onEnd(hosted, worker, exitCode);
        for (const onEnd of stops) onEnd();
      });
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
    const { stops } = hosted;
    const ended = new Promise<boolean>((resolve) => {
      const settle = (hasEnded: boolean): void => {
        timer.cancel();
        stops.delete(onEnd);
        resolve(hasEnded);
      };
      const onEnd = (): void => settle(true);
      const timer = this.#runtime.after(deadlineMs, () => settle(false));
      stops.add(onEnd);
    });
    this.#sendStop(hosted, deadlineMs * STOP_PART);
    if (await ended) return true;
    if (!mayBeTerminated(hosted.spec)) return false;
    await worker.terminate();
    return true;
  }

  /**
   * Ends the thread at once, as crashed with these words. One with native calls is left alone.
   * @returns whether it has ended
   */
  async kill(thread: HostedThread, code: string, message: string): Promise<boolean> {
    const hosted = thread as Hosted;
    const { worker } = hosted;
    if (!hosted.alive || worker === undefined) return true;
    if (!mayBeTerminated(hosted.spec)) return false;
    hosted.lastWords ??= { reason: 'crashed', whileStarting: hosted.onStarted !== undefined, code, message, stack: '' };
    await worker.terminate();
    return true;
  }

  /** A handler has held the thread for longer than its spec permits. */
  killHung(id: number, message: string): void {
    const hosted = this.#threads.get(id);
    if (hosted !== undefined) void this.kill(hosted, 'actor_hung', message);
  }

  /** For the end of the guardian, which ends all threads: has those that make native calls end in order before. */
  outlastNativeCalls(): void {
    const guardian = this.#block(GUARDIAN_THREAD);
    const told = new Set<number>();
    standStill(guardian.doorbell, () => {
      let isOver = true;
      for (const { id } of this.#threads.values()) {
        if (!this.#block(id).isNative) continue;
        isOver = false;
        if (!told.has(id) && this.#tell(id, 'stop', { deadlineMs: 0 }) >= 0) told.add(id);
      }
      return isOver;
    });
    guardian.isNative = false;
  }

  /** Runs `run` on the guardian's loop after a delay. For the tree, whose children may be more than one actor has timers. */
  after(delayMs: number, run: () => void): Timer {
    return this.#runtime.after(delayMs, run);
  }

  /** Gives an actor a name for `resolve`, until it ends. @throws SpillwayError `name_taken`, `directory_full` */
  registerName(name: string, address: Address): void {
    this.#registry.register(name, address);
  }

  /** Takes a name from an actor that is about to end, so that it is free at once. */
  releaseName(name: string, address: Address): void {
    this.#registry.release(name, address);
  }

  /** Whether a thread stands by that could lead its next life at once. */
  isReady(thread: HostedThread): boolean {
    return this.#tools.isReady?.(thread.spec) === true;
  }

  /** Gives up the thread's place: it will not be started again, and those who talk to it are told. */
  remove(thread: HostedThread): void {
    const hosted = thread as Hosted;
    this.#sayDown(hosted, true);
    this.#threads.delete(hosted.id);
    this.#links.remove(hosted);
    this.#tools.removed?.(hosted.spec);
    this.#block(hosted.id).state = 'vacant';
  }

  /** What the thread has left: from its end to the begin of its next life as it was at its end, else as it is now. */
  remains(thread: HostedThread): ThreadRemains {
    const hosted = thread as Hosted;
    return hosted.remains ?? this.#look(hosted);
  }

  #look({ id, board, links }: Hosted): ThreadRemains {
    const block = this.#block(id);
    return remainsOf({ block, board: new Board(board), links: links.values(), handling: block.handling }, this.#runtime.nowMs());
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

  /** Links a thread to that of the address, or tells it that there is nobody. */
  connect(from: number, to: Address): void {
    const thread = threadOf(to);
    const slot = slotOf(to);
    const isThere = thread <= GUARDIAN_THREAD || (this.#threads.has(thread) && (slot === KERNEL_SLOT || isSpawned(slot) || this.#registry.at(to) !== undefined));
    // The guardian and the application have links to all that there are, or get them now.
    if (isThere) this.#links.connect(from, thread);
    else if (from === GUARDIAN_THREAD) this.#runtime.unreachable(to);
    else this.#runtime.tell(from, 'unreachable', { to });
  }

  /** The threads that there are, for those who look at them. */
  *watched(): Generator<WatchedThread> {
    for (const { shown } of this.#threads.values()) yield shown;
  }

  #tell(thread: number, name: keyof KernelSpec, notice: Record<string, unknown>): number {
    return this.#runtime.tellOnce(thread, name, notice);
  }

  #onStarted(message: MessageContext, { incarnation, isIgnored, info }: { incarnation: number; isIgnored: boolean; info?: unknown }): void {
    const hosted = this.#registry.at(message.from);
    if (hosted?.incarnation !== incarnation) return;
    // One that has nothing to do has started when its thread has ended, so that its place is free.
    if (isIgnored) hosted.isIgnored = true;
    else hosted.onStarted?.({ isIgnored, info });
  }

  #onShutsDown(message: MessageContext, incarnation: number): void {
    const hosted = this.#registry.at(message.from);
    if (hosted?.incarnation === incarnation) hosted.lastWords = { reason: 'shutdown', whileStarting: false, code: '', message: '', stack: '' };
  }

  #onCrashed(
    message: MessageContext,
    notice: { incarnation: number; whileStarting: boolean; code: string; message: string; stack: string },
  ): void {
    const hosted = this.#registry.at(message.from);
    if (hosted?.incarnation === notice.incarnation) hosted.lastWords = { reason: 'crashed', ...notice };
  }

  /** The life that the worker led has made its last write: it has said so, or has ended. */
  #onEnd(hosted: Hosted, worker: ThreadWorker, exitCode: number): void {
    // The end of a worker whose last word was heard concerns nobody any more.
    if (hosted.worker !== worker) return;
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
    const block = this.#block(hosted.id);
    hosted.remains = this.#look(hosted);
    block.state = exitCode === 0 ? 'stopped' : 'restarting';
    block.isNative = false;
    // It may have died in the middle of a handler.
    block.handling = 0;
    block.actors = 0;
    const { onExit } = hosted;
    hosted.onExit = undefined;
    onExit?.(hosted.lastWords ?? silent);
    // Unless the supervisor has given it up just now, which was said to all.
    if (this.#threads.get(hosted.id) === hosted) this.#sayDown(hosted, false);
  }

  /** Tells every peer that the thread has ended, and how far it had read that peer's lanes. */
  #sayDown(hosted: Hosted, final: boolean): void {
    this.#registry.forget(hosted.id);
    const hasStopped = this.#block(hosted.id).state === 'stopped';
    for (const [peer, { inbound, peer: peerAddress }] of hosted.links) {
      const control = new SpscObserver(inbound.control).consumerPosition;
      const readTo = new SpscObserver(inbound.data).consumerPosition;
      // What a next life would handle again nobody will.
      const data = final ? this.#block(hosted.id).hand.begunTo(peerAddress, readTo) : readTo;
      if (peer === GUARDIAN_THREAD) this.#runtime.peerDown(hosted.address, final, hasStopped, { control, data });
      else this.#runtime.tell(peer, 'peerDown', { actor: hosted.address, final, hasStopped, controlConsumed: control, dataConsumed: data });
    }
  }
}

/** Whether ending the thread in the middle of anything leaves the process alive. */
function mayBeTerminated({ native, process }: ThreadSpec): boolean {
  return native !== true || process !== undefined;
}
