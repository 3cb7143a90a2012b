/** A supervisor as the application sees it: OTP's calls for the children of one supervisor of the tree. */
import { SpillwayError, type ActorRef, type Address, type Protocol, type ProtocolSpec } from '../kernel/index.ts';
import type { AnyChildSpec, ChildSpec } from './child-spec.ts';
import type { ChildCounts, ChildStatus, ChildrenPage, DynamicChild } from './children.ts';
import type { TreeSpec } from './messages.ts';

export interface StartedInfo {
  readonly id: string;
  /** By which others resolve it. */
  readonly name: string;
  /** It had nothing to do and has left. */
  readonly isIgnored: boolean;
  /** Undefined of a supervisor, and of one that has left. */
  readonly address?: Address;
  /** What the actor says of itself; see Behaviour. */
  readonly info?: unknown;
}

export interface SupervisorHandleOptions {
  readonly path: string;
  readonly root: ActorRef<TreeSpec>;
  /** How long a call that starts or stops may take. */
  readonly changeMs: number;
  /** How long a call that only looks may take. */
  readonly lookMs: number;
  /** Links the application to the actor's thread, so that its first message finds the way. */
  resolve<Spec extends ProtocolSpec>(name: string, protocol: Protocol<Spec>): Promise<ActorRef<Spec>>;
  /** @throws SpillwayError `system_closed` */
  assertOpen(): void;
  onStarted(name: string, address: Address): void;
}

export class SupervisorHandle {
  readonly #options: SupervisorHandleOptions;

  /** Use `system.supervisor`. */
  constructor(options: SupervisorHandleOptions) {
    this.#options = options;
  }

  /** Of the supervisors above and itself; empty for the root. */
  get path(): string {
    return this.#options.path;
  }

  /**
   * Starts a child to the right of all others and waits until it is ready.
   * @throws SpillwayError `spec_invalid`, `child_exists`, `child_unknown` if there is no such supervisor at
   *   present, `start_deadline`, `restart_intensity`, `actor_start_failed`, or what the actor's start threw
   */
  async startChild(spec: AnyChildSpec | DynamicChild): Promise<StartedInfo> {
    try {
      return this.#started(await this.#change('startChild', { spec }));
    } catch (error) {
      if (error instanceof SpillwayError && error.code !== 'value_refused') throw error;
      throw new SpillwayError('spec_invalid', `The child spec cannot be sent: ${(error as Error).message}`, { cause: error });
    }
  }

  /** The same, with a reference to the actor. @throws SpillwayError what `startChild` throws; `actor_unknown` if the actor had nothing to do and has left */
  async spawn<Spec extends ProtocolSpec>(spec: ChildSpec | DynamicChild, protocol: Protocol<Spec>): Promise<ActorRef<Spec>> {
    const { name, address } = await this.startChild(spec);
    if (address === undefined) throw new SpillwayError('actor_unknown', `Actor ${name} had nothing to do and has left.`, { details: { name } });
    return this.#options.resolve(name, protocol);
  }

  /** Stops a child. Its spec stays for `restartChild`, unless it is temporary or one of many of a kind. @returns whether it ended within its `shutdownMs` */
  async terminateChild(id: string): Promise<boolean> {
    const { ended } = await this.#change('terminateChild', { id });
    return ended;
  }

  /** Stops a child and forgets it. @returns whether it ended within its `shutdownMs`; if not, it is forgotten when it has */
  async removeChild(id: string): Promise<boolean> {
    const { ended } = await this.#change('removeChild', { id });
    return ended;
  }

  /** Starts a child that has ended or was terminated. @throws SpillwayError `child_unknown`, `child_running`, `supervisor_dynamic`, and what `startChild` throws */
  async restartChild(id: string): Promise<StartedInfo> {
    return this.#started(await this.#change('restartChild', { id }));
  }

  /** Forgets a child that has ended or was terminated. @throws SpillwayError `child_unknown`, `child_running`, `supervisor_dynamic` */
  async deleteChild(id: string): Promise<void> {
    await this.#change('deleteChild', { id });
  }

  /**
   * Ends a child's present life at once, as if it had crashed; its supervisor does what it does after any crash.
   * For rehearsals, and for a child that is beyond help.
   * @returns whether it had a life, and one that can be ended so: a thread that makes native calls cannot
   */
  async killChild(id: string): Promise<boolean> {
    const { killed } = await this.#change('killChild', { id });
    return killed;
  }

  /** From left to right. Of several hundred children, more than fit one answer, these are several looks. */
  async whichChildren(): Promise<ChildStatus[]> {
    const { path, root, lookMs } = this.#options;
    this.#options.assertOpen();
    const all: ChildStatus[] = [];
    let after: number | undefined = 0;
    while (after !== undefined) {
      const page: ChildrenPage = await root.ask('whichChildren', { supervisor: path, after }, { deadlineMs: lookMs });
      all.push(...page.children);
      after = page.next;
    }
    return all;
  }

  /** The spec of a child with the defaults of what it leaves out. Of a temporary one without its `args`. @throws SpillwayError `child_unknown` */
  async childSpec(id: string): Promise<AnyChildSpec> {
    const { path, root, lookMs } = this.#options;
    this.#options.assertOpen();
    return (await root.ask('childSpec', { supervisor: path, id }, { deadlineMs: lookMs })).spec as AnyChildSpec;
  }

  countChildren(): Promise<ChildCounts> {
    const { path, root, lookMs } = this.#options;
    this.#options.assertOpen();
    return root.ask('countChildren', { supervisor: path }, { deadlineMs: lookMs });
  }

  #change<Name extends 'startChild' | 'terminateChild' | 'removeChild' | 'restartChild' | 'killChild' | 'deleteChild'>(name: Name, request: object) {
    const { path, root, changeMs } = this.#options;
    this.#options.assertOpen();
    return root.ask(name, { supervisor: path, ...request } as never, { deadlineMs: changeMs });
  }

  #started(started: StartedInfo): StartedInfo {
    if (started.address !== undefined) this.#options.onStarted(started.name, started.address);
    return started;
  }
}
