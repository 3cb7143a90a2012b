/**
 * The producing side of a stage: who has subscribed, what each has asked for, and what is on its way to
 * whom. Never more events are in flight to a consumer than it has asked for.
 *
 * How a subscription ends. A consumer that ends properly says how many events it has handled. One that is gone
 * without a word is given LATE_MS for its last words, which may come behind the news of its end; then what was
 * sent and is not known to be handled counts as lost. Events are sent at most once, so those are sent to
 * nobody else. Events that have not left yet are: the demand they were given for is taken back with them.
 */
import { CLOSED, TOO_LONG } from 'atomics-ring-buffer';
import Denque from 'denque';
import type { Address } from '../address.ts';
import { SpillwayError } from '../errors.ts';
import type { Timer } from '../time/timer-wheel.ts';
import type { Dispatcher, Taker } from './dispatchers.ts';
import { released, type Item } from './event-buffer.ts';
import type { EndReason, OutletStats } from './stage-protocol.ts';

/** What an outlet needs of its stage. */
export interface OutletHost {
  after(delayMs: number, run: () => void): Timer;
  watch(consumer: Address, onEnd: () => void): Timer;
  /** @returns 0 or a refusal */
  tellEvents(to: Address, id: number, events: unknown[]): number;
  /** @returns 0 or a refusal */
  tellEnded(to: Address, id: number, sent: number, reason: EndReason): number;
  /** There is more demand than before. */
  onDemand(): void;
  /** `finish` was called, and all events were handled by those they went to. */
  onFinished(): void;
}

interface Subscriber extends Taker {
  demand: number;
  readonly key: string;
  readonly address: Address;
  readonly id: number;
  readonly maxDemand: number;
  readonly unsent: Denque<Item>;
  watch: Timer | undefined;
  sent: number;
  /** Of those sent, as the consumer has last said. */
  handled: number;
  /** `leaving`: it gets no more. */
  state: 'open' | 'closed' | 'leaving';
  /** What it still has to be told. */
  farewell: EndReason | undefined;
}

const MAX_SUBSCRIBERS = 1_024;
/** Events in one message at the most: more save little, and keep others from their turn. */
const MAX_CHUNK = 256;
const RETRY_MS = 1;
const LATE_MS = 200;
/** Bits of a subscription's number that count; those above tell the consumer's life. */
export const COUNT_BITS = 16;

export class Outlet {
  readonly #host: OutletHost;
  readonly #dispatcher: Dispatcher;
  readonly #subscribers = new Map<string, Subscriber>();
  #isRetrying = false;
  #isFinishing = false;
  #isFinished = false;
  #sent = 0;
  #lost = 0;
  #dropped = 0;
  #tooLarge = 0;
  #chunk = MAX_CHUNK;

  constructor(host: OutletHost, dispatcher: Dispatcher) {
    this.#host = host;
    this.#dispatcher = dispatcher;
  }

  /** Events that may be produced now. */
  get wanted(): number {
    return this.#isFinishing ? 0 : this.#dispatcher.wanted;
  }

  get stats(): OutletStats {
    return {
      subscribers: this.#subscribers.size,
      wanted: this.wanted,
      queued: this.#dispatcher.queued,
      sent: this.#sent,
      lost: this.#lost,
      dropped: this.#dropped,
      tooLarge: this.#tooLarge,
    };
  }

  /** @throws SpillwayError `stage_done`, `stage_full`, `partition_taken`, `stage_invalid` */
  subscribe(from: Address, id: number, maxDemand: number, partition: number | undefined): void {
    if (this.#isFinished) throw new SpillwayError('stage_done', 'This producer has nothing more to give.');
    this.#leaveFormerLives(from, id);
    const key = keyOf(from, id);
    if (this.#subscribers.size >= MAX_SUBSCRIBERS || this.#subscribers.has(key)) {
      throw new SpillwayError('stage_full', `A producer has at most ${MAX_SUBSCRIBERS} subscriptions, each with a number of its own.`);
    }
    const subscriber: Subscriber = {
      key,
      address: from,
      id,
      maxDemand,
      demand: maxDemand,
      unsent: new Denque(),
      watch: undefined,
      sent: 0,
      handled: 0,
      state: 'open',
      farewell: undefined,
      take: (items) => {
        subscriber.demand -= items.length;
        for (const item of items) subscriber.unsent.push(item);
        this.#send(subscriber);
      },
    };
    this.#dispatcher.add(subscriber, partition);
    this.#subscribers.set(key, subscriber);
    subscriber.watch = this.#host.watch(from, () => this.#lose(subscriber));
    this.#flow();
  }

  /** The consumer has handled so many of its subscription's events, and asks for some more. */
  demand(from: Address, id: number, count: number, handled: number): void {
    const subscriber = this.#subscribers.get(keyOf(from, id));
    if (subscriber?.state !== 'open') return;
    subscriber.handled = Math.max(subscriber.handled, Math.min(handled, subscriber.sent));
    subscriber.demand = Math.min(subscriber.demand + count, subscriber.maxDemand);
    this.#flow();
  }

  /** The consumer wants no more. */
  cancel(from: Address, id: number): void {
    const subscriber = this.#subscribers.get(keyOf(from, id));
    if (subscriber?.state === 'open') this.#end(subscriber, 'cancelled');
  }

  /** The consumer has gone, and says what it has handled. */
  unsubscribe(from: Address, id: number, handled: number): void {
    const subscriber = this.#subscribers.get(keyOf(from, id));
    if (subscriber === undefined) return;
    subscriber.handled = Math.min(handled, subscriber.sent);
    this.#detach(subscriber);
    this.#settle(subscriber);
  }

  knows(from: Address, id: number): boolean {
    return this.#subscribers.has(keyOf(from, id));
  }

  /** @returns how many events were dropped */
  emit(items: readonly Item[]): number {
    const dropped = this.#dispatcher.offer(items);
    this.#dropped += dropped;
    this.#checkFinished();
    return dropped;
  }

  /** No more events come. Those that are here are still delivered, also to consumers that subscribe later. */
  finish(): void {
    this.#isFinishing = true;
    this.#checkFinished();
  }

  /** The stage ends, now. */
  close(reason: EndReason): void {
    for (const { address, id, sent, watch } of this.#subscribers.values()) {
      watch?.cancel();
      this.#host.tellEnded(address, id, sent, reason);
    }
    this.#subscribers.clear();
  }

  #flow(): void {
    this.#dispatcher.flow();
    this.#checkFinished();
    if (this.wanted > 0) this.#host.onDemand();
  }

