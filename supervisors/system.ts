/**
 * A system as the application sees it: spawn supervised actors, talk to them, look at them, close.
 *
 * The supervision tree runs on a thread of its own, so restarts go on while the application's thread
 * is blocked; and nothing here blocks the application's thread.
 */
import {
  Application,
  DEFAULT_HUNG_AFTER_MS,
  DEFAULT_READINESS_THRESHOLDS,
  LOG_THRESHOLDS,
  MAX_THREADS,
  MIN_HUNG_AFTER_MS,
  SpillwayError,
  rates,
  readinessOf,
  registerMetrics,
  serveHealth,
  siblingModule,
  threadOf,
  type ActorRef,
  type Address,
  type Addressed,
  type AdminClient,
  type CancelScope,
  type DeadLetter,
  type Group,
  type HealthOptions,
  type HealthServer,
  type InspectOptions,
  type Inspection,
  type Log,
  type LogThreshold,
  type MetricsOptions,
  type Protocol,
  type ProtocolSpec,
  type Rates,
  type Readiness,
  type ReadinessThresholds,
  type ScopeOptions,
  type Terminated,
  type ThreadBlock,
  type ThreadCounter,
  type ThreadState,
  type Timer,
} from '../kernel/index.ts';
import { DEFAULT_FLAGS, type AnyChildSpec, type ChildSpec, type SupervisorFlags } from './child-spec.ts';
import type { ChildStatus } from './children.ts';
import type { CrashReport } from './crash-report.ts';
import type { CrashReportOptions } from './crash-reports.ts';
import { supervisorProtocol, type TreeSpec } from './messages.ts';
import type { RootArgs } from './root.ts';
import type { PoolThreadsSpec } from './pool-threads.ts';
import { checkChildren, checkPool, completeFlags } from './spec-check.ts';
import { SupervisorHandle } from './supervisor-handle.ts';

export interface SystemOptions {
  /** Flags of the root supervisor; what is not given is the default. */
  readonly supervisor?: Partial<SupervisorFlags>;
  /** Started from left to right before the system is there. If one does not start, the others are stopped again. */
  readonly children?: readonly AnyChildSpec[];
  /** The threads for children placed `pool`, which are made with the first of them. */
  readonly pool?: PoolThreadsSpec;
  /** What is kept of the reports of crashes, and where they are written. */
  readonly crashReports?: CrashReportOptions;
  /** Threads at the most, the application's and the guardian's included. Default 64. */
  readonly maxThreads?: number;
  /** Lines below this level are not written; `silent` writes none. Default warn. */
  readonly logLevel?: LogThreshold;
  /** How long one handler may hold its thread before that is logged and the system is not ready. Default 5,000. */
  readonly hungAfterMs?: number;
}

/** What changes of a thread from moment to moment. */
export type ThreadView = Readonly<Pick<ThreadBlock, 'state' | 'incarnation' | 'restarts' | 'actors'>>;

/** A group as one sees it who is no member. */
export type GroupView<Spec extends ProtocolSpec> = Pick<Group<Spec>, 'name' | 'members' | 'publish'>;

export interface SystemAdminOptions {
  /** How long a call may take beyond the duration that it asks for. Default 10,000. */
  readonly deadlineMs?: number;
}

/** What one actor shows of itself in shared memory. */
export interface ActorHealth {
  readonly state: ThreadState;
  readonly incarnation: number;
  readonly restarts: number;
  readonly deadLetters: number;
  /** Actors that live on its thread, itself included. */
  readonly actors: number;
  readonly counters: Record<ThreadCounter, number>;
}

/** Longest call that starts or stops children; their own deadlines, `startMs` and `shutdownMs`, are meant to come first. */
const CHANGE_MS = 600_000;
const ADMIN_MS = 10_000;
const CLOSE_MS = 10_000;
const DEFAULT_MAX_THREADS = 64;
/** The application's, the guardian's and one actor's. */
const MIN_THREADS = 3;

export class System {
  readonly #application: Application;
  readonly #root: ActorRef<TreeSpec>;
  readonly #threads = new Map<string, number>();
  readonly #hungAfterMs: number;
  readonly #health = new Set<HealthServer>();
  #closing: Promise<void> | undefined;
  #isClosing = false;

  /** Use `createSystem`. */
  constructor(application: Application, hungAfterMs: number = DEFAULT_HUNG_AFTER_MS) {
    this.#application = application;
    this.#hungAfterMs = hungAfterMs;
    this.#root = application.root(supervisorProtocol);
  }

  /**
   * Starts a supervised actor and waits until it has started.
   * @throws SpillwayError `spec_invalid`, `child_exists`, `actor_start_failed`, or what the actor's start threw
   */
  async spawn<Spec extends ProtocolSpec>(spec: ChildSpec, protocol: Protocol<Spec>): Promise<ActorRef<Spec>> {
    this.#assertOpen();
    checkChildren([spec], { ...DEFAULT_FLAGS, autoShutdown: 'any_significant' });
    return this.supervisor().spawn(spec, protocol);
  }

