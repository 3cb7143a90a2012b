/**
 * A supervisor: it starts its children from left to right, stops them from right to left, and starts
 * again what fails, as long as that does not happen too often.
 *
 * Four things can happen to a child, and each has one method: it is started on request (`startChild`),
 * it ends by itself (`#onExit`), its back-off has passed (`#restart`), it is stopped (`#stopChild`).
 * Requests that arrive in between find the child's state and act on that.
 */
import {
  SpillwayError,
  type Clock,
  type HostedThread,
  type Log,
  type ThreadExit,
  type ThreadHost,
} from '../kernel/index.ts';
import { Backoff } from './backoff.ts';
import { DEFAULT_CHILD, validateChildren, type ChildSpec, type SupervisorFlags } from './child-spec.ts';
import { RestartIntensity } from './restart-intensity.ts';

export type ChildState = 'starting' | 'running' | 'restarting' | 'stopping' | 'ended';

export interface ChildStatus {
  readonly id: string;
  readonly thread: number;
  readonly state: ChildState;
  readonly restarts: number;
  /** Message of the last failure; empty if there was none. */
  readonly lastError: string;
}

interface Child {
  readonly spec: ChildSpec;
  readonly thread: HostedThread;
  readonly backoff: Backoff;
  state: ChildState;
  restarts: number;
  lastError: string;
  startedMs: number;
}

