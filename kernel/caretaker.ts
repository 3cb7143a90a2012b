/**
 * Every thread's own caretaker, in slot 0: it starts the thread's actor, adds links as they come, and
 * ends the thread in order.
 *
 * Both ends, by request and by crash, go the same way: no new messages, let the actor release what it
 * holds, then exit. A thread is never left by `process.exit` while a native call is in flight, because
 * that aborts the whole process; waiting for such calls is the business of the actor's `stop`.
 */
import { inspect } from 'node:util';
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { ActorCell } from './actor-cell.ts';
import type { ActorContext, ActorDefinition, Behaviour, StopReason } from './actor.ts';
import { GUARDIAN_THREAD, KERNEL_SLOT, addressOf } from './address.ts';
import { SpillwayError } from './errors.ts';
import type { Handlers } from './handlers.ts';
import { kernelProtocol, type KernelSpec } from './kernel-protocol.ts';
import type { PeerLink } from './link.ts';
import type { Protocol, ProtocolSpec } from './protocol.ts';
import { MAX_ACTOR_COUNTERS } from './thread-block.ts';
import type { ThreadHost } from './thread-host.ts';
import type { ThreadRuntime } from './thread-runtime.ts';

/** How long an actor that crashed may take to release what it holds. */
const CRASH_STOP_MS = 10_000;
/** How often a stopping thread looks whether it is done. */
const LOOK_MS = 1;
/** The part of its deadline in which a stopping thread may finish what waits; the rest is for the actor's `stop`. */
const DRAIN_PART = 0.75;
/** Characters of an error's message and stack in the report of a crash, so that it always fits its lane. */
const REPORT_MESSAGE_CHARACTERS = 2_000;
const REPORT_STACK_CHARACTERS = 4_000;
/** How long an actor may look for another by name. */
const RESOLVE_MS = 10_000;

export interface CaretakerOptions {
  readonly runtime: ThreadRuntime;
  readonly name: string;
  readonly port: MessagePort;
  /** Whether the thread must outlast its native calls, whatever the deadline; see ThreadSpec. */
  readonly native: boolean;
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
  /** Settled once the actor's `start` has come to its end, well or not. */
  #startEnded: Promise<void> = Promise.resolve();

  constructor(options: CaretakerOptions) {
    this.#options = options;
    this.#runtime = options.runtime;
    const handlers: Partial<Handlers<KernelSpec>> = {
      stop: ({ deadlineMs }) => void this.#stop(deadlineMs),
      linkReady: () => this.takeLinks(),
      peerDown: (down) =>
        this.#runtime.peerDown(down.actor, down.final, { control: down.controlConsumed, data: down.dataConsumed }),
      ...options.host?.handlers,
    };
    const address = addressOf(this.#runtime.thread, KERNEL_SLOT);
    this.#runtime.addActor(new ActorCell('kernel', address, kernelProtocol, handlers));
  }

  /** Adds the links whose memory has come through the port. */
  takeLinks(): void {
    for (;;) {
      const received: { message: PeerLink } | undefined = receiveMessageOnPort(this.#options.port);
      if (received === undefined) return;
      this.#runtime.addLink(received.message);
    }
  }

  /** Starts the thread's actor; a failure ends the thread. */
  async start(load: () => Promise<ActorDefinition>, args: unknown): Promise<void> {
    const { block } = this.#runtime;
    block.state = 'starting';
    this.#runtime.expectActor();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#startEnded = promise;
    try {
      const definition = await load();
      const behaviour = await definition.start(this.#context(definition), args);
      this.#behaviour = behaviour;
      resolve();
      if (this.#ending) return;
      block.state = 'running';
      this.#tellGuardian('started', { incarnation: this.#runtime.incarnation });
      this.#runtime.waiting = definition.waiting ?? 'event_loop';
      const { name, runtime } = { name: this.#options.name, runtime: this.#runtime };
      runtime.addActor(new ActorCell(name, runtime.self, definition.protocol, behaviour.handlers));
    } catch (error) {
      resolve();
      await this.crash(error);
    }
  }

  /** The actor has failed: report it, release what it holds, end. */
  async crash(error: unknown): Promise<void> {
    if (this.#ending) {
      this.#runtime.log(this.#options.name).error('the actor failed while it was ending', { ...described(error) });
      return;
    }
    this.#ending = true;
    const whileStarting = this.#runtime.block.state === 'starting';
    this.#runtime.block.state = 'crashed';
    const code = error instanceof SpillwayError ? error.code : '';
    this.#tellGuardian('crashed', { incarnation: this.#runtime.incarnation, whileStarting, code, ...described(error) });
    await this.#release('crashed', CRASH_STOP_MS);
    this.#options.exit(1);
  }

  async #stop(deadlineMs: number): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    this.#runtime.block.state = 'stopping';
    this.#runtime.waiting = 'event_loop';
    const { clock } = this.#runtime;
    const beginMs = clock.monotonicMs();
    const drainEndMs = beginMs + deadlineMs * DRAIN_PART;
    while (!this.#runtime.idle && clock.monotonicMs() < drainEndMs) await this.#pause(LOOK_MS);
    await this.#release('shutdown', Math.max(0, beginMs + deadlineMs - clock.monotonicMs()));
    this.#runtime.block.state = 'stopped';
    this.#options.exit(0);
  }

  async #release(reason: StopReason, withinMs: number): Promise<void> {
    this.#runtime.waiting = 'event_loop';
    this.#runtime.retireActor();
    const released = this.#stopActor(reason);
    await (this.#options.native ? released : Promise.race([released, this.#pause(withinMs)]));
  }

  /** Resolves when the actor has released what it holds and its last handler has ended. Never rejects. */
  async #stopActor(reason: StopReason): Promise<void> {
    // An actor that is told to end while it starts cannot release what it does not hold yet.
    await this.#startEnded;
    try {
      await this.#behaviour?.stop?.(reason);
    } catch (error) {
      this.#runtime.log(this.#options.name).error('the actor failed while it stopped', { error: String(error) });
    }
    while (this.#options.native && this.#runtime.handling) await this.#pause(LOOK_MS);
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#runtime.after(delayMs, resolve));
  }

  #tellGuardian(name: 'started' | 'crashed', notice: Record<string, unknown>): void {
    this.#runtime.tell(addressOf(GUARDIAN_THREAD, KERNEL_SLOT), kernelProtocol, name, notice);
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
      self: runtime.self,
      incarnation: runtime.incarnation,
      clock: runtime.clock,
      log: host === undefined ? runtime.log(name) : host.log(name),
      counters: runtime.block.actorCounters(counters),
      resolve: (wanted, protocol) => resolveActor(runtime, this, wanted, protocol),
      ...(host === undefined ? {} : { host }),
    };
  }
}

/** An error as a crash report tells it. Anything can be thrown, also what has no text. */
function described(error: unknown): { message: string; stack: string } {
  // An Error's properties may have been set to anything.
  const { message, stack = '' }: { message: unknown; stack?: unknown } =
    error instanceof Error ? error : { message: inspect(error) };
  return {
    message: String(message).slice(0, REPORT_MESSAGE_CHARACTERS),
    stack: String(stack).slice(0, REPORT_STACK_CHARACTERS),
  };
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
