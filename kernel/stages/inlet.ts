/**
 * The consuming side of a stage: to whom it has subscribed, how much of what it asked for is still in
 * flight, and what it does when a producer ends. As in GenStage, at most `maxDemand` events are in flight,
 * and once no more than `minDemand` are, it asks for as many as are missing.
 *
 * A producer's end is told on the control lane and may overtake its last events, so a subscription is only
 * over once as many events have come, and were handled, as were sent. A producer that was killed says nothing: then its end
 * comes from `watch`, and counts after LATE_MS. One that was killed and started again by its supervisor has
 * not ended for `watch`, and no longer knows the subscription: that is asked every CHECK_MS.
 */
import { CLOSED } from 'atomics-ring-buffer';
import type { ActorRef } from '../actor-ref.ts';
import type { Address } from '../address.ts';
import type { Terminated } from '../bonds.ts';
import { SpillwayError } from '../errors.ts';
import type { Timer } from '../time/timer-wheel.ts';
import { COUNT_BITS } from './outlet.ts';
import type { AnyStageSpec, EndReason, InletStats } from './stage-protocol.ts';
import type { CompleteSubscription } from './subscription-options.ts';

/** What an inlet needs of its stage. */
export interface InletHost {
  readonly incarnation: number;
  after(delayMs: number, run: () => void): Timer;
  watch(producer: Address, onEnd: (end: Terminated) => void): Timer;
  /** A subscription may be over: `takeEnded` is to be called in the turn of the data messages. */
  onEnded(): void;
}

type Producer = Pick<ActorRef<AnyStageSpec>, 'address' | 'tell' | 'ask'>;

export interface Subscription {
  readonly id: number;
  readonly producer: Producer;
  readonly options: CompleteSubscription;
  watch: Timer | undefined;
  /** Events that were asked for and are not handled. */
  inFlight: number;
  received: number;
  handled: number;
  /** How it ended, and how many events the producer had sent; undefined if nobody knows. */
  end: { readonly reason: EndReason; readonly sent: number | undefined } | undefined;
  isDown: boolean;
}

const MAX_SUBSCRIPTIONS = 1_024;
const RETRY_MS = 1;
const LATE_MS = 200;
const CHECK_MS = 1_000;
const ASK_MS = 5_000;

export class Inlet {
  readonly #host: InletHost;
  readonly #subscriptions = new Map<number, Subscription>();
  /** What producers have not been told yet for lack of room: subscriptions that are over. */
  readonly #farewells = new Set<Subscription>();
  #count = 0;
  #isRetrying = false;
  #isChecking = false;
  #handled = 0;
  #failed = 0;
  #stray = 0;

  constructor(host: InletHost) {
    this.#host = host;
  }

