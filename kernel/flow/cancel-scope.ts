/**
 * Scopes of work that can be cancelled as one: whoever cancels a scope cancels all that was begun in it,
 * and never what it was begun in. (The idea is that of Trio's cancel scopes and Go's `context`.)
 *
 *      open ── cancel, deadline, end of the parent ──▶ cancelled
 *        └──── close ────────────────────────────────▶ closed
 *
 * Both ends are final. In either the scope lets go of its parent, its timer and its listeners, so a scope
 * that is over holds nothing and is held by nobody. Work that has come to its end closes its scope; what
 * then is still open in it is cancelled, because nobody is left to wait for it.
 *
 * A cancel first marks the scope and all below it, and only then tells anyone: no listener ever sees a part
 * of the tree still open. The `AbortSignal` is made when first asked for, as most scopes never need one.
 */
import { SpillwayError } from '../errors.ts';

/** The number of messages that belong to no scope. */
export const NO_SCOPE = 0;

const DEFAULT_MAX_SCOPES = 65_536;
const LISTENERS_MAX = 1_024;

/** What a scope needs of its thread. */
export interface ScopeHost {
  /** A number for the next scope: u32, not 0; see `scopeIds`. */
  nextId(): number;
  after(delayMs: number, run: () => void): { cancel(): void };
  /** Told of every scope that a cancel ends, those below included, before any listener is: the place to raise fences. */
  readonly scopeCancelled?: (scope: CancelScope) => void;
  /** Most scopes open at once in one tree. Default: 65,536. */
  readonly maxScopes?: number;
}

export interface ScopeOptions {
  /** Cancels the scope after so many milliseconds. Finite, above zero. */
  readonly deadlineMs?: number;
}

export type CancelListener = (reason: unknown) => void;

/** One for all scopes of a tree, which has no other bound: neither children nor depth have one of their own. */
interface Tree {
  open: number;
}

interface Listening {
  listener: CancelListener | undefined;
}

export class CancelScope implements Disposable {
  /** Names the scope among those of its thread: u32, not 0. */
  readonly id: number;
  readonly #host: ScopeHost;
  readonly #tree: Tree;
  /** Until the scope is over. */
  #parent: CancelScope | undefined;
  #state: 'open' | 'cancelled' | 'closed' = 'open';
  #reason: unknown;
  #children: Set<CancelScope> | undefined;
  #listeners: Set<Listening> | undefined;
  #timer: { cancel(): void } | undefined;
  #controller: AbortController | undefined;

