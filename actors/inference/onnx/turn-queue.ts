/**
 * The order in which jobs use a model: one after another, urgent ones between the native calls of others.
 *
 * A native call of onnxruntime runs on the thread that makes it, and nothing else of this thread does meanwhile. So a
 * job hands over its turn before every call: what has arrived is seen then, and urgent jobs are done in whole before it
 * goes on. An urgent one thus waits for the call that runs and for no other.
 */
import assert from 'node:assert';
import { otherEvents } from '../other-events.ts';

/** Lets other events happen, and urgent jobs pass. */
export type HandOver = () => Promise<void>;

type Job = () => Promise<void>;

export class TurnQueue {
  readonly #urgent: Job[] = [];
  readonly #ordinary: Job[] = [];
  #isRunning = false;
  /** Resolves when both queues are empty. */
  #ran: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  /** Runs `job` in its turn. What it throws rejects, and does no harm to others. */
  serve<T>(isUrgent: boolean, job: (handOver: HandOver) => Promise<T>): Promise<T> {
    this.assertOpen();
    return new Promise((resolve, reject) => {
      const handOver = isUrgent ? otherEvents : async () => {
        await otherEvents();
        await this.#serveUrgent();
      };
      (isUrgent ? this.#urgent : this.#ordinary).push(() => job(handOver).then(resolve, reject));
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
    for (;;) {
      await this.#serveUrgent();
      const job = this.#ordinary.shift();
      if (job === undefined) break;
      await job();
    }
    this.#isRunning = false;
  }

  async #serveUrgent(): Promise<void> {
    for (let job; (job = this.#urgent.shift()) !== undefined; ) await job();
  }
}
