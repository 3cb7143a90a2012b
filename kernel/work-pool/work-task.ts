/**
 * One task of a work pool, from `run` until its promise has ended and its worker is free again. The two are
 * different moments: a cancelled task's promise ends at once, while its worker may take longer to notice.
 */
import { SpillwayError } from '../errors.ts';
import type { Timer } from '../time/timer-wheel.ts';
import type { WorkError } from './work-messages.ts';

/** What a task holds of its quota while it waits or runs. */
export interface WorkLease {
  release(): void;
}

export class WorkTask {
  readonly name: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** Terminates the task's worker. */
  readonly kill = new AbortController();
  readonly #lease: WorkLease | undefined;
  #input: unknown;
  #ended = false;
  /** Where the task is out with a worker. */
  place: number | undefined;
  deadline: Timer | undefined;
  killTimer: Timer | undefined;
  unlisten: (() => void) | undefined;

  constructor(
    name: string,
    input: unknown,
    lease: WorkLease | undefined,
    { resolve, reject }: Pick<PromiseWithResolvers<unknown>, 'resolve' | 'reject'>,
  ) {
    this.name = name;
    this.resolve = resolve;
    this.reject = reject;
    this.#input = input;
    this.#lease = lease;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Hands the input out once, so that the pool does not hold what its worker has. */
  takeInput(): unknown {
    const input = this.#input;
    this.#input = undefined;
    return input;
  }

  /** The promise has its outcome; the caller of this gives it. */
  end(): void {
    this.#ended = true;
    this.#input = undefined;
    this.deadline?.cancel();
    this.unlisten?.();
  }

  /** Nothing of the task is left: it has no worker, and its quota is free. */
  release(): void {
    this.killTimer?.cancel();
    this.#lease?.release();
  }

  threw(error: WorkError, mayHaveBeenHandled: boolean): SpillwayError {
    const cause = Object.assign(new Error(error.message), { name: error.name, stack: error.stack, ...(error.code !== '' && { code: error.code }) });
    return new SpillwayError('work_failed', `Work ${this.name} failed: ${error.message}`, { cause, details: { name: this.name, mayHaveBeenHandled } });
  }

  /** Its worker died, or the input never reached one. */
  lost(error: unknown, begun: boolean): SpillwayError {
    const reason = error instanceof Error && error.message !== '' ? error.message : 'no reason was given';
    const details = { name: this.name, mayHaveBeenHandled: begun };
    if (error instanceof DOMException && error.name === 'DataCloneError') {
      return new SpillwayError('work_failed', `Work ${this.name} was not begun, because its input cannot be copied to another thread: ${reason}`, { cause: error, details });
    }
    return new SpillwayError('work_crashed', `The worker that had ${this.name} ended before it answered: ${reason}`, { cause: error, details });
  }
}
