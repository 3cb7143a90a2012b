/** The shipped supervisors over leaves, with every place watched: whatever the engine does to a child is told. */
import type { Log, Started } from '../../../kernel/index.ts';
import type { ChildExit, ChildPlace } from '../../../supervisors/child-place.ts';
import { isSupervisor, type AnyChildSpec, type SupervisorSetup } from '../../../supervisors/child-spec.ts';
import type { ChildStatus } from '../../../supervisors/children.ts';
import type { CrashReport } from '../../../supervisors/crash-report.ts';
import { checkSetup, type CheckedSetup } from '../../../supervisors/spec-check.ts';
import { SupervisorPlace } from '../../../supervisors/supervisor-place.ts';
import { Supervisor } from '../../../supervisors/supervisor.ts';
import { Leaf, type LeafArgs, type Reason, type Scripts } from './leaf.ts';
import type { ManualTime } from './manual-time.ts';
import type { SeededBug } from './seeded-bugs.ts';

/** What is told of the engine's doings. */
export interface Watcher {
  start(name: string, spec: AnyChildSpec): void;
  started(name: string, how: 'ready' | 'ignored' | 'failed' | 'late'): void;
  exit(name: string, reason: Reason): void;
  stop(name: string, how: 'stop' | 'kill'): void;
  stopped(name: string, ended: boolean): void;
  remove(name: string): void;
  report(report: CrashReport): void;
  /** A supervisor has ended by itself. */
  end(path: string, code: string): void;
}

export interface ForestOptions {
  readonly time: ManualTime;
  readonly setup: SupervisorSetup;
  readonly luck: number;
  readonly bug: SeededBug | undefined;
  violated(what: string): void;
}

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

export class Forest {
  watcher: Watcher | undefined;
  readonly scripts: Scripts = { starts: new Map(), holds: new Map() };
  readonly root: Supervisor;
  readonly #options: ForestOptions;
  /** Those that are not given up, by their names. */
  readonly #places = new Map<string, WatchedPlace>();
  readonly #leaves = new Map<string, Leaf>();

  constructor(options: ForestOptions) {
    this.#options = options;
    this.root = this.#supervisor('', checkSetup(options.setup), () => {});
  }

  leaf(name: string): Leaf | undefined {
    return this.#leaves.get(name);
  }

  /** Names of the places that are not given up. */
  get places(): string[] {
    return [...this.#places.keys()];
  }

  isAlive(name: string): boolean {
    return this.#places.get(name)?.isAlive ?? false;
  }

  supervisor(path: string): Supervisor | undefined {
    return path === '' ? this.root : this.#places.get(path)?.supervisor;
  }

  children(path: string): ChildStatus[] | undefined {
    return this.supervisor(path)?.whichChildren();
  }

  removed(name: string, place: WatchedPlace): void {
    if (this.#places.get(name) === place) this.#places.delete(name);
    this.#leaves.delete(name);
    this.watcher?.remove(name);
  }

  #supervisor(path: string, setup: CheckedSetup, onEnd: (exit: ChildExit) => void): Supervisor {
    const { time, luck, bug } = this.#options;
    return new Supervisor({
      path,
      setup: bug?.setup?.(setup) ?? setup,
      placeOf: (spec, name) => this.#place(spec, name),
      clock: time.clock,
      random: () => luck,
      log: SILENT,
      after: (delayMs, run) => time.after(bug?.delayMs?.(delayMs) ?? delayMs, run),
      report: (report) => this.watcher?.report(report),
      onEnd: (exit) => {
        this.watcher?.end(path, exit.code);
        if (bug?.isDeafTo?.(exit) !== true) onEnd(exit);
      },
    });
  }

  #place(spec: AnyChildSpec, name: string): ChildPlace {
    const { violated, time, bug } = this.#options;
    if (this.#places.has(name)) violated(`${name} got a place while it had one`);
    let inner: ChildPlace;
    if (isSupervisor(spec)) inner = new SupervisorPlace(spec, name.split('/').length, (setup, onEnd) => this.#supervisor(name, setup, onEnd));
    else {
      const leaf = new Leaf({ name, args: spec.start.args as LeafArgs, time, scripts: this.scripts, violated });
      this.#leaves.set(name, leaf);
      inner = leaf;
    }
    const place = new WatchedPlace(this, name, spec, inner);
    this.#places.set(name, place);
    return bug?.place?.(place) ?? place;
  }
}

class WatchedPlace implements ChildPlace {
  readonly address = undefined;
  isAlive = false;
  readonly #forest: Forest;
  readonly #name: string;
  readonly #spec: AnyChildSpec;
  readonly #inner: ChildPlace;
  #isTold = false;

  constructor(forest: Forest, name: string, spec: AnyChildSpec, inner: ChildPlace) {
    this.#forest = forest;
    this.#name = name;
    this.#spec = spec;
    this.#inner = inner;
  }

  get supervisor(): Supervisor | undefined {
    return this.#inner instanceof SupervisorPlace ? this.#inner.supervisor : undefined;
  }

  async start(onExit: (exit: ChildExit) => void): Promise<Started> {
    this.#forest.watcher?.start(this.#name, this.#spec);
    this.isAlive = true;
    this.#isTold = false;
    try {
      const started = await this.#inner.start((exit) => {
        if (this.isAlive) {
          this.isAlive = false;
          if (this.#isTold) this.#forest.watcher?.stopped(this.#name, true);
          else this.#forest.watcher?.exit(this.#name, exit.reason);
        }
        onExit(exit);
      });
      if (this.isAlive && !this.#isTold) {
        this.isAlive = !started.isIgnored;
        this.#forest.watcher?.started(this.#name, started.isIgnored ? 'ignored' : 'ready');
      }
      // What could not be ended in its start goes on until it can.
      if (this.isAlive && this.#isTold) this.#forest.watcher?.started(this.#name, 'late');
      return started;
    } catch (error) {
      if (this.isAlive && !this.#isTold) {
        this.isAlive = false;
        this.#forest.watcher?.started(this.#name, 'failed');
      }
      throw error;
    }
  }

  stop(deadlineMs: number): Promise<boolean> {
    return this.#told('stop', () => this.#inner.stop(deadlineMs));
  }

  kill(): Promise<boolean> {
    return this.#told('kill', () => this.#inner.kill());
  }

  remove(exit: ChildExit | undefined): void {
    this.#inner.remove(exit);
    this.#forest.removed(this.#name, this);
  }

  async #told(how: 'stop' | 'kill', end: () => Promise<boolean>): Promise<boolean> {
    if (!this.isAlive) return end();
    this.#isTold = true;
    this.#forest.watcher?.stop(this.#name, how);
    const ended = await end();
    // Another call may have seen it end before.
    if (this.isAlive) {
      this.isAlive = !ended;
      this.#forest.watcher?.stopped(this.#name, ended);
    }
    return ended;
  }
}
