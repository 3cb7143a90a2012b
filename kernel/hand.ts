/**
 * The data record that a thread's own actor has in hand, for the life after: which one it is, how often a handler has
 * begun it, and what is already counted of it.
 *
 *      word   0        1     2         3    4           5               6        7
 *           +--------+------+----------+-----+------------+----------------+---------+----------------+
 *           | isHeld | peer | position | end | deliveries | arrived before | outcome | outcome before |
 *           +--------+------+----------+-----+------------+----------------+---------+----------------+
 *
 * The record itself stays at the front of its lane until it has come to an end, so its lane (`peer`, the address of
 * the actor at the other end, which no other ever gets) and its `position` there are all that it takes to know it
 * again. `arrived before` and `outcome before` are what the board had counted before it counted this message: whoever
 * finds the same count there knows that the thread died between the two stores. Counts modulo 2^32.
 *
 * Only the thread itself writes, with plain stores, one thread after the other: a life begins after its predecessor's
 * exit was seen, which orders all of its stores before those of the successor. `isHeld` goes last when a record is
 * taken and first when it is let go.
 */
import type { Address } from './address.ts';

const WORDS = 8;
const IS_HELD = 0;
const PEER = 1;
const POSITION = 2;
const END = 3;
const DELIVERIES = 4;
const ARRIVED_BEFORE = 5;
const OUTCOME = 6;
const OUTCOME_BEFORE = 7;
/** It has come to no end yet; the board's counts are numbered from 0, which is `arrived`. */
const NO_OUTCOME = 0;

export class Hand {
  static readonly bytes = WORDS * 4;
  readonly #words: Int32Array;

  constructor(memory: SharedArrayBuffer, byteOffset: number) {
    this.#words = new Int32Array(memory, byteOffset, WORDS);
  }

  get isHeld(): boolean {
    return this.#words[IS_HELD] === 1;
  }

  get peer(): Address {
    return this.#words[PEER]! >>> 0;
  }

  get position(): number {
    return this.#words[POSITION]! >>> 0;
  }

  /** Position behind the record, or its own as long as no handler can have begun it. */
  get end(): number {
    return this.#words[END]! >>> 0;
  }

  set end(position: number) {
    this.#words[END] = position;
  }

  /** How often a handler has begun with it. */
  get deliveries(): number {
    return this.#words[DELIVERIES]!;
  }

  countDelivery(): void {
    this.#words[DELIVERIES]!++;
  }

  get arrivedBefore(): number {
    return this.#words[ARRIVED_BEFORE]!;
  }

  /** Place of the count that its end goes into; undefined before its end. */
  get outcome(): number | undefined {
    const outcome = this.#words[OUTCOME]!;
    return outcome === NO_OUTCOME ? undefined : outcome;
  }

  get outcomeBefore(): number {
    return this.#words[OUTCOME_BEFORE]!;
  }

  take(peer: Address, position: number, arrivedBefore: number): void {
    const words = this.#words;
    words[PEER] = peer;
    words[POSITION] = position;
    words[END] = position;
    words[DELIVERIES] = 0;
    words[ARRIVED_BEFORE] = arrivedBefore;
    words[OUTCOME] = NO_OUTCOME;
    words[IS_HELD] = 1;
  }

  /** It is about to leave its lane and to be counted. */
  ends(outcome: number, outcomeBefore: number): void {
    this.#words[OUTCOME_BEFORE] = outcomeBefore;
    this.#words[OUTCOME] = outcome;
  }

  letGo(): void {
    this.#words[IS_HELD] = 0;
  }

  /**
   * How far the lane from `peer` was read, for those who are told that the thread has ended for good: what its last
   * life had begun may have been handled, although it is still in its lane.
   */
  begunTo(peer: Address, consumed: number): number {
    return this.isHeld && this.peer === peer && this.position === consumed ? this.end : consumed;
  }
}