export interface SupervisorOptions {
  readonly host: ThreadHost;
  readonly flags: SupervisorFlags;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Runs `run` after a delay on the supervisor's own thread. */
  after(delayMs: number, run: () => void): void;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #intensity: RestartIntensity;
  /** From left to right in order of their start. */
  readonly #children = new Map<string, Child>();
  #stopping = false;
  /** Whether it has stopped because its children failed too often. */
  #gaveUp = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#intensity = new RestartIntensity(options.flags.intensity, options.flags.periodMs);
  }

  /** @throws SpillwayError `spec_invalid`, `child_exists`, `restart_intensity`, `system_closed`, or what kept the child from starting */
  async startChild(spec: unknown): Promise<HostedThread> {
    validateChildren([spec]);
    const childSpec = spec as ChildSpec;
    const { id } = childSpec;
    if (this.#gaveUp) {
      throw new SpillwayError('restart_intensity', `Child ${id} was not started: children failed too often, so the supervisor has stopped them all.`);
    }
    if (this.#stopping) throw new SpillwayError('system_closed', `Child ${id} was not started: the supervisor is stopping.`);
    if (this.#children.has(id)) throw new SpillwayError('child_exists', `There already is a child '${id}'; terminate it first.`);
    const { start, mailbox, native, resourceLimits } = childSpec;
    const thread = this.#options.host.add({
      name: id,
      source: start,
      ...(mailbox === undefined ? {} : { mailbox }),
      ...(resourceLimits === undefined ? {} : { resourceLimits }),
      native: native ?? DEFAULT_CHILD.native,
    });
    const child: Child = {
      spec: childSpec,
      thread,
      backoff: new Backoff(this.#options.flags.backoff, this.#options.random),
      state: 'starting',
      restarts: 0,
      lastError: '',
      startedMs: this.#options.clock.monotonicMs(),
    };
    this.#children.set(id, child);
    try {
      await this.#start(child);
    } catch (error) {
      this.#forget(child);
      throw error;
    }
    return thread;
  }

  /** @returns whether its thread has ended in time. @throws SpillwayError `child_unknown` */
  async terminateChild(id: string): Promise<boolean> {
    const child = this.#children.get(id);
    if (child === undefined) throw new SpillwayError('child_unknown', `There is no child '${id}'.`);
    const ended = await this.#stopChild(child, child.spec.shutdownMs ?? DEFAULT_CHILD.shutdownMs);
    if (ended) this.#forget(child);
    return ended;
  }

  whichChildren(): ChildStatus[] {
    return [...this.#children.values()].map(({ spec, thread, state, restarts, lastError }) => ({
      id: spec.id,
      thread: thread.id,
      state,
      restarts,
      lastError,
    }));
  }

  /** Stops the children from right to left. @returns the ids of those that had not ended in time */
  async shutdown(deadlineMs: number): Promise<string[]> {
    this.#stopping = true;
    const endMs = this.#options.clock.monotonicMs() + deadlineMs;
    const still: string[] = [];
    for (const child of [...this.#children.values()].toReversed()) {
      const leftMs = Math.max(1, endMs - this.#options.clock.monotonicMs());
      const childMs = child.spec.shutdownMs ?? DEFAULT_CHILD.shutdownMs;
      if (await this.#stopChild(child, Math.min(leftMs, childMs))) this.#forget(child);
      else still.push(child.spec.id);
    }
    return still;
  }

  async #start(child: Child): Promise<void> {
    child.state = 'starting';
    await this.#options.host.start(child.thread, (exit) => this.#onExit(child, exit));
    child.startedMs = this.#options.clock.monotonicMs();
    // It may have been told to stop while it started.
    if (child.state === 'starting') child.state = 'running';
  }

  #onExit(child: Child, exit: ThreadExit): void {
    if (child.state === 'stopping' || child.state === 'ended') {
      // Whoever has told it to stop may have given up waiting.
      this.#forget(child);
      return;
    }
    const restart = child.spec.restart ?? DEFAULT_CHILD.restart;
    const wanted = restart === 'permanent' || (restart === 'transient' && exit.reason === 'crashed');
    if (exit.reason === 'crashed') {
      child.lastError = exit.message;
      this.#options.log.error('child failed', { child: child.spec.id, reason: exit.message, stack: exit.stack });
    }
    if (!wanted || this.#stopping) {
      this.#forget(child);
      return;
    }
    this.#scheduleRestart(child, this.#options.clock.monotonicMs() - child.startedMs);
  }

  #scheduleRestart(child: Child, livedMs: number): void {
    if (!this.#intensity.permits(this.#options.clock.monotonicMs())) {
      void this.#giveUp(child);
      return;
    }
    child.state = 'restarting';
    child.restarts++;
    const delayMs = child.backoff.nextDelayMs(livedMs);
    this.#options.log.warn('child will be restarted', { child: child.spec.id, delayMs: Math.round(delayMs) });
    this.#options.after(delayMs, () => void this.#restart(child));
  }

  async #restart(child: Child): Promise<void> {
    // It may have been terminated while it waited.
    if (this.#isLeaving(child)) return;
    try {
      await this.#start(child);
    } catch (error) {
      child.lastError = (error as Error).message;
      if (this.#isLeaving(child)) this.#forget(child);
      else this.#scheduleRestart(child, 0);
    }
  }

  /** The intensity is exceeded: all children stop, as OTP's supervisor does before it ends itself. */
  async #giveUp(child: Child): Promise<void> {
    this.#gaveUp = true;
    const { intensity, periodMs } = this.#options.flags;
    this.#options.log.error('restart intensity exceeded; stopping all children', {
      child: child.spec.id,
      intensity,
      periodMs,
      lastError: child.lastError,
    });
    this.#forget(child);
    await this.shutdown([...this.#children.values()].reduce((sum, { spec }) => sum + (spec.shutdownMs ?? DEFAULT_CHILD.shutdownMs), 0));
  }

  #isLeaving(child: Child): boolean {
    return this.#stopping || child.state === 'stopping' || child.state === 'ended';
  }

  async #stopChild(child: Child, deadlineMs: number): Promise<boolean> {
    child.state = 'stopping';
    return this.#options.host.stop(child.thread, deadlineMs);
  }

  #forget(child: Child): void {
    if (child.state === 'ended') return;
    child.state = 'ended';
    this.#children.delete(child.spec.id);
    this.#options.host.remove(child.thread);
  }
}
