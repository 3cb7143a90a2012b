/** The children of one supervisor, from left to right in the order of their first start. */
import { SpillwayError, threadOf, type Address } from '../kernel/index.ts';
import type { Backoff } from './backoff.ts';
import type { ChildPlace } from './child-place.ts';
import { isSupervisor, type AnyChildSpec } from './child-spec.ts';

/**
 *   starting    a life has begun and is not ready yet
 *   running     it is ready
 *   restarting  it has failed, or a sibling has, and it waits for its next life
 *   stopping    it was told to end, or has to end for the sake of a sibling
 *   stopped     it has ended, or left, or was terminated; its spec is kept
 */
export type ChildState = 'starting' | 'running' | 'restarting' | 'stopping' | 'stopped';

export interface ChildStatus {
  readonly id: string;
  /** By which others resolve it. */
  readonly name: string;
  readonly type: 'worker' | 'supervisor';
  readonly state: ChildState;
  readonly restarts: number;
  /** Message of the last failure; empty if there was none. */
  readonly lastError: string;
  /** While it has a place; not of a supervisor. */
  readonly address?: Address;
  readonly thread?: number;
}

/** As OTP's `count_children` counts them. */
export interface ChildCounts {
  readonly specs: number;
  /** That have a life, or are about to have one again. */
  readonly active: number;
  readonly supervisors: number;
  readonly workers: number;
}

/** Restarts that are remembered of each child, for the reports of its crashes. */
const HISTORY = 16;

export class Child {
  readonly spec: AnyChildSpec;
  readonly name: string;
  readonly backoff: Backoff;
  state: ChildState = 'stopped';
  place: ChildPlace | undefined;
  /** Number of its present life; what comes of an older one concerns nobody. */
  life = 0;
  startedMs = 0;
  restarts = 0;
  lastError = '';
  /** Whether a life that should have ended still makes native calls. */
  isHeld = false;
  /** Whether it is being stopped for good. */
  isLeaving = false;
  /** Whether its spec goes with its last life. */
  isForgotten: boolean;
  #restartsMs: readonly number[] = [];

  constructor(spec: AnyChildSpec, name: string, backoff: Backoff, isForgotten: boolean) {
    this.spec = spec;
    this.name = name;
    this.backoff = backoff;
    this.isForgotten = isForgotten;
  }

  /** When it was to be restarted the last times, by the monotonic clock. */
  get restartsMs(): readonly number[] {
    return this.#restartsMs;
  }

  noteRestart(nowMs: number): void {
    this.restarts++;
    this.#restartsMs = [...this.#restartsMs.slice(1 - HISTORY), nowMs];
  }
}

export class Children implements Iterable<Child> {
  readonly #path: string;
  readonly #children = new Map<string, Child>();
  #lastNumber = 0;

  /** @param path of their supervisor */
  constructor(path: string) {
    this.#path = path;
  }

  [Symbol.iterator](): Iterator<Child> {
    return this.#children.values();
  }

  /** @throws SpillwayError `child_exists` */
  add(spec: AnyChildSpec, backoff: Backoff, isForgotten: boolean): Child {
    const { id } = spec;
    if (this.#children.has(id)) throw new SpillwayError('child_exists', `There already is a child '${id}'; terminate and delete it first.`);
    const child = new Child(spec, this.#path === '' ? id : `${this.#path}/${id}`, backoff, isForgotten);
    this.#children.set(id, child);
    return child;
  }

  /** @throws SpillwayError `child_unknown` */
  get(id: string): Child {
    const child = this.#children.get(id);
    if (child === undefined) throw new SpillwayError('child_unknown', `${this.#path === '' ? 'The root supervisor' : `Supervisor '${this.#path}'`} has no child '${id}'.`);
    return child;
  }

  delete(child: Child): void {
    if (this.#children.get(child.spec.id) === child) this.#children.delete(child.spec.id);
  }

  /** The spec of a child that is made after a template. @param given `id` and `args`, each optional; args that are objects are joined */
  madeAfter(template: AnyChildSpec, given: unknown): AnyChildSpec {
    const { id = String(++this.#lastNumber), args } = (given ?? {}) as { id?: string; args?: unknown };
    if (args === undefined || template.start === undefined) return { ...template, id };
    const former = template.start.args;
    return { ...template, id, start: { ...template.start, args: isRecord(former) && isRecord(args) ? { ...former, ...args } : args } };
  }

  list(): ChildStatus[] {
    return [...this.#children.values()].map(({ spec, name, state, restarts, lastError, place }) => {
      const address = place?.address;
      return { id: spec.id, name, type: isSupervisor(spec) ? 'supervisor' : 'worker', state, restarts, lastError, ...(address === undefined ? {} : { address, thread: threadOf(address) }) };
    });
  }

  count(template: AnyChildSpec | undefined): ChildCounts {
    const all = [...this.#children.values()];
    const supervisors = all.filter(({ spec }) => isSupervisor(spec)).length;
    return {
      specs: template === undefined ? all.length : 1,
      active: all.filter(({ state }) => state !== 'stopped').length,
      supervisors,
      workers: all.length - supervisors,
    };
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