  /** @param parent is for `child`; one that is over makes a scope that is cancelled from the beginning */
  constructor(host: ScopeHost, { deadlineMs }: ScopeOptions = {}, parent?: CancelScope) {
    if (deadlineMs !== undefined && !(deadlineMs > 0 && deadlineMs < Infinity)) {
      throw new TypeError(`The deadlineMs of a scope must be finite and above zero; got ${deadlineMs}.`);
    }
    this.id = host.nextId();
    this.#host = host;
    this.#tree = parent === undefined ? { open: 0 } : parent.#tree;
    if (parent !== undefined && parent.#state !== 'open') {
      this.#state = 'cancelled';
      this.#reason = parent.#state === 'cancelled' ? parent.#reason : parent.#endError();
      return;
    }
    requireRoom(this.#tree.open, host.maxScopes ?? DEFAULT_MAX_SCOPES, 'The tree of scopes has', 'open scopes; close those that are over');
    this.#tree.open++;
    this.#parent = parent;
    if (parent !== undefined) (parent.#children ??= new Set()).add(this);
    if (deadlineMs !== undefined) this.#timer = host.after(deadlineMs, () => this.cancel(this.#deadlineError(deadlineMs)));
  }

  /** Aborts, with the same reason, when the scope is cancelled; never when it is closed. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.cancelled) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  get cancelled(): boolean {
    return this.#state === 'cancelled';
  }

  /** Cancelled or closed. */
  get isOver(): boolean {
    return this.#state !== 'open';
  }

  /** What it was cancelled with: the caller's reason, or a SpillwayError `scope_cancelled` or `scope_deadline`. */
  get reason(): unknown {
    return this.#reason;
  }

  /** Open scopes directly below. */
  get size(): number {
    return this.#children?.size ?? 0;
  }

  /**
   * A scope below this one. Of a scope that is over it is cancelled already, so that nothing begins late.
   * @throws SpillwayError `scope_full` if `maxScopes` are open in the tree: those that are over were not closed
   */
  child(options?: ScopeOptions): CancelScope {
    return new CancelScope(this.#host, options, this);
  }

  /**
   * Cancels this scope and all open ones below it. If listeners throw, the others are still told, and then
   * the error is thrown, or an AggregateError of several.
   * @returns false if it was over before, and nothing happened
   */
  cancel(reason?: unknown): boolean {
    if (this.#state !== 'open') return false;
    CancelScope.#cancelAll([this], reason === undefined ? this.#cancelError() : reason);
    return true;
  }

  /** Ends the scope as done. Whatever is still open in it is cancelled, and may throw as `cancel` does. */
  close(): void {
    if (this.#state !== 'open') return;
    const children = this.#release('closed');
    if (children.length > 0) CancelScope.#cancelAll(children, this.#endError());
  }

  /** For `using scope = parent.child()`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Calls the listener once when the scope is cancelled; at once if it is already, and never if it is closed.
   * @returns takes the listener off
   * @throws SpillwayError `scope_full` if the scope has 1,024 listeners: those no longer needed were not taken off
   */
  onCancel(listener: CancelListener): () => void {
    if (this.#state === 'cancelled') listener(this.#reason);
    if (this.#state !== 'open') return () => {};
    requireRoom(this.#listeners?.size ?? 0, LISTENERS_MAX, `Scope ${this.id} has`, 'listeners; take off those no longer needed');
    const listening: Listening = { listener };
    (this.#listeners ??= new Set()).add(listening);
    return () => {
      // One that a cancel has in hand but has not called yet must not be called either.
      listening.listener = undefined;
      this.#listeners?.delete(listening);
    };
  }

  /** Marks as cancelled all of `scopes` and below, parents first and in the order they were opened; then tells them. */
  static #cancelAll(scopes: CancelScope[], reason: unknown): void {
    const told: [scope: CancelScope, listeners: Set<Listening> | undefined][] = [];
    // Grows while it is walked. No recursion, which a long chain of scopes would overflow.
    for (const scope of scopes) {
      scope.#reason = reason;
      told.push([scope, scope.#listeners]);
      for (const child of scope.#release('cancelled')) scopes.push(child);
    }
    const errors: unknown[] = [];
    const attempt = (run: () => void): void => {
      try {
        run();
      } catch (error) {
        errors.push(error);
      }
    };
    for (const [scope] of told) attempt(() => scope.#host.scopeCancelled?.(scope));
    for (const [scope, listeners] of told) {
      scope.#controller?.abort(reason);
      for (const listening of listeners ?? []) attempt(() => listening.listener?.(reason));
    }
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, `${errors.length} listeners of a cancelled scope threw.`);
  }

  /** Lets go of everything. @returns the children that were open */
  #release(state: 'cancelled' | 'closed'): CancelScope[] {
    const children = this.#children === undefined ? [] : [...this.#children];
    this.#state = state;
    this.#tree.open--;
    if (this.#parent !== undefined) this.#parent.#forget(this);
    this.#parent = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#children = undefined;
    this.#listeners = undefined;
    return children;
  }

  #forget(child: CancelScope): void {
    this.#children?.delete(child);
  }

  #cancelError(): SpillwayError {
    return new SpillwayError('scope_cancelled', `Scope ${this.id} was cancelled.`, { details: { scope: this.id } });
  }

  #endError(): SpillwayError {
    const message = `Scope ${this.id} was closed, and what is begun in a scope ends with it.`;
    return new SpillwayError('scope_cancelled', message, { details: { scope: this.id } });
  }

  #deadlineError(deadlineMs: number): SpillwayError {
    const message = `Scope ${this.id} was not over within ${deadlineMs} ms.`;
    return new SpillwayError('scope_deadline', message, { details: { scope: this.id } });
  }
}

function requireRoom(held: number, max: number, holder: string, what: string): void {
  if (held >= max) throw new SpillwayError('scope_full', `${holder} ${max} ${what}. That is the most there may be.`);
}

/**
 * The numbers of one thread's scopes, counted up from `last` and around, without 0. A number comes again
 * after 4,294,967,295 others: a fence must not live that long, nor a scope.
 */
export function scopeIds(last = NO_SCOPE): () => number {
  let id = last;
  return () => {
    id = (id + 1) >>> 0;
    if (id === NO_SCOPE) id = 1;
    return id;
  };
}