  #send(subscriber: Subscriber): void {
    const { unsent } = subscriber;
    while (unsent.length > 0 && subscriber.state === 'open') {
      const count = Math.min(unsent.length, this.#chunk);
      const events: unknown[] = [];
      for (let index = 0; index < count; index++) events.push(unsent.peekAt(index)!.event);
      const result = this.#host.tellEvents(subscriber.address, subscriber.id, events);
      if (result >= 0) {
        subscriber.sent += count;
        this.#sent += count;
        this.#chunk = Math.min(MAX_CHUNK, this.#chunk * 2);
        for (let index = 0; index < count; index++) released(unsent.shift()!);
      } else if (result === TOO_LONG && count > 1) this.#chunk = count >> 1;
      else if (result === TOO_LONG) {
        this.#tooLarge++;
        subscriber.demand++;
        released(unsent.shift()!);
      } else {
        // Later also if it has gone: this may be in the middle of giving events to several.
        if (result === CLOSED) subscriber.state = 'closed';
        this.#tryLater();
      }
      if (result < 0 && result !== TOO_LONG) return;
    }
  }

  #tryLater(): void {
    if (this.#isRetrying) return;
    this.#isRetrying = true;
    this.#host.after(RETRY_MS, () => {
      this.#isRetrying = false;
      for (const subscriber of this.#subscribers.values()) {
        if (subscriber.state === 'closed') this.#lose(subscriber);
        else if (subscriber.farewell !== undefined) this.#sayFarewell(subscriber);
        else this.#send(subscriber);
      }
      this.#flow();
    });
  }

  #end(subscriber: Subscriber, reason: EndReason): void {
    this.#detach(subscriber);
    subscriber.farewell = reason;
    this.#sayFarewell(subscriber);
  }

  #sayFarewell(subscriber: Subscriber): void {
    const result = this.#host.tellEnded(subscriber.address, subscriber.id, subscriber.sent, subscriber.farewell!);
    if (result >= 0 || result === CLOSED) subscriber.farewell = undefined;
    if (result === CLOSED) this.#lose(subscriber);
    else if (result < 0) this.#tryLater();
  }

  /** Its demand and what has not left yet go back. */
  #detach(subscriber: Subscriber): void {
    if (subscriber.state === 'leaving') return;
    subscriber.state = 'leaving';
    subscriber.demand = 0;
    this.#dispatcher.remove(subscriber, subscriber.unsent.toArray());
    subscriber.unsent.clear();
    this.#flow();
  }

  /** It has gone; it may have said what it has handled. */
  #lose(subscriber: Subscriber): void {
    this.#detach(subscriber);
    subscriber.farewell = undefined;
    this.#host.after(LATE_MS, () => this.#settle(subscriber));
  }

  #settle(subscriber: Subscriber): void {
    if (!this.#subscribers.delete(subscriber.key)) return;
    subscriber.watch?.cancel();
    this.#lost += subscriber.sent - subscriber.handled;
    this.#checkFinished();
  }

  /** A consumer that was started again knows nothing of its former subscriptions. */
  #leaveFormerLives(from: Address, id: number): void {
    for (const subscriber of this.#subscribers.values()) {
      if (subscriber.address !== from || subscriber.id >>> COUNT_BITS === id >>> COUNT_BITS) continue;
      this.#detach(subscriber);
      this.#settle(subscriber);
    }
  }

  #checkFinished(): void {
    if (!this.#isFinishing || this.#isFinished || this.#dispatcher.queued > 0) return;
    for (const subscriber of this.#subscribers.values()) {
      if (subscriber.state === 'open' && subscriber.unsent.length === 0) this.#end(subscriber, 'done');
    }
    // `end` looks again whether all is over.
    if (this.#isFinished || this.#subscribers.size > 0) return;
    this.#isFinished = true;
    this.#host.onFinished();
  }
}

function keyOf(from: Address, id: number): string {
  return `${from}:${id}`;
}
