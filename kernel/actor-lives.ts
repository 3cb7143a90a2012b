/**
 * An actor on a thread of others whose lives are begun and ended one by one, as its supervisor decides. It
 * keeps its address through all of them, and between two of them its mailbox keeps what waits, within its
 * capacity. It is the light counterpart of what ThreadHost does for an actor that has a thread to itself.
 *
 * A light life cannot be killed: a handler that never ends is left behind, and what it still answers is
 * taken by nobody. One that holds its thread holds all that live there; that is the watchdog's affair.
 */
import type { ActorCell } from './actor-cell.ts';
import type { ActorTable, Spawned } from './actor-table.ts';
import { isIgnored, type ActorDefinition, type Behaviour, type StopReason } from './actor.ts';
import { slotOf, type Address } from './address.ts';
import { SpillwayError } from './errors.ts';
import type { ProtocolSpec } from './protocol.ts';
import type { Started, ThreadExit } from './thread-spec.ts';
import { described } from './thrown.ts';
import type { Timer } from './time/timer-wheel.ts';

export interface LivesOptions {
  readonly definition: ActorDefinition;
  readonly args: unknown;
  readonly name: string;
  /** The one that it had in a former life of this thread; without it, it gets a new one. */
  readonly address?: Address;
}

/** How a life ended that nobody had asked to end, as the table tells it. */
export interface ActorExit {
  readonly reason: ThreadExit['reason'];
  /** What it failed with. */
  readonly error: unknown;
}

/** What lives need of their thread. */
export interface LivesHost {
  readonly table: ActorTable;
  nowMs(): number;
  after(delayMs: number, run: () => void): Timer;
  behaviourOf(cell: ActorCell, definition: ActorDefinition, args: unknown, incarnation: number): Behaviour<ProtocolSpec> | Promise<Behaviour<ProtocolSpec>>;
}

/** How often a stopping life looks whether it is done. */
const LOOK_MS = 1;
/** The part of its deadline in which it may handle what waits; the rest is for the actor's `stop`. */
const DRAIN_PART = 0.75;
/** How long a life that has failed may take to release what it holds before the next one begins. */
const CRASH_STOP_MS = 10_000;

export class ActorLives {
  readonly #host: LivesHost;
  readonly #cell: ActorCell;
  readonly #spawned: Spawned;
  #incarnation = 0;
  #state: 'none' | 'starting' | 'running' = 'none';
  /** Ends the start that is under way. */
  #abortStart: ((error: Error) => void) | undefined;
  /** Settled when the former life has released what it held. Never rejects. */
  #released: Promise<void> = Promise.resolve();

  /** Use `context.lives`. @throws SpillwayError `too_many_actors` */
  constructor(host: LivesHost, parent: ActorCell, { definition, args, name, address }: LivesOptions) {
    this.#host = host;
    this.#spawned = { definition, args, options: { name }, failures: 0, onExit: () => {} };
    this.#cell = host.table.reserve(parent, this.#spawned, address === undefined ? undefined : slotOf(address));
  }

  get address(): Address {
    return this.#cell.address;
  }

  /** Which life it is in, from 1. */
  get incarnation(): number {
    return this.#incarnation;
  }

