/**
 * Restarts siblings together: all of them, or those that were started after the one that failed. Those
 * that live are stopped from right to left; after the back-off they are started from left to right. If one
 * does not start, the strategy applies to it as to any that has failed, so with rest_for_one those to its
 * left, which have just started, are left alone.
 *
 * One restart is under way at a time. A failure meanwhile, of whichever child, makes it begin anew.
 */
import type { Clock, Timer } from '../kernel/index.ts';
import type { Child, Children } from './children.ts';

export interface GroupRestartOptions {
  readonly strategy: 'one_for_all' | 'rest_for_one';
  readonly children: Children;
  readonly clock: Clock;
  after(delayMs: number, run: () => void): Pick<Timer, 'cancel'>;
  /** Whether the supervisor ends, and nothing is restarted any more. */
  isStopping(): boolean;
  /** Ends the child's life, leaves it its place, and has it wait for its restart; a temporary one is forgotten. Never rejects. */
  stop(child: Child): Promise<void>;
  /** Begins the child's next life. Never rejects: a start that fails ends in `begin`. */
  launch(child: Child): Promise<void>;
}

/** One for each failure, so that a restart knows that a later one has taken its place. */
interface Pending {
  readonly dueMs: number;
}

export class GroupRestart {
  readonly #options: GroupRestartOptions;
  #pending: Pending | undefined;
  /** The members have not all been stopped yet since the last failure. */
  #isGathering = false;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: GroupRestartOptions) {
    this.#options = options;
  }

  /** Runs a change of the children when no other is under way. */
  inTurn<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(change);
    this.#turn = result.catch(() => {});
    return result;
  }

  /** Begins a restart because of the children that are in the state `restarting`. */
  begin(delayMs: number): void {
    // A failure meanwhile does not shorten the delay of an earlier one.
    const dueMs = Math.max(this.#options.clock.monotonicMs() + delayMs, this.#pending?.dueMs ?? 0);
    this.#pending = { dueMs };
    this.#isGathering = true;
    // Those that had ended come back, as with OTP; one that is terminated from now on does not.
    for (const member of this.#members()) if (member.state === 'stopped') member.state = 'restarting';
    void this.#restart(this.#pending);
  }

  /** Whether the child is to be stopped for the sake of one that has failed, and has not been yet. */
  isAboutToStop(child: Child): boolean {
    return this.#isGathering && this.#members().includes(child);
  }

  /** Those that are restarted with a child that has failed. */
  siblingsOf(child: Child): Child[] {
    return this.#members().filter((member) => member !== child && member.state !== 'stopped');
  }

  /**
   * It takes its turn at once, so a change of the children that was asked for before the failure comes before it, and
   * what that has started is stopped with the others; a change that was asked for later finds them stopped.
   */
  async #restart(pending: Pending): Promise<void> {
    await this.inTurn(() => this.#stopMembers(pending));
    if (this.#isOver(pending)) return;
    await this.#until(pending.dueMs);
    if (this.#isOver(pending)) return;
    await this.inTurn(() => this.#launchMembers(pending));
    if (this.#pending === pending) this.#pending = undefined;
  }

  #isOver(pending: Pending): boolean {
    return this.#pending !== pending || this.#options.isStopping();
  }

  /** From the first that waits for a restart to the last of all, or all. */
  #members(): Child[] {
    const all = [...this.#options.children];
    if (this.#options.strategy === 'one_for_all') return all;
    const first = all.findIndex(({ state }) => state === 'restarting');
    return first < 0 ? [] : all.slice(first);
  }

  async #stopMembers(pending: Pending): Promise<void> {
    for (const member of this.#members().toReversed()) {
      if (this.#options.isStopping()) return;
      // The one that had failed may have been terminated meanwhile; then those beside it go on.
      if (this.#members().includes(member)) await this.#options.stop(member);
    }
    // Another child may have failed meanwhile, with which more are to be stopped.
    if (!this.#isOver(pending)) this.#isGathering = false;
  }

  async #launchMembers(pending: Pending): Promise<void> {
    for (const member of this.#members()) {
      if (this.#isOver(pending)) return;
      // It may have been terminated since it was stopped.
      if (member.state === 'restarting') await this.#options.launch(member);
    }
  }

  #until(dueMs: number): Promise<void> {
    const delayMs = dueMs - this.#options.clock.monotonicMs();
    return delayMs <= 0 ? Promise.resolve() : new Promise((resolve) => this.#options.after(delayMs, resolve));
  }
}
