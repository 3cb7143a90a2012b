/**
 * Callers that wait for room instead of being refused: a bounded line for each class, served in order.
 */
import { SpillwayError } from '../../../kernel/index.ts';
import { PRIORITIES, type Priority } from './embed-request.ts';
import { LinkedList, type Linked } from './linked-list.ts';
import type { Timers } from './timers.ts';

/** In each class. */
export const ROOM_WAITERS_MAX = 1_024;

export interface RoomWaiter extends Linked<RoomWaiter> {
  readonly key: string;
  readonly texts: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export interface RoomWish {
  readonly priority: Priority;
  readonly key: string;
  readonly texts: number;
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
}

export class RoomWaiters {
  readonly #lines = Object.fromEntries(PRIORITIES.map((priority) => [priority, new LinkedList<RoomWaiter>()])) as Record<Priority, LinkedList<RoomWaiter>>;
  /** Texts that there is room for now. */
  readonly #room: (priority: Priority, key: string) => number;
  readonly #timers: Timers;

  constructor(room: (priority: Priority, key: string) => number, timers: Timers) {
    this.#room = room;
    this.#timers = timers;
  }

  get size(): number {
    return PRIORITIES.reduce((sum, priority) => sum + this.#lines[priority].size, 0);
  }

  /** @throws SpillwayError `embed_overloaded` if too many wait, `embed_cancelled` once the signal is aborted, `embed_deadline`, or what they are ended with */
  wait({ priority, key, texts, deadlineMs, signal }: RoomWish): Promise<void> {
    const line = this.#lines[priority];
    if (signal?.aborted === true) return Promise.reject(cancelled());
    if (this.#room(priority, key) >= texts && !hasKey(line, key)) return Promise.resolve();
    if (line.size >= ROOM_WAITERS_MAX) {
      return Promise.reject(new SpillwayError('embed_overloaded', `${ROOM_WAITERS_MAX} callers wait for room already. Try again later.`, { details: { roomWaiters: line.size } }));
    }
    return new Promise((resolve, reject) => {
      const unlisten = (): void => {
        cancelDeadline();
        signal?.removeEventListener('abort', onAbort);
      };
      const waiter: RoomWaiter = {
        key,
        texts,
        resolve: () => {
          unlisten();
          resolve();
        },
        reject: (error) => {
          unlisten();
          reject(error);
        },
        previous: undefined,
        next: undefined,
        list: undefined,
      };
      const leave = (error: SpillwayError): void => {
        line.remove(waiter);
        waiter.reject(error);
        // Whoever waited behind it may need less.
        this.serve();
      };
      const onAbort = (): void => leave(cancelled());
      const cancelDeadline = this.#timers.after(deadlineMs, () => leave(new SpillwayError('embed_deadline', `There was no room within ${deadlineMs} ms.`)));
      signal?.addEventListener('abort', onAbort, { once: true });
      line.push(waiter);
    });
  }

  /** Lets go those for whom there is room now, as many as fit together. */
  serve(): void {
    for (const priority of PRIORITIES) {
      const line = this.#lines[priority];
      let promised = 0;
      const full = new Set<string>();
      for (let waiter = line.first, next: RoomWaiter | undefined; waiter !== undefined; waiter = next) {
        next = waiter.next;
        // One key may have all it may hold, and others wait behind it.
        if (full.has(waiter.key)) continue;
        if (this.#room(priority, waiter.key) < promised + waiter.texts) {
          full.add(waiter.key);
          continue;
        }
        promised += waiter.texts;
        line.remove(waiter);
        waiter.resolve();
      }
    }
  }

  /** Ends all. */
  rejectAll(error: unknown): void {
    for (const line of Object.values(this.#lines)) {
      for (let waiter = line.first; waiter !== undefined; waiter = line.first) {
        line.remove(waiter);
        waiter.reject(error);
      }
    }
  }
}

function hasKey(line: LinkedList<RoomWaiter>, key: string): boolean {
  for (let waiter = line.first; waiter !== undefined; waiter = waiter.next) if (waiter.key === key) return true;
  return false;
}

function cancelled(): SpillwayError {
  return new SpillwayError('embed_cancelled', 'The caller no longer waits for room.');
}