  /**
   * Begins its next life. Resolves once the actor has started, or has left because it had nothing to do.
   * @param onExit called once when that life ends without having been told to
   * @throws what the actor's start throws; SpillwayError `actor_stopped` if it was told to stop meanwhile
   */
  async start(onExit: (exit: ThreadExit) => void): Promise<Started> {
    if (this.#state !== 'none') throw new TypeError(`${this.#cell.name} is alive already.`);
    this.#state = 'starting';
    const incarnation = ++this.#incarnation;
    const aborted = new Promise<never>((_, reject) => (this.#abortStart = reject));
    aborted.catch(() => {});
    this.#spawned.onExit = ({ reason, error }) => {
      if (this.#incarnation !== incarnation || this.#state === 'none') return;
      const whileStarting = this.#state === 'starting';
      this.#end(reason === 'crashed' ? 'crashed' : 'shutdown', CRASH_STOP_MS);
      if (whileStarting) this.#abortStart?.(error as Error);
      else onExit({ reason, whileStarting, ...(error === undefined ? NO_WORDS : wordsOf(error)) });
    };
    try {
      await Promise.race([this.#released, aborted]);
      const starting = (async () => this.#host.behaviourOf(this.#cell, this.#spawned.definition, this.#spawned.args, incarnation))();
      void starting.then((behaviour) => this.#tooLate(incarnation, behaviour), () => {});
      const behaviour = await Promise.race([starting, aborted]);
      if (isIgnored(behaviour)) {
        this.#end('shutdown', CRASH_STOP_MS);
        return { isIgnored: true, info: undefined };
      }
      this.#state = 'running';
      this.#host.table.run(this.#cell, behaviour);
      return { isIgnored: false, info: behaviour.info };
    } catch (error) {
      if (this.#isIn(incarnation)) this.#end('crashed', CRASH_STOP_MS);
      throw error;
    }
  }

  /**
   * Ends its life in order: what waits is handled first, as far as three quarters of the deadline go; what is
   * left is kept for its next life.
   * @returns whether it has ended, which a light life always has: what it does not end in time is left behind
   */
  async stop(deadlineMs: number): Promise<boolean> {
    if (this.#state === 'starting') this.#abortStart?.(new SpillwayError('actor_stopped', `Actor ${this.#cell.name} was told to stop while it started.`, { details: { mayHaveBeenHandled: false } }));
    else if (this.#state === 'running') await this.#drain(this.#incarnation, deadlineMs * DRAIN_PART);
    if (this.#state !== 'none') this.#end('shutdown', Math.max(LOOK_MS, deadlineMs * (1 - DRAIN_PART)));
    await this.#released;
    return true;
  }

  /** Ends its life at once; what it holds it may release behind everybody's back. */
  kill(): void {
    this.#abortStart?.(new SpillwayError('actor_stopped', `Actor ${this.#cell.name} was ended while it started.`, { details: { mayHaveBeenHandled: false } }));
    if (this.#state !== 'none') this.#end('shutdown', 0);
  }

  /** There will be no next life: what its start was given is let go. */
  forgetArgs(): void {
    this.#spawned.args = undefined;
  }

  /** Gives up its place: what waits becomes dead letters, and whoever watches it is told. */
  remove(end: StopReason, message: string): void {
    this.kill();
    void this.#host.table.stop(this.#cell, end, message);
  }

  #isIn(incarnation: number): boolean {
    return this.#incarnation === incarnation && this.#state !== 'none';
  }

  async #drain(incarnation: number, withinMs: number): Promise<void> {
    const cell = this.#cell;
    const endMs = this.#host.nowMs() + withinMs;
    while (this.#isIn(incarnation) && (cell.hasData || (cell.inFlight?.size ?? 0) > 0) && this.#host.nowMs() < endMs) await this.#pause(LOOK_MS);
  }

  #end(reason: StopReason, releaseMs: number): void {
    this.#state = 'none';
    const suspended = this.#host.table.suspend(this.#cell, reason);
    this.#released = new Promise((resolve) => {
      const timer = this.#host.after(releaseMs, resolve);
      void suspended.finally(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  /** Nobody waits any more for the start that has brought this. */
  #tooLate(incarnation: number, behaviour: Behaviour<ProtocolSpec>): void {
    if (this.#isIn(incarnation) || isIgnored(behaviour)) return;
    void this.#host.table.release(this.#cell, behaviour, 'shutdown');
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#host.after(delayMs, resolve));
  }
}

const NO_WORDS = { code: '', message: '', stack: '' };

function wordsOf(error: unknown): Pick<ThreadExit, 'code' | 'message' | 'stack'> {
  return { code: error instanceof SpillwayError ? error.code : '', ...described(error) };
}
