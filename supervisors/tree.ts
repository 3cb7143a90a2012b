/**
 * The whole supervision tree, as objects on one thread: the root, the supervisors below it, and how a child of
 * any placement gets its place. Supervisors call each other directly; nothing between them can be lost or late.
 */
import { SpillwayError, type ActorContext, type ThreadHost } from '../kernel/index.ts';
import type { ChildExit, ChildPlace } from './child-place.ts';
import { isSupervisor, threadSpecOf, type AnyChildSpec, type ChildSpec, type SupervisorFlags } from './child-spec.ts';
import type { CrashReports } from './crash-reports.ts';
import { InlinePlace } from './inline-place.ts';
import { PoolThreads, type PoolThreadsSpec } from './pool-threads.ts';
import { checkSetup, type CheckedSetup } from './spec-check.ts';
import { SupervisorPlace } from './supervisor-place.ts';
import { Supervisor } from './supervisor.ts';
import { ThreadPlace } from './thread-place.ts';

export interface TreeOptions {
  readonly context: ActorContext;
  readonly host: ThreadHost;
  readonly flags: SupervisorFlags;
  readonly pool: PoolThreadsSpec;
  readonly reports: CrashReports;
}

export class Tree {
  readonly root: Supervisor;
  readonly pool: PoolThreads;
  readonly #options: TreeOptions;

  constructor(options: TreeOptions) {
    const { context, host, flags } = options;
    this.#options = options;
    this.root = this.#supervisor('', { flags, children: [] }, () => {});
    this.pool = new PoolThreads({
      context,
      spec: options.pool,
      supervise: (path, children, onLost) =>
        this.#supervisor(path, checkSetup({ flags, children }), () => {}, (spec, name) => new WatchedPlace(new ThreadPlace(host, threadSpecOf(spec as ChildSpec, name)), () => onLost(name))),
    });
  }

  /** @throws SpillwayError `child_unknown` where the path leads to no supervisor that is alive */
  at(path: string): Supervisor {
    let supervisor = this.root;
    for (const id of path === '' ? [] : path.split('/')) {
      const place = supervisor.placeOfChild(id);
      const next = place instanceof SupervisorPlace ? place.supervisor : undefined;
      if (next === undefined) throw new SpillwayError('child_unknown', `There is no supervisor '${path}' at present: '${id}' is ${place instanceof SupervisorPlace ? 'between two lives' : 'none'}.`);
      supervisor = next;
    }
    return supervisor;
  }

  /** Stops everything. @returns names of the children that had not ended in time */
  async shutdown(deadlineMs: number): Promise<string[]> {
    const { clock } = this.#options.context;
    const endMs = clock.monotonicMs() + deadlineMs;
    const still = await this.root.shutdown(deadlineMs);
    // Last: the children that live on these threads have ended.
    return [...still, ...(await this.pool.shutdown(Math.max(1, endMs - clock.monotonicMs())))];
  }

  #supervisor(path: string, setup: CheckedSetup, onEnd: (exit: ChildExit) => void, placeOf = (spec: AnyChildSpec, name: string) => this.#placeOf(spec, name)): Supervisor {
    const { context, host, reports } = this.#options;
    return new Supervisor({
      path,
      setup,
      placeOf,
      clock: context.clock,
      random: () => context.random.next(),
      log: context.log,
      after: (delayMs, run) => host.after(delayMs, run),
      report: reports.add,
      onEnd,
    });
  }

  #placeOf(spec: AnyChildSpec, name: string): ChildPlace {
    const { context, host } = this.#options;
    if (isSupervisor(spec)) return new SupervisorPlace(spec, depthOf(name), (setup, onEnd) => this.#supervisor(name, setup, onEnd));
    switch (spec.placement) {
      case 'inline':
        return new InlinePlace(context, spec.start, name);
      case 'pool':
        return this.pool.place(spec, name);
      default:
        return new ThreadPlace(host, threadSpecOf(spec, name));
    }
  }
}

/** Supervisors above the one of this name, the root included. */
function depthOf(name: string): number {
  return name.split('/').length;
}

/** A thread of the pool, of whose every end somebody hears beside its supervisor. */
class WatchedPlace implements ChildPlace {
  readonly #place: ThreadPlace;
  readonly #onEnd: () => void;

  constructor(place: ThreadPlace, onEnd: () => void) {
    this.#place = place;
    this.#onEnd = onEnd;
  }

  get address() {
    return this.#place.address;
  }

  start(onExit: (exit: ChildExit) => void) {
    return this.#place.start((exit) => {
      this.#onEnd();
      onExit(exit);
    });
  }

  stop(deadlineMs: number): Promise<boolean> {
    return this.#place.stop(deadlineMs);
  }

  kill(): Promise<boolean> {
    return this.#place.kill();
  }

  remove(): void {
    this.#place.remove();
  }
}
