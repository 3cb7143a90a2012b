/**
 * To whom a router may send: a list of its own, or whoever is in a group. One that is found to have ended
 * is taken out, so that it is tried once and not with every message.
 */
import type { ActorRef } from '../actor-ref.ts';
import type { ActorContext } from '../actor.ts';
import type { Address } from '../address.ts';
import { SpillwayError } from '../errors.ts';
import type { Group } from '../groups.ts';
import type { ProtocolSpec } from '../protocol.ts';
import type { Timer } from '../time/timer-wheel.ts';

/** Routees of one router: each message may look at all of them. */
export const MAX_ROUTEES = 1_024;

export interface Routees<Spec extends ProtocolSpec> {
  readonly current: readonly ActorRef<Spec>[];
  /** The actor at this address has ended for good. */
  gone(address: Address): void;
  close(): void;
}

/** Those that were given. With a context they are watched, so that one is also taken out when nothing is sent to it. */
export class ListedRoutees<Spec extends ProtocolSpec> implements Routees<Spec> {
  readonly #context: ActorContext | undefined;
  readonly #watches = new Map<Address, Timer>();
  #refs: readonly ActorRef<Spec>[] = [];

  constructor(refs: readonly ActorRef<Spec>[], context: ActorContext | undefined) {
    this.#context = context;
    for (const ref of refs) this.add(ref);
  }

  get current(): readonly ActorRef<Spec>[] {
    return this.#refs;
  }

  /** One that is there already stays as it is. @throws SpillwayError `router_full` */
  add(ref: ActorRef<Spec>): void {
    if (this.#refs.some(({ address }) => address === ref.address)) return;
    if (this.#refs.length >= MAX_ROUTEES) {
      throw new SpillwayError('router_full', `A router has at most ${MAX_ROUTEES} routees; put a router behind each of several.`);
    }
    this.#refs = [...this.#refs, ref];
    const watch = this.#context?.watch(ref.address, () => this.gone(ref.address));
    if (watch !== undefined) this.#watches.set(ref.address, watch);
  }

  gone(address: Address): void {
    this.#refs = this.#refs.filter((ref) => ref.address !== address);
    this.#watches.get(address)?.cancel();
    this.#watches.delete(address);
  }

  close(): void {
    for (const { address } of this.#refs) this.gone(address);
  }
}

/** The members of a group, as this thread knows them at the moment. */
export class GroupRoutees<Spec extends ProtocolSpec> implements Routees<Spec> {
  readonly #group: Group<Spec>;
  /** Members that have ended, until the group says so too. */
  readonly #gone = new Set<Address>();

  constructor(group: Group<Spec>) {
    this.#group = group;
  }

  get current(): readonly ActorRef<Spec>[] {
    const members = this.#group.members.slice(0, MAX_ROUTEES);
    if (this.#gone.size === 0) return members;
    for (const address of this.#gone) if (!members.some((member) => member.address === address)) this.#gone.delete(address);
    return members.filter(({ address }) => !this.#gone.has(address));
  }

  gone(address: Address): void {
    this.#gone.add(address);
  }

  close(): void {
    this.#gone.clear();
  }
}