  /**
   * A supervisor of the tree, by the ids from the root down to it, joined by slashes; without a path the root.
   * Whether it is there, its calls find out.
   */
  supervisor(path = ''): SupervisorHandle {
    this.#assertOpen();
    return new SupervisorHandle({
      path,
      root: this.#root,
      changeMs: CHANGE_MS,
      lookMs: ADMIN_MS,
      resolve: (name, protocol) => this.resolve(name, protocol),
      assertOpen: () => this.#assertOpen(),
      onStarted: (name, address) => this.#noteThread(name, threadOf(address)),
    });
  }

  /** The last reports of crashes in the tree, oldest first. */
  async crashReports(): Promise<CrashReport[]> {
    this.#assertOpen();
    const { reports } = await this.#root.ask('crashReports', {}, { deadlineMs: ADMIN_MS });
    return reports as CrashReport[];
  }

  /** Finds an actor by name. @throws SpillwayError `actor_unknown` */
  resolve<Spec extends ProtocolSpec>(name: string, protocol: Protocol<Spec>): Promise<ActorRef<Spec>> {
    this.#assertOpen();
    return this.#application.resolve(name, protocol);
  }

  /** A handle for the address of an actor, as it came in a message. The link to its thread is made with the first message. */
  ref<Spec extends ProtocolSpec>(address: Address, protocol: Protocol<Spec>, name: string = protocol.name): ActorRef<Spec> {
    return this.#application.ref(name, address, protocol);
  }

  /** Calls `onEnd` once when the actor has ended for good; soon, if there is none. A restart is no end. */
  watch(target: Addressed | Address, onEnd: (end: Terminated) => void): Timer {
    this.#assertOpen();
    return this.#application.watch(typeof target === 'number' ? target : target.address, onEnd);
  }

  /** A group by its name, to publish to its members. */
  async group<Spec extends ProtocolSpec>(name: string, protocol: Protocol<Spec>): Promise<GroupView<Spec>> {
    this.#assertOpen();
    return this.#application.group(name, protocol);
  }

  /** A scope for work that may be cancelled as one; hand it on with what is sent. */
  scope(options?: ScopeOptions): CancelScope {
    this.#assertOpen();
    return this.#application.scope(options);
  }

  /**
   * Calls the listener with each message that no handler saw. Under a flood some are only counted, as
   * `deadLettersUntold`.
   * @returns takes the listener off
   */
  async onDeadLetter(listener: (letter: DeadLetter) => void): Promise<() => void> {
    this.#assertOpen();
    return this.#application.onDeadLetter(listener);
  }

