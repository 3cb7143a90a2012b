/** Those who wait for a link to another thread, which the guardian makes when it is first needed. */
import { threadOf, type Address } from './address.ts';

export class Connecting {
  readonly #request: (to: Address) => void;
  /** By thread. */
  readonly #waiting = new Map<number, (() => void)[]>();

  /** @param request asks for a link to the thread of an address; `ended` is called in time */
  constructor(request: (to: Address) => void) {
    this.#request = request;
  }

  /** Asks for the link, unless that was done already. */
  begin(to: Address): void {
    const thread = threadOf(to);
    if (this.#waiting.has(thread)) return;
    this.#waiting.set(thread, []);
    this.#request(to);
  }

  /** Resolves once there is a link, or it is known that there is nobody at that address. */
  wait(to: Address): Promise<void> {
    return new Promise((resolve) => {
      this.begin(to);
      // Where the request was answered at once, there is nothing left to wait for.
      const waiting = this.#waiting.get(threadOf(to));
      if (waiting === undefined) resolve();
      else waiting.push(resolve);
    });
  }

  ended(thread: number): void {
    const waiting = this.#waiting.get(thread);
    this.#waiting.delete(thread);
    for (const resolve of waiting ?? []) resolve();
  }
}
