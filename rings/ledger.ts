/**
 * A position and the count of records up to it, which must agree although a thread may be ended
 * between the two stores.
 */
import * as layout from './layout.ts';

/** The words that move together when records are published, or released. */
export interface Ledger {
  readonly position: number;
  readonly count: number;
  readonly nextPosition: number;
  readonly nextCount: number;
}

export const PUBLISHED: Ledger = {
  position: layout.TAIL_WORD,
  count: layout.OFFERED_WORD,
  nextPosition: layout.NEXT_TAIL_WORD,
  nextCount: layout.NEXT_OFFERED_WORD,
};
export const RELEASED: Ledger = {
  position: layout.HEAD_WORD,
  count: layout.CONSUMED_WORD,
  nextPosition: layout.NEXT_HEAD_WORD,
  nextCount: layout.NEXT_CONSUMED_WORD,
};

/**
 * Moves a position, in one atomic store, and the count of records up to it. V8 may end a thread
 * between any two of these stores, so what both will be is written beforehand, the position first:
 * `repairCount` then always knows which count goes with the position that it finds.
 */
export function advance(words: Int32Array, ledger: Ledger, position: number, count: number): void {
  // Plain stores, here and of `count` below: one side writes them, and only its successor must find them exact.
  words[ledger.nextPosition] = position;
  words[ledger.nextCount] = count;
  Atomics.store(words, ledger.position, position);
  words[ledger.count] = count;
}

/** Brings the count up to the position, as a thread that died in `advance` would have; returns it. */
export function repairCount(words: Int32Array, ledger: Ledger): number {
  const position = Atomics.load(words, ledger.position);
  if (words[ledger.nextPosition] === position) words[ledger.count] = words[ledger.nextCount]!;
  return words[ledger.count]!;
}
