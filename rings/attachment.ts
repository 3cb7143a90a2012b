/**
 * Who holds a side of a ring. One life of a producer or consumer at a time, each with an incarnation
 * number of its own, so that two threads never write the same words unnoticed.
 *
 * A thread that ends without `detach` stays attached in the books. Only whoever knows that it is gone,
 * by its `exit` event, may name it in `successorOf`; of several successors one gets the side.
 *
 * An SPSC end that goes on all the same is refused from then on, its claims included. That stops a handle which
 * was left behind. It cannot stop a thread that still runs: between its look and its store a successor may
 * attach. The death notice has to be exact for that, and `exit` is, since Node joins the thread before.
 */
import type { Doorbell } from './doorbell.ts';
import * as layout from './layout.ts';
import { RingError } from './ring.ts';

export interface AttachOptions {
  /** The consumer thread's bell, when one bell serves several rings. Default: the ring's own. */
  readonly doorbell?: Doorbell;
  /** The incarnation that is attached to this side and known to be dead. Default: the side is free. */
  readonly successorOf?: number;
}

export interface Side {
  readonly name: 'producer' | 'consumer';
  readonly owner: number;
  readonly incarnation: number;
}

export const PRODUCER_SIDE: Side = {
  name: 'producer',
  owner: layout.PRODUCER_OWNER_WORD,
  incarnation: layout.PRODUCER_INCARNATION_WORD,
};
export const CONSUMER_SIDE: Side = {
  name: 'consumer',
  owner: layout.CONSUMER_OWNER_WORD,
  incarnation: layout.CONSUMER_INCARNATION_WORD,
};

/**
 * Takes a side and returns the incarnation number of this life, from 1 on.
 * @param successorOf the incarnation that is attached and known to be dead; 0 for none
 * @throws RingError `side_taken`
 */
export function attach(words: Int32Array, side: Side, successorOf: number): number {
  // A number is given out before the side is taken, so that no two lives ever share one.
  const incarnation = Atomics.add(words, side.incarnation, 1) + 1;
  const found = Atomics.compareExchange(words, side.owner, successorOf, incarnation);
  if (found !== successorOf) throw sideTaken(side.name, successorOf, found);
  return incarnation;
}

/** Gives the side back. Without effect when a successor has taken it already. */
export function detach(words: Int32Array, side: Side, incarnation: number): void {
  Atomics.compareExchange(words, side.owner, incarnation, 0);
}

/** What an end is told that goes on although a successor was given its side. */
export function superseded(name: Side['name'], incarnation: number): RingError {
  return new RingError('side_taken', `Incarnation ${incarnation} of the ${name} has given its side back or has a successor, and must not be used any more.`);
}

function sideTaken(name: Side['name'], successorOf: number, found: number): RingError {
  const holder = found === 0 ? 'nobody is attached' : `incarnation ${found} is attached`;
  const advice =
    found === 0
      ? 'Attach without successorOf.'
      : `Detach it, or pass { successorOf: ${found} } once its thread's exit event has come.`;
  const wanted = successorOf === 0 ? 'a free side' : `the side of incarnation ${successorOf}`;
  return new RingError('side_taken', `A ${name} wanted ${wanted}, but ${holder}. ${advice}`);
}
