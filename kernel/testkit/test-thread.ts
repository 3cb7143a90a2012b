/**
 * A thread of a test system: the kernel's own runtime and caretaker, in the one thread of the test.
 *
 * To the guardian it is a worker: it starts, says `exit` and can be terminated. An end of it takes back nothing
 * that it had published and lets none of its code go on that waits for messages, answers or timers. What waits
 * for promises of the test would go on, so actors that are killed should not wait for such.
 */
import { EventEmitter } from 'node:events';
import type { ActorDefinition } from '../actor.ts';
import type { Caretaker } from '../caretaker.ts';
import type { PeerLink } from '../link.ts';
import { prepareDefinition } from '../preparation.ts';
import type { ThreadBoot } from '../thread-boot.ts';
import { ThreadRuntime } from '../thread-runtime.ts';
import type { ThreadRuntimeOptions } from '../thread-runtime-options.ts';
import type { ThreadWorker } from '../worker.ts';
import type { Relay } from './relay.ts';

/** A runtime whose links lead through the relay. */
export class TestRuntime extends ThreadRuntime {
  readonly #relay: Relay;

  constructor(relay: Relay, options: ThreadRuntimeOptions) {
    super(options);
    this.#relay = relay;
  }

  override addLink(link: PeerLink): void {
    super.addLink(this.#relay.through(this.self, link));
  }
}

export class TestThread implements ThreadWorker {
  readonly name: string;
  readonly caretaker: Caretaker;
  readonly #events = new EventEmitter();
  readonly #boot: ThreadBoot;
  readonly #relay: Relay;
  /** It takes no step before; on the manual clock. */
  stalledUntilMs = -Infinity;
  /** The system's progress at its last advance: what found no room is not tried again before anything has changed. */
  #triedAt = -1;
  #exitCode: number | undefined;
  #isBuried = false;

  constructor(boot: ThreadBoot, caretaker: Caretaker, relay: Relay) {
    this.name = boot.name;
    this.#boot = boot;
    this.caretaker = caretaker;
    this.#relay = relay;
  }

  get runtime(): ThreadRuntime {
    return this.caretaker.runtime;
  }

  get isAlive(): boolean {
    return this.#exitCode === undefined;
  }

  /** What its first step does, until it has been taken; undefined for those that are there from the beginning. */
  plan: (() => void) | undefined;

  /** Its end is still to be told. */
  get hasNews(): boolean {
    return !this.isAlive && !this.#isBuried;
  }

  /** Its first step, as thread-start.ts takes it. @param definition undefined for a thread without an actor */
  launch(definition: ActorDefinition | undefined, args: unknown): void {
    this.plan = undefined;
    for (const link of this.#boot.links) this.runtime.addLink(link);
    if (definition === undefined) this.runtime.block.state = 'running';
    else void this.caretaker.start(() => prepareDefinition(definition, args), args);
  }

  // ---- as a worker

  on(event: string, listener: (value: never) => void): this {
    this.#events.on(event, listener as (value: unknown) => void);
    return this;
  }

  once(event: string, listener: (value: never) => void): this {
    this.#events.once(event, listener as (value: unknown) => void);
    return this;
  }

  /** Ends it in the middle of whatever it does. */
  terminate(): Promise<number> {
    const ended = new Promise<number>((resolve) => this.#events.once('exit', resolve));
    this.#end(1);
    return ended;
  }

  /** Ends it as `process.exit` does: it still counts what it leaves undone. */
  exit(code: number): void {
    if (!this.isAlive) return;
    this.runtime.abandonMessages();
    this.#end(code);
  }

  #end(code: number): void {
    if (!this.isAlive) return;
    this.#exitCode = code;
    const { transmitter, thread } = this.runtime;
    for (const pump of this.#relay.pumpsFrom(thread)) pump.flush();
    // Whatever of its code goes on finds nobody any more.
    for (const peer of Array.from(transmitter.peers)) transmitter.remove(transmitter.peerAt(peer)!);
  }

  // ---- its steps

  /** Says that it has ended. */
  tellExit(): void {
    this.#isBuried = true;
    this.#events.emit('exit', this.#exitCode);
  }

  canLaunch(nowMs: number): boolean {
    return this.plan !== undefined && this.#canStep(nowMs);
  }

  canHandle(nowMs: number): boolean {
    return this.plan === undefined && this.#canStep(nowMs) && this.runtime.hasWork();
  }

  handle(): void {
    this.runtime.handleWaiting(1);
  }

  canAdvance(nowMs: number, progress: number): boolean {
    if (this.plan !== undefined || !this.#canStep(nowMs)) return false;
    const { handling, post } = this.runtime;
    const hasRefused = !handling.outbox.isEmpty || !post.sends.isEmpty;
    return (hasRefused && this.#triedAt !== progress) || this.runtime.sleepMs(nowMs, Infinity) <= 0;
  }

  /** @returns how many timers ran */
  advance(nowMs: number, progress: number): number {
    this.#triedAt = progress;
    return this.runtime.advance(nowMs);
  }

  /** When it has something to do again, if nothing comes. */
  nextDueMs(nowMs: number): number {
    if (!this.isAlive) return Infinity;
    if (nowMs < this.stalledUntilMs) return this.stalledUntilMs;
    return nowMs + this.runtime.sleepMs(nowMs, Infinity);
  }

  #canStep(nowMs: number): boolean {
    return this.isAlive && nowMs >= this.stalledUntilMs;
  }
}
