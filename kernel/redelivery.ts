/**
 * Delivers data records at least once: a record stays at the front of its lane until its message has come to an end,
 * and the next life finds there what a dead one had in hand, handles it first, and knows how often that was tried.
 *
 *   taken      1. hand.take    which record it is
 *              2. arrived      is counted
 *   handled    3. hand.end     from here on a handler may have begun it; each begin is counted
 *              4. the answer   goes out, or waits in the outbox
 *   settled    5. hand.ends    what its end will be counted as
 *              6. the lane's head moves behind it: the one store that decides whether it comes again
 *              7. the outcome  is counted
 *              8. hand.letGo
 *
 * A thread may die between any two of these. Before 6 the record comes again; an answer that had gone out at 4 is then
 * followed by a second one, which the asker counts as `stale_reply`. The counts are made good by `recover`, so that
 * the law of the board holds for every death: 1 to 2 and 6 to 7 are told by the counts before them. What waits in the
 * outbox after 6 dies with its thread, and the ask ends as that of any message that was taken.
 *
 * The actor takes one data message at a time, so there is one in hand, and one place to remember it is enough: the
 * next life takes no other data before that one. The delivery is as safe as the memory of the lane, which is the
 * system's: a lane goes when its sender has left for good, and then also what the receiver did not live to handle.
 *
 * Prior art: a JMS consumer in client acknowledgement, and the delivery count of AMQP 1.0.
 */
import type { SpscConsumer } from 'atomics-ring-buffer';
import type { Address } from './address.ts';
import { ARRIVED, DEAD_LETTERED, type Board } from './board.ts';
import type { Hand } from './hand.ts';
import type { Letter } from './letter.ts';
import type { ThreadBlock } from './thread-block.ts';

export interface RedeliveryHost {
  readonly board: Board;
  readonly block: ThreadBlock;
  /** The actor takes the next data record. */
  onSettled(): void;
}

export class Redelivery {
  readonly #host: RedeliveryHost;
  readonly #hand: Hand;
  readonly #place: number;
  readonly #maxRedeliveries: number;
  /** Where the record lies that is being looked at, or in hand. */
  #peer: Address = 0;
  #ring: SpscConsumer | undefined;
  #hasBegun = false;
  /** The message in hand, until it has come to its end or its handler was a defect. */
  #letter: Letter | undefined;
  /** What a former life had in hand is still to be taken. */
  #isDue = false;
  /** Of those that were handled before; they are few. */
  readonly #redeliveries = new WeakMap<Letter, number>();

  /** @param place of the actor on its board */
  constructor(host: RedeliveryHost, place: number, maxRedeliveries: number) {
    this.#host = host;
    this.#hand = host.block.hand;
    this.#place = place;
    this.#maxRedeliveries = maxRedeliveries;
  }

  /**
   * Makes good what a former life left uncounted. Before anything is taken.
   * @param headOf position of the oldest record in the data lane from this peer; undefined if there is no such lane
   * @returns whether a message that is counted as arrived lies in its lane still
   */
  recover(headOf: (peer: Address) => number | undefined): boolean {
    const hand = this.#hand;
    if (!hand.isHeld) return false;
    const { board } = this.#host;
    const head = headOf(hand.peer);
    if (head === hand.position) {
      if (this.#countOf(ARRIVED) === hand.arrivedBefore) board.count(this.#place, ARRIVED);
      this.#isDue = true;
      return true;
    }
    const { outcome } = hand;
    if (head !== undefined && outcome !== undefined && this.#countOf(outcome) === hand.outcomeBefore) board.count(this.#place, outcome);
    hand.letGo();
    return false;
  }

  /** Whether there is a message whose next life is in its lane, should the thread end now. */
  get isHeld(): boolean {
    return this.#hand.isHeld;
  }

  /** Whether a message that a former life had in hand is still to be taken. */
  get isDue(): boolean {
    return this.#isDue;
  }

  /** Whether the record that is looked at is not to be taken yet. */
  get mustWait(): boolean {
    return this.#letter !== undefined || (this.#isDue && this.#hand.peer !== this.#peer);
  }

  /** The oldest record of this lane is looked at. */
  looksAt(peer: Address, ring: SpscConsumer): void {
    this.#hasBegun = false;
    if (this.#letter !== undefined) return;
    this.#peer = peer;
    this.#ring = ring;
  }

  /** The record that is looked at is a message for the actor. */
  begin(letter: Letter): void {
    this.#hasBegun = true;
    this.#letter = letter;
    if (this.#isDue) {
      this.#isDue = false;
      if (this.#hand.deliveries > 0) this.#redeliveries.set(letter, this.#hand.deliveries);
      return;
    }
    this.#hand.take(this.#peer, this.#ring!.consumerPosition, this.#countOf(ARRIVED));
    this.#host.board.count(this.#place, ARRIVED);
  }

  /**
   * The record was looked at.
   * @param end position behind it
   * @returns whether it is in hand now; else it is to leave its lane
   */
  looked(end: number): boolean {
    if (this.#hasBegun) {
      this.#hand.end = end;
      return true;
    }
    if (this.#isDue && this.#hand.peer === this.#peer) {
      // This life cannot even read what the former one had in hand, and has said so.
      this.#isDue = false;
      this.#hand.letGo();
      this.#host.board.count(this.#place, DEAD_LETTERED);
    }
    return false;
  }

  /** A handler is about to begin. @returns false if that was tried too often */
  tryDeliver(letter: Letter): boolean {
    const redeliveries = this.redeliveriesOf(letter);
    if (redeliveries > this.#maxRedeliveries) return false;
    if (redeliveries > 0) this.#host.block.counters.add('redelivered');
    this.#hand.countDelivery();
    return true;
  }

  redeliveriesOf(letter: Letter): number {
    return this.#redeliveries.get(letter) ?? 0;
  }

  holds(letter: Letter): boolean {
    return this.#letter === letter;
  }

  /** The message has come to its end. @param outcome the board's count for it @returns whether it was in hand, and is counted now */
  settle(letter: Letter, outcome: number): boolean {
    if (this.#letter !== letter) return false;
    const hand = this.#hand;
    hand.ends(outcome, this.#countOf(outcome));
    this.#ring!.release(hand.end);
    this.#host.board.count(this.#place, outcome);
    hand.letGo();
    this.#letter = undefined;
    this.#host.onSettled();
    return true;
  }

  /** The handler was a defect: this life ends, and the message is the next one's. Its lane stays blocked. */
  leave(letter: Letter): void {
    if (this.#letter === letter) this.#letter = undefined;
  }

  #countOf(count: number): number {
    return this.#host.board.countOf(this.#place, count) | 0;
  }
}
