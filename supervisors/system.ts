/**
 * A system as the application sees it: spawn supervised actors, talk to them, look at them, close.
 *
 * The supervision tree runs on a thread of its own, so restarts go on while the application's thread
 * is blocked; and nothing here blocks the application's thread.
 */
import {
  Application,
  LOG_LEVELS,
  MAX_THREADS,
  SpillwayError,
  siblingModule,
  type ActorRef,
  type Log,
  type LogLevel,
  type Protocol,
  type ProtocolSpec,
  type ThreadBlock,
  type ThreadCounter,
  type ThreadState,
} from '../kernel/index.ts';
import { completeFlags, validateChildren, type ChildSpec, type SupervisorFlags } from './child-spec.ts';
import { supervisorProtocol, type SupervisorSpec } from './messages.ts';
import type { ChildStatus } from './supervisor.ts';

export interface SystemOptions {
  /** Flags of the root supervisor; what is not given is the default. */
  readonly supervisor?: Partial<SupervisorFlags>;
  /** Threads at the most, the application's and the guardian's included. Default 64. */
  readonly maxThreads?: number;
  /** Lines below this level are not written. Default warn. */
  readonly logLevel?: LogLevel;
}

/** What one actor shows of itself in shared memory. */
export interface ActorHealth {
  readonly state: ThreadState;
  readonly incarnation: number;
  readonly restarts: number;
  readonly deadLetters: number;
  readonly counters: Record<ThreadCounter, number>;
}

/** Longest start of one child: a large model may take its time to load. */
const START_CHILD_MS = 120_000;
const ADMIN_MS = 10_000;
const CLOSE_MS = 10_000;
const DEFAULT_MAX_THREADS = 64;
/** The application's, the guardian's and one actor's. */
const MIN_THREADS = 3;

export class System {
  readonly #application: Application;
  readonly #root: ActorRef<SupervisorSpec>;
  readonly #threads = new Map<string, number>();
  #closing: Promise<void> | undefined;
  #isClosing = false;

  /** Use `createSystem`. */
  constructor(application: Application) {
    this.#application = application;
    this.#root = application.root(supervisorProtocol);
  }

  /**
   * Starts a supervised actor and waits until it has started.
   * @throws SpillwayError `spec_invalid`, `child_exists`, `actor_start_failed`, or what the actor's start threw
   */
  async spawn<Spec extends ProtocolSpec>(spec: ChildSpec, protocol: Protocol<Spec>): Promise<ActorRef<Spec>> {
    this.#assertOpen();
    validateChildren([spec]);
    const { thread } = await this.#root.ask('startChild', { spec }, { deadlineMs: START_CHILD_MS });
    // The place may be that of an actor which has ended.
    for (const [id, place] of this.#threads) if (place === thread) this.#threads.delete(id);
    this.#threads.set(spec.id, thread);
    return this.#application.resolve(spec.id, protocol);
  }

  /** Finds an actor by name. @throws SpillwayError `actor_unknown` */
  resolve<Spec extends ProtocolSpec>(name: string, protocol: Protocol<Spec>): Promise<ActorRef<Spec>> {
    this.#assertOpen();
    return this.#application.resolve(name, protocol);
  }

  /** Stops an actor for good. @returns whether it ended within its `shutdownMs` */
  async terminate(id: string): Promise<boolean> {
    this.#assertOpen();
    const { ended } = await this.#root.ask('terminateChild', { id }, { deadlineMs: START_CHILD_MS });
    if (ended) this.#threads.delete(id);
    return ended;
  }

  /** What the root supervisor knows of its children, left to right. */
  async children(): Promise<ChildStatus[]> {
    this.#assertOpen();
    const { children } = await this.#root.ask('whichChildren', {}, { deadlineMs: ADMIN_MS });
    return children;
  }

  /** State and counts of an actor, read from shared memory: it works while the actor hangs. */
  health(id: string): ActorHealth {
    const block = this.#block(id);
    return {
      state: block.state,
      incarnation: block.incarnation,
      restarts: block.restarts,
      deadLetters: block.deadLetters,
      counters: block.counters.snapshot(),
    };
  }

  /** The counters that the actor's definition declares, by the names given there. */
  counters<Name extends string>(id: string, names: readonly Name[]): Record<Name, number> {
    return this.#block(id).actorCounters(names).snapshot();
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
  const { maxThreads = DEFAULT_MAX_THREADS, logLevel = 'warn' } = options;
  if (!Number.isInteger(maxThreads) || maxThreads < MIN_THREADS || maxThreads > MAX_THREADS) {
    throw new SpillwayError('spec_invalid', `maxThreads must be a whole number from ${MIN_THREADS} to ${MAX_THREADS}; got ${maxThreads}.`);
  }
  if (!Object.hasOwn(LOG_LEVELS, logLevel)) {
    throw new SpillwayError('spec_invalid', `logLevel must be one of ${Object.keys(LOG_LEVELS).join(', ')}; got '${logLevel}'.`);
  }
  const application = new Application({
    root: { module: siblingModule('root', import.meta.url), export: 'root', args: { flags, children: [] } },
    maxThreads,
    logLevel,
  });
  await application.started();
  return new System(application);
}