  get stats(): InletStats {
    let inFlight = 0;
    for (const subscription of this.#subscriptions.values()) inFlight += subscription.inFlight;
    return { subscriptions: this.#subscriptions.size, inFlight, handled: this.#handled, failed: this.#failed, stray: this.#stray };
  }

  /** @returns its number. @throws SpillwayError `stage_full`, or what the producer or the ask throws */
  async subscribe(producer: Producer, options: CompleteSubscription): Promise<number> {
    if (this.#subscriptions.size >= MAX_SUBSCRIPTIONS) throw new SpillwayError('stage_full', `A consumer has at most ${MAX_SUBSCRIPTIONS} subscriptions.`);
    const { maxDemand, partition } = options;
    const subscription: Subscription = {
      id: this.#nextId(),
      producer,
      options,
      watch: undefined,
      inFlight: maxDemand,
      received: 0,
      handled: 0,
      end: undefined,
      isDown: false,
    };
    // Known before it is asked for, because events may come before the answer.
    this.#subscriptions.set(subscription.id, subscription);
    try {
      await producer.ask('subscribe', { id: subscription.id, maxDemand, ...(partition === undefined ? {} : { partition }) }, { deadlineMs: ASK_MS });
    } catch (error) {
      this.#subscriptions.delete(subscription.id);
      if (!(error instanceof SpillwayError) || error.details['mayHaveBeenHandled'] !== false) this.#sayFarewell(subscription);
      throw error;
    }
    subscription.watch = this.#host.watch(producer.address, ({ reason }) => this.#down(subscription, reason === 'stopped' ? 'stopped' : 'crashed'));
    if (!this.#isChecking) this.#checkLater();
    return subscription.id;
  }

  /** @throws SpillwayError `subscription_unknown` */
  cancel(id: number): void {
    const subscription = this.#subscriptions.get(id);
    if (subscription === undefined) throw new SpillwayError('subscription_unknown', `This consumer has no subscription ${id}; it may be over.`, { details: { id } });
    if (subscription.end !== undefined) return;
    const result = subscription.producer.tell('cancel', { id });
    if (result === CLOSED) this.#down(subscription, 'crashed');
    else if (result < 0) this.#host.after(RETRY_MS, () => this.#subscriptions.has(id) && this.cancel(id));
  }

  /** Events have come. @returns their subscription, or undefined if it is over: they are then for nobody */
  arrived(id: number, count: number): Subscription | undefined {
    const subscription = this.#subscriptions.get(id);
    if (subscription === undefined) {
      this.#stray += count;
      return undefined;
    }
    subscription.received += count;
    if (subscription.end !== undefined) this.#lookForEnd(subscription);
    return subscription;
  }

  /** So many of its events have been handled. */
  credit(subscription: Subscription, count: number): void {
    subscription.inFlight -= count;
    subscription.handled += count;
    this.#handled += count;
    if (subscription.end === undefined) this.#ask(subscription);
    else this.#lookForEnd(subscription);
  }

  countFailed(count: number): void {
    this.#failed += count;
  }

  /** The producer says that it is over. */
  ended(id: number, sent: number, reason: EndReason): void {
    const subscription = this.#subscriptions.get(id);
    if (subscription === undefined || subscription.end !== undefined) return;
    subscription.end = { reason, sent };
    this.#lookForEnd(subscription);
  }

  /** Whether all has come of some subscription; it may not be handled yet. */
  get hasEnded(): boolean {
    for (const subscription of this.#subscriptions.values()) if (hasAll(subscription)) return true;
    return false;
  }

  /** Takes out what is over: all has come, and has been handled. */
  takeEnded(): readonly Subscription[] {
    const over = [...this.#subscriptions.values()].filter((subscription) => hasAll(subscription) && subscription.handled >= subscription.received);
    for (const subscription of over) {
      this.#subscriptions.delete(subscription.id);
      subscription.watch?.cancel();
      this.#sayFarewell(subscription);
    }
    return over;
  }

  /** The stage ends, now: the producers learn how much was handled. */
  close(): void {
    for (const { producer, id, handled } of [...this.#subscriptions.values(), ...this.#farewells]) producer.tell('unsubscribe', { id, handled });
    this.#subscriptions.clear();
    this.#farewells.clear();
  }

  #ask(subscription: Subscription): void {
    const { producer, id, options, inFlight, handled } = subscription;
    if (subscription.end !== undefined || subscription.isDown || inFlight > options.minDemand) return;
    const result = producer.tell('demand', { id, count: options.maxDemand - inFlight, handled });
    if (result >= 0) subscription.inFlight = options.maxDemand;
    else if (result === CLOSED) this.#down(subscription, 'crashed');
    else this.#tryLater();
  }

  #tryLater(): void {
    if (this.#isRetrying) return;
    this.#isRetrying = true;
    this.#host.after(RETRY_MS, () => {
      this.#isRetrying = false;
      for (const subscription of this.#farewells) this.#sayFarewell(subscription);
      for (const subscription of this.#subscriptions.values()) this.#ask(subscription);
    });
  }

  #sayFarewell(subscription: Subscription): void {
    const { producer, id, handled } = subscription;
    const result = producer.tell('unsubscribe', { id, handled });
    if (result >= 0 || result === CLOSED) this.#farewells.delete(subscription);
    else {
      this.#farewells.add(subscription);
      this.#tryLater();
    }
  }

  /** The producer has gone. Its last words may still come. */
  #down(subscription: Subscription, reason: EndReason): void {
    if (subscription.isDown || subscription.end !== undefined) return;
    subscription.isDown = true;
    this.#host.after(LATE_MS, () => {
      subscription.end ??= { reason, sent: undefined };
      this.#lookForEnd(subscription);
    });
  }

  #lookForEnd(subscription: Subscription): void {
    if (hasAll(subscription)) this.#host.onEnded();
  }

  #checkLater(): void {
    this.#isChecking = this.#subscriptions.size > 0;
    if (!this.#isChecking) return;
    this.#host.after(CHECK_MS, () => {
      this.#checkLater();
      for (const subscription of this.#subscriptions.values()) void this.#checkOne(subscription);
    });
  }

  async #checkOne(subscription: Subscription): Promise<void> {
    const { producer, id } = subscription;
    if (subscription.end !== undefined || subscription.isDown) return;
    let isKnown = true;
    try {
      ({ isKnown } = await producer.ask('knows', { id }, { deadlineMs: ASK_MS }));
    } catch (error) {
      // Only one that has gone says so; one that is slow may still know it.
      isKnown = !(error instanceof SpillwayError) || !['actor_stopped', 'actor_restarted', 'actor_unknown'].includes(error.code);
    }
    if (!isKnown && this.#subscriptions.has(id)) this.#down(subscription, 'crashed');
  }

  #nextId(): number {
    const life = (this.#host.incarnation % 2 ** (32 - COUNT_BITS)) * 2 ** COUNT_BITS;
    let id: number;
    do id = life + (++this.#count % 2 ** COUNT_BITS);
    while (this.#subscriptions.has(id));
    return id;
  }
}

function hasAll({ end, received }: Subscription): boolean {
  return end !== undefined && (end.sent === undefined || received >= end.sent);
}
