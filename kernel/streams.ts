/**
 * The streaming answers that the actors of this thread give: each is pulled from its iterable item by
 * item, and only as far as its asker has asked for. The handler has ended once it returned the iterable;
 * the actor handles other messages between the items.
 */
import { CLOSED, TOO_LONG } from 'atomics-ring-buffer';
import type { ActorCell } from './actor-cell.ts';
import { threadOf } from './address.ts';
import type { Asks } from './asks.ts';
import { ITEM_KIND, REPLY_KIND, type Envelope } from './envelope.ts';
import { SpillwayError } from './errors.ts';
import type { Handling } from './handling.ts';
import type { Letter } from './letter.ts';

/** What streams need of their thread. */
export interface StreamHost {
  readonly thread: number;
  readonly asks: Asks;
  readonly handling: Handling;
}

interface Outgoing {
  readonly cell: ActorCell;
  readonly letter: Letter;
  readonly iterator: AsyncIterator<unknown> | Iterator<unknown>;
  /** Items that the asker takes at present. */
  granted: number;
  isOver: boolean;
  /** Goes on once there is demand. */
  wake: (() => void) | undefined;
}

/** Streams of one thread; an ask beyond it is refused. */
const MAX_STREAMS = 4_096;

export class Streams {
  readonly #host: StreamHost;
  readonly #open = new Map<string, Outgoing>();

  constructor(host: StreamHost) {
    this.#host = host;
  }

  get size(): number {
    return this.#open.size;
  }

  open(cell: ActorCell, letter: Letter, value: unknown): void {
    const iterator = iteratorOf(value);
    if (iterator === undefined) {
      this.#host.handling.fail(cell, letter, new TypeError(`The answer to ${letter.message.name} is a stream, so its handler must return an iterable.`));
      return;
    }
    if (this.#open.size >= MAX_STREAMS) {
      this.#host.handling.refuse(letter, new SpillwayError('ask_refused', `Actor ${cell.name} has ${MAX_STREAMS} streams open; try again later.`), true);
      return;
    }
    const stream: Outgoing = { cell, letter, iterator, granted: 1, isOver: false, wake: undefined };
    this.#open.set(keyOf(letter), stream);
    void this.#pump(stream);
  }

  /** The asker takes more items. */
  demand(envelope: Envelope, items: number): void {
    const stream = this.#open.get(keyOf(envelope));
    if (stream === undefined || !(items > 0)) return;
    stream.granted += items;
    stream.wake?.();
  }

  /** The asker wants no more. @returns whether there was such a stream */
  cancel(envelope: Envelope): boolean {
    const stream = this.#open.get(keyOf(envelope));
    if (stream === undefined) return false;
    // For a generator that waits: `return` reaches it only once it yields.
    stream.letter.isCancelled = true;
    this.#close(stream);
    return true;
  }

  /** The actor has ended, or this life of it, and its streams with it. */
  endOf(cell: ActorCell, code: 'actor_stopped' | 'actor_restarted'): void {
    for (const stream of this.#open.values()) {
      if (stream.cell !== cell) continue;
      this.#close(stream);
      this.#host.handling.refuse(stream.letter, new SpillwayError(code, `Actor ${cell.name} ended before its stream.`), true);
    }
  }

  /**
   * The actor's thread ends because it failed. Its peers end what they had asked of it when it has gone, so what its
   * `stop` makes of a stream until then is nobody's answer.
   */
  leaveToPeers(cell: ActorCell): void {
    for (const stream of this.#open.values()) if (stream.cell === cell) this.#close(stream);
  }

  /** A thread has gone: nobody takes what it had asked for. */
  peerDown(thread: number): void {
    for (const stream of this.#open.values()) if (threadOf(stream.letter.from) === thread) this.#close(stream);
  }

  #close(stream: Outgoing): void {
    if (stream.isOver) return;
    stream.isOver = true;
    this.#open.delete(keyOf(stream.letter));
    stream.wake?.();
    // Lets a generator run its `finally`; what it throws there concerns nobody any more.
    void Promise.resolve(stream.iterator.return?.()).catch(() => {});
  }

  async #pump(stream: Outgoing): Promise<void> {
    const { cell, letter, iterator } = stream;
    try {
      while (!stream.isOver) {
        if (stream.granted === 0) {
          await new Promise<void>((resolve) => (stream.wake = resolve));
          stream.wake = undefined;
          continue;
        }
        const { done, value } = await iterator.next();
        if (stream.isOver) return;
        if (done === true) {
          this.#close(stream);
          this.#end(letter);
          return;
        }
        stream.granted--;
        await this.#send(letter, value);
      }
    } catch (error) {
      if (stream.isOver) return;
      this.#close(stream);
      if (error instanceof SpillwayError) this.#host.handling.refuse(letter, error, true);
      else this.#host.handling.fail(cell, letter, error);
    }
  }

  #end(letter: Letter): void {
    const { asks, handling, thread } = this.#host;
    if (threadOf(letter.from) === thread) asks.settleHere(letter, undefined);
    else handling.outbox.send(threadOf(letter.from), letter.lane, () => isSettled(handling.sendBack(letter.lane, REPLY_KIND, letter, undefined, undefined)));
  }

  /** Resolves once the item is in its lane. */
  #send(letter: Letter, value: unknown): Promise<void> | undefined {
    const { asks, handling, thread } = this.#host;
    const { message } = letter;
    if (threadOf(letter.from) === thread) {
      const copy = message.copyItem(value);
      asks.item(letter.to, letter.correlation, () => copy);
      return undefined;
    }
    return new Promise((resolve, reject) => {
      handling.outbox.send(threadOf(letter.from), letter.lane, () => {
        try {
          const result = handling.sendBack(letter.lane, ITEM_KIND, letter, message.item, value);
          if (result === TOO_LONG) throw new SpillwayError('message_too_large', `An item of ${message.name} is longer than its lane takes.`);
          if (!isSettled(result)) return false;
          resolve();
        } catch (error) {
          reject(error);
        }
        return true;
      });
    });
  }
}

function isSettled(result: number): boolean {
  return result >= 0 || result === CLOSED;
}

function keyOf({ from, incarnation, correlation }: Envelope): string {
  return `${from}:${incarnation}:${correlation}`;
}

function iteratorOf(value: unknown): AsyncIterator<unknown> | Iterator<unknown> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Symbol.asyncIterator in value) return (value as AsyncIterable<unknown>)[Symbol.asyncIterator]();
  if (Symbol.iterator in value) return (value as Iterable<unknown>)[Symbol.iterator]();
  return undefined;
}
