/** A child that is a supervisor itself: each of its lives is a supervisor of its own, with its children. */
import { SpillwayError, type ActorSource, type Started } from '../kernel/index.ts';
import type { ChildExit, ChildPlace } from './child-place.ts';
import type { SupervisorChildSpec } from './child-spec.ts';
import { checkInit, checkSetup, type CheckedSetup } from './spec-check.ts';
import type { SupervisorDefinition } from './supervisor-definition.ts';
import type { Supervisor } from './supervisor.ts';

/** Enough for what is left to end by itself once it is killed. */
const KILL_MS = 1;

export class SupervisorPlace implements ChildPlace {
  readonly address = undefined;
  readonly #spec: SupervisorChildSpec;
  readonly #depth: number;
  readonly #make: (setup: CheckedSetup, onEnd: (exit: ChildExit) => void) => Supervisor;
  #life = 0;
  #supervisor: Supervisor | undefined;

  /**
   * @param depth supervisors above it, the root included
   * @param make makes the supervisor of one life
   */
  constructor(spec: SupervisorChildSpec, depth: number, make: (setup: CheckedSetup, onEnd: (exit: ChildExit) => void) => Supervisor) {
    this.#spec = spec;
    this.#depth = depth;
    this.#make = make;
  }

  /** Of its present life. */
  get supervisor(): Supervisor | undefined {
    return this.#supervisor;
  }

  async start(onExit: (exit: ChildExit) => void): Promise<Started> {
    const life = ++this.#life;
    const setup = await this.#setup();
    if (this.#life !== life) throw stopped(this.#spec.id);
    if (setup === undefined) return { isIgnored: true, info: undefined };
    let isStarted = false;
    const supervisor = this.#make(setup, (exit) => {
      if (this.#life !== life) return;
      this.#life++;
      this.#supervisor = undefined;
      if (isStarted) onExit(exit);
    });
    this.#supervisor = supervisor;
    try {
      await supervisor.start();
    } catch (error) {
      if (this.#life === life) this.#supervisor = undefined;
      const { message } = error as Error;
      throw new SpillwayError('actor_start_failed', `Supervisor ${this.#spec.id} did not start: ${message}`, { cause: error });
    }
    // Its children may have failed too often before the last of them was up.
    if (this.#life !== life) throw stopped(this.#spec.id);
    isStarted = true;
    return { isIgnored: false, info: undefined };
  }

  async stop(deadlineMs: number): Promise<boolean> {
    this.#life++;
    const supervisor = this.#supervisor;
    if (supervisor === undefined) return true;
    const still = await supervisor.shutdown(deadlineMs);
    if (still.length > 0) return false;
    if (this.#supervisor === supervisor) this.#supervisor = undefined;
    return true;
  }

  kill(): Promise<boolean> {
    return this.stop(KILL_MS);
  }

  remove(): void {
    // Its children had places of their own, and have given them up.
  }

  async #setup(): Promise<CheckedSetup | undefined> {
    const { start } = this.#spec;
    if (start === undefined) return checkSetup(this.#spec, this.#depth);
    const setup = await (await loadSupervisor(start)).init(start.args);
    return setup === undefined ? undefined : checkInit(setup, this.#depth);
  }
}

async function loadSupervisor({ module, export: name }: ActorSource): Promise<SupervisorDefinition> {
  const found = ((await import(module)) as Record<string, unknown>)[name] as SupervisorDefinition | undefined;
  if (typeof found?.init !== 'function') throw new TypeError(`${module} has no export '${name}' that is a supervisor definition.`);
  return found;
}

function stopped(id: string): SpillwayError {
  return new SpillwayError('actor_start_failed', `Supervisor ${id} was stopped before it had started.`);
}
