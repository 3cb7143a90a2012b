/**
 * What threads ask the guardian of each other: who has which name, who is in which group, who is to be told of
 * dead letters, and whom an administrative call is for.
 */
import { APPLICATION_THREAD, GUARDIAN_THREAD, KERNEL_SLOT, threadOf, type Address } from './address.ts';
import type { AdminDesk } from './admin/admin-desk.ts';
import { Directory } from './directory.ts';
import { SpillwayError } from './errors.ts';
import type { Handlers } from './handlers.ts';
import type { Hosted } from './hosted.ts';
import type { KernelSpec } from './kernel-protocol.ts';
import type { ThreadLinks } from './thread-links.ts';
import type { ThreadRuntime } from './thread-runtime.ts';

export interface RegistryOptions {
  /** The guardian's own. */
  readonly runtime: ThreadRuntime;
  readonly threads: ReadonlyMap<number, Hosted>;
  readonly links: ThreadLinks;
  readonly admin: AdminDesk;
}

export class Registry {
  readonly #options: RegistryOptions;
  readonly #directory: Directory;
  readonly #deadLetterFollowers = new Set<number>();

  constructor(options: RegistryOptions) {
    const { runtime } = options;
    this.#options = options;
    this.#directory = new Directory({
      watch: (target, onEnd) => runtime.bonds.watch(runtime.cellAt(KERNEL_SLOT)!, target, onEnd),
      tellMembers: (thread, group, version, members) => {
        if (thread === GUARDIAN_THREAD) runtime.cellAt(KERNEL_SLOT)!.handlers['groupChanged']!({ group, version, members } as never, undefined as never);
        else runtime.tell(thread, 'groupChanged', { group, version, members });
      },
    });
  }

  readonly handlers: Partial<Handlers<KernelSpec>> = {
    register: ({ name, address }) => {
      this.register(name, address);
      return {};
    },
    followGroup: ({ group }, { from }) => this.#directory.follow(group, threadOf(from)),
    joinGroup: ({ group, address }) => {
      this.#directory.join(group, address);
      return {};
    },
    leaveGroup: ({ group, address }) => {
      this.#directory.leave(group, address);
      return {};
    },
    followDeadLetters: ({ follow }, { from }) => {
      this.#followDeadLetters(threadOf(from), follow);
      return {};
    },
    deadLetter: (letter) => {
      const { runtime } = this.#options;
      for (const thread of this.#deadLetterFollowers) if (runtime.tellOnce(thread, 'deadLetter', letter) < 0) runtime.block.counters.add('deadLettersUntold');
    },
    openAdmin: ({ name, id }) => {
      const registered = this.#directory.lookUp(name);
      this.#options.admin.handOn(id, name, this.named(name) ?? (registered === undefined ? undefined : this.#options.threads.get(threadOf(registered))));
      return {};
    },
    resolve: ({ name }, { from }) => ({ address: this.#resolve(name, from) }),
  };

  /** The thread whose own actor has this name. */
  named(name: string): Hosted | undefined {
    for (const hosted of this.#options.threads.values()) if (hosted.spec.name === name) return hosted;
    return undefined;
  }

  /** The thread whose own actor has this address, unless that actor has been removed. */
  at(address: Address): Hosted | undefined {
    const hosted = this.#options.threads.get(threadOf(address));
    return hosted?.address === address ? hosted : undefined;
  }

  /** @throws SpillwayError `name_taken` */
  requireFree(name: string): void {
    if (this.named(name) !== undefined) throw new SpillwayError('name_taken', `An actor was started as '${name}'; choose another name.`, { details: { name } });
  }

  /** Gives an actor a name for `resolve`, until it ends. @throws SpillwayError `name_taken`, `directory_full` */
  register(name: string, address: Address): void {
    this.requireFree(name);
    this.#directory.register(name, address);
  }

  release(name: string, address: Address): void {
    this.#directory.release(name, address);
  }

  /** A thread has ended: nobody there follows anything. */
  forget(thread: number): void {
    this.#directory.forget(thread);
    this.#followDeadLetters(thread, false);
  }

  #followDeadLetters(thread: number, follow: boolean): void {
    if (follow) this.#deadLetterFollowers.add(thread);
    else this.#deadLetterFollowers.delete(thread);
    this.#options.runtime.block.deadLetterListeners = this.#deadLetterFollowers.size;
  }

  #resolve(name: string, from: Address): Address {
    const requester = threadOf(from);
    // It may have been removed since it asked; a link to it would stand in the way of the next actor there.
    if (requester !== APPLICATION_THREAD && requester !== GUARDIAN_THREAD && this.at(from) === undefined) {
      throw new SpillwayError('actor_unknown', 'Who asked has been removed.', { details: { name } });
    }
    const address = this.named(name)?.address ?? this.#directory.lookUp(name);
    if (address === undefined) {
      throw new SpillwayError('actor_unknown', `There is no actor named '${name}'.`, { details: { name } });
    }
    this.#options.links.connect(requester, threadOf(address));
    return address;
  }
}
