/**
 * The data messages that wait for one actor: a bounded queue that says what happens at its bounds.
 *
 * Its mode follows its level with hysteresis, so that it does not flap: it begins at a mark and ends at a
 * lower one. In `async` senders go on, in `sync` the kernel makes them wait, and from `drop` on the policy
 * decides what becomes of an arrival:
 *
 * | policy        | async, sync | drop                                                   | flush            |
 * |---------------|-------------|--------------------------------------------------------|------------------|
 * | `refuse`      | queued      | refused until the mode ends; forced: queued            | never            |
 * | `wait`        | queued      | as `refuse`; whoever sends waits and tries again       | never            |
 * | `expire`      | queued      | sheds what is over its time; if the mode is still      | sheds all queued |
 * |               |             | `drop`, refused; forced: queued                        |                  |
 * | `drop_newest` | queued      | queued; at capacity the arrival is shed                | sheds all queued |
 * | `drop_oldest` | queued      | queued; at capacity the oldest is shed for it          | sheds all queued |
 * | `conflate`    | queued, or  | the same; at capacity, if no message with its key is   | sheds all queued |
 * |               | replaces    | queued, the oldest is shed for it                      |                  |
 *
 * So a refusal, which loses nothing, lasts until there is room worth coming back for; and nothing is lost
 * while there is room. `flush` begins with the arrival that brings the level to its mark, that arrival goes
 * with the rest, and the mailbox is at once `async` and empty. With the default marks only messages forced
 * into an `expire` mailbox come that far: nothing else exceeds the capacity by a policy that may lose them.
 *
 * The law: arrivals accepted = taken + shed, by reason, + level; an arrival that is shed counts as accepted.
 *
 * There is no clock and no waiting here: the same calls with the same times lead to the same decisions.
 * Times never go back from one call to the next. The queue is made with the first message and given back when
 * it is empty after a burst, because most mailboxes of a thread with very many actors are empty.
 */
import { BACK_PRESSURED } from 'atomics-ring-buffer';
import Denque from 'denque';
import { ConflatingQueue } from './conflating-queue.ts';
import { MAILBOX_MODES, type MailboxMode, type MailboxSpec } from './mailbox-spec.ts';

// Whoever has a mailbox needs the words of its spec, so this file is where one gets both.
export { MAILBOX_MODES, MAILBOX_POLICIES, completeMailboxSpec } from './mailbox-spec.ts';
export type { MailboxMode, MailboxPolicy, MailboxSpec, PartialMailboxSpec } from './mailbox-spec.ts';

/** Every reason for which a mailbox gives up a message. */
export const SHED_REASONS = ['dropped_newest', 'dropped_oldest', 'conflated', 'expired', 'flushed'] as const;
export type ShedReason = (typeof SHED_REASONS)[number];

/** Is told when the mailbox has done what it tells of. Must not throw. */
export interface MailboxObserver<M> {
  shed(message: M, reason: ShedReason): void;
  /** @param level messages queued when the mode changed */
  modeChanged?(from: MailboxMode, to: MailboxMode, level: number): void;
}

const ASYNC = MAILBOX_MODES.indexOf('async');
const SYNC = MAILBOX_MODES.indexOf('sync');
const DROP = MAILBOX_MODES.indexOf('drop');

/** A queue that was longer is given back when it is empty. */
const KEPT_LENGTH_MAX = 32;

/** @typeParam M anything but undefined, with which `take` says that there is none */
export class Mailbox<M> {
  readonly #spec: MailboxSpec<M>;
  readonly #observer: MailboxObserver<M>;
  #queue: Denque<M> | ConflatingQueue<M> | undefined = undefined;
  /** When each queued message came, in the order of the queue; only for `expire`. */
  #arrivals: Denque<number> | undefined = undefined;
  #mode = ASYNC;
  #isSwollen = false;

  /** @param spec completed by `completeMailboxSpec`; may be shared */
  constructor(spec: MailboxSpec<M>, observer: MailboxObserver<M>) {
    this.#spec = spec;
    this.#observer = observer;
  }

  /** Messages queued. Those that have expired and were not found yet are among them. */
  get level(): number {
    return this.#queue?.length ?? 0;
  }

