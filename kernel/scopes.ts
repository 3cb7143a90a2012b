/**
 * The cancel scopes of one thread: its own, and those of other threads that messages came with. A cancel
 * raises a fence here at once, and is told to every thread to which messages of the scope were sent from
 * here; those tell theirs. So it follows the messages wherever they went.
 */
import { threadOf, addressOf, type Address } from './address.ts';
import { CancelScope, NO_SCOPE, type ScopeHost, type ScopeOptions } from './flow/cancel-scope.ts';
import { Fences } from './flow/fence.ts';
import type { Timer } from './time/timer-wheel.ts';

/** What scopes need of their thread. */
export interface ScopesHost {
  readonly thread: number;
  readonly incarnation: number;
  nowMs(): number;
  after(delayMs: number, run: () => void): Timer;
  /** Tells another thread that the scope was cancelled. */
  tellFence(thread: number, scope: number): void;
}

/** A scope's number: ten bits of the thread that opened it, as in an address, and a count. */
const COUNT_MASK = addressOf(1, 0) - 1;
/** Lives of one thread begin this far apart, so that a fence of the former life stops nothing of the next. */
const LIFE_STRIDE = 65_537;
/** Scopes of other threads, and sent ones, that are remembered; the oldest are forgotten. */
const REMEMBERED = 4_096;

export class Scopes {
  readonly fences = new Fences();
  readonly #host: ScopesHost;
  readonly #own: ScopeHost;
  /** Open scopes of other threads that were looked at here. */
  readonly #foreign = new Map<number, CancelScope>();
  /** To which threads messages of a scope went. */
  readonly #sentTo = new Map<number, Set<number>>();
  #count: number;

  constructor(host: ScopesHost) {
    this.#host = host;
    this.#count = (host.incarnation * LIFE_STRIDE) & COUNT_MASK;
    this.#own = {
      nextId: () => this.#nextId(),
      after: (delayMs, run) => host.after(delayMs, run),
      scopeCancelled: (scope) => this.#fence(scope.id),
    };
  }

  open(options?: ScopeOptions): CancelScope {
    return new CancelScope(this.#own, options);
  }

  /** The scope that a message came with, as this thread knows it. */
  of(id: number): CancelScope | undefined {
    if (id === NO_SCOPE) return undefined;
    let scope = this.#foreign.get(id);
    if (scope !== undefined) return scope;
    scope = new CancelScope({ ...this.#own, nextId: () => id });
    if (this.blocks(id)) scope.cancel();
    else remember(this.#foreign, id, scope);
    return scope;
  }

  blocks(id: number): boolean {
    return this.fences.blocks(threadOf(id), id);
  }

  /** A message of the scope goes to another thread. */
  sent(id: number, to: Address): void {
    const thread = threadOf(to);
    let threads = this.#sentTo.get(id);
    if (threads === undefined) {
      // Some time is enough: what is on its way for longer is stopped by its deadline.
      threads = new Set();
      remember(this.#sentTo, id, threads);
    }
    threads.add(thread);
  }

  /** Another thread says that the scope was cancelled. */
  cancelled(id: number): void {
    if (this.blocks(id)) return;
    const scope = this.#foreign.get(id);
    this.#foreign.delete(id);
    if (scope === undefined || !scope.cancel()) this.#fence(id);
  }

  /** Takes down fences that no message can meet any more. */
  expire(): void {
    if (this.fences.size > 0) this.fences.expire(this.#host.nowMs());
  }

  #fence(id: number): void {
    this.fences.raise(threadOf(id), id, this.#host.nowMs());
    const threads = this.#sentTo.get(id);
    this.#sentTo.delete(id);
    for (const thread of threads ?? []) this.#host.tellFence(thread, id);
  }

  #nextId(): number {
    this.#count = (this.#count + 1) & COUNT_MASK;
    if (this.#count === 0) this.#count = 1;
    return addressOf(this.#host.thread, this.#count);
  }
}

function remember<T>(map: Map<number, T>, id: number, value: T): void {
  map.set(id, value);
  if (map.size > REMEMBERED) map.delete(map.keys().next().value!);
}
