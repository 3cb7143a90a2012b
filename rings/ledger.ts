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
  readonly turns: number;
}

export const PUBLISHED: Ledger = {
  position: layout.TAIL_WORD,
  count: layout.OFFERED_WORD,
  nextPosition: layout.NEXT_TAIL_WORD,
  nextCount: layout.NEXT_OFFERED_WORD,
  turns: layout.TAIL_TURNS_WORD,
};
export const RELEASED: Ledger = {
  position: layout.HEAD_WORD,
  count: layout.CONSUMED_WORD,
  nextPosition: layout.NEXT_HEAD_WORD,
  nextCount: layout.NEXT_CONSUMED_WORD,
  turns: layout.HEAD_TURNS_WORD,
};

/** Puts a ledger at its beginning, before anybody sees it. */
export function begin(words: Int32Array, ledger: Ledger, position: number): void {
  words[ledger.position] = position;
  words[ledger.nextPosition] = position;
  words[ledger.turns] = position >>> 31;
}

/**
 * Moves a position, in one atomic store, and the count of records up to it. V8 may end a thread
 * between any two of these stores, so what both will be is written beforehand, the position first:
 * `repair` then always knows which count goes with the position that it finds.
 */
export function advance(words: Int32Array, ledger: Ledger, position: number, count: number): void {
  // Plain stores, here and of `count` below: one side writes them, and only its successor must find them exact.
  const turned = (words[ledger.nextPosition]! ^ position) < 0;
  words[ledger.nextPosition] = position;
  words[ledger.nextCount] = count;
  Atomics.store(words, ledger.position, position);
  words[ledger.count] = count;
  if (turned) words[ledger.turns] = (words[ledger.turns]! + 1) | 0;
}

/** Brings what goes with the position up to it, as a thread that died in `advance` would have; returns the count. */
export function repair(words: Int32Array, ledger: Ledger): number {
  const position = Atomics.load(words, ledger.position);
  if (words[ledger.nextPosition] === position) {
    words[ledger.count] = words[ledger.nextCount]!;
  } else {
    // What was announced never came to be. The count first: the position makes it count.
    words[ledger.nextCount] = words[ledger.count]!;
    words[ledger.nextPosition] = position;
  }
  const turns = words[ledger.turns]!;
  if ((turns & 1) !== position >>> 31) words[ledger.turns] = (turns + 1) | 0;
  return words[ledger.count]!;
}

/**
 * The position as it would be without the wrap at 2^32. The count of turns lags behind the position by
 * one turn at most, which its lowest bit tells: it has to be bit 31 of the position.
 */
export function widePosition(words: Int32Array, ledger: Ledger): number {
  // Turns first: read the other way round, they might be ahead of the position.
  const turns = Atomics.load(words, ledger.turns) >>> 0;
  const position = Atomics.load(words, ledger.position) >>> 0;
  const exact = (turns & 1) === position >>> 31 ? turns : turns + 1;
  return Math.floor(exact / 2) * 2 ** 32 + position;
}
