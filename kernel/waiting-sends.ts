/**
 * Messages whose senders wait until there is room for them, each within its deadline. They go in order:
 * what waits for one actor is not overtaken by what is sent to it later.
 *
 * Nobody rings when a mailbox or a lane gets room, so the thread tries again on every turn of its loop,
 * and once in RETRY_MS (thread-runtime.ts) while it would sleep.
 */
import { ADMIN_ACTION, BACK_PRESSURED } from 'atomics-ring-buffer';
import type { Address } from './address.ts';
import type { KernelErrorCode } from './error-codes.ts';
import { SpillwayError } from './errors.ts';
import type { Lane } from './lanes.ts';
import type { Timer } from './time/timer-wheel.ts';

/** What goes in one order: data to an actor, by its address; or another lane to it, since control never waits for data. */
export type Target = Address | `${Address} ${Lane}`;

export interface SendAttempt {
  /** @returns 0 or a refusal */
  attempt(): number;
  /** Whether the mailbox wants its senders to slow down although it took the message. */
  isThrottled(): boolean;
}

interface Waiting extends SendAttempt {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  readonly timer: Timer;
  readonly unlisten: () => void;
  /** The message is with its actor, and its sender only slows down. */
  isAccepted: boolean;
}

export interface WaitingSendsHost {
  after(delayMs: number, run: () => void): Timer;
  /** Makes the loop look again. */
  wake(): void;
}

/** Sends that may wait on one thread; each holds a message. */
const CAPACITY = 10_000;

/** Whether it may be better later. */
function isTemporary(result: number): boolean {
  return result === BACK_PRESSURED || result === ADMIN_ACTION;
}

export class WaitingSends {
  readonly #host: WaitingSendsHost;
  readonly #byTarget = new Map<Target, Waiting[]>();
  #size = 0;

  constructor(host: WaitingSendsHost) {
    this.#host = host;
  }

  get isEmpty(): boolean {
    return this.#size === 0;
  }

  /** Whether what is told to this actor now would overtake a message that waits. */
  isWaitingFor(to: Target): boolean {
    // Those whose message is with the actor already stand in front of those whose is not.
    return this.#size > 0 && this.#byTarget.get(to)?.at(-1)?.isAccepted === false;
  }

  /**
   * Sends now, or as soon as there is room. Resolves once the actor's mailbox or lane has the message
   * and, while the mailbox is in mode `sync`, has come down from it; at the deadline at the latest.
   * @param label for people, who reads the failure
   * @throws SpillwayError `send_deadline`, `send_cancelled`, `send_refused`, or what `refusalOf` makes of a final refusal
   */
  send(to: Target, label: string, attempt: SendAttempt, deadlineMs: number, signal: AbortSignal | undefined, refusalOf: (result: number) => SpillwayError): Promise<void> {
    if (signal?.aborted === true) return Promise.reject(notSent('send_cancelled', label, 'cancelled before it was sent.'));
    if (!this.isWaitingFor(to)) {
      const result = attempt.attempt();
      if (result >= 0 && !attempt.isThrottled()) return Promise.resolve();
      if (result < 0 && !isTemporary(result)) return Promise.reject(refusalOf(result));
      return this.#wait(to, label, attempt, result >= 0, deadlineMs, signal);
    }
    return this.#wait(to, label, attempt, false, deadlineMs, signal);
  }

  #wait(to: Target, label: string, attempt: SendAttempt, isAccepted: boolean, deadlineMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#size >= CAPACITY) {
      if (isAccepted) return Promise.resolve();
      return Promise.reject(notSent('send_refused', label, `${CAPACITY} messages wait on this thread already; send less at a time.`));
    }
    return new Promise((resolve, reject) => {
      const end = (code: 'send_deadline' | 'send_cancelled', reason: string): void => {
        this.#remove(to, waiting);
        // Accepted is accepted: there is nothing left to fail.
        if (waiting.isAccepted) resolve();
        else reject(notSent(code, label, reason));
      };
      const onAbort = (): void => end('send_cancelled', 'cancelled while it waited for room.');
      const waiting: Waiting = {
        attempt: () => attempt.attempt(),
        isThrottled: () => attempt.isThrottled(),
        resolve,
        reject,
        isAccepted,
        timer: this.#host.after(deadlineMs, () => end('send_deadline', `no room within ${deadlineMs} ms.`)),
        unlisten: () => signal?.removeEventListener('abort', onAbort),
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      const queue = this.#byTarget.get(to);
      if (queue === undefined) this.#byTarget.set(to, [waiting]);
      else queue.push(waiting);
      this.#size++;
      this.#host.wake();
    });
  }

  /** Tries again what waits. */
  flush(): void {
    if (this.#size === 0) return;
    for (const [to, queue] of this.#byTarget) {
      // A copy: what is settled leaves the queue.
      for (const waiting of queue.slice()) {
        if (!waiting.isAccepted && !this.#attempt(to, waiting)) break;
        if (waiting.isAccepted && !waiting.isThrottled()) {
          this.#remove(to, waiting);
          waiting.resolve();
        }
      }
    }
  }

  /** The thread ends; nothing that waits will be sent. */
  close(): void {
    for (const [to, queue] of this.#byTarget) {
      for (const waiting of queue.slice()) {
        this.#remove(to, waiting);
        if (waiting.isAccepted) waiting.resolve();
        else waiting.reject(notSent('system_closed', 'a message', 'the system is closed.'));
      }
    }
  }

  /** @returns whether those behind it may be tried */
  #attempt(to: Target, waiting: Waiting): boolean {
    let result: number;
    try {
      result = waiting.attempt();
    } catch (error) {
      this.#remove(to, waiting);
      waiting.reject(error);
      return true;
    }
    if (isTemporary(result)) return false;
    if (result >= 0) waiting.isAccepted = true;
    else {
      this.#remove(to, waiting);
      waiting.reject(notSent('actor_stopped', 'a message', 'the actor has stopped.'));
    }
    return true;
  }

  #remove(to: Target, waiting: Waiting): void {
    const queue = this.#byTarget.get(to);
    const index = queue?.indexOf(waiting) ?? -1;
    if (index < 0) return;
    queue!.splice(index, 1);
    if (queue!.length === 0) this.#byTarget.delete(to);
    this.#size--;
    waiting.timer.cancel();
    waiting.unlisten();
  }
}

function notSent(code: KernelErrorCode, label: string, reason: string): SpillwayError {
  return new SpillwayError(code, `${label}: ${reason}`, { details: { mayHaveBeenHandled: false } });
}
