/**
 * A streaming answer as the asker sees it: an async iterator that takes at most `demand` items ahead.
 * What it has not asked for, the other side does not send.
 */
import type { Envelope } from './envelope.ts';

/** The ask that a stream belongs to. */
export interface StreamAsk {
  /** Whether an item is waited for; the ask's deadline runs while one is. */
  expectItem(expected: boolean): void;
  /** The ask's envelope, addressed to whoever answers it now. */
  target(): Envelope;
  cancel(): void;
}

interface Waiter {
  readonly resolve: (result: IteratorResult<unknown, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

const END: IteratorResult<unknown, undefined> = { done: true, value: undefined };

export class IncomingStream implements AsyncIterableIterator<unknown, undefined> {
  readonly #demand: number;
  readonly #sendDemand: (ask: Envelope, items: number) => boolean;
  readonly #items: unknown[] = [];
  #ask: StreamAsk | undefined;
  #waiters: Waiter[] = [];
  /** Items that were asked for and have not come; the first is granted with the ask itself. */
  #granted = 1;
  /** Before the first item nobody knows who gives it, and demand would overtake the ask on the control lane. */
  #hasBegun = false;
  #ended: { readonly error: unknown } | 'done' | undefined;

  /**
   * @param demand items that may be on their way or waiting here; at least 1
   * @param sendDemand asks for more items; false if it has to be tried again
   */
  constructor(demand: number, sendDemand: (ask: Envelope, items: number) => boolean) {
    this.#demand = demand;
    this.#sendDemand = sendDemand;
  }

  opened(ask: StreamAsk): void {
    this.#ask = ask;
  }

  push(item: unknown): void {
    this.#hasBegun = true;
    this.#granted--;
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#items.push(item);
    else waiter.resolve({ done: false, value: item });
    this.#askForMore();
  }

  /** @param error undefined when it has come to its proper end */
  end(error?: unknown): void {
    this.#ended ??= error === undefined ? 'done' : { error };
    const waiters = this.#waiters;
    this.#waiters = [];
    // Told once; whoever goes on asking finds the end.
    const first = error === undefined ? undefined : waiters.shift();
    if (first !== undefined) {
      this.#ended = 'done';
      first.reject(error);
    }
    for (const waiter of waiters) waiter.resolve(END);
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    if (this.#items.length > 0) {
      const value = this.#items.shift();
      this.#askForMore();
      return Promise.resolve({ done: false, value });
    }
    const ended = this.#ended;
    if (ended === 'done') return Promise.resolve(END);
    if (ended !== undefined) {
      this.#ended = 'done';
      return Promise.reject(ended.error);
    }
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#askForMore();
    });
  }

  return(): Promise<IteratorResult<unknown, undefined>> {
    this.#items.length = 0;
    const wasOpen = this.#ended === undefined;
    this.#ended = 'done';
    if (wasOpen) this.#ask?.cancel();
    return Promise.resolve(END);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** In halves of what may be on its way, so that one message asks for many items. */
  #askForMore(): void {
    const ask = this.#ask;
    if (ask === undefined || this.#ended !== undefined) return;
    const room = this.#demand - this.#granted - this.#items.length;
    if (this.#hasBegun && room > 0 && (room * 2 >= this.#demand || this.#granted === 0) && this.#sendDemand(ask.target(), room)) this.#granted += room;
    // While nobody wants an item, none is late.
    ask.expectItem(this.#waiters.length > 0);
  }
}
