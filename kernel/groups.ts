/**
 * Groups as a thread knows them: who is a member is kept here, as the guardian has last said, so that
 * publishing asks nobody. As in Erlang's `pg`, membership is known everywhere a moment after it changes.
 */
import { ActorRef, type Courier, type TellOptions } from './actor-ref.ts';
import type { Address } from './address.ts';
import type { Protocol, ProtocolSpec, RequestOf } from './protocol.ts';

/** What groups need of their thread. */
export interface GroupHost {
  follow(group: string): Promise<{ version: number; members: readonly Address[] }>;
  join(group: string, address: Address): Promise<void>;
  leave(group: string, address: Address): Promise<void>;
}

interface Membership {
  version: number;
  members: readonly Address[];
}

export class Groups {
  readonly #host: GroupHost;
  readonly #known = new Map<string, Membership>();
  readonly #following = new Map<string, Promise<Membership>>();

  constructor(host: GroupHost) {
    this.#host = host;
  }

  /** The group as one actor sees it. */
  async open<Spec extends ProtocolSpec>(name: string, protocol: Protocol<Spec>, self: Address, courier: Courier): Promise<Group<Spec>> {
    const membership = await this.#follow(name);
    return new Group(name, protocol, self, courier, membership, this.#host);
  }

  /** The guardian says who is in a group. */
  changed(name: string, version: number, members: readonly Address[]): void {
    const known = this.#known.get(name);
    if (known === undefined) {
      this.#known.set(name, { version, members });
      return;
    }
    // It may come before the answer to `followGroup` that it is newer than.
    if (version < known.version) return;
    known.version = version;
    known.members = members;
  }

  #follow(name: string): Promise<Membership> {
    let following = this.#following.get(name);
    if (following === undefined) {
      following = this.#host.follow(name).then(({ version, members }) => {
        this.changed(name, version, members);
        return this.#known.get(name)!;
      });
      this.#following.set(name, following);
      following.catch(() => this.#following.delete(name));
    }
    return following;
  }
}

/** Actors that go by one name. */
export class Group<Spec extends ProtocolSpec = ProtocolSpec> {
  readonly name: string;
  readonly #protocol: Protocol<Spec>;
  readonly #self: Address;
  readonly #courier: Courier;
  readonly #membership: Membership;
  readonly #host: GroupHost;

  /** Use `context.group`. */
  constructor(name: string, protocol: Protocol<Spec>, self: Address, courier: Courier, membership: Membership, host: GroupHost) {
    this.name = name;
    this.#protocol = protocol;
    this.#self = self;
    this.#courier = courier;
    this.#membership = membership;
    this.#host = host;
  }

  /** Resolves once the guardian knows; the other threads know a moment later. An actor that ends leaves by itself. */
  join(): Promise<void> {
    return this.#host.join(this.name, this.#self);
  }

  leave(): Promise<void> {
    return this.#host.leave(this.name, this.#self);
  }

  get members(): ActorRef<Spec>[] {
    return this.#membership.members.map((address) => new ActorRef(this.#courier, this.name, address, this.#protocol));
  }

  /**
   * Tells all members, this actor included if it is one.
   * @returns how many were told, and the results of those that refused
   */
  publish<Name extends keyof Spec & string>(name: Name, request: RequestOf<Spec, Name>, options?: TellOptions): { told: number; refused: { address: Address; result: number }[] } {
    const refused: { address: Address; result: number }[] = [];
    const message = this.#protocol.message(name);
    for (const address of this.#membership.members) {
      const result = this.#courier.tell(address, message, request, options);
      if (result < 0) refused.push({ address, result });
    }
    return { told: this.#membership.members.length - refused.length, refused };
  }
}
