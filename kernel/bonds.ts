/**
 * Who wants to know of whose end. `watch` is told once when an actor has ended for good; `link` goes both
 * ways and makes an actor fail when the one it is linked to has failed, as in Erlang.
 *
 * The registrations of a watched actor are kept on its own thread and those of a watcher on its own, and
 * the caretakers of both tell each other. When a whole thread ends its peers hear it from the guardian:
 * spawned actors there have ended, the thread's own has ended if it will not be started again. If it will
 * be, it is watched anew.
 */
import type { ActorCell } from './actor-cell.ts';
import type { ActorEnd } from './actor-table.ts';
import { formatAddress, isSpawned, slotOf, threadOf, type Address } from './address.ts';
import { SpillwayError } from './errors.ts';
import type { Timer } from './time/timer-wheel.ts';

/** What a watcher is told. */
export interface Terminated {
  readonly address: Address;
  /** `unknown`: there was nobody at this address (any more). */
  readonly reason: ActorEnd['reason'] | 'unknown';
  /** Of what it failed with; empty if it did not. */
  readonly message: string;
}

/** What bonds need of their thread. */
export interface BondHost {
  readonly thread: number;
  cellAt(slot: number): ActorCell | undefined;
  readonly receiver: { isExpected(slot: number): boolean };
  /** Makes an actor fail. */
  onDefect(error: unknown, cell: ActorCell): void;
  /** Tells another thread's caretaker, again and again until the lane has room. @param onClosed called if there is no such thread */
  tell(thread: number, name: 'watch' | 'unwatch' | 'terminated' | 'link', notice: Record<string, unknown>, onClosed?: () => void): void;
}

interface Watching {
  readonly cell: ActorCell;
  readonly target: Address;
  readonly onEnd: (end: Terminated) => void;
}

export class Bonds {
  readonly #host: BondHost;
  /** What the actors of this thread watch, by number. */
  readonly #watching = new Map<number, Watching>();
  /** Who watches the actors of this thread: by slot, `thread:number`. */
  readonly #watchers = new Map<number, Map<string, { readonly thread: number; readonly id: number }>>();
  #lastId = 0;

  constructor(host: BondHost) {
    this.#host = host;
  }

  /** Calls `onEnd` once when the actor has ended, at once if it is not there. */
  watch(cell: ActorCell, target: Address, onEnd: (end: Terminated) => void): Timer {
    do this.#lastId = (this.#lastId + 1) >>> 0;
    while (this.#watching.has(this.#lastId));
    const id = this.#lastId;
    this.#watching.set(id, { cell, target, onEnd });
    (cell.watches ??= new Set()).add(id);
    const { thread } = this.#host;
    if (threadOf(target) === thread) this.addWatcher(target, thread, id);
    else this.#watchAfar(target, id);
    return {
      cancel: () => {
        if (!this.#forget(id)) return;
        if (threadOf(target) === thread) this.removeWatcher(target, thread, id);
        else this.#host.tell(threadOf(target), 'unwatch', { target, id });
      },
    };
  }

  /** Makes the two fail together. The other side is told; taking the bond off takes off this side only. */
  link(cell: ActorCell, target: Address): Timer {
    const { thread } = this.#host;
    if (threadOf(target) === thread) this.linkBack(cell.address, target);
    else this.#host.tell(threadOf(target), 'link', { from: cell.address, to: target });
    return this.#failWith(cell, target);
  }

  /** The other side of a link: the actor `to` of this thread fails when `from` does. */
  linkBack(from: Address, to: Address): void {
    const cell = this.#host.cellAt(slotOf(to));
    if (cell !== undefined) this.#failWith(cell, from);
  }

  #failWith(cell: ActorCell, target: Address): Timer {
    return this.watch(cell, target, ({ reason, message }) => {
      if (reason !== 'crashed') return;
      this.#host.onDefect(new SpillwayError('linked_actor_failed', `The actor at ${formatAddress(target)}, to which ${cell.name} is linked, failed: ${message}`), cell);
    });
  }

  /** An actor of `thread` watches one of this thread. */
  addWatcher(target: Address, thread: number, id: number): void {
    const slot = slotOf(target);
    // One that is still starting, or is between two lives, is there for whoever watches it.
    if (this.#host.cellAt(slot) === undefined && !this.#host.receiver.isExpected(slot)) {
      this.#report(thread, id, { address: target, reason: 'unknown', message: '' });
      return;
    }
    let watchers = this.#watchers.get(slot);
    if (watchers === undefined) this.#watchers.set(slot, (watchers = new Map()));
    watchers.set(`${thread}:${id}`, { thread, id });
  }

  removeWatcher(target: Address, thread: number, id: number): void {
    const watchers = this.#watchers.get(slotOf(target));
    watchers?.delete(`${thread}:${id}`);
    if (watchers?.size === 0) this.#watchers.delete(slotOf(target));
  }

  /** An actor of this thread has ended. */
  ended(cell: ActorCell, end: ActorEnd): void {
    for (const id of cell.watches ?? []) this.#watching.delete(id);
    cell.watches = undefined;
    const watchers = this.#watchers.get(cell.slot);
    if (watchers === undefined) return;
    this.#watchers.delete(cell.slot);
    for (const { thread, id } of watchers.values()) this.#report(thread, id, { address: cell.address, ...end });
  }

  /** An actor that is watched from this thread has ended. */
  terminated(id: number, end: Terminated): void {
    const watching = this.#watching.get(id);
    if (watching === undefined) return;
    this.#forget(id);
    if (watching.cell.state !== 'stopped') watching.onEnd(end);
  }

  /** A peer has ended, for good or to be started again. */
  peerDown(peer: Address, final: boolean, hasStopped: boolean): void {
    for (const [id, { target }] of this.#watching) {
      if (threadOf(target) !== threadOf(peer)) continue;
      if (final && target === peer && hasStopped) this.terminated(id, { address: target, reason: 'stopped', message: '' });
      else if (isSpawned(slotOf(target)) || (final && target === peer)) {
        this.terminated(id, { address: target, reason: 'crashed', message: 'its thread ended' });
      } else if (target === peer) this.#watchAfar(target, id);
    }
    for (const [slot, watchers] of this.#watchers) {
      for (const [key, { thread }] of watchers) if (thread === threadOf(peer)) watchers.delete(key);
      if (watchers.size === 0) this.#watchers.delete(slot);
    }
  }

  #watchAfar(target: Address, id: number): void {
    const nobody: Terminated = { address: target, reason: 'unknown', message: '' };
    // Told in a turn of its own, as every end is.
    this.#host.tell(threadOf(target), 'watch', { target, id }, () => queueMicrotask(() => this.terminated(id, nobody)));
  }

  #forget(id: number): boolean {
    this.#watching.get(id)?.cell.watches?.delete(id);
    return this.#watching.delete(id);
  }

  #report(thread: number, id: number, end: Terminated): void {
    // Told in a turn of its own: the watcher may be in the middle of a handler.
    if (thread === this.#host.thread) queueMicrotask(() => this.terminated(id, end));
    else this.#host.tell(thread, 'terminated', { id, ...end });
  }
}