  /** Stops a child of the root for good and forgets it. @returns whether it ended within its `shutdownMs` */
  async terminate(id: string): Promise<boolean> {
    const ended = await this.supervisor().removeChild(id);
    if (ended) {
      // Of a supervisor also those below it.
      for (const name of this.#threads.keys()) if (name === id || name.startsWith(`${id}/`)) this.#threads.delete(name);
    }
    return ended;
  }

  /** What the root supervisor knows of its children, left to right. */
  async children(): Promise<ChildStatus[]> {
    return this.supervisor().whichChildren();
  }

  /** State and counts of an actor, read from shared memory: it works while the actor hangs. */
  health(id: string): ActorHealth {
    const block = this.#block(id);
    return {
      state: block.state,
      incarnation: block.incarnation,
      restarts: block.restarts,
      deadLetters: block.deadLetters,
      actors: block.actors,
      counters: block.counters.snapshot(),
    };
  }

  /** The same as it is at every moment, of the thread that the actor has through all its lives. */
  thread(id: string): ThreadView {
    return this.#block(id);
  }

  /** The counters that the actor's definition declares, by the names given there. */
  counters<Name extends string>(id: string, names: readonly Name[]): Record<Name, number> {
    return this.#block(id).actorCounters(names).snapshot();
  }

  /** All threads with their lanes, counts and actors, read from shared memory: it works while threads hang. */
  inspect(options?: InspectOptions): Inspection {
    return this.#application.inspect(options);
  }

  /** How fast everything has gone since an earlier inspection. @throws TypeError if no time has passed since then */
  ratesSince(before: Inspection): Rates {
    return rates(before, this.inspect());
  }

  /** Whether the system should be given work at present, and if not, why. */
  readiness(thresholds?: Partial<ReadinessThresholds>): Readiness {
    return readinessOf(this.inspect(), this.#thresholds(thresholds));
  }

  /**
   * Serves `/healthz`, `/readyz`, `/metrics` and `/inspect` on the loopback interface or a Unix socket, until
   * it is closed or the system is.
   * @throws SpillwayError `health_invalid`, `health_not_local`, `health_address_in_use`, `health_listen_failed`
   */
  async serveHealth(options: HealthOptions = {}): Promise<HealthServer> {
    this.#assertOpen();
    const server = await serveHealth(() => this.inspect(), { ...options, readiness: this.#thresholds(options.readiness) });
    if (this.#isClosing) {
      await server.close();
      this.#assertOpen();
    }
    this.#health.add(server);
    return server;
  }

  /**
   * Gives OpenTelemetry what `inspect` shows. Register the application's meter provider first.
   * @returns takes the instruments away again
   */
  registerMetrics(options: Omit<MetricsOptions, 'inspect'> = {}): Promise<() => void> {
    return registerMetrics({ ...options, inspect: () => this.inspect() });
  }

  /**
   * For a look into the thread of an actor, or of `guardian`: CPU profile, heap snapshot, event-loop delay,
   * memory. A thread that is held cannot answer. Close the client when you are done.
   * @throws SpillwayError `actor_unknown`, `thread_ended` while it is not up
   */
  async admin(name: string, { deadlineMs = ADMIN_MS }: SystemAdminOptions = {}): Promise<AdminClient> {
    this.#assertOpen();
    return this.#application.admin(name, deadlineMs);
  }

  /** Whether `close` has been called. */
  get closing(): boolean {
    return this.#closing !== undefined;
  }

  log(name: string): Log {
    return this.#application.log(name);
  }

  /**
   * Stops all actors from right to left, each finishing what waits in its lanes, then the tree itself.
   * @throws SpillwayError `shutdown_deadline` naming the actors that had not ended in time; the system then
   *   stays closing, and `close` may be called again to wait longer for them
   */
  close(deadlineMs: number = CLOSE_MS): Promise<void> {
    this.#isClosing = true;
    this.#application.phase = 'closing';
    this.#closing ??= this.#close(deadlineMs).catch((error: unknown) => {
      this.#closing = undefined;
      throw error;
    });
    return this.#closing;
  }

  async #close(deadlineMs: number): Promise<void> {
    const still = await this.#shutdown(deadlineMs);
    if (still.length > 0) {
      throw new SpillwayError('shutdown_deadline', `Not ended after ${deadlineMs} ms: ${still.join(', ')}.`, {
        details: { still },
      });
    }
    await this.#application.close(ADMIN_MS);
    // Last, so that whoever asks meanwhile is told that the system closes.
    await Promise.all([...this.#health].map((server) => server.close()));
  }

  #thresholds(given: Partial<ReadinessThresholds> = {}): ReadinessThresholds {
    return { ...DEFAULT_READINESS_THRESHOLDS, handlingMsMax: this.#hungAfterMs, ...given };
  }

  /** @returns ids of the actors that have not ended */
  async #shutdown(deadlineMs: number): Promise<readonly string[]> {
    try {
      const { still } = await this.#root.ask('shutdown', { deadlineMs }, { deadlineMs: deadlineMs + ADMIN_MS });
      return still;
    } catch (error) {
      // A guardian that has ended has taken its threads along.
      if (error instanceof SpillwayError && error.code === 'actor_stopped') return [];
      throw error;
    }
  }

  #noteThread(name: string, thread: number): void {
    this.#threads.set(name, thread);
  }

  #block(id: string): ThreadBlock {
    const thread = this.#threads.get(id);
    if (thread === undefined) throw new SpillwayError('actor_unknown', `This system has spawned no actor '${id}'.`, { details: { name: id } });
    return this.#application.block(thread);
  }

  #assertOpen(): void {
    if (this.#isClosing) throw new SpillwayError('system_closed', 'The system is closing or closed.');
  }
}

/** Starts a system with an empty tree. @throws SpillwayError `spec_invalid`, `actor_start_failed` */
export async function createSystem(options: SystemOptions = {}): Promise<System> {
  const flags = completeFlags(options.supervisor ?? {});
  const { maxThreads = DEFAULT_MAX_THREADS, logLevel = 'warn', hungAfterMs = DEFAULT_HUNG_AFTER_MS } = options;
  if (!Number.isInteger(maxThreads) || maxThreads < MIN_THREADS || maxThreads > MAX_THREADS) {
    throw new SpillwayError('spec_invalid', `maxThreads must be a whole number from ${MIN_THREADS} to ${MAX_THREADS}; got ${maxThreads}.`);
  }
  if (!Object.hasOwn(LOG_THRESHOLDS, logLevel)) {
    throw new SpillwayError('spec_invalid', `logLevel must be one of ${Object.keys(LOG_THRESHOLDS).join(', ')}; got '${logLevel}'.`);
  }
  if (!(hungAfterMs >= MIN_HUNG_AFTER_MS && hungAfterMs < Infinity)) {
    throw new SpillwayError('spec_invalid', `hungAfterMs must be a number of milliseconds from ${MIN_HUNG_AFTER_MS} on; got ${hungAfterMs}.`);
  }
  const { children = [], pool = {}, crashReports } = options;
  checkPool(pool, maxThreads - MIN_THREADS + 1);
  checkChildren(children, flags);
  const args: RootArgs = { flags, pool, ...(crashReports === undefined ? {} : { crashReports }) };
  const application = new Application({
    root: { module: siblingModule('root', import.meta.url), export: 'root', args },
    maxThreads,
    logLevel,
    hungAfterMs,
  });
  await application.started();
  const system = new System(application, hungAfterMs);
  try {
    for (const child of children) await system.supervisor().startChild(child);
  } catch (error) {
    await system.close();
    throw error;
  }
  return system;
}

