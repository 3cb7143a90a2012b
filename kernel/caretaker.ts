/**
 * Every thread's own caretaker, in slot 0: it starts the thread's actor, adds links as they come, and
 * ends the thread in order.
 *
 * Both ends, by request and by crash, go the same way: no new messages, let the actor release what it
 * holds, then exit. A thread is never left by `process.exit` while a native call is in flight, because
 * that aborts the whole process; waiting for such calls is the business of the actor's `stop`.
 */
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { ActorCell, type AnyHandlers } from './actor-cell.ts';
import type { ActorContext, ActorDefinition, Behaviour, Handlers, StopReason } from './actor.ts';
import { ACTOR_SLOT, GUARDIAN_THREAD, KERNEL_SLOT, addressOf } from './address.ts';
import { SpillwayError } from './errors.ts';
import { kernelProtocol, type KernelSpec } from './kernel-protocol.ts';
import type { PeerLink } from './link.ts';
import type { Protocol, ProtocolSpec } from './protocol.ts';
import { MAX_ACTOR_COUNTERS } from './thread-block.ts';
import type { ThreadHost } from './thread-host.ts';
import type { ThreadRuntime } from './thread-runtime.ts';

/** How long an actor that crashed may take to release what it holds. */
const CRASH_STOP_MS = 10_000;
/** How often a stopping thread looks whether its lanes are empty. */
const DRAIN_LOOK_MS = 1;
/** How long an actor may look for another by name. */
const RESOLVE_MS = 10_000;

export interface CaretakerOptions {
  readonly runtime: ThreadRuntime;
  readonly name: string;
  readonly port: MessagePort;
  /** Ends the thread for good. */
  exit(code: number): void;
  /** On the guardian's thread only. */
  readonly host?: ThreadHost;
}

export class Caretaker {
  readonly #options: CaretakerOptions;
  readonly #runtime: ThreadRuntime;
  #behaviour: Behaviour<ProtocolSpec> | undefined;
  #ending = false;

  constructor(options: CaretakerOptions) {
    this.#options = options;
    this.#runtime = options.runtime;
    const handlers: Partial<Handlers<KernelSpec>> = {
      stop: ({ deadlineMs }) => void this.#stop(deadlineMs),
      linkReady: () => this.takeLinks(),
      peerDown: (down) =>
        this.#runtime.peerDown(down.thread, down.final, { control: down.controlConsumed, data: down.dataConsumed }),
      ...options.host?.handlers,
    };
    const address = addressOf(this.#runtime.thread, KERNEL_SLOT);
    this.#runtime.addActor(new ActorCell('kernel', address, kernelProtocol as Protocol, handlers as AnyHandlers));
  }

  /** Adds the links whose memory has come through the port. */
  takeLinks(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#options.port) as { message: PeerLink } | undefined;
      if (received === undefined) return;
      this.#runtime.addLink(received.message);
    }
  }

  /** Starts the thread's actor; a failure ends the thread. */
  async start(load: () => Promise<ActorDefinition>, args: unknown): Promise<void> {
    const { block } = this.#runtime;
    block.state = 'starting';
    this.#runtime.expectActor(ACTOR_SLOT);
    try {
      const definition = await load();
      this.#behaviour = await definition.start(this.#context(definition), args);
      if (this.#ending) return;
      const address = addressOf(this.#runtime.thread, ACTOR_SLOT);
      this.#runtime.addActor(new ActorCell(this.#options.name, address, definition.protocol, this.#behaviour.handlers));
      block.state = 'running';
      this.#tellGuardian('started', { incarnation: this.#runtime.incarnation });
      this.#runtime.waiting = definition.waiting ?? 'event_loop';
    } catch (error) {
      await this.crash(error);
    }
  }

  /** The actor has failed: report it, release what it holds, end. */
  async crash(error: unknown): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    const whileStarting = this.#runtime.block.state === 'starting';
    this.#runtime.block.state = 'crashed';
    this.#tellGuardian('crashed', {
      incarnation: this.#runtime.incarnation,
      whileStarting,
      code: error instanceof SpillwayError ? error.code : '',
      message: error instanceof Error ? error.message : String(error),
      stack: error instanceof Error ? (error.stack ?? '') : '',
    });
    await this.#release('crashed', CRASH_STOP_MS);
    this.#options.exit(1);
  }

  async #stop(deadlineMs: number): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    this.#runtime.block.state = 'stopping';
    this.#runtime.waiting = 'event_loop';
    const endMs = this.#runtime.clock.monotonicMs() + deadlineMs;
    while (!this.#runtime.idle && this.#runtime.clock.monotonicMs() < endMs) await this.#pause(DRAIN_LOOK_MS);
    await this.#release('shutdown', Math.max(0, endMs - this.#runtime.clock.monotonicMs()));
    this.#runtime.block.state = 'stopped';
    this.#options.exit(0);
  }

  async #release(reason: StopReason, withinMs: number): Promise<void> {
    this.#runtime.waiting = 'event_loop';
    try {
      await Promise.race([this.#behaviour?.stop?.(reason), this.#pause(withinMs)]);
    } catch (error) {
      this.#runtime.log(this.#options.name).error('the actor failed while it stopped', { error: String(error) });
    }
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#runtime.after(delayMs, resolve));
  }

  #tellGuardian<Name extends 'started' | 'crashed'>(name: Name, notice: Record<string, unknown>): void {
    this.#runtime.tell(addressOf(GUARDIAN_THREAD, KERNEL_SLOT), kernelProtocol as Protocol, name, notice);
  }

  #context(definition: ActorDefinition): ActorContext {
    const runtime = this.#runtime;
    const { name, host } = this.#options;
    const counters = definition.counters ?? [];
    if (counters.length > MAX_ACTOR_COUNTERS) {
      throw new TypeError(`Actor ${name} declares ${counters.length} counters; at most ${MAX_ACTOR_COUNTERS} fit.`);
    }
    return {
      name,
      self: addressOf(runtime.thread, ACTOR_SLOT),
      incarnation: runtime.incarnation,
      clock: runtime.clock,
      log: host === undefined ? runtime.log(name) : host.log(name),
      counters: runtime.block.actorCounters(counters),
      resolve: (wanted, protocol) => resolveActor(runtime, this, wanted, protocol),
      ...(host === undefined ? {} : { host }),
    };
  }
}

/** Asks the guardian for an actor by name; it links the two threads before it answers. */
export async function resolveActor<Spec extends ProtocolSpec>(
  runtime: ThreadRuntime,
  caretaker: Caretaker,
  name: string,
  protocol: Protocol<Spec>,
) {
  const guardian = runtime.ref('kernel', addressOf(GUARDIAN_THREAD, KERNEL_SLOT), kernelProtocol);
  const { address } = await guardian.ask('resolve', { name }, { deadlineMs: RESOLVE_MS });
  caretaker.takeLinks();
  return runtime.ref(name, address, protocol);
}