  get mode(): MailboxMode {
    return MAILBOX_MODES[this.#mode]!;
  }

  /** When the oldest message came; undefined if there is none, or the policy is another than `expire`. */
  get oldestMs(): number | undefined {
    return this.#arrivals?.peekFront();
  }

  /** @returns 0, or `BACK_PRESSURED`: the message is then still the caller's. A message it sheds is accepted. */
  offer(message: M, nowMs: number): number {
    return this.#accept(message, nowMs, false);
  }

  /** Takes in what cannot go back to its sender, where `offer` would refuse it. Policies that shed do so as ever. */
  force(message: M, nowMs: number): void {
    this.#accept(message, nowMs, true);
  }

  /** @returns the oldest message that has not expired, or undefined */
  take(nowMs: number): M | undefined {
    if (this.#arrivals !== undefined) this.#shedExpired(nowMs);
    return this.#shift();
  }

  /** Everything queued, for an actor that stops: whose dead letters these are is the caller's to say. */
  takeAll(): M[] {
    const level = this.level;
    const messages = this.#detach();
    if (level > 0) this.#fell(0);
    return messages;
  }

  #accept(message: M, nowMs: number, isForced: boolean): number {
    const { policy, capacity } = this.#spec;
    if (policy === 'conflate') return this.#conflate(message);
    // The capacity is never below the mark of this mode, so that before it there is room.
    if (this.#mode >= DROP) {
      if (policy === 'drop_newest') {
        if (this.level >= capacity) {
          this.#observer.shed(message, 'dropped_newest');
          return 0;
        }
      } else if (policy === 'drop_oldest') {
        if (this.level >= capacity) return this.#displace(message);
      } else {
        if (policy === 'expire') this.#shedExpired(nowMs);
        if (this.#mode >= DROP && !isForced) return BACK_PRESSURED;
      }
    }
    const queue = (this.#queue ??= new Denque()) as Denque<M>;
    if (policy === 'expire') (this.#arrivals ??= new Denque()).push(nowMs);
    this.#rose(queue.push(message));
    return 0;
  }

  #displace(message: M): number {
    const queue = this.#queue as Denque<M>;
    const oldest = queue.shift()!;
    queue.push(message);
    this.#observer.shed(oldest, 'dropped_oldest');
    return 0;
  }

  #conflate(message: M): number {
    const key = this.#spec.key!(message);
    const queue = (this.#queue ??= new ConflatingQueue()) as ConflatingQueue<M>;
    const older = key === undefined ? undefined : queue.replace(message, key);
    if (older !== undefined) {
      this.#observer.shed(older, 'conflated');
    } else if (queue.length >= this.#spec.capacity) {
      const oldest = queue.shift()!;
      queue.push(message, key);
      this.#observer.shed(oldest, 'dropped_oldest');
    } else {
      this.#rose(queue.push(message, key));
    }
    return 0;
  }

  /** The arrivals of the queue are in order, so what has expired is at its front. */
  #shedExpired(nowMs: number): void {
    const bornMs = nowMs - this.#spec.ttlMs!;
    while (this.#arrivals !== undefined && this.#arrivals.length > 0 && this.#arrivals.peekFront()! < bornMs) {
      this.#observer.shed(this.#shift()!, 'expired');
    }
  }

  #shift(): M | undefined {
    const queue = this.#queue;
    const message = queue?.shift();
    if (message === undefined) return undefined;
    this.#arrivals?.shift();
    const level = queue!.length;
    if (level === 0 && this.#isSwollen) this.#detach();
    this.#fell(level);
    return message;
  }

  #detach(): M[] {
    const messages = this.#queue?.toArray() ?? [];
    this.#queue = undefined;
    this.#arrivals = undefined;
    this.#isSwollen = false;
    return messages;
  }

  #rose(level: number): void {
    if (level > KEPT_LENGTH_MAX) this.#isSwollen = true;
    const { marks, policy } = this.#spec;
    if (level < marks.sync) return;
    if (level >= marks.flush && policy !== 'refuse' && policy !== 'wait') this.#flush(level);
    else if (level >= marks.drop) this.#worsen(DROP, level);
    else this.#worsen(SYNC, level);
  }

  #worsen(mode: number, level: number): void {
    if (mode > this.#mode) this.#change(mode, level);
  }

  #fell(level: number): void {
    if (this.#mode === ASYNC) return;
    const { marks } = this.#spec;
    if (level <= marks.syncLow && (this.#mode === SYNC || level <= marks.dropLow)) this.#change(ASYNC, level);
    else if (level <= marks.dropLow && this.#mode === DROP) this.#change(SYNC, level);
  }

  /** In one go, so that nobody finds the mailbox in this mode except who is told of it here. */
  #flush(level: number): void {
    const messages = this.#detach();
    const before = this.mode;
    this.#mode = ASYNC;
    this.#observer.modeChanged?.(before, 'flush', level);
    for (const message of messages) this.#observer.shed(message, 'flushed');
    this.#observer.modeChanged?.('flush', 'async', 0);
  }

  #change(mode: number, level: number): void {
    const before = this.mode;
    this.#mode = mode;
    this.#observer.modeChanged?.(before, this.mode, level);
  }
}
