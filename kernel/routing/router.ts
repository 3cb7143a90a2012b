/**
 * A router stands on the sender's side: it is no actor and no queue of its own, but chooses for each
 * message who of several gets it. So routing costs no hop, and the bound of what waits is that of the routees'
 * own mailboxes and lanes.
 *
 *                  chooses                                         a routee refuses
 *   round_robin    the next in turn                                the next in turn is tried
 *   least_loaded   who shows the fewest waiting messages           the next least loaded is tried
 *   hashBy         who has the key, by rendezvous hashing          nobody else: its key has one place
 *   broadcast      all                                             the others have it nonetheless
 */
import { CLOSED, NOT_CONNECTED } from 'atomics-ring-buffer';
import type { ActorRef, AskOptions, TellOptions } from '../actor-ref.ts';
import type { ActorContext } from '../actor.ts';
import type { Address } from '../address.ts';
import { systemClock, type Clock } from '../clock.ts';
import { SpillwayError } from '../errors.ts';
import type { Group } from '../groups.ts';
import type { ProtocolSpec, ReplyOf, RequestOf } from '../protocol.ts';
import { hashOfKey, heaviest, type RoutingKey } from './rendezvous.ts';
import { GroupRoutees, ListedRoutees, type Routees } from './routees.ts';

/** A message of the protocol, for those who choose by what is in it; `name` tells the types of `request` apart. */
export type RoutedMessage<Spec extends ProtocolSpec> = {
  [Name in keyof Spec & string]: { readonly name: Name; readonly request: RequestOf<Spec, Name> };
}[keyof Spec & string];

export interface HashStrategy<Spec extends ProtocolSpec> {
  readonly hashBy: (message: RoutedMessage<Spec>) => RoutingKey;
}

export type RoutingStrategy<Spec extends ProtocolSpec> = 'round_robin' | 'least_loaded' | 'broadcast' | HashStrategy<Spec>;

export interface RouterOptions {
  /** Of the actor that routes: routees in a list are then watched. Without it one that has ended is found out when it is sent to. */
  readonly context?: ActorContext;
  /** Whether `tell` and `ask` try the next routee when one refuses. Default true; without effect with `hashBy` and `broadcast`. */
  readonly triesNext?: boolean;
}

/**
 * @param targets references, each taken out once its actor has ended; or a group, whose members then are the routees
 * @throws SpillwayError `router_full`
 */
export function createRouter<Spec extends ProtocolSpec>(
  targets: readonly ActorRef<Spec>[] | Group<Spec>,
  strategy: RoutingStrategy<Spec>,
  options: RouterOptions = {},
): Router<Spec> {
  return new Router(isList(targets) ? new ListedRoutees(targets, options.context) : new GroupRoutees(targets), strategy, options);
}

export class Router<Spec extends ProtocolSpec> {
  readonly #routees: Routees<Spec>;
  readonly #strategy: RoutingStrategy<Spec>;
  readonly #clock: Clock;
  readonly #triesNext: boolean;
  #turn = 0;

  /** Use `createRouter`. */
  constructor(routees: Routees<Spec>, strategy: RoutingStrategy<Spec>, { context, triesNext = true }: RouterOptions) {
    this.#routees = routees;
    this.#strategy = strategy;
    this.#clock = context?.clock ?? systemClock;
    this.#triesNext = triesNext && (strategy === 'round_robin' || strategy === 'least_loaded');
  }

  get routees(): readonly ActorRef<Spec>[] {
    return this.#routees.current;
  }

