/**
 * The guardian's book of names and groups: which actor is known by which name, and who is in which group.
 * An actor that ends is taken out by itself. Threads that follow a group are told its members anew with
 * every change; versions count up, so that an old list never replaces a newer one.
 */
import type { Address } from './address.ts';
import type { Terminated } from './bonds.ts';
import { SpillwayError } from './errors.ts';
import type { Timer } from './time/timer-wheel.ts';

/** What the directory needs of the guardian. */
export interface DirectoryHost {
  watch(target: Address, onEnd: (end: Terminated) => void): Timer;
  /** Tells a thread who is in the group now. */
  tellMembers(thread: number, group: string, version: number, members: Address[]): void;
}

interface Group {
  version: number;
  readonly members: Map<Address, Timer>;
  readonly followers: Set<number>;
}

/** Names, groups, and members of one group. Each is far beyond what fits one control message. */
const MAX_NAMES = 65_536;
const MAX_GROUPS = 4_096;
const MAX_MEMBERS = 4_096;

export class Directory {
  readonly #host: DirectoryHost;
  readonly #names = new Map<string, { readonly address: Address; readonly watch: Timer }>();
  readonly #groups = new Map<string, Group>();

  constructor(host: DirectoryHost) {
    this.#host = host;
  }

  lookUp(name: string): Address | undefined {
    return this.#names.get(name)?.address;
  }

  /** @throws SpillwayError `name_taken`, `directory_full` */
  register(name: string, address: Address): void {
    const known = this.#names.get(name);
    if (known?.address === address) return;
    if (known !== undefined) throw new SpillwayError('name_taken', `Another actor is registered as '${name}'; choose another name, or end it first.`, { details: { name } });
    requireRoom(this.#names, MAX_NAMES, 'names');
    const watch = this.#host.watch(address, () => this.#names.delete(name));
    this.#names.set(name, { address, watch });
  }

  /** Takes the name from that actor before its end is heard of; from another it is not taken. */
  release(name: string, address: Address): void {
    const known = this.#names.get(name);
    if (known?.address !== address) return;
    known.watch.cancel();
    this.#names.delete(name);
  }

  /** The members now; from here on the thread is told of changes. */
  follow(name: string, thread: number): { version: number; members: Address[] } {
    const group = this.#group(name);
    group.followers.add(thread);
    return { version: group.version, members: [...group.members.keys()] };
  }

  /** @throws SpillwayError `directory_full` */
  join(name: string, address: Address): void {
    const group = this.#group(name);
    if (group.members.has(address)) return;
    requireRoom(group.members, MAX_MEMBERS, `members of '${name}'`);
    group.members.set(address, this.#host.watch(address, () => this.leave(name, address)));
    this.#tell(name, group);
  }

  leave(name: string, address: Address): void {
    const group = this.#groups.get(name);
    const watch = group?.members.get(address);
    if (group === undefined || watch === undefined) return;
    watch.cancel();
    group.members.delete(address);
    this.#tell(name, group);
  }

  /** A thread has ended: nobody there follows anything. */
  forget(thread: number): void {
    for (const group of this.#groups.values()) group.followers.delete(thread);
  }

  #tell(name: string, group: Group): void {
    group.version++;
    for (const thread of group.followers) this.#host.tellMembers(thread, name, group.version, [...group.members.keys()]);
  }

  #group(name: string): Group {
    let group = this.#groups.get(name);
    if (group === undefined) {
      requireRoom(this.#groups, MAX_GROUPS, 'groups');
      this.#groups.set(name, (group = { version: 0, members: new Map(), followers: new Set() }));
    }
    return group;
  }
}

function requireRoom(held: ReadonlyMap<unknown, unknown>, max: number, what: string): void {
  if (held.size >= max) throw new SpillwayError('directory_full', `There are ${max} ${what}, which is the most.`);
}
