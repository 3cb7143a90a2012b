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
  /** That are up: not those that have ended, nor those that are to be started again. */
  readonly active: number;
  readonly supervisors: number;
  readonly workers: number;
}

/** What differs from the template, of a child of a supervisor with simple_one_for_one. */
export interface DynamicChild {
  /** Default: a number. */
  readonly id?: string;
  /** In place of the template's; where both are objects they are joined. */
  readonly args?: unknown;
}

export interface ChildrenPage {
  readonly children: ChildStatus[];
  /** Number of the last of them, if there are more. */
  readonly next?: number;
}

/** Well below what a record of the control lane takes. */
const PAGE_BYTES = 24_576;
/** Of a status without its texts. */
const STATUS_BYTES = 128;

/** Restarts that are remembered of each child, for the reports of its crashes. */
const HISTORY = 16;

export class Child {
  spec: AnyChildSpec;
  readonly name: string;
  readonly backoff: Backoff;
  /** Its place among all that its supervisor ever had. */
  readonly number: number;
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

  constructor(spec: AnyChildSpec, name: string, number: number, backoff: Backoff, isForgotten: boolean) {
    this.spec = spec;
    this.name = name;
    this.number = number;
    this.backoff = backoff;
    this.isForgotten = isForgotten;
  }

  /** When it was to be restarted the last times, by the monotonic clock. */
  get restartsMs(): readonly number[] {
    return this.#restartsMs;
  }

  /** It is not started again, so what its start was given is not kept; that may be large. */
  forgetArgs(): void {
    const { start } = this.spec;
    if (start?.args === undefined) return;
    this.spec = { ...this.spec, start: { module: start.module, export: start.export } };
    this.place?.forgetArgs?.();
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
  #lastId = 0;

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
    this.requireFree(id);
    const child = new Child(spec, this.#path === '' ? id : `${this.#path}/${id}`, ++this.#lastNumber, backoff, isForgotten);
    this.#children.set(id, child);
    return child;
  }

  /** @throws SpillwayError `child_exists` */
  requireFree(id: string): void {
    const former = this.#children.get(id);
    if (former !== undefined) throw new SpillwayError('child_exists', `There already is a child '${id}', which is ${former.state}; terminate and delete it first.`, { details: { state: former.state } });
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

  /** A number that is no child's id, given or made. */
  #freeId(): string {
    do this.#lastId++;
    while (this.#children.has(String(this.#lastId)));
    return String(this.#lastId);
  }

  /** The spec of a child that is made after a template. */
  madeAfter(template: AnyChildSpec, given: DynamicChild): AnyChildSpec {
    const { id = this.#freeId(), args } = given;
    if (args === undefined || template.start === undefined) return { ...template, id };
    const former = template.start.args;
    return { ...template, id, start: { ...template.start, args: isRecord(former) && isRecord(args) ? { ...former, ...args } : args } };
  }

  list(): ChildStatus[] {
    return [...this.#children.values()].map(statusOf);
  }

  /** Those to the right of the child of that number, as many as fit one message, but at least one. */
  page(after: number): ChildrenPage {
    const children: ChildStatus[] = [];
    let bytes = 0;
    let last = after;
    for (const child of this.#children.values()) {
      if (child.number <= after) continue;
      const status = statusOf(child);
      bytes += STATUS_BYTES + Buffer.byteLength(status.id) + Buffer.byteLength(status.name) + Buffer.byteLength(status.lastError);
      if (children.length > 0 && bytes > PAGE_BYTES) return { children, next: last };
      children.push(status);
      last = child.number;
    }
    return { children };
  }

  count(template: AnyChildSpec | undefined): ChildCounts {
    const all = [...this.#children.values()];
    const supervisors = all.filter(({ spec }) => isSupervisor(spec)).length;
    return {
      specs: template === undefined ? all.length : 1,
      active: all.filter(({ state }) => state === 'running' || state === 'stopping').length,
      supervisors,
      workers: all.length - supervisors,
    };
  }
}

function statusOf({ spec, name, state, restarts, lastError, place }: Child): ChildStatus {
  const address = place?.address;
  return { id: spec.id, name, type: isSupervisor(spec) ? 'supervisor' : 'worker', state, restarts, lastError, ...(address === undefined ? {} : { address, thread: threadOf(address) }) };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