  /** @throws SpillwayError `router_full`; TypeError for a router over a group, whose members join themselves */
  add(ref: ActorRef<Spec>): void {
    if (!(this.#routees instanceof ListedRoutees)) throw new TypeError('The routees of this router are the members of a group, who join it themselves.');
    this.#routees.add(ref);
  }

  /** Sends nothing more to the actor at this address. */
  remove(target: ActorRef<Spec> | Address): void {
    this.#routees.gone(typeof target === 'number' ? target : target.address);
  }

  /** No routee is watched any more, and the router is empty if they came as a list. */
  close(): void {
    this.#routees.close();
  }

  /**
   * As `ActorRef.tell`. With `broadcast` it is 0 if all have it, else the first refusal.
   * @returns 0, or why it was refused: by the last that was tried and may take it later, or CLOSED if all tried
   *   had ended; NOT_CONNECTED if there is no routee
   * @throws SpillwayError `message_invalid`
   */
  tell<Name extends keyof Spec & string>(name: Name, request: RequestOf<Spec, Name>, options?: TellOptions): number {
    const refs = this.#routees.current;
    if (refs.length === 0) return NOT_CONNECTED;
    let refusal = 0;
    if (this.#strategy === 'broadcast') {
      for (const ref of refs) {
        const result = this.#tell(ref, name, request, options);
        if (refusal === 0) refusal = result;
      }
      return refusal;
    }
    const first = this.#choose(refs, name, request);
    refusal = this.#tell(refs[first]!, name, request, options);
    if (refusal === 0 || !this.#triesNext) return refusal;
    for (const ref of this.#others(refs, first)) {
      const result = this.#tell(ref, name, request, options);
      if (result === 0) return 0;
      if (result !== CLOSED) refusal = result;
    }
    return refusal;
  }

  /**
   * As `ActorRef.send`: waits for room with the chosen routee, so that the sender is slowed down; only one that
   * has ended is passed over. With `broadcast` it waits for all.
   * @throws SpillwayError `router_empty`, and what `ActorRef.send` throws
   */
  async send<Name extends keyof Spec & string>(name: Name, request: RequestOf<Spec, Name>, options: AskOptions): Promise<void> {
    if (this.#strategy === 'broadcast') {
      const ends = await Promise.allSettled(this.#all(name).map((ref) => this.#noting(ref, ref.send(name, request, options))));
      for (const end of ends) if (end.status === 'rejected') throw end.reason;
      return;
    }
    await this.#attempt(name, request, options, (ref, rest) => ref.send(name, request, rest), hasEnded);
  }

  /**
   * As `ActorRef.ask`. Another routee is tried only where the one before certainly has not handled it. With
   * `broadcast` the first answer counts and the other asks are cancelled; if none answers, the first failure counts.
   * @throws SpillwayError `router_empty`, and what `ActorRef.ask` throws
   */
  async ask<Name extends keyof Spec & string>(name: Name, request: RequestOf<Spec, Name>, options: AskOptions): Promise<ReplyOf<Spec, Name>> {
    if (this.#strategy === 'broadcast') return this.#askAll(name, request, options);
    return this.#attempt(name, request, options, (ref, rest) => ref.ask(name, request, rest), isUnhandled);
  }

  async #askAll<Name extends keyof Spec & string>(name: Name, request: RequestOf<Spec, Name>, options: AskOptions): Promise<ReplyOf<Spec, Name>> {
    const answered = new AbortController();
    const signal = options.signal === undefined ? answered.signal : AbortSignal.any([options.signal, answered.signal]);
    try {
      return await Promise.any(this.#all(name).map((ref) => this.#noting(ref, ref.ask(name, request, { ...options, signal }))));
    } catch (error) {
      throw error instanceof AggregateError ? error.errors[0] : error;
    } finally {
      answered.abort();
    }
  }

  /** Tries one routee after the other within the deadline, as far as the strategy permits. */
  async #attempt<Name extends keyof Spec & string, Result>(
    name: Name,
    request: RequestOf<Spec, Name>,
    options: AskOptions,
    run: (ref: ActorRef<Spec>, options: AskOptions) => Promise<Result>,
    mayGoOn: (error: unknown) => boolean,
  ): Promise<Result> {
    const refs = this.#all(name);
    const endMs = this.#clock.monotonicMs() + options.deadlineMs;
    const first = this.#choose(refs, name, request);
    try {
      return await this.#noting(refs[first]!, run(refs[first]!, options));
    } catch (error) {
      if (!this.#triesNext || !mayGoOn(error)) throw error;
      let latest = error;
      for (const ref of this.#others(refs, first)) {
        const deadlineMs = endMs - this.#clock.monotonicMs();
        if (deadlineMs <= 0) break;
        try {
          return await this.#noting(ref, run(ref, { ...options, deadlineMs }));
        } catch (next) {
          if (!mayGoOn(next)) throw next;
          latest = next;
        }
      }
      throw latest;
    }
  }

  #tell<Name extends keyof Spec & string>(ref: ActorRef<Spec>, name: Name, request: RequestOf<Spec, Name>, options: TellOptions | undefined): number {
    const result = ref.tell(name, request, options);
    if (result === CLOSED) this.#routees.gone(ref.address);
    return result;
  }

  async #noting<Result>(ref: ActorRef<Spec>, outcome: Promise<Result>): Promise<Result> {
    try {
      return await outcome;
    } catch (error) {
      if (hasEnded(error)) this.#routees.gone(ref.address);
      throw error;
    }
  }

  #all(name: string): readonly ActorRef<Spec>[] {
    const refs = this.#routees.current;
    if (refs.length > 0) return refs;
    throw new SpillwayError('router_empty', `There is no routee to take ${name}: none was given, or all have ended.`, { details: { mayHaveBeenHandled: false } });
  }

  #choose<Name extends keyof Spec & string>(refs: readonly ActorRef<Spec>[], name: Name, request: RequestOf<Spec, Name>): number {
    const strategy = this.#strategy;
    if (typeof strategy === 'object') {
      const key = strategy.hashBy({ name, request } as RoutedMessage<Spec>);
      return heaviest(hashOfKey(key), refs.map(({ address }) => address));
    }
    const start = this.#turn % refs.length;
    this.#turn = start + 1;
    if (strategy === 'round_robin') return start;
    let best = start;
    let bestLevel = Infinity;
    // From the one in turn on, so that those who are equally loaded share.
    for (let step = 0; step < refs.length && bestLevel > 0; step++) {
      const index = (start + step) % refs.length;
      const level = levelOf(refs[index]!);
      if (level >= bestLevel) continue;
      best = index;
      bestLevel = level;
    }
    return best;
  }

  /** Who else may be tried, in order. */
  #others(refs: readonly ActorRef<Spec>[], first: number): readonly ActorRef<Spec>[] {
    const others = [...refs.slice(first + 1), ...refs.slice(0, first)];
    return this.#strategy === 'least_loaded' ? others.sort((one, other) => levelOf(one) - levelOf(other)) : others;
  }
}

/** An actor to whose thread there is no link yet has nothing from here to do; the first message makes the link. */
function levelOf(ref: { readonly level: number | undefined }): number {
  return ref.level ?? 0;
}

function hasEnded(error: unknown): boolean {
  return isUnhandled(error) && error.code !== 'ask_refused';
}

function isUnhandled(error: unknown): error is SpillwayError {
  if (!(error instanceof SpillwayError) || error.details['mayHaveBeenHandled'] !== false) return false;
  return error.code === 'ask_refused' || error.code === 'actor_stopped' || error.code === 'actor_unknown';
}

function isList<Spec extends ProtocolSpec>(targets: readonly ActorRef<Spec>[] | Group<Spec>): targets is readonly ActorRef<Spec>[] {
  return Array.isArray(targets);
}
