/**
 * The lives of a supervisor's children, one at a time for each: how one begins, within its deadline, and how it
 * is ended. What is to be done when one has ended, the supervisor decides.
 *
 * A life on a thread that makes native calls cannot be killed. Where it does not end in time it *holds* the
 * child's place, and the child begins no other life and gives up nothing before it has ended at last.
 */
import { SpillwayError, described, type Clock, type Log, type Started, type Timer } from '../kernel/index.ts';
import type { ChildExit, ChildPlace } from './child-place.ts';
import { DEFAULT_CHILD, shutdownMsOf, type AnyChildSpec } from './child-spec.ts';
import type { Child } from './children.ts';

export interface ChildLivesOptions {
  /** Makes the place of a child. @throws SpillwayError where there is no room for it */
  placeOf(spec: AnyChildSpec, name: string): ChildPlace;
  readonly clock: Clock;
  readonly log: Log;
  after(delayMs: number, run: () => void): Pick<Timer, 'cancel'>;
  /** A life of the child has ended by itself. */
  onExit(child: Child, life: number, exit: ChildExit): void;
  /** The child has given up its place. */
  onSettled(child: Child): void;
}

export class ChildLives {
  readonly #options: ChildLivesOptions;

  constructor(options: ChildLivesOptions) {
    this.#options = options;
  }

  /** @throws what kept it from starting; its place stays then, for another try */
  async launch(child: Child): Promise<Started> {
    child.state = 'starting';
    const place = (child.place ??= this.#options.placeOf(child.spec, child.name));
    const life = ++child.life;
    const { clock } = this.#options;
    child.startedMs = clock.monotonicMs();
    if (child.isHeld) await this.whenReleased(child);
    if (child.life !== life || child.state !== 'starting') throw new SpillwayError('actor_start_failed', `Child ${child.name} was stopped before it started.`);
    const started = await this.#withinDeadline(child, place.start((exit) => this.#options.onExit(child, life, exit)));
    child.startedMs = clock.monotonicMs();
    // It may have been told to stop while it started, or have ended at once.
    if (child.life === life && child.state === 'starting') {
      if (started.isIgnored) this.settle(child, undefined);
      else child.state = 'running';
    }
    return started;
  }

  /** Waits for a former life that could not be ended when it should have. */
  async whenReleased(child: Child): Promise<void> {
    while (child.isHeld && child.state === 'starting') {
      this.#options.log.warn('a child still makes native calls and cannot be ended', { child: child.name });
      if (await child.place!.stop(shutdownMsOf(child.spec))) child.isHeld = false;
    }
  }

  /** Of a group that is restarted: its place stays, so that what waits for it is kept. */
  async suspend(child: Child): Promise<void> {
    if (child.state === 'restarting' || child.state === 'stopped') return;
    if (child.state === 'stopping') {
      await this.stop(child, shutdownMsOf(child.spec));
      return;
    }
    child.state = 'stopping';
    child.life++;
    child.isHeld = !(await this.#endLife(child, shutdownMsOf(child.spec)));
    // It may have been terminated meanwhile.
    if (child.place === undefined) return;
    if (child.spec.restart === 'temporary') this.end(child, undefined);
    else child.state = 'restarting';
  }

  /** Ends its life for good. @returns whether it has ended in time; if not, it gives up its place when it has */
  async stop(child: Child, deadlineMs: number): Promise<boolean> {
    if (child.state === 'stopped') return true;
    child.state = 'stopping';
    child.isLeaving = true;
    const { place } = child;
    const ended = await this.#endLife(child, deadlineMs);
    // Another call may have seen it end before, and it may have a new place since.
    if (child.place !== place) return true;
    child.isHeld = !ended;
    this.end(child, undefined);
    return ended;
  }

  /** Settles the child, as soon as nothing holds its place. */
  end(child: Child, exit: ChildExit | undefined): void {
    if (!child.isHeld) {
      this.settle(child, exit);
      return;
    }
    child.state = 'stopping';
    const place = child.place!;
    void this.#endHeld(child, place, exit);
  }

  async #endHeld(child: Child, place: ChildPlace, exit: ChildExit | undefined): Promise<void> {
    const ended = await place.stop(shutdownMsOf(child.spec));
    // Another call may have seen it end before.
    if (child.place !== place || child.state !== 'stopping') return;
    child.isHeld = !ended;
    this.end(child, exit);
  }

  /** The child has no life any more, and gives up its place. */
  settle(child: Child, exit: ChildExit | undefined): void {
    child.state = 'stopped';
    child.isHeld = false;
    child.isLeaving = false;
    child.life++;
    const { place } = child;
    child.place = undefined;
    place?.remove(exit);
    this.#options.onSettled(child);
  }

  /** A start that takes too long is ended. What makes native calls may go on nonetheless, and holds the place. */
  async #withinDeadline(child: Child, starting: Promise<Started>): Promise<Started> {
    const { spec, name } = child;
    const startMs = spec.startMs ?? DEFAULT_CHILD.startMs;
    const { promise: late, resolve: isLate } = Promise.withResolvers<'late'>();
    const timer = this.#options.after(startMs, () => isLate('late'));
    try {
      const first = await Promise.race([starting, late]);
      if (first !== 'late') return first;
    } catch (error) {
      throw startFailed(name, error);
    } finally {
      timer.cancel();
    }
    // That it fails now, because it is ended, concerns nobody.
    starting.catch(() => {});
    const { place } = child;
    const isHeld = place !== undefined && !((await place.kill()) || (await place.stop(shutdownMsOf(spec))));
    // It may have been stopped meanwhile, and have begun again in another place.
    if (child.place === place) child.isHeld = isHeld;
    throw new SpillwayError('start_deadline', `Child ${name} did not start within ${startMs} ms; raise startMs, or find out what its start waits for.`);
  }

  #endLife({ spec, place }: Child, deadlineMs: number): Promise<boolean> {
    if (place === undefined) return Promise.resolve(true);
    return spec.brutalKill === true ? place.kill() : place.stop(deadlineMs);
  }
}

/** What a child threw in its start is no defect of the tree. */
function startFailed(name: string, cause: unknown): SpillwayError {
  if (cause instanceof SpillwayError) return cause;
  const { message, stack } = described(cause);
  return new SpillwayError('actor_start_failed', `Actor ${name} did not start: ${message}`, { cause, details: { stack } });
}
