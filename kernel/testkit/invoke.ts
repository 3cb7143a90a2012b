/**
 * Runs one actor alone, without a thread and without a system: its start, then handler after handler as the test
 * calls them. For what an actor does with a message; what messages do on their way is test-system.ts.
 */
import type { ActorDefinition, Behaviour, StopReason } from '../actor.ts';
import type { Address } from '../address.ts';
import { SpillwayError } from '../errors.ts';
import type { CancelScope } from '../flow/cancel-scope.ts';
import type { MessageContext } from '../handlers.ts';
import type { ItemOf, ProtocolSpec, ReplyOf, RequestOf } from '../protocol.ts';
import { startActor } from '../preparation.ts';
import { ManualClock } from '../time/manual-clock.ts';
import { seededRandom, type Random } from '../time/random.ts';
import { InvokedContext, type Answer } from './invoked-context.ts';

export interface InvokeOptions {
  /** Default: the name of its protocol. */
  readonly name?: string;
  readonly clock?: ManualClock;
  /** Default: with the seed 1. */
  readonly random?: Random;
  /** What those answer whom the actor asks. Default: nothing; an ask is answered with undefined. */
  readonly answer?: Answer;
}

export interface CallOptions {
  readonly from?: Address;
  readonly scope?: CancelScope;
  /** On the clock of the actor. */
  readonly deadlineMs?: number;
  /** Whether the asker has taken it back. */
  readonly cancelled?: boolean;
  /** How often a former life has begun with it. Default 0. */
  readonly redeliveries?: number;
}

type Outcome<Spec extends ProtocolSpec, Name extends keyof Spec> = Spec[Name] extends { readonly stream: unknown } ? ItemOf<Spec, Name>[] : ReplyOf<Spec, Name>;

/** The sender of calls that name none. */
const NOBODY: Address = 0;

export class Invocation<Spec extends ProtocolSpec> {
  /** What the actor has done: `sent`, `spawned`, `bonds`, `logs`, `counters` and so on. */
  readonly context: InvokedContext;
  readonly #behaviour: Behaviour<Spec>;
  readonly #definition: ActorDefinition<Spec, never>;
  #stash: (() => Promise<unknown>)[] = [];
  #unstashed: Promise<unknown> = Promise.resolve();
  /** Settled, and never rejected, once the latest call has come to its end. */
  #inHand: Promise<unknown> = Promise.resolve();

  /** Use `invoke`. */
  constructor(definition: ActorDefinition<Spec, never>, context: InvokedContext, behaviour: Behaviour<Spec>) {
    this.#definition = definition;
    this.context = context;
    this.#behaviour = behaviour;
    context.handlers = behaviour.handlers;
    context.unstash = () => {
      const again = this.#stash;
      this.#stash = [];
      // After the message in hand, one after the other.
      const former = this.#unstashed;
      this.#unstashed = (async () => {
        await former;
        await this.#inHand;
        for (const run of again) await run();
      })();
      return again.length;
    };
  }

  /** Messages that it has put aside. */
  get stashed(): number {
    return this.#stash.length;
  }

  /**
   * Has a message handled. @returns what it is answered with; the items of a stream; undefined if it was put aside
   * @throws what the handler throws; SpillwayError `message_invalid` if the request does not fit
   */
  async call<Name extends keyof Spec & string>(name: Name, request: RequestOf<Spec, Name>, options: CallOptions = {}): Promise<Outcome<Spec, Name>> {
    const message = this.#definition.protocol.message(name);
    message.validate(request);
    const handled = message.copyRequest(request);
    if (message.lane !== 'control') this.context.restartReceiveTimeout();
    const pending = this.#handle(name, handled, this.#messageOf(options));
    this.#inHand = pending.catch(() => {});
    const result = await pending;
    await this.#unstashed;
    if (result === STASHED) return undefined as Outcome<Spec, Name>;
    if (message.item === undefined) return message.copyReply(result) as Outcome<Spec, Name>;
    const items: unknown[] = [];
    for await (const item of result as AsyncIterable<unknown>) items.push(message.copyItem(item));
    return items as Outcome<Spec, Name>;
  }

  /** Lets time pass for the actor: its timers run, each at its time. @throws what failed it */
  async advance(ms: number): Promise<void> {
    const { clock, timers } = this.context;
    const endMs = clock.monotonicMs() + ms;
    for (;;) {
      const nowMs = clock.monotonicMs();
      timers.advance(nowMs);
      await new Promise((resolve) => setImmediate(resolve));
      if (this.context.failure !== undefined) throw this.context.failure.error;
      if (nowMs >= endMs) return;
      clock.advance(Math.min(endMs, Math.max(timers.nextDueMs, nowMs + LEAST_MS)) - nowMs);
    }
  }

  /** Has it release what it holds. */
  async stop(reason: StopReason = 'shutdown'): Promise<void> {
    await this.#behaviour.stop?.(reason);
  }

  async #handle(name: string, request: unknown, message: MessageContext): Promise<unknown> {
    const { context } = this;
    context.isStashed = false;
    const handlers = context.handlers as Record<string, (request: unknown, message: MessageContext) => unknown>;
    const pending = handlers[name]!(request, message);
    if (!context.isStashed) return pending;
    const { stashCapacity = 0 } = this.#definition;
    if (this.#stash.length >= stashCapacity) {
      throw new SpillwayError(stashCapacity === 0 ? 'stash_undeclared' : 'stash_full', `Actor ${context.name} declares a stashCapacity of ${stashCapacity}.`);
    }
    this.#stash.push(() => this.#handle(name, request, message));
    await pending;
    return STASHED;
  }

  #messageOf({ from = NOBODY, scope, deadlineMs = Infinity, cancelled = false, redeliveries = 0 }: CallOptions): MessageContext {
    const { context } = this;
    return {
      from,
      deadlineMs,
      redeliveries,
      scope,
      get cancelled() {
        return cancelled || context.clock.monotonicMs() > deadlineMs || scope?.cancelled === true;
      },
      forward: (to, name, request) => {
        context.sent.push({ way: 'forward', to: to.address, protocol: to.protocol.name, name, request });
        return 0;
      },
    };
  }
}

const STASHED = Symbol('put aside');
/** Time goes on by at least this: the sum of two numbers may be the larger one of them. */
const LEAST_MS = 0.001;

/** Starts an actor alone. @throws what its start throws */
export async function invoke<Spec extends ProtocolSpec, Args>(definition: ActorDefinition<Spec, Args>, args: Args, options: InvokeOptions = {}): Promise<Invocation<Spec>> {
  const { name = definition.protocol.name, clock = new ManualClock(), random = seededRandom(1), answer = () => undefined } = options;
  const context = new InvokedContext(definition as unknown as ActorDefinition, { name, clock, random, answer });
  const behaviour = await startActor(definition as ActorDefinition<Spec>, context, args);
  return new Invocation(definition, context, behaviour);
}
