/** The workers of one test as the window sees them, down to the moment in which a thread is known to have ended. */
import { browser, type BrowserWorker } from './browser-globals.ts';
import type { Findings, RingNews, RingOrder, RingWork } from './ring-work.ts';

let lockCount = 0;

/** A ring-worker.ts that has attached. */
export interface PageThread {
  readonly incarnation: number;
  /** Resolves when it stays inside of a record for good, with the number of those before. */
  readonly stuck: Promise<number>;
  readonly done: Promise<Findings>;
  /** Terminates the worker, wherever it is, and resolves once its thread has ended. */
  kill(): Promise<void>;
}

/** `await using threads = new PageThreads()` ends those that are left when the test ends, however it does. */
export class PageThreads implements AsyncDisposable {
  readonly #workers = new Map<string, BrowserWorker>();

  /** Resolves once the worker has attached. */
  async start(work: RingWork): Promise<PageThread> {
    const lockName = `thread ${lockCount++}`;
    const worker = new browser.Worker('ring-worker.js', { type: 'module' });
    this.#workers.set(lockName, worker);
    const { ready, stuck, done } = newsOf(worker, work.role);
    const order: RingOrder = { work, lockName };
    worker.postMessage(order);
    return { incarnation: await ready, stuck, done, kill: () => this.#kill(lockName) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#workers.keys()].map((lockName) => this.#kill(lockName)));
  }

  async #kill(lockName: string): Promise<void> {
    this.#workers.get(lockName)?.terminate();
    this.#workers.delete(lockName);
    // Granted when the thread, which held it all its life, is gone.
    await browser.navigator.locks.request(lockName, () => {});
  }
}

interface News {
  readonly ready: Promise<number>;
  readonly stuck: Promise<number>;
  readonly done: Promise<Findings>;
}

function newsOf(worker: BrowserWorker, role: RingWork['role']): News {
  const [ready, stuck, done] = [Promise.withResolvers<number>(), Promise.withResolvers<number>(), Promise.withResolvers<Findings>()];
  const fail = (reason: string): void => {
    for (const { promise, reject } of [ready, stuck, done]) {
      // A test waits for some of these only.
      promise.catch(() => {});
      reject(new Error(`A worker that was to ${role} failed: ${reason}`));
    }
  };
  worker.addEventListener('error', ({ message }) => fail(message));
  worker.addEventListener('message', ({ data }) => {
    const news = data as RingNews;
    if (news.event === 'ready') ready.resolve(news.incarnation);
    else if (news.event === 'stuck') stuck.resolve(news.records);
    else if (news.event === 'done') done.resolve(news.findings);
    else fail(news.reason);
  });
  return { ready: ready.promise, stuck: stuck.promise, done: done.promise };
}
