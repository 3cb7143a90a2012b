/**
 * A supervisor: it starts its children from left to right, stops them from right to left, and starts again
 * what fails, by its strategy and as long as that does not happen too often. The rules are those of OTP's
 * `supervisor`; what is added is a delay before a restart (backoff.ts) and a deadline for every start.
 *
 * It knows its children only as places (child-place.ts), whose lives child-lives.ts begins and ends. Four things can happen to a child, and each has one
 * method: it is launched, it ends by itself (`#onExit`), its turn to be restarted has come, it is stopped.
 * Whatever happens meanwhile finds the child's state and acts on that. Children that are restarted alone do
 * not wait for each other; where siblings are restarted together, one such restart, or one call that
 * changes the children, is under way at a time (group-restart.ts).
 */
import { SpillwayError } from '../kernel/index.ts';
import { Backoff } from './backoff.ts';
import type { ChildExit, ChildPlace } from './child-place.ts';
import { DEFAULT_CHILD, FOREVER_MS, completeSpec, shutdownMsOf, type AnyChildSpec, type SupervisorFlags } from './child-spec.ts';
import { ChildLives } from './child-lives.ts';
import { Children, type Child, type ChildCounts, type ChildStatus, type ChildrenPage } from './children.ts';
import { crashReportOf, type CrashReport } from './crash-report.ts';
import { GroupRestart } from './group-restart.ts';
import { RestartIntensity } from './restart-intensity.ts';
import { checkChildren, checkDynamic } from './spec-check.ts';
import type { StartedChild, SupervisorOptions } from './supervisor-options.ts';

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #flags: SupervisorFlags;
  readonly #intensity: RestartIntensity;
  readonly #children: Children;
  readonly #lives: ChildLives;
  readonly #group: GroupRestart | undefined;
  /** With simple_one_for_one: what the children are made after. */
  readonly #template: AnyChildSpec | undefined;
  #stopping = false;
  #gaveUp = false;
  /** Settled when the first children are up, or have failed to. Never rejects. */
  #started: Promise<void> | undefined;
  /** Whoever waits for the end of all children. */
  readonly #whenAllEnded: (() => void)[] = [];

  constructor(options: SupervisorOptions) {
    const { flags, children } = options.setup;
    this.#options = options;
    this.#flags = flags;
    this.#intensity = new RestartIntensity(flags.intensity, flags.periodMs);
    this.#children = new Children(options.path);
    this.#lives = new ChildLives({
      placeOf: options.placeOf,
      clock: options.clock,
      log: options.log,
      after: options.after,
      onExit: (...end) => this.#onExit(...end),
      onSettled: (child) => this.#onSettled(child),
    });
    this.#template = flags.strategy === 'simple_one_for_one' ? children[0] : undefined;
    if (flags.strategy === 'one_for_all' || flags.strategy === 'rest_for_one') {
      this.#group = new GroupRestart({
        strategy: flags.strategy,
        children: this.#children,
        clock: options.clock,
        after: options.after,
        isStopping: () => this.#stopping,
        stop: (child) => this.#lives.suspend(child),
        launch: (child) => this.#relaunch(child),
      });
    }
  }

  get path(): string {
    return this.#options.path;
  }

  /** Starts the children of its setup from left to right. @throws what kept one of them from starting; those before it have been stopped then */
  async start(): Promise<void> {
    if (this.#template !== undefined) return;
    const starting = this.#inTurn(() => this.#startFirst());
    this.#started = starting.catch(() => {});
    await starting;
  }

  /**
   * Starts a child to the right of all others. With simple_one_for_one `given` holds what differs from the
   * template: `id`, if it shall not be a number, and `args`.
   * @throws SpillwayError `spec_invalid`, `child_exists`, `restart_intensity`, `system_closed`, `start_deadline`, or what kept the child from starting
   */
  async startChild(given: unknown): Promise<StartedChild> {
    let spec = given;
    if (this.#template !== undefined) {
      checkDynamic(given);
      spec = this.#children.madeAfter(this.#template, given);
    }
    checkChildren([spec], this.#flags, this.path === '' ? 0 : this.path.split('/').length);
    this.#children.requireFree((spec as AnyChildSpec).id);
    return this.#inTurn(() => this.#startNew(spec as AnyChildSpec));
  }

  /**
   * Stops a child. Its spec stays for `restartChild`, unless it is temporary or one of many of a kind.
   * @returns whether it has ended in time
   * @throws SpillwayError `child_unknown`
   */
  async terminateChild(id: string): Promise<boolean> {
    // Not in turn: it may be the very child whose start everybody else waits for.
    const child = this.#children.get(id);
    return this.#lives.stop(child, shutdownMsOf(child.spec));
  }

  /** Stops a child and forgets it. @returns whether it has ended in time; if not, it is forgotten when it has. @throws SpillwayError `child_unknown` */
  async removeChild(id: string): Promise<boolean> {
    const child = this.#children.get(id);
    child.isForgotten = true;
    if (child.state === 'stopped') this.#children.delete(child);
    return this.#lives.stop(child, shutdownMsOf(child.spec));
  }

  /** Starts a child again that has ended or was terminated. @throws SpillwayError `child_unknown`, `child_running`, `supervisor_dynamic`, `start_deadline`, or what kept it from starting */
  async restartChild(id: string): Promise<StartedChild> {
    this.#requireStatic('restartChild');
    this.#requireStopped(id, 'restart');
    return this.#inTurn(() => {
      const child = this.#requireStopped(id, 'restart');
      this.#requireOpen(id);
      return this.#launchOnce(child, () => {});
    });
  }

  /** Forgets a child that has ended or was terminated. @throws SpillwayError `child_unknown`, `child_running`, `supervisor_dynamic` */
  async deleteChild(id: string): Promise<void> {
    this.#requireStatic('deleteChild');
    this.#requireStopped(id, 'delete');
    return this.#inTurn(() => {
      this.#children.delete(this.#requireStopped(id, 'delete'));
      return Promise.resolve();
    });
  }

  /**
   * Ends a child's present life at once, as if it had crashed; what is done about it is as after any crash. For
   * rehearsals, and for a child that is beyond help.
   * @returns whether it had a life, and one that can be ended so: a thread that makes native calls cannot
   * @throws SpillwayError `child_unknown`
   */
  async killChild(id: string): Promise<boolean> {
    const child = this.#children.get(id);
    const { life, place, state } = child;
    if (state !== 'running' || place === undefined) return false;
    if (!(await place.kill())) return false;
    // A thread's end is told by itself.
    this.#onExit(child, life, { reason: 'crashed', whileStarting: false, code: 'child_killed', message: 'it was killed on request', stack: '' });
    return true;
  }

  whichChildren(): ChildStatus[] {
    return this.#children.list();
  }

  /** The children to the right of the one of that number, as many as one message takes. */
  childrenAfter(number: number): ChildrenPage {
    return this.#children.page(number);
  }

  /** The child's spec with the defaults of what it leaves out. @throws SpillwayError `child_unknown` */
  childSpec(id: string): AnyChildSpec {
    return completeSpec(this.#children.get(id).spec);
  }

  countChildren(): ChildCounts {
    return this.#children.count(this.#template);
  }

  /** The child's place while it has one. @throws SpillwayError `child_unknown` */
  placeOfChild(id: string): ChildPlace | undefined {
    return this.#children.get(id).place;
  }

  /**
   * Stops the children from right to left; those of one kind all at once.
   * @returns the names of those that had not ended in time
   */
  async shutdown(deadlineMs: number): Promise<string[]> {
    this.#stopping = true;
    const endMs = this.#options.clock.monotonicMs() + deadlineMs;
    const leftMs = (): number => Math.max(1, endMs - this.#options.clock.monotonicMs());
    const late: Child[] = [];
    const stop = async (child: Child): Promise<void> => {
      if (!(await this.#lives.stop(child, Math.min(leftMs(), shutdownMsOf(child.spec))))) late.push(child);
    };
    const children = [...this.#children].toReversed();
    if (this.#template === undefined) for (const child of children) await stop(child);
    else await Promise.all(children.map(stop));
    // What makes native calls cannot be killed when its own time is over; it has what is left of all the others' time.
    const ended = await Promise.all(late.map((child) => this.#lives.stop(child, leftMs())));
    return late.flatMap(({ name }, index) => (ended[index] === true ? [] : [name]));
  }

  // ---- starting -----------------------------------------------------------------------------------

  /** Changes wait until the first children are up, and for each other where siblings are restarted together. */
  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    if (this.#group !== undefined) return this.#group.inTurn(change);
    return this.#started === undefined ? change() : this.#started.then(change);
  }

  async #startFirst(): Promise<void> {
    for (const spec of this.#options.setup.children) {
      try {
        await this.#startNew(spec);
      } catch (error) {
        await this.#shutdownAll();
        throw error;
      }
    }
  }

  async #startNew(spec: AnyChildSpec): Promise<StartedChild> {
    this.#requireOpen(spec.id);
    const isForgotten = spec.restart === 'temporary' || this.#template !== undefined;
    const child = this.#children.add(spec, new Backoff({ ...this.#flags.backoff, ...spec.backoff }, this.#options.random), isForgotten);
    return this.#launchOnce(child, () => (child.isForgotten = true));
  }

  /** A launch that is not tried again. @param onFailure called before what is left of it is settled */
  async #launchOnce(child: Child, onFailure: () => void): Promise<StartedChild> {
    try {
      const started = await this.#lives.launch(child);
      if (child.spec.restart === 'temporary') child.forgetArgs();
      return { ...started, id: child.spec.id, place: child.place };
    } catch (error) {
      onFailure();
      child.lastError = (error as Error).message;
      // Whoever has told it to stop settles it, or has done so.
      if (child.state !== 'stopping') this.#lives.end(child, undefined);
      throw error;
    }
  }

  /** Whether a child is still to be restarted once its former life has ended at last. */
  async #isStillDue(child: Child): Promise<boolean> {
    child.state = 'starting';
    const { life } = child;
    await this.#lives.whenReleased(child);
    if (child.life !== life || child.state !== 'starting' || this.#stopping) return false;
    if (this.#group?.isAboutToStop(child) !== true) return true;
    // A sibling has failed again meanwhile, and both wait for that one's delay.
    child.state = 'restarting';
    return false;
  }

  // ---- ends ---------------------------------------------------------------------------------------

  #onExit(child: Child, life: number, exit: ChildExit): void {
    if (child.life !== life || child.state === 'stopped' || child.state === 'restarting') return;
    if (child.state === 'stopping') {
      // At once, so that whoever waits for its answers is told that there will be none, and not that it restarts.
      if (child.isLeaving) this.#lives.settle(child, undefined);
      return;
    }
    const { clock, log } = this.#options;
    const { restart = DEFAULT_CHILD.restart, significant = false } = child.spec;
    // It may have ended before anybody has heard that it was ready.
    const livedMs = child.state === 'starting' ? 0 : clock.monotonicMs() - child.startedMs;
    const hasCrashed = exit.reason === 'crashed';
    if (hasCrashed) {
      child.lastError = exit.message;
      log.error('child failed', { child: child.name, reason: exit.message, stack: exit.stack });
    }
    if (!this.#stopping && this.#group?.isAboutToStop(child) === true) {
      this.#leftBefore(child, exit, livedMs);
      return;
    }
    if (!this.#stopping && (restart === 'permanent' || (restart === 'transient' && hasCrashed))) {
      this.#failed(child, exit, livedMs);
      return;
    }
    if (hasCrashed) this.#report(child, exit, livedMs, 'left');
    this.#lives.settle(child, exit);
    if (!this.#stopping && significant) this.#considerShutdown();
  }

  /** It would have been stopped for the sake of a sibling that has failed, so it is no failure of its own, as with OTP. */
  #leftBefore(child: Child, exit: ChildExit, livedMs: number): void {
    const isTemporary = child.spec.restart === 'temporary';
    if (exit.reason === 'crashed') this.#report(child, exit, livedMs, isTemporary ? 'left' : 'restarted');
    if (isTemporary) this.#lives.settle(child, exit);
    else child.state = 'restarting';
  }

  /** A child is to be restarted, or could not be. */
  #failed(child: Child, exit: ChildExit, livedMs: number): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (!this.#intensity.permits(nowMs)) {
      this.#report(child, exit, livedMs, 'gave_up');
      this.#lives.end(child, exit);
      void this.#giveUp(child);
      return;
    }
    child.state = 'restarting';
    child.noteRestart(nowMs);
    const delayMs = child.backoff.nextDelayMs(livedMs);
    this.#report(child, exit, livedMs, 'restarted', delayMs);
    this.#options.log.warn('child will be restarted', { child: child.name, delayMs: Math.round(delayMs) });
    const { life } = child;
    if (this.#group === undefined) this.#options.after(delayMs, () => void this.#restartAlone(child, life));
    else this.#group.begin(delayMs);
  }

  async #restartAlone(child: Child, life: number): Promise<void> {
    // It may have been terminated while it waited, and have failed again in another life.
    if (child.life === life && child.state === 'restarting' && !this.#stopping) await this.#relaunch(child);
  }

  /** Never rejects: a start that fails is a failure like any other. */
  async #relaunch(child: Child): Promise<void> {
    if (child.isHeld && !(await this.#isStillDue(child))) return;
    const launching = this.#lives.launch(child);
    const { life } = child;
    try {
      await launching;
    } catch (error) {
      child.lastError = (error as Error).message;
      // It may have been told to stop meanwhile, and have begun another life.
      if (this.#stopping || child.life !== life || child.state !== 'starting') return;
      const { code, message, stack = '' } = error as SpillwayError;
      const exit: ChildExit = { reason: 'crashed', whileStarting: true, code, message, stack };
      if (this.#group?.isAboutToStop(child) === true) this.#leftBefore(child, exit, 0);
      else this.#failed(child, exit, 0);
    }
  }

  /** The intensity is exceeded: all children stop, and then the supervisor, as OTP's does. */
  async #giveUp(child: Child): Promise<void> {
    this.#gaveUp = true;
    const { intensity, periodMs } = this.#flags;
    const { name, lastError } = child;
    this.#options.log.error('restart intensity exceeded; stopping all children', { supervisor: this.path, child: name, intensity, periodMs, lastError });
    await this.#shutDown('restart_intensity', `${name} failed more often than ${intensity} times within ${periodMs} ms: ${lastError}`);
  }

  #considerShutdown(): void {
    const { autoShutdown } = this.#flags;
    const isLast = ![...this.#children].some(({ spec, state }) => spec.significant === true && state !== 'stopped');
    if (autoShutdown === 'any_significant' || (autoShutdown === 'all_significant' && isLast)) void this.#shutDown('', '');
  }

  async #shutDown(code: string, message: string): Promise<void> {
    await this.#shutdownAll();
    this.#options.onEnd?.({ reason: 'shutdown', whileStarting: false, code, message, stack: '' });
  }

  // ---- stopping -----------------------------------------------------------------------------------

  /** What makes native calls ends when it will, and its supervisor not before: its next life would find it there. */
  async #shutdownAll(): Promise<void> {
    if ((await this.shutdown(FOREVER_MS)).length === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenAllEnded.push(resolve);
      this.#tellWhenAllEnded();
    });
  }

  #onSettled(child: Child): void {
    if (child.isForgotten) this.#children.delete(child);
    this.#tellWhenAllEnded();
  }

  #tellWhenAllEnded(): void {
    if (this.#whenAllEnded.length === 0 || [...this.#children].some(({ state }) => state !== 'stopped')) return;
    for (const tell of this.#whenAllEnded.splice(0)) tell();
  }

  // ---- refusals and reports ------------------------------------------------------------------------

  #requireOpen(id: string): void {
    if (this.#gaveUp) throw new SpillwayError('restart_intensity', `Child ${id} was not started: children failed too often, so the supervisor has stopped them all.`);
    if (this.#stopping) throw new SpillwayError('system_closed', `Child ${id} was not started: the supervisor is stopping.`);
  }

  #requireStatic(call: string): void {
    if (this.#template !== undefined) throw new SpillwayError('supervisor_dynamic', `${call} is not for a supervisor with simple_one_for_one, whose children are forgotten when they end.`);
  }

  /** Asked before a turn is waited for, so that what is wrong is told at once, and again in turn. */
  #requireStopped(id: string, what: string): Child {
    const child = this.#children.get(id);
    const { name, state } = child;
    if (state !== 'stopped') throw new SpillwayError('child_running', `Child ${name} is ${state}; terminate it before you ${what} it.`, { details: { state } });
    return child;
  }

  #report(child: Child, exit: ChildExit, livedMs: number, decision: CrashReport['decision'], delayMs = 0): void {
    const { clock, report } = this.#options;
    if (report === undefined) return;
    const siblings = decision === 'restarted' ? (this.#group?.siblingsOf(child) ?? []) : [];
    const { intensity, periodMs } = this.#flags;
    const restartsInPeriod = this.#intensity.count(clock.monotonicMs());
    report(crashReportOf(child, exit, { atMs: clock.wallMs(), livedMs, decision, delayMs, restartsInPeriod, intensity, periodMs, siblings: siblings.map(({ name }) => name) }));
  }
}
