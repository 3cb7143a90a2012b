/**
 * The order in which texts reach the native library: one after another, urgent ones first.
 *
 * Before each text both queues are asked anew, so an urgent batch waits for the text that runs and for
 * no other, however many texts the batch in hand still has. Texts of one class keep their order. One
 * text is in flight at a time: with the direct way to a context (text-context.ts) a second one would
 * save a hundredth of the time and cost an urgent text another one's.
 */
import assert from 'node:assert';

/**
 * Begins the text at `index` of a batch, and deals with its result. Answers undefined when the text
 * was dealt with at once, a promise when it runs. It rejects, or throws, when the whole batch is broken.
 */
export type BeginText = (index: number) => Promise<void> | undefined;

interface Batch {
  readonly size: number;
  readonly begin: BeginText;
  next: number;
  readonly resolve: () => void;
  readonly reject: (cause: unknown) => void;
}

/** So many texts may be dealt with at once before other events have their turn, an urgent batch among them. */
const AT_ONCE_MAX = 64;

export class TextQueue {
  readonly #urgent: Batch[] = [];
  readonly #ordinary: Batch[] = [];
  #isRunning = false;
  /** Resolves when both queues are empty. */
  #ran: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  /** Serves a batch of `size` texts. Resolves when its last text is dealt with. */
  serve(size: number, urgent: boolean, begin: BeginText): Promise<void> {
    this.assertOpen();
    if (size === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      (urgent ? this.#urgent : this.#ordinary).push({ size, begin, next: 0, resolve, reject });
      if (!this.#isRunning) this.#ran = this.#run();
    });
  }

  /** Serves what was accepted before, then calls `dispose`. A second close is the first. */
  close(dispose: () => Promise<void>): Promise<void> {
    this.#closing ??= this.#drain(dispose);
    return this.#closing;
  }

  /** Whoever uses a model that is closed is in error, not the machine. */
  assertOpen(): void {
    assert(this.#closing === undefined, 'the backend is closed: it must not be used after close()');
  }

  async #drain(dispose: () => Promise<void>): Promise<void> {
    await this.#ran;
    await dispose();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (let atOnce = 0; ; ) {
      const queue = this.#urgent.length > 0 ? this.#urgent : this.#ordinary;
      const batch = queue[0];
      if (batch === undefined) break;
      try {
        const running = batch.begin(batch.next++);
        if (running !== undefined) {
          atOnce = 0;
          await running;
        } else if (++atOnce >= AT_ONCE_MAX) {
          atOnce = 0;
          await otherEvents();
        }
      } catch (cause) {
        queue.shift();
        batch.reject(cause);
        continue;
      }
      if (batch.next < batch.size) continue;
      queue.shift();
      batch.resolve();
    }
    this.#isRunning = false;
  }
}

/** Resolves when the events that have happened meanwhile, messages of other threads among them, have been seen. */
export function otherEvents(): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve); });
}
