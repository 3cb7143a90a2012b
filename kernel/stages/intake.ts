/**
 * What a consuming stage does with its events: into the author's `handle` in portions, or gathered into
 * batches first; and what follows from the end of a subscription.
 *
 * A portion is as large as what is asked for at once, so that demand goes out while the rest is being
 * handled. An operating error of `handle` is counted and logged and costs its portion; a defect fails the stage.
 */
import type { ActorContext } from '../actor.ts';
import { SpillwayError } from '../errors.ts';
import type { Protocol } from '../protocol.ts';
import type { RoutingKey } from '../routing/rendezvous.ts';
import { Batcher, type Batch, type BatchSpec, type BatchTrigger } from './batcher.ts';
import { Inlet, type Subscription } from './inlet.ts';
import { NoteToSelf } from './note-to-self.ts';
import type { AnyStageRef, AnyStageSpec, EndReason } from './stage-protocol.ts';
import { completeSubscription, stageInvalid, type SubscriptionSpec } from './subscription-options.ts';

/** What `handle` may know of its events. */
export interface BatchInfo {
  /** Of the batch; undefined where the stage does not gather batches. */
  readonly key: RoutingKey | undefined;
  /** Why the batch was handed on. */
  readonly trigger: BatchTrigger | 'demand';
}

/** How many of one subscription's events were handled. */
interface Share {
  readonly subscription: Subscription;
  count: number;
}

/** What an intake needs of its stage. */
export interface IntakeHost {
  readonly context: ActorContext;
  readonly protocol: Protocol<AnyStageSpec>;
  readonly self: AnyStageRef;
  readonly batch: BatchSpec<unknown> | undefined;
  handle(events: readonly unknown[], info: BatchInfo): unknown;
  /** `handle` has returned. @param credit to be called once what came of the events has left */
  onHandled(outcome: unknown, credit: () => void): void;
  /** A producer on which this stage depends has ended. */
  onOver(reason: EndReason): void;
}

interface Entry {
  readonly event: unknown;
  readonly subscription: Subscription;
}

const PLAIN: BatchInfo = { key: undefined, trigger: 'demand' };

export class Intake {
  readonly inlet: Inlet;
  readonly #host: IntakeHost;
  readonly #note: NoteToSelf;
  readonly #batcher: Batcher<Entry> | undefined;
  readonly #batchKey: (event: unknown) => RoutingKey;
  #isTimed = false;

  /** @throws SpillwayError `stage_invalid` */
  constructor(host: IntakeHost) {
    const { context, batch } = host;
    this.#host = host;
    this.#note = new NoteToSelf(context, host.self, 'settle');
    this.#batcher = batch === undefined ? undefined : new Batcher(batch);
    this.#batchKey = batch?.batchKey ?? (() => '');
    this.inlet = new Inlet({
      incarnation: context.incarnation,
      after: (delayMs, run) => context.after(delayMs, run),
      watch: (producer, onEnd) => context.watch(producer, onEnd),
      onEnded: () => this.#note.write(),
    });
  }

  /** @throws SpillwayError `stage_invalid`, `actor_unknown`, and what the producer answers */
  async subscribe(spec: SubscriptionSpec): Promise<number> {
    const options = completeSubscription(spec);
    if (this.#batcher !== undefined && this.#batcher.size > options.maxDemand) {
      throw stageInvalid('batch.batchSize', `at most maxDemand, ${options.maxDemand}, or no batch would ever fill up`, this.#batcher.size);
    }
    const { context, protocol } = this.#host;
    const producer = typeof options.to === 'string' ? await context.resolve(options.to, protocol) : context.ref(options.to, protocol);
    return this.inlet.subscribe(producer, options);
  }

  /** Handles the events of one message. */
  async take(id: number, events: readonly unknown[]): Promise<void> {
    const subscription = this.inlet.arrived(id, events.length);
    if (subscription === undefined) return;
    if (this.#batcher === undefined) {
      const { maxDemand, minDemand } = subscription.options;
      for (let start = 0; start < events.length; start += maxDemand - minDemand) {
        const portion = events.slice(start, start + maxDemand - minDemand);
        await this.#handle(portion, PLAIN, [{ subscription, count: portion.length }]);
      }
      return;
    }
    const { clock } = this.#host.context;
    for (const event of events) {
      const batch = this.#batcher.add(this.#batchKey(event), { event, subscription }, clock.monotonicMs());
      if (batch !== undefined) await this.#handleBatch(batch);
    }
    await this.#handleDue();
  }

  /** Does what has become due: batches that waited long enough, subscriptions that are over. */
  async settle(): Promise<void> {
    this.#note.read();
    await this.#handleDue();
    if (!this.inlet.hasEnded) return;
    await this.handleRest();
    for (const { end, options } of this.inlet.takeEnded()) {
      if (end!.reason === 'cancelled' || options.cancel === 'temporary') continue;
      if (options.cancel === 'permanent' || end!.reason === 'crashed') this.#host.onOver(end!.reason);
    }
  }

  /** Handles what is gathered, however little it is. */
  async handleRest(): Promise<void> {
    for (let batch = this.#batcher?.takeRest(); batch !== undefined; batch = this.#batcher!.takeRest()) await this.#handleBatch(batch);
  }

  async #handleDue(): Promise<void> {
    const batcher = this.#batcher;
    if (batcher === undefined) return;
    const { context } = this.#host;
    const { clock } = context;
    for (let batch = batcher.takeDue(clock.monotonicMs()); batch !== undefined; batch = batcher.takeDue(clock.monotonicMs())) await this.#handleBatch(batch);
    const { dueMs } = batcher;
    if (dueMs === undefined || this.#isTimed) return;
    // The timer of a batch that has been filled meanwhile finds that the next one is not due, and is set anew.
    this.#isTimed = true;
    context.after(Math.max(0, dueMs - clock.monotonicMs()), () => {
      this.#isTimed = false;
      this.#note.write();
    });
  }

  #handleBatch({ entries, key, trigger }: Batch<Entry>): Promise<void> {
    const shares = new Map<Subscription, Share>();
    for (const { subscription } of entries) {
      const share = shares.get(subscription);
      if (share === undefined) shares.set(subscription, { subscription, count: 1 });
      else share.count++;
    }
    return this.#handle(entries.map(({ event }) => event), { key, trigger }, [...shares.values()]);
  }

  async #handle(events: readonly unknown[], info: BatchInfo, shares: readonly Share[]): Promise<void> {
    const credit = (): void => {
      for (const { subscription, count } of shares) this.inlet.credit(subscription, count);
    };
    let outcome: unknown;
    try {
      outcome = this.#host.handle(events, info);
      if (outcome instanceof Promise) outcome = await outcome;
    } catch (error) {
      if (!(error instanceof SpillwayError)) throw error;
      this.inlet.countFailed(events.length);
      this.#host.context.log.warn('a stage could not handle some events', { events: events.length, code: error.code, error: error.message });
      credit();
      return;
    }
    this.#host.onHandled(outcome, credit);
  }
}
